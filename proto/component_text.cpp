#include "proto/component_text.hpp"

#include <algorithm>

namespace slipway::proto {

std::string end_text(const ComponentEnd& end) {
  if (end.reason == "oom-kill") return "killed by the kernel: out of memory";
  if (end.reason == "watchdog") return "killed by its watchdog";
  if (end.reason == "timeout") return "did not start or stop in time";
  if (end.reason == "start-limit") return "failed too often in a short time";
  if (!end.signal.empty()) return "killed by " + end.signal + (end.reason == "core-dump" ? ", core dumped" : "");
  if (end.exit_code) return "exited with code " + std::to_string(*end.exit_code);
  return end.reason.empty() ? "ended" : end.reason;
}

std::vector<std::string> component_ends(const std::vector<ComponentStatus>& components, WallTime now) {
  std::vector<std::string> out;
  for (const ComponentStatus& component : components) {
    if (component.ends.empty()) continue;
    const ComponentEnd& end = component.ends.front();
    std::string line = component.name + ": " + end_text(end);
    if (const auto at = parse_rfc3339(end.at)) line += " " + to_age_text(std::max(now - *at, Seconds(0))) + " ago";
    if (component.starts > 1) line += ", started " + std::to_string(component.starts) + " times";
    if (component.pause_seconds > 0) line += ", waits " + to_age_text(Seconds(static_cast<std::int64_t>(component.pause_seconds))) + " before each start";
    out.push_back(std::move(line));
    if (component.state == "running") continue;
    for (const std::string& said : end.lines) out.push_back("  | " + said);
  }
  return out;
}

}  // namespace slipway::proto
