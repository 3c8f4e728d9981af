#include "agent/domain/change_ledger.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "agent/domain/program_copies.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

template <class E>
using Words = std::vector<std::pair<E, std::string_view>>;

const Words<ChangeKind>& kind_words() {
  static const Words<ChangeKind> words = {
      {ChangeKind::file, "file"},         {ChangeKind::link, "link"},
      {ChangeKind::dir, "dir"},           {ChangeKind::tree, "tree"},
      {ChangeKind::unit, "unit"},         {ChangeKind::sysctl, "sysctl"},
      {ChangeKind::module, "module"},     {ChangeKind::routes, "routes"},
      {ChangeKind::table, "table"},       {ChangeKind::chains, "chains"},
      {ChangeKind::device, "device"},     {ChangeKind::cgroup, "cgroup"},
      {ChangeKind::firewall, "firewall"}, {ChangeKind::addresses, "addresses"},
      {ChangeKind::programs, "programs"}, {ChangeKind::copy, "copy"},
      {ChangeKind::namespaces, "namespaces"}};
  return words;
}

const Words<Former>& former_words() {
  static const Words<Former> words = {{Former::absent, "absent"},     {Former::found, "found"},
                                      {Former::kept, "kept"},         {Former::empty, "empty"},
                                      {Former::link, "link"},
                                      {Former::presumed, "presumed"}, {Former::unsure, "unsure"}};
  return words;
}

template <class E>
std::string_view word_of(const Words<E>& words, E value) {
  const auto found =
      std::find_if(words.begin(), words.end(), [value](const auto& pair) { return pair.first == value; });
  return found == words.end() ? std::string_view() : found->second;
}

template <class E>
std::optional<E> value_of(const Words<E>& words, std::string_view word) {
  const auto found =
      std::find_if(words.begin(), words.end(), [word](const auto& pair) { return pair.second == word; });
  return found == words.end() ? std::nullopt : std::optional(found->first);
}

bool is_path_kind(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::file:
    case ChangeKind::link:
    case ChangeKind::dir:
    case ChangeKind::tree:
    case ChangeKind::programs:
    case ChangeKind::copy:
    case ChangeKind::namespaces:
      return true;
    default:
      return false;
  }
}

bool plain_parts(const std::vector<std::string_view>& parts) {
  return std::all_of(parts.begin(), parts.end(),
                     [](std::string_view part) { return !part.empty() && part != "." && part != ".."; });
}

// What is looked at and removed: of a copy without its digest. Empty: it has none.
std::string path_of(const Change& change) {
  if (change.kind != ChangeKind::copy) return change.name;
  const auto copy = program_copy_of(change.name);
  return copy ? copy->path : std::string();
}

// It becomes part of a command of nft.
bool is_table_name(const std::string& name) {
  const auto words = split(name, ' ');
  const bool family = words.size() == 2 && (words[0] == "ip" || words[0] == "ip6");
  if (words.size() != 1 && !family) return false;
  return !words.back().empty() && words.back().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

bool is_printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

std::string_view to_string(ChangeKind kind) {
  return word_of(kind_words(), kind);
}
std::string_view to_string(Former former) {
  return word_of(former_words(), former);
}
std::optional<ChangeKind> change_kind_of(std::string_view word) {
  return value_of(kind_words(), word);
}
std::optional<Former> former_of(std::string_view word) {
  return value_of(former_words(), word);
}

std::string describe(ChangeKind kind, const std::string& name) {
  switch (kind) {
    case ChangeKind::dir:
      return "folder " + name;
    case ChangeKind::tree:
      return name + " with all that is in it";
    case ChangeKind::unit:
      return name;
    case ChangeKind::module:
      return "kernel module " + name;
    case ChangeKind::routes:
      return "routes of protocol " + name;
    case ChangeKind::addresses:
      return "link-local addresses " + name;
    case ChangeKind::table:
      return "packet filter table " + (name.find(' ') == std::string::npos ? "ip " + name : name);
    case ChangeKind::chains:
      return "iptables chains " + name + "*";
    case ChangeKind::device:
      return "network device " + name;
    case ChangeKind::cgroup:
      return "control group " + name;
    case ChangeKind::firewall:
      return "firewalld's " + name;
    case ChangeKind::programs:
      return "processes of the programs below " + name;
    case ChangeKind::namespaces:
      return "pods' network namespaces " + name + "*";
    case ChangeKind::copy:
      return "program " + name.substr(0, name.rfind(' '));
    default:
      return std::string(to_string(kind)) + " " + name;
  }
}

bool Ledger::add(Change change) {
  const bool fresh = index_.try_emplace({change.kind, change.name}, changes_.size()).second;
  if (fresh) changes_.push_back(std::move(change));
  return fresh;
}

const Change* Ledger::find(ChangeKind kind, const std::string& name) const {
  const auto found = index_.find({kind, name});
  return found == index_.end() ? nullptr : &changes_[found->second];
}

std::vector<Intent> Ledger::news(const std::vector<Intent>& intents) const {
  std::vector<Intent> out;
  std::set<std::pair<ChangeKind, std::string>> seen;
  for (const Intent& intent : intents) {
    if (find(intent.kind, intent.name) == nullptr && seen.insert({intent.kind, intent.name}).second)
      out.push_back(intent);
  }
  return out;
}

Status check_change(const Change& change) {
  const std::string& name = change.name;
  const auto refuse = [&](const char* why) {
    return make_error(Errc::invalid, "change ledger: " + std::string(to_string(change.kind)) + " \"" +
                                         name.substr(0, 128) + "\" " + why);
  };
  if (name.empty() || name.size() > 4000 || !is_printable(name)) return refuse("is no name");
  if (is_path_kind(change.kind)) {
    const std::string path = path_of(change);
    if (path.empty() || path.front() != '/') return refuse("is no absolute path");
    const auto parts = split(std::string_view(path).substr(1), '/');
    // A folder at the top of the host is never ours to remove.
    if (parts.size() < 2 || !plain_parts(parts)) return refuse("is no path of ours");
    return {};
  }
  const bool slashes = change.kind == ChangeKind::sysctl || change.kind == ChangeKind::cgroup || change.kind == ChangeKind::firewall;
  if (!slashes && name.find('/') != std::string::npos) return refuse("has a slash");
  if (change.kind == ChangeKind::table && !is_table_name(name)) return refuse("is no table of ours");
  if (!plain_parts(split(name, '/')) || name.front() == '-') return refuse("is no name of ours");
  return {};
}

}  // namespace slipway
