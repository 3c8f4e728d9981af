#include "agent/domain/install_plan.hpp"

#include <catch2/catch.hpp>

using namespace slipway;

namespace {

using Steps = std::vector<InstallStep>;

Steps plan(const std::string& wanted, InstalledComponent have) {
  return plan_install({{"kubelet", wanted}}, {{"kubelet", std::move(have)}});
}
InstallStep step(InstallAction action, const std::string& version) { return {action, "kubelet", version}; }

}  // namespace

TEST_CASE("install plan: from nothing, from old, from broken, and nothing when converged") {
  CHECK(plan_install({{"kubelet", "2"}}, {}) == Steps{step(InstallAction::fetch, "2"), step(InstallAction::activate, "2")});
  CHECK(plan("2", {{"2"}, {}, "2", ""}).empty());
  CHECK(plan("2", {{"1", "2"}, {}, "2", "1"}).empty());
  CHECK(plan("2", {{"1"}, {}, "1", ""}) == Steps{step(InstallAction::fetch, "2"), step(InstallAction::activate, "2")});
  CHECK(plan("3", {{"1", "2"}, {}, "2", "1"}) ==
        Steps{step(InstallAction::fetch, "3"), step(InstallAction::activate, "3"), step(InstallAction::remove, "1")});
  CHECK(plan("2", {{}, {"2"}, "", ""}) == Steps{step(InstallAction::fetch, "2"), step(InstallAction::activate, "2")});
  CHECK(plan("2", {{"2"}, {"1"}, "2", ""}) == Steps{step(InstallAction::remove, "1")});
  CHECK(plan("1", {{"1", "2"}, {}, "2", "1"}) == Steps{step(InstallAction::activate, "1")});
}

TEST_CASE("install plan: components that are not wanted are left alone") {
  CHECK(plan_install({}, {{"etcd", {{"1"}, {}, "1", ""}}}).empty());
}
