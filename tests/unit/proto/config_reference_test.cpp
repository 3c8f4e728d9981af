// The tables of fields: complete, used by the checks, and the same in docs/.
#include "proto/config_reference.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "agent/config.hpp"
#include "coordinator/config.hpp"
#include "coordinator/init.hpp"
#include "proto/file_types.hpp"
#include "tests/support/doc_block.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::proto;

namespace {

struct File {
  const char* name;
  std::vector<FieldOutline> fields;
  std::span<const FieldNote> notes;
};

std::vector<File> files() {
  return {{"agent.yaml", outline<AgentConfig>(), agent_notes()},
          {"coordinator.yaml", outline<CoordinatorConfig>(), coordinator_notes()},
          {"cluster.yaml", outline<ClusterSpec>(), cluster_notes()}};
}

using Json = nlohmann::json;

// A document of that file that is in order.
Json good(const std::string& file) {
  if (file == "agent.yaml") return {{"coordinators", {"https://10.0.0.1:7443"}}, {"nodeName", "a"}};
  if (file == "coordinator.yaml") return {{"routesHook", {{"command", {"/bin/true"}}}}};
  return {{"metadata", {{"name", "demo"}}},
          {"apiServer", {{"endpoint", "https://192.168.10.10:6443"}}},
          {"coordinator", {{"addresses", {"192.168.10.10"}}}},
          {"network", {{"podCIDR", "10.10.0.0/16"}, {"serviceCIDR", "10.0.0.0/16"}, {"pools", {{{"name", "gpu"}, {"ranges", {"10.20.0.0/16"}}}}}}},
          {"nodeGroups", {{{"name", "gpu"}}}},
          {"versions", {{"kubernetes", "1.20.2"}, {"etcd", "3.4.23"}, {"docker", "20.10.24"}, {"cniPlugins", "1.1.1"}}}};
}

// What the program that reads such a file says of it; empty: nothing.
std::string refusal(const std::string& file, const Json& document) {
  const test::TempDir dir;
  test::put_file(dir / file, document.dump());
  const std::string path = dir / file;
  if (file == "agent.yaml") {
    const auto read = load_agent_config(path);
    return read ? "" : read.error().message;
  }
  if (file == "coordinator.yaml") {
    const auto read = load_coordinator_config(path);
    return read ? "" : read.error().message;
  }
  const auto read = check_cluster_file(path);
  return read ? "" : read.error().message;
}

std::string pointer_to(std::string_view path) {
  std::string pointer = "/";
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path.substr(i, 2) == "[]") {
      pointer += "/0";
      ++i;
    } else {
      pointer += path[i] == '.' ? '/' : path[i];
    }
  }
  return pointer;
}

}  // namespace

TEST_CASE("every field of a file has one note, and every note a field", "[reference]") {
  for (const File& file : files()) {
    std::multiset<std::string> noted;
    for (const FieldNote& note : file.notes) noted.emplace(note.path);
    std::multiset<std::string> there;
    for (const FieldOutline& field : file.fields) there.insert(field.path);
    INFO(file.name);
    CHECK(noted == there);
    CHECK(std::all_of(file.notes.begin(), file.notes.end(), [](const FieldNote& note) { return !note.meaning.empty(); }));
  }
}

TEST_CASE("a value beside the choices or bounds of a note is refused, with its line and what is allowed", "[reference]") {
  for (const File& file : files()) {
    REQUIRE(refusal(file.name, good(file.name)).empty());
    for (const FieldNote& note : file.notes) {
      if (note.choices.empty() && note.most == 0) continue;
      const std::string pointer = pointer_to(note.path);
      INFO(file.name << " " << pointer);
      Json bad = good(file.name);
      if (note.most > 0) bad[Json::json_pointer(pointer)] = note.most + 1;
      else bad[Json::json_pointer(pointer)] = "nonesuch";
      const std::string said = refusal(file.name, bad);
      INFO(said);
      CHECK(said.find(":1:") != std::string::npos);
      CHECK(said.find(pointer + ":") != std::string::npos);
      if (!note.choices.empty()) CHECK(said.find(std::string(note.choices.substr(0, note.choices.find(' ')))) != std::string::npos);
    }
  }
}

TEST_CASE("the choices of a note are taken", "[reference]") {
  for (const File& file : files()) {
    for (const FieldNote& note : file.notes) {
      for (std::size_t at = 0; at < note.choices.size();) {
        const std::size_t end = std::min(note.choices.find(' ', at), note.choices.size());
        Json document = good(file.name);
        document[Json::json_pointer(pointer_to(note.path))] = std::string(note.choices.substr(at, end - at));
        const std::string said = refusal(file.name, document);
        INFO(note.path << " " << said);
        CHECK(said.find(pointer_to(note.path) + ":") == std::string::npos);
        at = end + 1;
      }
    }
  }
}

TEST_CASE("the pages of the files hold the tables of the program", "[reference]") {
  for (const File& file : files()) {
    const std::string page = std::string(file.name) == "cluster.yaml" ? "docs/cluster-yaml.md" : "docs/agent-yaml.md";
    test::check_doc_block(page, file.name, reference_table(file.fields, file.notes));
  }
}

TEST_CASE("what a note allows is told in words", "[reference]") {
  const FieldNote role{"role", "x", {}, "node master"};
  CHECK_FALSE(choice_problem(role, "node"));
  CHECK(choice_problem(role, "king").value() == "\"king\" is not known: node or master");
  CHECK(choice_problem(role, "nod\n").value() == "\"nod?\" is not known: node or master; did you mean node?");
  const FieldNote port{"port", "x", {}, {}, 1, 65535};
  CHECK_FALSE(bounds_problem(port, 1));
  CHECK_FALSE(bounds_problem(port, 65535));
  CHECK(bounds_problem(port, 0).value() == "0 is out of bounds: 1 to 65535");
  CHECK(bounds_problem(port, 65536).value() == "65536 is out of bounds: 1 to 65535");
  CHECK_FALSE(bounds_problem(FieldNote{"n", "x"}, 7));
}
