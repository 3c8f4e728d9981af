#include "agent/domain/unit_spec.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

namespace {

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// Values that are not words: the rest of the line as it is, with '%' doubled.
std::string double_percent(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '%' ? std::string("%%") : std::string(1, c);
  return out;
}

bool needs_quotes(std::string_view word) {
  // A line of a long command that begins with '#' or ';' would be a comment.
  if (word.empty() || word[0] == '#' || word[0] == ';') return true;
  return std::any_of(word.begin(), word.end(), [](unsigned char c) {
    return c <= 0x20 || c >= 0x7f || c == '"' || c == '\'' || c == '\\';
  });
}

void append_escaped(std::string& out, char c) {
  static constexpr char digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      break;
  }
  if (byte >= 0x20 && byte != 0x7f) {
    out += c;
    return;
  }
  out += "\\x";
  out += digits[byte >> 4];
  out += digits[byte & 15U];
}

std::string in_quotes(std::string_view word) {
  std::string out = "\"";
  for (const char c : word) append_escaped(out, c);
  return out + "\"";
}

std::string doubled(std::string_view word, bool dollar) {
  std::string out;
  for (const char c : word) {
    if (c == '%' || (dollar && c == '$')) out += c;
    out += c;
  }
  return out;
}

Error bad(const UnitSpec& spec, std::string_view field, std::string_view why) {
  return make_error(Errc::invalid, "unit " + spec.name + ": " + std::string(field) + " " + std::string(why));
}

// The unit name and the names of other units: [A-Za-z0-9:_.@-] with a suffix, as systemd allows, without
// escapes.
bool is_unit_name(std::string_view name) {
  const bool characters = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ':' ||
           c == '_' || c == '.' || c == '@' || c == '-';
  });
  const auto dot = name.rfind('.');
  return characters && name.size() < 256 && dot != std::string_view::npos && dot > 0 && dot + 1 < name.size();
}

Status check_exec(const UnitSpec& spec, const std::vector<std::string>& argv, std::string_view field) {
  if (argv.empty()) return bad(spec, field, "is empty");
  const std::string& program = argv.front();
  // systemd expands no variables in the program's own path, so a '$' there cannot be escaped either.
  if (!program.starts_with('/') || program.find('$') != std::string::npos || has_control(program))
    return bad(spec, field, "must begin with an absolute path without '$'");
  for (const std::string& word : argv)
    if (word.find('\0') != std::string::npos) return bad(spec, field, "has a zero byte");
  return {};
}

Status check_names(const UnitSpec& spec) {
  if (!is_unit_name(spec.name)) return bad(spec, "name", "is not a unit name such as kubelet.service");
  for (const auto* list :
       {&spec.after, &spec.before, &spec.needs, &spec.wants, &spec.part_of, &spec.wanted_by})
    for (const std::string& name : *list)
      if (!is_unit_name(name)) return bad(spec, "dependency \"" + name + "\"", "is not a unit name");
  if (!spec.slice.empty() && !is_unit_name(spec.slice)) return bad(spec, "slice", "is not a unit name");
  return {};
}

Status check_lines(const UnitSpec& spec) {
  // A line feed would begin another setting, a backslash at the end would swallow the next one.
  const auto line_bad = [](const std::string& text) { return has_control(text) || text.ends_with('\\'); };
  if (line_bad(spec.description)) return bad(spec, "description", "must be one line");
  if (line_bad(spec.documentation)) return bad(spec, "documentation", "must be one line");
  if (line_bad(spec.user) || line_bad(spec.working_directory) || line_bad(spec.umask))
    return bad(spec, "user, working directory or umask", "must be one line");
  for (const auto* list : {&spec.condition_paths, &spec.environment_files})
    for (const std::string& path : *list)
      if (line_bad(path)) return bad(spec, "path", "must be one line");
  if (spec.oom_score_adjust && (*spec.oom_score_adjust < -1000 || *spec.oom_score_adjust > 1000))
    return bad(spec, "oom score adjustment", "must be between -1000 and 1000");
  return {};
}

Status check_environment(const UnitSpec& spec) {
  for (const auto& [name, value] : spec.environment) {
    const bool good_name =
        !name.empty() && (name[0] < '0' || name[0] > '9') &&
        std::all_of(name.begin(), name.end(), [](unsigned char c) {
          return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        });
    if (!good_name) return bad(spec, "environment variable name", "must be of [A-Za-z0-9_]");
    // systemd drops assignments with other control characters silently.
    for (const char c : value)
      if (has_control(std::string_view(&c, 1)) && c != '\n' && c != '\t')
        return bad(spec, "environment variable " + name, "has a control character");
  }
  return {};
}

Status check(const UnitSpec& spec) {
  if (auto s = check_names(spec); !s) return s;
  if (auto s = check_exec(spec, spec.exec, "exec"); !s) return s;
  for (const auto& argv : spec.exec_pre)
    if (auto s = check_exec(spec, argv, "exec_pre"); !s) return s;
  if (auto s = check_lines(spec); !s) return s;
  if (spec.type == UnitType::oneshot && spec.restart.when == RestartWhen::always)
    return bad(spec, "restart", "cannot be always for a oneshot unit");
  return check_environment(spec);
}

void line(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  out.append(key).append("=").append(value).append("\n");
}

void list_line(std::string& out, std::string_view key, const std::vector<std::string>& values) {
  line(out, key, join(values, " "));
}

// One word a line, so that an operator can read and compare a long command.
std::string exec_text(const std::vector<std::string>& argv) {
  std::string out = needs_quotes(argv[0]) ? in_quotes(doubled(argv[0], false)) : doubled(argv[0], false);
  for (std::size_t i = 1; i < argv.size(); ++i) out += " \\\n  " + quote_exec_word(argv[i]);
  return out;
}

std::string limit_text(std::uint64_t value) {
  return value == k_limit_infinity ? "infinity" : std::to_string(value);
}

void limit_line(std::string& out, std::string_view key, const std::optional<std::uint64_t>& value) {
  if (value) line(out, key, limit_text(*value));
}

void timeout_line(std::string& out, std::string_view key, const std::optional<std::chrono::seconds>& value) {
  if (value) line(out, key, value->count() == 0 ? "infinity" : std::to_string(value->count()));
}

std::string_view text_of(UnitType type) {
  switch (type) {
    case UnitType::simple:
      return "simple";
    case UnitType::exec:
      return "exec";
    case UnitType::notify:
      return "notify";
    case UnitType::oneshot:
      return "oneshot";
  }
  return "simple";
}

std::string_view text_of(KillMode mode) {
  switch (mode) {
    case KillMode::control_group:
      return "control-group";
    case KillMode::process:
      return "process";
    case KillMode::mixed:
      return "mixed";
  }
  return "control-group";
}

std::string_view text_of(RestartWhen when) {
  switch (when) {
    case RestartWhen::never:
      return "no";
    case RestartWhen::on_failure:
      return "on-failure";
    case RestartWhen::always:
      return "always";
  }
  return "no";
}

void unit_section(std::string& out, const UnitSpec& spec) {
  out += "[Unit]\n";
  line(out, "Description", double_percent(spec.description));
  line(out, "Documentation", double_percent(spec.documentation));
  list_line(out, "After", spec.after);
  list_line(out, "Before", spec.before);
  list_line(out, "Requires", spec.needs);
  list_line(out, "Wants", spec.wants);
  list_line(out, "PartOf", spec.part_of);
  for (const std::string& path : spec.condition_paths) line(out, "ConditionPathExists", double_percent(path));
  // The agent watches for crash loops; systemd must not give up on a node that is cut off from everybody.
  if (spec.restart.when != RestartWhen::never) line(out, "StartLimitIntervalSec", "0");
}

void service_section(std::string& out, const UnitSpec& spec) {
  out += "\n[Service]\n";
  line(out, "Type", text_of(spec.type));
  line(out, "User", double_percent(spec.user));
  line(out, "WorkingDirectory", double_percent(spec.working_directory));
  for (const auto& [name, value] : spec.environment) line(out, "Environment", quote_environment(name, value));
  for (const std::string& path : spec.environment_files) line(out, "EnvironmentFile", double_percent(path));
  for (const auto& argv : spec.exec_pre) line(out, "ExecStartPre", exec_text(argv));
  line(out, "ExecStart", exec_text(spec.exec));
  line(out, "Restart", text_of(spec.restart.when));
  if (spec.restart.when != RestartWhen::never)
    line(out, "RestartSec", std::to_string(spec.restart.delay.count()) + "ms");
  line(out, "KillMode", text_of(spec.kill_mode));
  if (spec.delegate) line(out, "Delegate", "yes");
  if (spec.oom_score_adjust) line(out, "OOMScoreAdjust", std::to_string(*spec.oom_score_adjust));
  limit_line(out, "LimitNOFILE", spec.limit_nofile);
  limit_line(out, "LimitNPROC", spec.limit_nproc);
  limit_line(out, "LimitCORE", spec.limit_core);
  limit_line(out, "TasksMax", spec.tasks_max);
  line(out, "Slice", spec.slice);
  timeout_line(out, "TimeoutStartSec", spec.timeout_start);
  timeout_line(out, "TimeoutStopSec", spec.timeout_stop);
  line(out, "UMask", spec.umask);
}

}  // namespace

std::string quote_exec_word(std::string_view word) {
  const std::string text = doubled(word, true);
  return needs_quotes(text) ? in_quotes(text) : text;
}

std::string quote_environment(std::string_view name, std::string_view value) {
  return in_quotes(std::string(name) + "=" + doubled(value, false));
}

Result<std::string> render(const UnitSpec& spec) {
  if (auto s = check(spec); !s) return s.error();
  std::string out =
      std::string(k_unit_file_mark) + " Put changes in a drop-in: systemctl edit " + spec.name + "\n";
  unit_section(out, spec);
  service_section(out, spec);
  if (!spec.wanted_by.empty()) {
    out += "\n[Install]\n";
    list_line(out, "WantedBy", spec.wanted_by);
  }
  return out;
}

}  // namespace slipway
