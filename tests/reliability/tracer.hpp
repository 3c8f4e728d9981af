#pragma once
// strace on a coordinator: to see what it calls, and to let a call fail or kill.
#include <cstddef>
#include <string>
#include <vector>

#include "tests/reliability/campaign.hpp"

namespace slipway::test {

struct Injection {
  std::string call;    // strace's name
  std::string effect;  // "signal=KILL", "error=EIO", "error=ENOSPC"

  bool kills() const { return effect == "signal=KILL"; }
  std::string name(std::size_t when) const { return call + " " + effect + " number " + std::to_string(when); }
};

// Arguments for strace: the `when`-th such call of each thread.
std::vector<std::string> injecting(const Injection& injection, std::size_t when);

// On a running coordinator and its signer, until the end of this object or theirs. `log` gets the calls.
class Tracer {
 public:
  Tracer(Campaign& campaign, const std::vector<std::string>& arguments, const std::string& log);
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

 private:
  bench::ServerProcess strace_;
};

// From exec on. `-D`: the coordinator is our child, strace a process beside it that ends with it. The signer is followed by itself.
std::vector<std::string> traced_from_exec(const std::vector<std::string>& command, const std::vector<std::string>& arguments, const std::string& log);

// strace marks errors in its log, a moment late; a deadly signal tells by itself.
bool was_hit(const Injection& injection, bool died, const std::string& log);
// A moment for a process that has decided to end: a long one when something went unanswered, for then it has or it hangs.
bool ends(Campaign& campaign);

}  // namespace slipway::test
