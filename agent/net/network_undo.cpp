#include "agent/net/network_undo.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "agent/domain/link_hop.hpp"
#include "agent/net/nft.hpp"
#include "agent/net/sysctls.hpp"
#include "common/core/text.hpp"
#include "common/process/run_program.hpp"

namespace slipway::net {

namespace {

constexpr char k_ipvs_device[] = "kube-ipvs0";
constexpr std::chrono::seconds k_cleanup_limit{60};

const NetworkLink* link_named(const std::vector<NetworkLink>& links, const std::string& name) {
  const auto found = std::find_if(links.begin(), links.end(),
                                  [&name](const NetworkLink& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

std::vector<NetworkLink> ports_of(const std::vector<NetworkLink>& links, const NetworkLink& bridge) {
  std::vector<NetworkLink> ports;
  for (const NetworkLink& link : links) {
    if (link.master == bridge.index) ports.push_back(link);
  }
  return ports;
}

std::string text_of(const MarkedRoute& route) {
  if (route.blackhole) return "blackhole " + route.destination.to_string();
  return route.destination.to_string() + (route.gateway ? " via " + route.gateway->to_string() : "");
}

std::string text_of(const RemoveLinkAddress& step) {
  return step.address.address.to_string() + " on " + step.name;
}

std::optional<std::string> sysctl_value(const std::string& root, const std::string& key) {
  const auto read = read_sysctls(root, {key});
  return read.empty() ? std::nullopt : read.front().value;
}

// A device that is gone meanwhile, as a pod's end goes with its namespace, is gone.
bool is_gone(const Error& error) {
  return error.code == Errc::not_found || lower(error.message).find("no such device") != std::string::npos;
}

}  // namespace

Result<NetworkUndo> NetworkUndo::open(Paths paths) {
  auto netlink = Rtnetlink::open();
  if (!netlink) return netlink.error();
  return NetworkUndo(std::move(paths), std::move(*netlink));
}

bool NetworkUndo::handles(ChangeKind kind) {
  return kind == ChangeKind::sysctl || kind == ChangeKind::routes || kind == ChangeKind::table ||
         kind == ChangeKind::chains || kind == ChangeKind::device || kind == ChangeKind::addresses ||
         kind == ChangeKind::firewall;
}

Result<Change> NetworkUndo::former(const Intent& intent) {
  const Change now{intent.kind, intent.name, intent.wanted, Former::absent, ""};
  // Only what firewalld has been seen to lack is noted (firewall_intents()).
  if (intent.kind == ChangeKind::firewall) return now;
  auto seen = look(now);
  if (!seen) return seen.error();
  Change change = now;
  if (!seen->there) return change;
  change.former = intent.kind == ChangeKind::sysctl ? Former::kept : Former::found;
  change.value = intent.kind == ChangeKind::sysctl ? seen->value : "";
  return change;
}

Result<EntrySeen> NetworkUndo::look(const Change& change) {
  if (change.kind == ChangeKind::firewall) return firewall_.look(change.name);
  EntrySeen seen;
  if (change.kind == ChangeKind::sysctl) {
    const auto value = sysctl_value(paths_.proc_sys, change.name);
    seen.there = value.has_value();
    seen.value = value.value_or("");
  } else if (change.kind == ChangeKind::routes) {
    auto routes = netlink_.marked_routes();
    if (!routes) return routes.error();
    for (const MarkedRoute& route : *routes) seen.more.push_back(text_of(route));
    seen.there = !routes->empty();
  } else if (change.kind == ChangeKind::addresses) {
    const auto steps = own_addresses();
    if (!steps) return steps.error();
    for (const NetworkStep& step : *steps) seen.more.push_back(text_of(std::get<RemoveLinkAddress>(step)));
    seen.there = !steps->empty();
  } else if (change.kind == ChangeKind::table) {
    const auto there = has_table(table_named(change.name));
    if (!there) return there.error();
    seen.there = *there;
  } else if (change.kind == ChangeKind::chains) {
    auto names = chains_.names(change.name);
    if (!names) return names.error();
    seen.there = !names->empty();
    seen.more = std::move(*names);
  } else if (change.kind == ChangeKind::device) {
    auto links = netlink_.links();
    if (!links) return links.error();
    const NetworkLink* link = link_named(*links, change.name);
    seen.there = link != nullptr;
    if (link != nullptr) {
      for (const NetworkLink& port : ports_of(*links, *link)) seen.more.push_back(port.name);
    }
  }
  return seen;
}

Status NetworkUndo::undo(const ResetStep& step) {
  switch (step.action) {
    case ResetAction::remove_device:
      return remove_device(step.name);
    case ResetAction::remove_routes:
      return remove_routes();
    case ResetAction::remove_addresses:
      return remove_addresses();
    case ResetAction::remove_table:
      return remove_table(table_named(step.name));
    case ResetAction::remove_chains:
      return remove_chains(step.name);
    case ResetAction::remove_firewall:
      return firewall_.undo(step.name);
    case ResetAction::set_sysctl:
      return set_sysctl(paths_.proc_sys, {step.name, step.value});
    default:
      return make_error(Errc::internal, "no way to " + describe(step));
  }
}

Status NetworkUndo::remove_device(const std::string& name) {
  // What kube-proxy has in the kernel in ipvs mode only it can tell; its cleaning empties the whole table of
  // virtual servers, so it is asked only where that mode ran.
  if (name == k_ipvs_device && ::access(paths_.kube_proxy.c_str(), X_OK) == 0) {
    if (const auto cleaned = run_program({paths_.kube_proxy, "--cleanup"}, "", k_cleanup_limit); !cleaned)
      return cleaned.error();
  }
  const auto links = netlink_.links();
  if (!links) return links.error();
  const NetworkLink* link = link_named(*links, name);
  if (link == nullptr) return {};
  for (const NetworkLink& port : ports_of(*links, *link)) {
    // Ends of pods. Anything else in our bridge was put there by somebody.
    if (!port.name.starts_with("veth"))
      return make_error(Errc::conflict,
                        "port " + port.name + " of it is not a pod's; take it out of the bridge");
    if (auto gone = netlink_.remove_link(port.index); !gone && !is_gone(gone.error())) return gone;
  }
  const Status gone = netlink_.remove_link(link->index);
  return !gone && is_gone(gone.error()) ? Status() : gone;
}

Status NetworkUndo::remove_routes() {
  const auto routes = netlink_.marked_routes();
  if (!routes) return routes.error();
  std::vector<NetworkStep> steps;
  for (const MarkedRoute& route : *routes) steps.push_back(RemoveRoute{route});
  std::vector<Status> results(steps.size());
  netlink_.change(steps, 0, steps.size(), 0, results);
  for (const Status& status : results) {
    if (!status) return status;
  }
  return {};
}

Result<std::vector<NetworkStep>> NetworkUndo::own_addresses() {
  NetworkObserved observed;
  auto links = netlink_.links();
  if (!links) return links.error();
  observed.links = std::move(*links);
  std::vector<NetworkStep> steps;
  plan_link_hop_removal(observed, steps);
  return steps;
}

Status NetworkUndo::remove_addresses() {
  const auto steps = own_addresses();
  if (!steps) return steps.error();
  for (const NetworkStep& step : *steps) {
    const auto& remove = std::get<RemoveLinkAddress>(step);
    if (auto removed = netlink_.remove_address(remove.link, remove.address, describe(step)); !removed)
      return removed;
  }
  return {};
}

Status NetworkUndo::remove_chains(const std::string& prefix) {
  return chains_.remove(prefix);
}

}  // namespace slipway::net
