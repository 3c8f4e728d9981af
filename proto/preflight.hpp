#pragma once
// What `slipway-agent preflight -o json` prints. Part of no API.
#include <string>
#include <vector>

namespace slipway::proto {

struct PreflightFinding {
  std::string check;     // "swap"
  std::string severity;  // ok, warning, error
  std::string message;
  std::string cure;      // empty: nothing to do
  bool ignored = false;  // an error that was asked to be passed over
};
struct PreflightReport {
  bool ok = false;  // no error stands
  std::vector<PreflightFinding> findings;
};

}  // namespace slipway::proto
