// docs/metrics.md is made from what the coordinator writes.
#include <catch2/catch.hpp>
#include <map>
#include <sstream>
#include <vector>

#include "common/core/text.hpp"
#include "coordinator/api/metrics.hpp"
#include "tests/support/doc_block.hpp"

using namespace slipway;
using namespace slipway::api;

namespace {

// One of everything, so that every family has a sample with all its labels.
MetricsInput one_of_everything() {
  MetricsInput input;
  input.now = WallTime(Seconds(1'790'000'000));
  const std::string later = to_rfc3339(input.now + Seconds(100));
  proto::NodeView node;
  node.name = "a";
  node.phase = "Running";
  node.last_contact = later;
  proto::ComponentStatus component;
  component.name = "kubelet";
  component.version = "1.20.2";
  component.state = "running";
  node.components = {component};
  input.nodes = {node};
  input.certificates = {{"a", "agent", "1", "", later, ""}};
  proto::PoolView pool;
  pool.name = "default";
  pool.exhausted_at = later;
  pool.largest_free = 24;
  input.pools = {pool};
  input.join_requests = {{{"accepted", ""}, 1}};
  input.renewals = {{"renewed", 1}};
  input.free_blocks["default"] = {{24, 1}};
  return input;
}

struct Family {
  std::string name, type, help;
  std::vector<std::string> labels;
};

// Of "slipway_x{a="1",b="2"} 3".
std::vector<std::string> labels_of(const std::string& sample) {
  std::vector<std::string> labels;
  const std::size_t open = sample.find('{');
  if (open == std::string::npos) return labels;
  for (const std::string_view pair : split(std::string_view(sample).substr(open + 1, sample.rfind('}') - open - 1), ','))
    labels.emplace_back(pair.substr(0, pair.find('=')));
  return labels;
}

std::vector<Family> families(const std::string& text) {
  std::vector<Family> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      const std::size_t end = line.find(' ', 7);
      found.push_back({line.substr(7, end - 7), "", line.substr(end + 1), {}});
    } else if (line.starts_with("# TYPE ")) {
      found.back().type = line.substr(line.rfind(' ') + 1);
    } else if (found.back().labels.empty() && line.starts_with(found.back().name)) {
      found.back().labels = labels_of(line);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("the page of metrics has what the coordinator writes", "[reference]") {
  const std::string text = render_metrics(one_of_everything());
  std::string table = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const Family& family : families(text)) {
    INFO(family.name);
    CHECK(text.find("\n" + family.name) != std::string::npos);
    std::string labels;
    for (const std::string& label : family.labels) labels += (labels.empty() ? "`" : ", `") + label + "`";
    table += "| `" + family.name + "` | " + family.type + " | " + labels + " | " + family.help + " |\n";
  }
  test::check_doc_block("docs/metrics.md", "metrics", table);
}

TEST_CASE("every family of metrics has a sample where there is something to count", "[reference]") {
  const std::string text = render_metrics(one_of_everything());
  for (const Family& family : families(text)) {
    INFO(family.name);
    const std::string first = "\n" + family.name + (family.type == "histogram" ? "_bucket" : "");
    CHECK((text.find(first + "{") != std::string::npos || text.find(first + " ") != std::string::npos));
  }
}
