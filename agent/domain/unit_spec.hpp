#pragma once
// A systemd service unit as a value, and its file text. Pure.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/domain/restart_policy.hpp"
#include "common/core/result.hpp"

namespace slipway {

enum class UnitType { simple, exec, notify, oneshot };
enum class KillMode { control_group, process, mixed };

inline constexpr std::uint64_t k_limit_infinity = UINT64_MAX;

struct UnitSpec {
  std::string name;  // "kubelet.service"
  std::string description;
  std::string documentation;  // URL; may be empty

  // [Unit]: names of other units.
  std::vector<std::string> after;
  std::vector<std::string> before;
  std::vector<std::string> needs;  // Requires=
  std::vector<std::string> wants;
  std::vector<std::string> part_of;
  std::vector<std::string> condition_paths;  // ConditionPathExists=

  // [Service]
  UnitType type = UnitType::simple;
  std::vector<std::string> exec;  // argument vector; exec[0] is an absolute path. No shell anywhere.
  std::vector<std::vector<std::string>> exec_pre;  // each likewise, run before
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> environment_files;  // a leading '-': may be missing
  std::string user;                            // empty: root
  std::string working_directory;
  RestartPolicy restart;
  KillMode kill_mode = KillMode::control_group;
  bool delegate = false;                      // hands its cgroup subtree over (containerd, docker)
  std::optional<int> oom_score_adjust;        // -1000 to 1000
  std::optional<std::uint64_t> limit_nofile;  // k_limit_infinity: infinity
  std::optional<std::uint64_t> limit_nproc;
  std::optional<std::uint64_t> limit_core;
  std::optional<std::uint64_t> tasks_max;
  std::string slice;
  std::optional<std::chrono::seconds> timeout_start;  // 0: none
  std::optional<std::chrono::seconds> timeout_stop;
  std::string umask;  // "0077"

  // [Install]
  std::vector<std::string> wanted_by = {"multi-user.target"};

  bool operator==(const UnitSpec&) const = default;
};

// What stands in the first line of each.
inline constexpr char k_unit_file_mark[] = "# Written by slipway-agent.";

// The unit file. Errc::invalid names the field that systemd could not be given safely (line feeds, a relative
// program ...).
Result<std::string> render(const UnitSpec& spec);

// One word of an ExecStart= line: '%' and '$' doubled, quoted where needed.
std::string quote_exec_word(std::string_view word);
// One assignment of an Environment= line: there '%' is special and '$' is not.
std::string quote_environment(std::string_view name, std::string_view value);

}  // namespace slipway
