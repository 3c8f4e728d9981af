#include "agent/net/filter_rules.hpp"

#include "agent/net/foreign_rules.hpp"
#include "agent/net/iptables_variants.hpp"
#include "agent/net/masquerade.hpp"

namespace slipway::net {

Result<FilterState> FilterRules::observe() const {
  FilterState state;
  const auto nft = Nft::open();
  if (!nft) return error_of(nft, "listing packet filter tables");
  const auto tables = list_tables(*nft);
  if (!tables) return tables.error();
  for (const IpFamily family : k_families) {
    auto masquerade = read_masquerade(*nft, *tables, family);
    if (!masquerade) return masquerade.error();
    state.masquerade[family] = std::move(*masquerade);
    auto forward = forward_.observe(family, has_filter_table(family, *tables));
    if (!forward) return error_of(forward, "reading the FORWARD rules");
    state.forward[family] = std::move(*forward);
  }
  auto refusals = read_refusals(*nft, *tables);
  if (!refusals) return refusals.error();
  state.refusals = std::move(*refusals);
  state.iptables = read_variants(*nft, *tables);
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
