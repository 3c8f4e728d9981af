#include "agent/domain/unit_parse.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <optional>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_file = 256 * 1024;

// The end of reading one value: what is wrong with it, or nothing.
using Problem = std::optional<std::string>;

const char* const k_specifier = "has a '%' specifier";

std::optional<std::string> halve(std::string_view text, char mark) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] != mark) continue;
    if (i + 1 >= text.size() || text[i + 1] != mark) return std::nullopt;
    ++i;
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The character after a backslash; `at` is moved past it.
std::optional<char> escaped(std::string_view text, std::size_t& at) {
  if (at >= text.size()) return std::nullopt;
  const char c = text[at++];
  switch (c) {
    case '"':
    case '\\':
      return c;
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'x':
      break;
    default:
      return std::nullopt;
  }
  if (at + 2 > text.size()) return std::nullopt;
  const int high = hex_digit(text[at]);
  const int low = hex_digit(text[at + 1]);
  at += 2;
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

std::optional<std::string> quoted_word(std::string_view text, std::size_t& at) {
  std::string word;
  for (++at; at < text.size();) {
    const char c = text[at++];
    if (c == '"') return at == text.size() || text[at] == ' ' ? std::optional(word) : std::nullopt;
    if (c != '\\') {
      word += c;
      continue;
    }
    const auto meant = escaped(text, at);
    if (!meant) return std::nullopt;
    word += *meant;
  }
  return std::nullopt;
}

// Words apart by spaces; quoted ones begin and end with '"'.
std::optional<std::vector<std::string>> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  for (;;) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
    if (at >= text.size()) return words;
    if (text[at] == '"') {
      auto word = quoted_word(text, at);
      if (!word) return std::nullopt;
      words.push_back(std::move(*word));
      continue;
    }
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (word.find_first_of("\"'\\") != std::string_view::npos) return std::nullopt;
    words.emplace_back(word);
    at = end;
  }
}

// Not for the program's own path is '$' special.
Problem read_command(std::string_view text, std::vector<std::string>& argv) {
  const auto words = words_of(text);
  if (!words || words->empty()) return "is no command as Slipway writes them";
  argv.clear();
  for (const std::string& word : *words) {
    auto plain = halve(word, '%');
    if (!plain) return k_specifier;
    if (!argv.empty()) plain = halve(*plain, '$');
    if (!plain) return "has a variable";
    argv.push_back(std::move(*plain));
  }
  if (!argv[0].starts_with('/')) return "does not begin with an absolute path";
  return std::nullopt;
}

Problem read_text(std::string_view text, std::string& out) {
  auto plain = halve(text, '%');
  if (!plain) return k_specifier;
  out = std::move(*plain);
  return std::nullopt;
}

Problem read_path(std::string_view text, std::vector<std::string>& out) {
  return read_text(text, out.emplace_back());
}

Problem read_names(std::string_view text, std::vector<std::string>& out) {
  for (const std::string_view name : split(text, ' ')) {
    if (!name.empty()) out.emplace_back(name);
  }
  return std::nullopt;
}

Problem read_environment(std::string_view text, UnitSpec& spec) {
  const auto words = words_of(text);
  if (!words || words->size() != 1) return "is not one assignment";
  const std::size_t sign = (*words)[0].find('=');
  if (sign == std::string::npos || sign == 0) return "is not one assignment";
  std::string value;
  if (auto wrong = read_text(std::string_view((*words)[0]).substr(sign + 1), value)) return wrong;
  spec.environment.emplace_back((*words)[0].substr(0, sign), value);
  return std::nullopt;
}

template <class T> Problem read_word(std::string_view text, const std::map<std::string_view, T>& known, T& out) {
  const auto found = known.find(text);
  if (found == known.end()) return "is \"" + std::string(text) + "\", which is not known here";
  out = found->second;
  return std::nullopt;
}

Problem read_limit(std::string_view text, std::optional<std::uint64_t>& out) {
  out = text == "infinity" ? std::optional(k_limit_infinity) : parse_u64(text);
  return out ? Problem() : "is no number";
}

Problem read_seconds(std::string_view text, std::optional<std::chrono::seconds>& out) {
  const auto count = text == "infinity" ? std::optional<std::uint64_t>(0) : parse_u64(text, 365 * 86400);
  if (!count) return "is no number of seconds";
  out = std::chrono::seconds(static_cast<std::int64_t>(*count));
  return std::nullopt;
}

Problem read_delay(std::string_view text, RestartPolicy& restart) {
  const auto count = text.ends_with("ms") ? parse_u64(text.substr(0, text.size() - 2), 86'400'000) : std::nullopt;
  if (!count) return "is no number of milliseconds (\"50ms\")";
  restart.delay = std::chrono::milliseconds(static_cast<std::int64_t>(*count));
  return std::nullopt;
}

Problem read_score(std::string_view text, UnitSpec& spec) {
  int value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || value < -1000 || value > 1000)
    return "is no number from -1000 to 1000";
  spec.oom_score_adjust = value;
  return std::nullopt;
}

Problem read_exact(std::string_view text, std::string_view only) {
  return text == only ? Problem() : "must be " + std::string(only);
}

using Reader = std::function<Problem(std::string_view value, UnitSpec& spec)>;

const std::map<std::string_view, UnitType> k_types = {
    {"simple", UnitType::simple}, {"exec", UnitType::exec}, {"notify", UnitType::notify}, {"oneshot", UnitType::oneshot}};
const std::map<std::string_view, KillMode> k_kill_modes = {
    {"control-group", KillMode::control_group}, {"process", KillMode::process}, {"mixed", KillMode::mixed}};
const std::map<std::string_view, RestartWhen> k_restarts = {
    {"no", RestartWhen::never}, {"on-failure", RestartWhen::on_failure}, {"always", RestartWhen::always}};

const std::map<std::string, Reader>& unit_keys() {
  static const std::map<std::string, Reader> readers = {
      {"[Unit]Description", [](auto v, auto& s) { return read_text(v, s.description); }},
      {"[Unit]Documentation", [](auto v, auto& s) { return read_text(v, s.documentation); }},
      {"[Unit]After", [](auto v, auto& s) { return read_names(v, s.after); }},
      {"[Unit]Before", [](auto v, auto& s) { return read_names(v, s.before); }},
      {"[Unit]Requires", [](auto v, auto& s) { return read_names(v, s.needs); }},
      {"[Unit]Wants", [](auto v, auto& s) { return read_names(v, s.wants); }},
      {"[Unit]PartOf", [](auto v, auto& s) { return read_names(v, s.part_of); }},
      {"[Unit]ConditionPathExists", [](auto v, auto& s) { return read_path(v, s.condition_paths); }},
      {"[Unit]StartLimitIntervalSec", [](auto v, auto&) { return read_exact(v, "0"); }},
      {"[Install]WantedBy", [](auto v, auto& s) { return read_names(v, s.wanted_by); }},
  };
  return readers;
}

const std::map<std::string, Reader>& service_keys() {
  static const std::map<std::string, Reader> readers = {
      {"[Service]Type", [](auto v, auto& s) { return read_word(v, k_types, s.type); }},
      {"[Service]User", [](auto v, auto& s) { return read_text(v, s.user); }},
      {"[Service]WorkingDirectory", [](auto v, auto& s) { return read_text(v, s.working_directory); }},
      {"[Service]Environment", [](auto v, auto& s) { return read_environment(v, s); }},
      {"[Service]EnvironmentFile", [](auto v, auto& s) { return read_path(v, s.environment_files); }},
      {"[Service]ExecStartPre", [](auto v, auto& s) { return read_command(v, s.exec_pre.emplace_back()); }},
      {"[Service]ExecStart",
       [](auto v, auto& s) { return s.exec.empty() ? read_command(v, s.exec) : Problem("stands there twice"); }},
      {"[Service]Restart", [](auto v, auto& s) { return read_word(v, k_restarts, s.restart.when); }},
      {"[Service]RestartSec", [](auto v, auto& s) { return read_delay(v, s.restart); }},
      {"[Service]KillMode", [](auto v, auto& s) { return read_word(v, k_kill_modes, s.kill_mode); }},
      {"[Service]Delegate",
       [](auto v, auto& s) {
         s.delegate = true;
         return read_exact(v, "yes");
       }},
      {"[Service]OOMScoreAdjust", [](auto v, auto& s) { return read_score(v, s); }},
      {"[Service]LimitNOFILE", [](auto v, auto& s) { return read_limit(v, s.limit_nofile); }},
      {"[Service]LimitNPROC", [](auto v, auto& s) { return read_limit(v, s.limit_nproc); }},
      {"[Service]LimitCORE", [](auto v, auto& s) { return read_limit(v, s.limit_core); }},
      {"[Service]TasksMax", [](auto v, auto& s) { return read_limit(v, s.tasks_max); }},
      {"[Service]Slice", [](auto v, auto& s) { return read_text(v, s.slice); }},
      {"[Service]TimeoutStartSec", [](auto v, auto& s) { return read_seconds(v, s.timeout_start); }},
      {"[Service]TimeoutStopSec", [](auto v, auto& s) { return read_seconds(v, s.timeout_stop); }},
      {"[Service]UMask", [](auto v, auto& s) { return read_text(v, s.umask); }},
  };
  return readers;
}

Problem read_setting(const std::string& section, std::string_view line, UnitSpec& spec) {
  const std::size_t sign = line.find('=');
  if (sign == std::string_view::npos) return "is no setting";
  const std::string key = section + std::string(trim(line.substr(0, sign)));
  const auto& readers = section == "[Service]" ? service_keys() : unit_keys();
  const auto reader = readers.find(key);
  if (reader == readers.end()) return "is not known to Slipway's own supervisor";
  return reader->second(trim(line.substr(sign + 1)), spec);
}

// Lines as systemd joins them: a backslash at the end stands for a space.
std::vector<std::string> joined_lines(std::string_view text) {
  std::vector<std::string> lines;
  bool open = false;
  for (const std::string_view raw : split(text, '\n')) {
    const bool goes_on = raw.ends_with('\\');
    const std::string_view part = goes_on ? raw.substr(0, raw.size() - 1) : raw;
    if (open) {
      lines.back().append(" ").append(part);
    } else {
      lines.emplace_back(part);
    }
    open = goes_on;
  }
  return lines;
}

}  // namespace

Result<UnitSpec> parse_unit(const std::string& name, std::string_view text) {
  if (text.size() > k_max_file || text.find('\0') != std::string_view::npos)
    return make_error(Errc::invalid, "unit " + name + ": is no unit file");
  UnitSpec spec;
  spec.name = name;
  spec.restart.when = RestartWhen::never;
  spec.wanted_by.clear();
  std::string section;
  for (const std::string& line : joined_lines(text)) {
    const std::string_view plain = trim(line);
    if (plain.empty() || plain[0] == '#' || plain[0] == ';') continue;
    if (plain[0] == '[') {
      section = plain;
      continue;
    }
    const Problem wrong = read_setting(section, plain, spec);
    if (wrong) return make_error(Errc::invalid, "unit " + name + ": " + std::string(plain.substr(0, plain.find('='))) + " " + *wrong);
  }
  if (spec.exec.empty()) return make_error(Errc::invalid, "unit " + name + ": has no ExecStart");
  return spec;
}

}  // namespace slipway
