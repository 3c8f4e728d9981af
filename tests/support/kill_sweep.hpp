#pragma once
// Runs a job in a child process and kills it, really, just before its k-th effect: a system call that changes files or folders below
// a root, or a mark that the job makes itself (before and after a call of a port). Linux: seccomp stops the child at those calls
// only, ptrace(2) tells us of them.
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace slipway::test {

// Memory that outlives a killed child: what the world outside the process remembers of it.
class SharedNotes {
 public:
  explicit SharedNotes(std::size_t bytes = std::size_t{1} << 20);
  ~SharedNotes();
  SharedNotes(const SharedNotes&) = delete;
  SharedNotes& operator=(const SharedNotes&) = delete;

  // Throws when it is too long. A kill comes before or after, for it makes no system call.
  void write(const std::string& text);
  std::string read() const;

 private:
  struct Page;
  Page* page_;
  std::size_t bytes_;
};

// Called by the job: an effect of its own by this name, at which it may be killed.
void mark_effect(const char* name);

struct KilledRun {
  bool possible = true;     // false: this machine lets nobody trace; `error` says why
  bool killed = false;      // false: the job came to its end
  std::size_t effects = 0;  // that it has begun, the one it was killed at included
  std::string last;         // the name of that one: "renameat", or a mark's
  std::string error;        // why the job failed, when it was not killed
};

// The calling process must have no other threads: the child is a fork of it. `kill_at` counts from 1; 0: never. What the job throws is
// its error. Writes to files outside `root` are no effects. A child that ends by itself runs no destructors of the parent's objects.
KilledRun run_and_kill(const std::function<void()>& job, const std::string& root, std::size_t kill_at);

}  // namespace slipway::test
