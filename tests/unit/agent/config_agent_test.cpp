#include <fcntl.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <set>

#include "agent/config.hpp"
#include "agent/domain/enrollment_state.hpp"
#include "agent/domain/network_plan.hpp"
#include "agent/host_facts.hpp"
#include "agent/join_command.hpp"
#include "agent/local_status.hpp"
#include "agent/store/file_change_ledger.hpp"
#include "common/core/unique_fd.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

std::string refusal(const std::string& yaml) {
  TempDir dir;
  put_file(dir / "agent.yaml", yaml);
  const auto config = load_agent_config(dir / "agent.yaml");
  REQUIRE_FALSE(config);
  return config.error().message;
}

void put_secret(const std::string& path, const std::string& text) {
  put_file(path, text);
  std::filesystem::permissions(path,
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

const std::string k_token = "slipway1" + std::string(64, 'a') + "::abc123.abcdefghijklmnopqrstuvwxyz234567";

}  // namespace

TEST_CASE("agent.yaml and drop-ins make one configuration", "[agent][config]") {
  TempDir dir;
  put_file(dir / "agent.yaml", "coordinators: [\"https://10.77.0.10:7443\"]\nnodeName: node1\nlocalGroup: ops\n");
  std::filesystem::create_directory(dir / "agent.yaml.d");
  put_file(dir / "agent.yaml.d/10-role.yaml", "role: master\n");
  put_file(dir / "agent.yaml.d/20-level.yaml", "logLevel: debug\nnodeAddress: 10.77.0.13\n");
  put_file(dir / "agent.yaml.d/30-group.yaml", "localGroup: null\n");
  put_file(dir / "agent.yaml.d/40-empty.yaml", "# nothing\n");
  put_file(dir / "agent.yaml.d/ignored.txt", "role: king\n");
  put_file(dir / "agent.yaml.d/.hidden.yaml", "role: [\n");
  put_file(dir / "agent.yaml.d/50.yaml.dpkg-old", "role: [\n");
  const auto config = load_agent_config(dir / "agent.yaml");
  REQUIRE(config);
  CHECK(config->role == "master");
  CHECK(config->log_level == "debug");
  CHECK(config->local_group.empty());
  CHECK(config->token_file == "/etc/slipway/join.token");
  CHECK(config->data_dir == "/var/lib/slipway/agent");
}

TEST_CASE("mistakes in agent.yaml are named with file, line and field", "[agent][config]") {
  const std::string ok = "coordinators: [\"https://10.77.0.10:7443\"]\n";
  const auto has = [](const std::string& text, const char* part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(refusal(ok + "tokenfile: /x\n"), "agent.yaml:2:1: /tokenfile is not a field that is known here; did you mean tokenFile?");
  has(refusal(ok + "role: worker\n"), "agent.yaml:2:1: /role: \"worker\" is not known: node or master");
  has(refusal(ok + "role: mastr\n"), "did you mean master?");
  has(refusal(ok + "logLevel: inf\n"), "agent.yaml:2:1: /logLevel: \"inf\" is not known: debug, info, warning or error; did you mean info?");
  has(refusal(ok + "cgroupDriver: cgroup\n"), "systemd or cgroupfs");
  has(refusal(ok + "nodeName: Node_1\n"), "agent.yaml:2:1: /nodeName: \"Node_1\"");
  has(refusal(ok + "nodeName: " + std::string(53, 'a') + "\n"), "is longer than 52 characters");
  has(refusal(ok + "nodeAddress: 127.0.0.1\n"), "agent.yaml:2:1: /nodeAddress: 127.0.0.1");
  has(refusal(ok + "dataDir: here\n"), "/dataDir: \"here\" is no absolute path");
  has(refusal("nodeName: a\n"), "agent.yaml: /coordinators: is missing");
  has(refusal("coordinators:\n- \"http://10.77.0.10:7443\"\nnodeName: a\n"), "agent.yaml:2:3: /coordinators/0: \"http://10.77.0.10:7443\"");
  has(refusal(ok + "role: [\n"), "agent.yaml:");
  CHECK(load_agent_config("/nonexistent/agent.yaml").error().code == Errc::not_found);
}

TEST_CASE("all mistakes of agent.yaml are told at once", "[agent][config]") {
  const std::string fields = refusal("nodeNmae: a\nrole: 7\nlogLevel: [x]\n");
  CHECK(fields.find(":1:1: /nodeNmae is not a field that is known here; did you mean nodeName?") != std::string::npos);
  CHECK(fields.find(":2:1: /role must be text") != std::string::npos);
  CHECK(fields.find(":3:1: /logLevel must be text") != std::string::npos);
  const std::string values = refusal("nodeName: a\nrole: king\nlogLevel: loud\ntokenFile: x\n");
  CHECK(std::count(values.begin(), values.end(), '\n') == 3);
}

TEST_CASE("a drop-in's mistake names the drop-in and its line", "[agent][config]") {
  TempDir dir;
  put_file(dir / "agent.yaml", "coordinators: [\"https://10.77.0.10:7443\"]\nnodeName: node1\nrole: node\n");
  std::filesystem::create_directory(dir / "agent.yaml.d");
  put_file(dir / "agent.yaml.d/10-role.yaml", "# ours\nrolle: master\n");
  CHECK(load_agent_config(dir / "agent.yaml").error().message.find("10-role.yaml:2:1: /rolle") != std::string::npos);
  put_file(dir / "agent.yaml.d/10-role.yaml", "# ours\n\nrole: king\n");
  CHECK(load_agent_config(dir / "agent.yaml").error().message.find("10-role.yaml:3:1: /role: \"king\"") != std::string::npos);
  put_file(dir / "agent.yaml.d/10-role.yaml", "nodeName: node2\n");
  put_file(dir / "agent.yaml.d/20-more.yaml", "nodeAddress: 0.0.0.0\n");
  CHECK(load_agent_config(dir / "agent.yaml").error().message.find("20-more.yaml:1:1: /nodeAddress") != std::string::npos);
}

TEST_CASE("the token comes from its file or from systemd's credentials", "[agent][config]") {
  TempDir dir;
  CHECK(read_token(dir / "join.token", "").error().code == Errc::not_found);
  put_file(dir / "slipway.token", "from systemd");
  CHECK(read_token(dir / "join.token", dir.path()).value().reveal() == "from systemd");
  put_secret(dir / "join.token", "from the file");
  CHECK(read_token(dir / "join.token", dir.path()).value().reveal() == "from the file");
  std::filesystem::permissions(dir / "join.token", std::filesystem::perms(0644));
  CHECK(read_token(dir / "join.token", "").error().message.find("chmod 600") != std::string::npos);
  CHECK(forget_token(dir / "join.token"));
  CHECK_FALSE(std::filesystem::exists(dir / "join.token"));
  CHECK(forget_token(dir / "join.token"));  // none
  CHECK(forget_token(""));
  CHECK(std::filesystem::exists(dir / "slipway.token"));
}

TEST_CASE("join writes a configuration that can be loaded, and refuses a second cluster", "[agent][config]") {
  TempDir dir;
  put_secret(dir / "given", k_token + "\n");
  JoinOptions options;
  options.servers = {"https://10.77.0.10:7443"};
  options.token_file = dir / "given";
  options.node_name = "node1";
  options.config_file = dir / "etc/agent.yaml";
  options.token_copy = dir / "etc/join.token";
  options.data_dir = dir / "agent";
  REQUIRE(write_join_config(options));
  CHECK((std::filesystem::status(options.token_copy).permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms(0600));
  CHECK(get_file(options.config_file).find("abc123") == std::string::npos);
  const auto config = load_agent_config(options.config_file);
  REQUIRE(config);
  CHECK(config->coordinators == options.servers);
  CHECK(config->token_file == options.token_copy);

  put_secret(dir / "bad", "slipway1abc");
  options.token_file = dir / "bad";
  options.config_file = dir / "other/agent.yaml";
  CHECK_FALSE(write_join_config(options));
  CHECK_FALSE(std::filesystem::exists(dir / "other"));

  // Both files stand in the change ledger, written before they were.
  const auto ledger = FileChangeLedger::read(options.data_dir);
  REQUIRE(ledger);
  for (const std::string& path : {dir / "etc/agent.yaml", dir / "etc/join.token"}) {
    const Change* entry = (*ledger)->ledger().find(ChangeKind::file, path);
    REQUIRE(entry != nullptr);
    CHECK(entry->former == Former::absent);
  }
  put_file(options.data_dir + "/node.json", "{}");
  put_secret(dir / "given", k_token + "\n");
  options.token_file = dir / "given";
  const auto again = write_join_config(options);
  REQUIRE_FALSE(again);
  CHECK(again.error().message.find("slipway-agent reset") != std::string::npos);
}

TEST_CASE("where systemd does not run the host a join says what is to be started", "[agent][config]") {
  CHECK(what_to_start("/etc/slipway/agent.yaml").find("have slipway-agent run started") != std::string::npos);
  CHECK(what_to_start("/x/agent.yaml").find("slipway-agent run --config /x/agent.yaml") != std::string::npos);
  for (const char* part : {"systemd does not run this host", "at every boot"}) CHECK(what_to_start("/x/agent.yaml").find(part) != std::string::npos);
}

TEST_CASE("the cgroup driver is systemd only where systemd has the controllers", "[agent][config]") {
  CHECK(cgroup_driver_of("0::/system.slice/slipway-agent.service\n", true) == "systemd");
  const std::string service = "/system.slice/slipway-agent.service";
  CHECK(cgroup_driver_of("9:pids:" + service + "\n4:cpu,cpuacct:/\n1:name=systemd:" + service + "\n",
                         false) == "systemd");
  CHECK(cgroup_driver_of("9:pids:/\n1:name=systemd:" + service + "\n", false) == "cgroupfs");
  CHECK(cgroup_driver_of("", false) == "cgroupfs");
}

TEST_CASE("the kernel's routes are reported without the default one and our own pods'", "[agent][config]") {
  const std::string table =
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT    \n"
      "eth0\t00000000\t01004D0A\t0003\t0\t0\t0\t00000000\t0\t0\t0   \n"
      "eth0\t00004D0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0   \n"
      "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
      "cni0\t00000A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
      "eth0\t00010A0A\t0B004D0A\t0003\t0\t0\t2571\t00FFFFFF\t0\t0\t0\n"
      "eth0\t00020A0A\t0C004D0A\t0003\t0\t0\t17435138\t00FFFFFF\t0\t0\t0\n"  // with our metric
      "garbage\tXX\n";
  CHECK(told_routes(routes_in(table, "")) ==
        std::vector<std::string>{"10.77.0.0/16 dev eth0", "172.17.0.0/16 dev docker0", "10.10.1.0/24 via eth0"});
  CHECK(routes_in("", "").empty());
}

TEST_CASE("the kernel's IPv6 routes are reported as those of IPv4 are", "[agent][config]") {
  const std::string zeros(32, '0'), gateway = "fe8000000000000000000000000000ff";
  const auto line = [&zeros](const std::string& to, const std::string& length, const std::string& via, const std::string& metric, const std::string& flags,
                             const std::string& device) {
    return to + std::string(32 - to.size(), '0') + " " + length + " " + zeros + " 00 " + via + " " + metric + " 00000001 00000000 " + flags + "     " + device + "\n";
  };
  std::array<char, 16> our_metric{};
  std::snprintf(our_metric.data(), our_metric.size(), "%08x", route_metric(Cidr::parse("fd00:10:0:5::/64").value()));
  const std::string table = line("fd000077", "40", zeros, "00000100", "00000001", "eth0") +
                            line("fd00001000000004", "40", zeros, "00000400", "00000001", "tun0") +
                            line("20010db8", "20", gateway, "00000400", "00000003", "eth0") +
                            line("fd00001000000005", "40", gateway, our_metric.data(), "00000003", "eth0") +  // with our metric
                            line("fd00001000000006", "40", zeros, "00000100", "00000001", "cni0") +
                            line("fe80", "40", zeros, "00000100", "00000001", "eth0") +
                            line("ff", "08", zeros, "00000100", "00000001", "eth0") +
                            line("", "00", gateway, "00000400", "00000003", "eth0") +
                            line("fd00007700000000", "80", zeros, "00000000", "00100001", "eth0") +  // anycast
                            line("fd0000770000000000000000000000", "80", zeros, "00000000", "80200001", "eth0") +  // the host's own address
                            line("fd000099", "20", zeros, "00000400", "00000200", "eth0") +  // unreachable
                            "garbage\n";
  CHECK(told_routes(routes_in("", table)) ==
        std::vector<std::string>{"fd00:77::/64 dev eth0", "fd00:10:0:4::/64 dev tun0", "2001:db8::/32 via eth0"});
}

TEST_CASE("a route of ours whose gateway is of IPv6 does not show one", "[agent][config]") {
  const std::string head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT    \n";
  CHECK(routes_in(head + "eth0\t00020A0A\t00000000\t0001\t0\t0\t17435138\t00FFFFFF\t0\t0\t0\n", "").empty());
}

TEST_CASE("all routes are looked at, and 32 of each family are told", "[agent][config]") {
  std::vector<HostRoute> routes;
  for (int i = 0; i < 40; ++i) {
    routes.push_back({Cidr::make(IpAddress::v4(0xc0000000U + (static_cast<std::uint32_t>(i) << 8)), 24).value(), "eth0"});
    routes.push_back({Cidr::parse("fd00:" + std::to_string(i + 1) + "::/32").value(), "eth0", true});
    routes.push_back(routes.front());
  }
  const std::vector<std::string> told = told_routes(routes);
  CHECK(told.size() == 64);
  CHECK(std::set<std::string>(told.begin(), told.end()).size() == 64);
  std::string table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT    \n";
  for (int i = 10; i < 90; ++i) table += "eth0\t0000" + std::to_string(i) + "AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
  CHECK(routes_in(table, "").size() == 80);
}

TEST_CASE("a token that comes by standard input pins the coordinator and is written down", "[agent][config]") {
  TempDir dir;
  JoinOptions options;
  options.servers = {"https://10.77.0.10:7443"};
  options.token_file = "-";
  options.config_file = dir / "etc/agent.yaml";
  options.token_copy = dir / "etc/join.token";
  options.data_dir = dir / "agent";
  put_file(dir / "stdin", k_token + "\n");
  const UniqueFd input(::open((dir / "stdin").c_str(), O_RDONLY | O_CLOEXEC));
  const auto look = look_of_join(options, input.get());
  REQUIRE(look);
  CHECK(look->ca_sha256 == parse_pinned_token(k_token).value().ca_sha256);
  CHECK(look->token_file.empty());
  CHECK(look->servers == options.servers);
  REQUIRE(write_join_config(options));
  CHECK(get_file(options.token_copy) == k_token + "\n");

  put_file(dir / "stdin", "what is this\n");
  const UniqueFd bad(::open((dir / "stdin").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(look_of_join(options, bad.get()).error().code == Errc::invalid);
  options.token_file = dir / "given";
  CHECK(look_of_join(options, -1).value().token_file == options.token_file);
}

TEST_CASE("a product UUID is one that tells machines apart", "[agent][config]") {
  CHECK(product_uuid_in("4C4C4544-0042-3510-8052-B4C04F4A3732\n") == "4c4c4544-0042-3510-8052-b4c04f4a3732");
  for (const char* none : {"", "Not Settable", "00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
                           "03000200-0400-0500-0006-000700080009", "4C4C4544-0042-3510-8052-B4C04F4A373Z", "4C4C4544x0042-3510-8052-B4C04F4A3732"}) {
    INFO(none);
    CHECK(product_uuid_in(none).empty());
  }
}

TEST_CASE("the local status is written, read and shown", "[agent][config]") {
  TempDir dir;
  proto::AgentLocalStatus status;
  status.joined = true;
  status.cluster = "demo";
  status.node_name = "node1";
  status.role = "node";
  status.pod_cidr = "10.10.3.0/24";
  status.updated_at = "2026-11-22T12:00:00Z";
  status.report.phase = "Running";
  status.report.components = {{"kubelet", "1.20.2", "running", 1, 812, ""}};
  status.report.certificates = {{"agent", "1f", "2026-11-22T13:00:00Z"}};
  REQUIRE(write_local_status(dir / "run/agent-status.json", status));
  const auto back = read_local_status(dir / "run/agent-status.json");
  REQUIRE(back);
  const WallTime now = parse_rfc3339("2026-11-22T12:00:10Z").value();
  const std::string table = status_table(*back, now);
  CHECK(table.find("node1 (node) in cluster demo") != std::string::npos);
  CHECK(table.find("kubelet    1.20.2   running  812  1") != std::string::npos);
  CHECK(table.find("in 59m50s") != std::string::npos);
  CHECK(table.find("Warning") == std::string::npos);
  CHECK(status_table(*back, now + Seconds(300)).find("Warning") != std::string::npos);
  CHECK(read_local_status(dir / "none").error().code == Errc::not_found);
}
