#include "agent/net/filter_rules.hpp"

#include "agent/net/foreign_rules.hpp"
#include "agent/net/host_ports.hpp"
#include "agent/net/iptables_variants.hpp"
#include "agent/net/masquerade.hpp"

namespace slipway::net {

namespace {

constexpr int k_most_uses = 9;  // of one answer

}  // namespace

// The older variant of iptables tells nobody what it does.
bool FilterRules::holds(const std::optional<std::uint64_t>& heard) const {
  if (!known_ || !heard || known_->heard != *heard || known_->used >= k_most_uses) return false;
  // Pods made anew end that, and table nat is not listened to.
  if (!known_->state.lost_host_ports.empty()) return false;
  for (const IpFamily family : k_families) {
    if (!legacy_tables(family).empty()) return false;
    if (forward_.has_tool(family) != known_->state.forward[family].tool_present) return false;
  }
  return true;
}

// A listing by nftables and two runs of iptables for each family are half of what a pass costs that finds nothing to do.
Result<FilterState> FilterRules::observe(std::optional<std::uint64_t> heard) {
  if (holds(heard)) {
    ++known_->used;
    return known_->state;
  }
  known_.reset();
  auto state = read();
  if (state && heard) known_ = Known{*state, *heard, 0};
  return state;
}

Result<FilterState> FilterRules::read() const {
  FilterState state;
  const auto nft = Nft::open();
  if (!nft) return error_of(nft, "listing packet filter tables");
  const auto tables = list_tables(*nft);
  if (!tables) return tables.error();
  for (const IpFamily family : k_families) {
    auto masquerade = read_masquerade(*nft, *tables, family);
    if (!masquerade) return masquerade.error();
    state.masquerade[family] = std::move(*masquerade);
    auto forward = forward_.observe(family, has_table(family, "filter", *tables));
    if (!forward) return error_of(forward, "reading the FORWARD rules");
    state.forward[family] = std::move(*forward);
  }
  auto refusals = read_refusals(*nft, *tables);
  if (!refusals) return refusals.error();
  state.refusals = std::move(*refusals);
  state.iptables = read_variants(*nft, *tables);
  if (!host_ports_) return state;
  auto lost = lost_host_ports(host_ports_(), *tables, folders_);
  if (!lost) return error_of(lost, "reading the rules of host ports");
  state.lost_host_ports = std::move(*lost);
  return state;
}

std::optional<Status> FilterRules::apply(const NetworkStep& step) const {
  if (const auto* put = std::get_if<PutMasquerade>(&step)) return put_masquerade(*put);
  if (const auto* remove = std::get_if<RemoveMasquerade>(&step)) return remove_masquerade(remove->family);
  if (const auto* put = std::get_if<PutForward>(&step)) return forward_.put(*put);
  if (const auto* remove = std::get_if<RemoveForward>(&step)) return forward_.remove(remove->family);
  return std::nullopt;
}

}  // namespace slipway::net
