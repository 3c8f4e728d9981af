// What the crash tests take from strace, and their list of calls.
#include "tests/support/traced_calls.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace slipway::test {
namespace {

CallCounts complete() {
  CallCounts counts;
  for (const TracedCall& call : traced_calls()) {
    if (call.always) counts[call.name] = 1;
  }
  return counts;
}

TEST_CASE("calls in strace's log are counted for the busiest thread", "[support]") {
  const CallCounts counts = count_calls(
      "100 write(11, \"x(\", 2) = 2\n"
      "100 write(11, \"y\", 1) = 1\n"
      "101 write(2, \"z\", 1) = 1\n"
      "101   futex(0x1, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>\n"
      "101 <... futex resumed>) = 0\n"
      "100 --- SIGCHLD {si_signo=SIGCHLD} ---\n"
      "100 +++ killed by SIGKILL +++\n"
      "strace: Process 102 attached\n");
  CHECK(counts == CallCounts{{"futex", 1}, {"write", 2}});
  CHECK(count_calls("").empty());
}

TEST_CASE("a call that nobody knows, and one that must be there, are findings", "[support]") {
  CHECK(unknown_calls(complete()).empty());
  CHECK(missing_calls(complete()).empty());
  CallCounts more = complete();
  more["io_uring_enter"] = 3;
  REQUIRE(unknown_calls(more).size() == 1);
  CHECK(unknown_calls(more).front().starts_with("io_uring_enter is made"));
  CallCounts less = complete();
  less.erase("sendmsg");
  REQUIRE(missing_calls(less).size() == 1);
  CHECK(missing_calls(less).front().starts_with("sendmsg is not made"));
}

TEST_CASE("each call stands in the list once", "[support]") {
  for (const TracedCall& call : traced_calls()) {
    INFO(call.name);
    CHECK(std::count_if(traced_calls().begin(), traced_calls().end(), [&](const TracedCall& other) { return other.name == call.name; }) == 1);
    CHECK(find_traced_call(call.name) == &call);
  }
  CHECK(find_traced_call("io_uring_enter") == nullptr);
}

}  // namespace
}  // namespace slipway::test
