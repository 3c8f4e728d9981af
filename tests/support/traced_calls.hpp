#pragma once
// The system calls that the crash tests know, and how strace tells them. Pure. The list of what a join makes is not written down here:
// strace names it at each run (tests/reliability), and a call that is not known is a finding. What is written down is how each can fail.
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::test {

struct TracedCall {
  std::string name;                 // strace's
  std::vector<std::string> errors;  // it is made to fail with; none: it only kills, for the kernel never lets it fail, or nobody looks
  bool always = false;              // each join, renewal and removal together make it, on each machine
};

const std::vector<TracedCall>& traced_calls();
// Null: not known.
const TracedCall* find_traced_call(std::string_view name);

// How often the thread that makes a call most often makes it. For strace -f -o: injections count for each thread.
using CallCounts = std::map<std::string, std::size_t>;
CallCounts count_calls(std::string_view strace_log);
// Findings, one a call: it is made and nobody knows how it fails.
std::vector<std::string> unknown_calls(const CallCounts& counts);
// Findings, one a call: `counts` is of requests, and it is not there.
std::vector<std::string> missing_calls(const CallCounts& counts);

}  // namespace slipway::test
