// --wait.
#include <algorithm>

#include "common/core/text.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

constexpr std::chrono::milliseconds k_interval{2'000};
constexpr std::size_t k_names = 10;

}  // namespace

int wait_until(const std::string& what, const std::string& timeout, const std::function<Result<std::vector<std::string>>()>& missing, Console& console) {
  const auto time = [&console] { return console.clock ? console.clock() : console.now; };
  const WallTime end = time() + parse_duration(timeout).value_or(Seconds(300));
  std::string state;
  while (true) {
    const auto left = missing();
    if (left && left->empty()) {
      console.err << what << ": done\n";
      return k_ok;
    }
    // Neither comes by itself.
    const bool hopeless = !left && (exit_code_of(left.error()) == k_denied || left.error().code == Errc::conflict);
    if (hopeless) return fail(console, left.error());
    const std::string now = left ? std::to_string(left->size()) + " missing: " + first_names(*left, k_names) : left.error().message;
    if (now != state) console.err << what << ": " << now << "\n" << std::flush;
    state = now;
    if (time() >= end || !console.pause || !console.pause(k_interval)) break;
  }
  console.err << "slipwayctl: " << what << ": not within " << timeout << "; what was asked for is done, the rest comes by itself\n";
  return k_timed_out;
}

Result<std::vector<std::string>> nodes_behind(std::uint64_t revision, Connection& connection, WallTime now) {
  const auto nodes = ask_all<proto::NodeList>(connection, "/v1/nodes");
  if (!nodes) return nodes.error();
  std::vector<std::string> behind;
  for (const proto::NodeView& node : nodes->items) {
    const bool held = node.settings == "waiting" || node.settings == "restarting" || node.settings == "failed";
    if (is_heard(node, now) && (node.applied_revision < revision || held)) behind.push_back(node.name);
  }
  return behind;
}

}  // namespace slipway::ctl
