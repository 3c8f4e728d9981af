#pragma once
// A network namespace of its own for the calling thread, and the ip program in it.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/process/run_program.hpp"

namespace slipway::test {

// Runs argv found in the usual folders; throws with its words when it fails, so that a broken rig is not
// taken for a bug.
inline std::string run_tool(std::vector<std::string> argv, const std::string& input = "") {
  const std::string path = find_program({"/usr/sbin", "/sbin", "/usr/bin", "/bin"}, argv.at(0));
  if (path.empty()) throw std::runtime_error("no program " + argv[0]);
  argv[0] = path;
  const auto output = run_program(argv, input, std::chrono::seconds(20));
  if (!output) throw std::runtime_error(output.error().message);
  if (output->exit_code != 0) throw std::runtime_error(path + ": " + output->err);
  return output->out;
}

// "ip route add ..." as one line of words.
inline std::string run_words(const std::string& line) {
  std::vector<std::string> argv;
  for (const std::string_view word : split(line, ' '))
    if (!word.empty()) argv.emplace_back(word);
  return run_tool(argv);
}

inline bool is_root() {
  return ::geteuid() == 0;
}

// The thread lives in a new namespace from construction to destruction. Needs root.
class NetNamespace {
 public:
  NetNamespace() : former_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (!former_ || ::unshare(CLONE_NEWNET) != 0)
      throw std::runtime_error(from_errno("new network namespace", errno).message);
    run_words("ip link set lo up");
  }
  ~NetNamespace() {
    // A thread left in the wrong namespace would spoil every later test.
    if (::setns(former_.get(), CLONE_NEWNET) != 0) std::abort();
  }
  NetNamespace(const NetNamespace&) = delete;
  NetNamespace& operator=(const NetNamespace&) = delete;

 private:
  UniqueFd former_;
};

}  // namespace slipway::test
