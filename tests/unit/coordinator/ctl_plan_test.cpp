// `slipwayctl plan`: from the command line to the text.
#include "coordinator/ctl/command_line.hpp"
#include "tests/unit/coordinator/ctl_fixture.hpp"

#include <nlohmann/json.hpp>

#include "common/config/yaml_to_json.hpp"

using namespace slipway;
using namespace slipway::ctl;

namespace {

struct Said {
  int code = -1;
  std::string out;
  std::string err;
};

Said plan(std::vector<const char*> words, Format format = Format::table) {
  words.insert(words.begin(), {"slipwayctl", "plan"});
  auto parsed = parse_command_line(static_cast<int>(words.size()), words.data(), "");
  if (const auto* usage = std::get_if<Usage>(&parsed)) return {usage->code, "", usage->text};
  auto& line = std::get<CommandLine>(parsed);
  line.format = format;
  std::ostringstream out;
  std::ostringstream err;
  Console console{out, err};
  const auto code = run_local_command(line, console);
  REQUIRE(code);
  return {*code, out.str(), err.str()};
}

}  // namespace

TEST_CASE("plan prints a piece of cluster.yaml with the arithmetic as comments", "[ctl][plan]") {
  const Said said = plan({"--nodes", "100", "--avoid", "10.0.0.0/16,192.168.10.0/24", "--ipv6", "fd12:3456:789a::/48"});
  CHECK(said.code == k_ok);
  CHECK(said.err.empty());
  const auto yaml = yaml_to_json(said.out, "plan");
  REQUIRE(yaml);
  const auto json = nlohmann::json::parse(*yaml);
  CHECK(json["network"]["podCIDR"] == "10.1.0.0/16");
  CHECK(json["network"]["nodePrefixLength"] == 24);
  CHECK(json["network"]["serviceCIDR"] == "10.2.0.0/20");
  CHECK(json["network"]["serviceReserve"] == "10.2.0.0/16");
  CHECK(json["network"]["pools"][0]["ranges"][0] == "fd12:3456:789a::/48");
  CHECK(json["kubelet"]["maxPods"] == 110);
  CHECK(said.out.find("# pods: 10.1.0.0/16 cut in /24 holds 256 nodes with 253 pods each") != std::string::npos);
  CHECK(said.out.find("nothing was to be avoided") == std::string::npos);
  CHECK(plan({"--nodes", "1"}).out.find("nothing was to be avoided") != std::string::npos);
}

TEST_CASE("plan as a document", "[ctl][plan]") {
  const auto json = nlohmann::json::parse(plan({"--nodes", "100", "--pods", "50", "--growth", "0", "--tight"}, Format::json).out);
  CHECK(json["podCIDR"] == "10.0.0.0/19");
  CHECK(json["nodePrefixLength"] == 26);
  CHECK(json["maxNodes"] == 128);
  CHECK(json["wantedNodes"] == 100);
  CHECK(json["podAddressesPerNode"] == 61);
  CHECK(json["dnsIP"] == "10.1.0.10");
  CHECK(json["ipv6Range"] == "");
  CHECK_FALSE(json["arithmetic"].empty());
}

TEST_CASE("plan refuses what cannot be, with exit code 3", "[ctl][plan]") {
  const Said large = plan({"--nodes", "100000"});
  CHECK(large.code == k_usage);
  CHECK(large.out.empty());
  CHECK(large.err.find("100000 nodes and 100 % more are 200000 blocks of /24") != std::string::npos);
  CHECK(plan({}).code == k_usage);
  CHECK(plan({"--nodes", "0"}).code == k_usage);
  CHECK(plan({"--nodes", "-1"}).code == k_usage);
  const Said avoid = plan({"--nodes", "1", "--avoid", "10.0.0.1/8"});
  CHECK(avoid.code == k_usage);
  CHECK(avoid.err.find("--avoid: 10.0.0.1/8 has host bits set: did you mean 10.0.0.0/8") != std::string::npos);
  CHECK(plan({"--nodes", "1", "--ipv6", "10.0.0.0/8"}).code == k_usage);
}
