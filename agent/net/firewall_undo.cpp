#include "agent/net/firewall_undo.hpp"

#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway::net {

namespace {

constexpr std::size_t k_max_file = std::size_t{1} << 20;

// As firewalld.zone(5) has it.
std::string element_of(const FirewallEntry& entry) {
  if (entry.kind == FirewallEntry::Kind::source) return "<source address=\"" + entry.value + "\"";
  return "<port port=\"" + entry.value.substr(0, entry.value.find('/')) + "\"";
}

bool is_there(const FirewallEntry& entry, const FirewallObserved& observed) {
  if (entry.kind == FirewallEntry::Kind::source)
    return observed.sources.runtime.count(entry.value) != 0 || observed.sources.permanent.count(entry.value) != 0;
  const std::string port = entry.zone + " " + entry.value;
  return observed.ports.runtime.count(port) != 0 || observed.ports.permanent.count(port) != 0;
}

}  // namespace

std::string FirewallUndo::file_with(const std::string& name) const {
  const auto entry = entry_of(name);
  const std::string path = entry ? etc_ + "/zones/" + entry->zone + ".xml" : etc_ + "/policies/" + k_firewall_policy + ".xml";
  const auto text = read_file(path, k_max_file);
  if (!text) return "";
  return !entry || text->find(element_of(*entry)) != std::string::npos ? path : "";
}

Result<EntrySeen> FirewallUndo::look(const std::string& name) const {
  EntrySeen seen;
  const auto entry = entry_of(name);
  const auto observed = observe_firewalld(options_, entry ? std::vector<std::string>{entry->zone} : std::vector<std::string>{});
  if (!observed) return error_of(observed, "asking firewalld");
  if (!*observed)
    seen.there = !file_with(name).empty();
  else if (entry)
    seen.there = is_there(*entry, **observed);
  else
    seen.there = (*observed)->policy.permanent || (*observed)->policy.runtime;
  return seen;
}

Status FirewallUndo::undo(const std::string& name) const {
  const auto entry = entry_of(name);
  const auto observed = observe_firewalld(options_, {});
  if (!observed) return error_of(observed, "asking firewalld");
  if (!*observed) {
    const std::string file = file_with(name);
    if (file.empty()) return {};
    return make_error(Errc::unavailable, "firewalld does not run: start it, then reset again; or take it out of " + file);
  }
  if (!entry) return apply_to_firewalld(options_, {RemoveFirewallPolicy{}, ReloadFirewall{}});
  return apply_to_firewalld(options_, {SetFirewallEntry{*entry, FirewallScope::permanent, false},
                                       SetFirewallEntry{*entry, FirewallScope::runtime, false}});
}

}  // namespace slipway::net
