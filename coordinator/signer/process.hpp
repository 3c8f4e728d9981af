#pragma once
// The signer as a process: the same program, executed anew. It shares nothing with the coordinator but the
// channels: no memory, no descriptors, another layout of addresses.
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>

#include "common/core/result.hpp"
#include "coordinator/signer/client.hpp"

namespace slipway::signer {

// Of the process that started it; call from one thread.
class SignerProcess {
 public:
  // Signals that are blocked stay blocked in the signer. `signatures`: how many may be asked for at once.
  // `program`: a slipway-coordinator; the default is the file that runs, also when a package has put another
  // in its place.
  static Result<SignerProcess> start(std::size_t signatures, std::string program = "/proc/self/exe");
  SignerProcess(SignerProcess&& other) noexcept;
  SignerProcess& operator=(SignerProcess&&) = delete;
  ~SignerProcess();  // closes what take_link() did not take; waits for its end, kills it after five seconds

  SignerLink take_link() { return std::move(link_); }
  pid_t pid() const { return pid_; }
  // "the signer process (pid 4711) ended: signal 9", once it has. Does not wait.
  std::optional<std::string> ended();

 private:
  SignerProcess(pid_t pid, SignerLink link) : pid_(pid), link_(std::move(link)) {}
  pid_t pid_ = -1;  // -1: waited for
  SignerLink link_;
};

// For main(): the number of channels when this process was started as a signer. Not for people, so not in the
// help.
std::optional<std::size_t> signer_channels(int argc, char** argv);
// The signer's whole life. Ends with the coordinator; the process's exit code.
[[noreturn]] void run_signer(std::size_t channels);

}  // namespace slipway::signer
