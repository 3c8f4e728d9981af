#include "agent/domain/unit_parse.hpp"

#include <catch2/catch.hpp>

using namespace slipway;

namespace {

UnitSpec full() {
  UnitSpec spec;
  spec.name = "full.service";
  spec.description = "100% of it";
  spec.documentation = "https://example.org/";
  spec.after = {"a.service", "b.service"};
  spec.before = {"c.service"};
  spec.needs = {"a.service"};
  spec.wants = {"b.service"};
  spec.part_of = {"d.service"};
  spec.condition_paths = {"/etc/x%y"};
  spec.type = UnitType::notify;
  spec.exec = {"/opt/a b/c%d", "--plain=1", "two words", "50% of $HOME", "\"\\\n\t\r\x01\x7f", "#no comment", "", "caf\xc3\xa9", "'"};
  spec.exec_pre = {{"/bin/true", "x"}, {"/bin/false"}};
  spec.environment = {{"A", "b c%\"$\\\n\t"}, {"EMPTY", ""}};
  spec.environment_files = {"-/etc/default/x", "/etc/y"};
  spec.user = "nobody";
  spec.working_directory = "/var/lib/x";
  spec.restart = {RestartWhen::on_failure, std::chrono::milliseconds(1234)};
  spec.kill_mode = KillMode::mixed;
  spec.delegate = true;
  spec.oom_score_adjust = -999;
  spec.limit_nofile = 1048576;
  spec.limit_nproc = k_limit_infinity;
  spec.limit_core = 0;
  spec.tasks_max = k_limit_infinity;
  spec.slice = "x.slice";
  spec.timeout_start = std::chrono::seconds(0);
  spec.timeout_stop = std::chrono::seconds(20);
  spec.umask = "0077";
  return spec;
}

std::string problem(const std::string& text) {
  const auto spec = parse_unit("x.service", text);
  return spec ? "" : spec.error().message;
}

}  // namespace

TEST_CASE("a unit file is read back as what it was written from", "[unit_spec][unit_parse]") {
  const auto text = render(full());
  REQUIRE(text);
  const auto read = parse_unit("full.service", *text);
  if (!read) FAIL(read.error().message);
  CHECK(read->exec == full().exec);
  CHECK(read->environment == full().environment);
  CHECK(*read == full());
}

TEST_CASE("what the supervisor would not do is refused", "[unit_spec][unit_parse]") {
  const std::string base = "[Service]\nExecStart=/bin/true\n";
  CHECK(problem(base).empty());
  for (const char* more : {"PrivateTmp=yes", "ExecStop=/bin/true", "Type=forking", "Restart=on-abort", "RestartSec=5", "KillMode=none", "Delegate=no",
                           "OOMScoreAdjust=2000", "LimitNOFILE=many", "TimeoutStopSec=5min", "nonsense", "ExecStartPre=/bin/echo $HOME",
                           "ExecStartPre=/bin/echo %n", "ExecStartPre=-/bin/true", "ExecStartPre=/bin/echo \"open", "ExecStartPre=/bin/echo \\q",
                           "Environment=A=b C=d", "Environment=novalue", "ExecStart=/bin/false"}) {
    CAPTURE(more);
    CHECK_FALSE(problem(base + more + "\n").empty());
  }
  CHECK_FALSE(problem("[Unit]\nDescription=x\n").empty());
  CHECK_FALSE(problem("[Timer]\nOnCalendar=daily\n" + base).empty());
  CHECK_FALSE(problem("ExecStart=/bin/true\n").empty());
  CHECK_FALSE(problem(base + std::string(1, '\0')).empty());
  CHECK_FALSE(problem(base + std::string(300'000, '#')).empty());
}
