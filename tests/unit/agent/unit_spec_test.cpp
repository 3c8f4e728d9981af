#include "agent/domain/unit_spec.hpp"

#include <catch2/catch.hpp>

using namespace slipway;

namespace {

UnitSpec kubelet() {
  UnitSpec spec;
  spec.name = "kubelet.service";
  spec.description = "Kubernetes node agent";
  spec.after = {"docker.service", "network-online.target"};
  spec.wants = {"network-online.target"};
  spec.exec = {"/opt/slipway/kubelet/current/kubelet", "--config=/var/lib/kubelet/config.yaml", "--v=2"};
  return spec;
}

}  // namespace

TEST_CASE("words of a command line are quoted as systemd reads them", "[unit_spec]") {
  struct Case {
    std::string word, text;
  };
  const std::vector<Case> cases = {
      {"plain", "plain"},
      {"--a=b,c", "--a=b,c"},
      {"", "\"\""},
      {"two words", "\"two words\""},
      {"100%", "100%%"},
      {"%n $HOME", "\"%%n $$HOME\""},
      {"$HOME", "$$HOME"},
      {"say \"hi\"", "\"say \\\"hi\\\"\""},
      {"it's", "\"it's\""},
      {"back\\slash", "\"back\\\\slash\""},
      {"a\nb\tc", "\"a\\nb\\tc\""},
      {std::string("\x01", 1), "\"\\x01\""},
      {";", "\";\""},
      {"#comment", "\"#comment\""},
      {"a;b#c", "a;b#c"},
      {"{\"a\": \"$1\"}", "\"{\\\"a\\\": \\\"$$1\\\"}\""},
      {"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
  };
  for (const Case& c : cases) {
    CAPTURE(c.word);
    CHECK(quote_exec_word(c.word) == c.text);
  }
}

TEST_CASE("environment assignments double '%' and leave '$' alone", "[unit_spec]") {
  CHECK(quote_environment("A", "b") == "\"A=b\"");
  CHECK(quote_environment("A", "50% of $X \"q\"") == "\"A=50%% of $X \\\"q\\\"\"");
}

TEST_CASE("a unit is rendered whole", "[unit_spec]") {
  UnitSpec spec = kubelet();
  spec.type = UnitType::notify;
  spec.environment = {{"GOGC", "50"}};
  spec.kill_mode = KillMode::process;
  spec.delegate = true;
  spec.oom_score_adjust = -999;
  spec.limit_nofile = 1048576;
  spec.tasks_max = k_limit_infinity;
  spec.timeout_start = std::chrono::seconds(0);
  const auto text = render(spec);
  REQUIRE(text);
  CHECK(*text == R"(# Written by slipway-agent. Put changes in a drop-in: systemctl edit kubelet.service
[Unit]
Description=Kubernetes node agent
After=docker.service network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
Environment="GOGC=50"
ExecStart=/opt/slipway/kubelet/current/kubelet \
  --config=/var/lib/kubelet/config.yaml \
  --v=2
Restart=always
RestartSec=50ms
KillMode=process
Delegate=yes
OOMScoreAdjust=-999
LimitNOFILE=1048576
TasksMax=infinity
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
)");
}

TEST_CASE("a unit that never restarts has no restart settings", "[unit_spec]") {
  UnitSpec spec = kubelet();
  spec.restart.when = RestartWhen::never;
  spec.wanted_by.clear();
  const auto text = render(spec);
  REQUIRE(text);
  CHECK(text->find("Restart=no\n") != std::string::npos);
  CHECK(text->find("RestartSec") == std::string::npos);
  CHECK(text->find("[Install]") == std::string::npos);
}

TEST_CASE("what could smuggle a setting into a unit is refused", "[unit_spec]") {
  const auto refused = [](auto change) {
    UnitSpec spec = kubelet();
    change(spec);
    const auto text = render(spec);
    return !text && text.error().code == Errc::invalid;
  };
  CHECK(refused([](UnitSpec& s) { s.name = "kubelet"; }));
  CHECK(refused([](UnitSpec& s) { s.name = "../x.service"; }));
  CHECK(refused([](UnitSpec& s) { s.description = "a\nExecStartPre=/bin/sh"; }));
  CHECK(refused([](UnitSpec& s) { s.description = "ends with \\"; }));
  CHECK(refused([](UnitSpec& s) { s.after = {"a.service b.service"}; }));
  CHECK(refused([](UnitSpec& s) { s.exec.clear(); }));
  CHECK(refused([](UnitSpec& s) { s.exec[0] = "kubelet"; }));
  CHECK(refused([](UnitSpec& s) { s.exec[0] = "/opt/$X"; }));
  CHECK(refused([](UnitSpec& s) { s.exec.push_back(std::string("a\0b", 3)); }));
  CHECK(refused([](UnitSpec& s) { s.exec_pre = {{}}; }));
  CHECK(refused([](UnitSpec& s) { s.environment = {{"A B", "x"}}; }));
  CHECK(refused([](UnitSpec& s) { s.environment = {{"A", "\x02"}}; }));
  CHECK(refused([](UnitSpec& s) { s.condition_paths = {"/a\n"}; }));
  CHECK(refused([](UnitSpec& s) { s.oom_score_adjust = -1001; }));
  CHECK(refused([](UnitSpec& s) { s.type = UnitType::oneshot; }));
  CHECK_FALSE(refused([](UnitSpec& s) { s.exec.push_back("a\nb"); }));
}
