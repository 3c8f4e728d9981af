#include "agent/process/host_units.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/temp_dir.hpp"

using namespace slipway;

TEST_CASE("systemd runs a host where its folder is", "[agent][supervisor]") {
  const test::TempDir dir;
  CHECK(systemd_runs(dir.path()));
  CHECK_FALSE(systemd_runs(dir / "none"));
}

TEST_CASE("all that our own supervisor makes outside /run is noted in the ledger", "[agent][reset]") {
  const DirectOptions options;
  const auto intents = direct_intents(options);
  const auto noted = [&](ChangeKind kind, const std::string& name) {
    return std::any_of(intents.begin(), intents.end(),
                       [&](const Intent& intent) { return intent.kind == kind && intent.name == name && intent.ours_by_name; });
  };
  CHECK(noted(ChangeKind::tree, options.enabled_dir));
  CHECK(noted(ChangeKind::tree, options.log_dir));
  CHECK(noted(ChangeKind::cgroup, options.cgroup));
  for (const Intent& intent : intents) CHECK(check_change({intent.kind, intent.name}));
}
