#pragma once
// How upgrades look to people. Pure.
#include <string>

#include "proto/upgrade_report.hpp"

namespace slipway::ctl {

// `wide`: also components that stay as they are.
std::string upgrade_plan_text(const proto::UpgradePlanReport& plan, bool wide);
std::string upgrade_status_text(const proto::UpgradeStatusReport& status);

}  // namespace slipway::ctl
