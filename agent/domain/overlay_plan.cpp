#include "agent/domain/overlay_plan.hpp"

#include <algorithm>

#include "agent/domain/network_rules.hpp"
#include "agent/domain/peer_ways.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

using Steps = std::vector<NetworkStep>;

// A device that receives for its address of one family only.
bool receives_v6(const VxlanConfig& config) {
  return config.local && !config.local->is_v4();
}

void mend_in_place(const NetworkLink& device, const WantedOverlay& want, OverlayUse& use, Steps& steps) {
  MendOverlay mend;
  mend.index = device.index;
  if (device.mac != want.mac) mend.mac = want.mac;
  if (device.mtu != want.mtu) mend.mtu = want.mtu;
  mend.up = !device.up;
  use.remac = mend.mac.has_value();
  if (mend.mac || mend.mtu || mend.up) steps.push_back(mend);
}

bool is_own(const NetworkDesired& desired, const IpAddress& address) {
  const Blocks own = own_blocks(desired);
  return (own.v4 && own.v4->contains(address)) || (own.v6 && own.v6->contains(address)) ||
         std::any_of(desired.pools.begin(), desired.pools.end(), [&](const Cidr& pool) { return pool.contains(address); });
}

// Programs that configure every interface put addresses on this one too: theirs are let alone, unless a pod could have them.
void plan_addresses(const NetworkDesired& desired, const NetworkLink* device, const WantedOverlay& want, const OverlayUse& use,
                    Steps& steps) {
  const std::vector<LinkAddress> there =
      device == nullptr || use.renewed ? std::vector<LinkAddress>() : device->addresses;
  const auto is_wanted = [&want](const LinkAddress& address) {
    const bool end = std::find(want.ends.begin(), want.ends.end(), address.address) != want.ends.end();
    return end && address.prefix_length == address.address.bits();
  };
  for (const IpAddress& end : want.ends) {
    const LinkAddress wanted{end, end.bits()};
    if (std::find(there.begin(), there.end(), wanted) == there.end()) steps.push_back(PutOverlayAddress{use.link, end});
  }
  for (const LinkAddress& address : there)
    if (!is_wanted(address) && is_own(desired, address.address))
      steps.push_back(RemoveOverlayAddress{use.link, address.address, address.prefix_length});
}

// Before the addresses: there can be none of IPv6 where it is disabled.
void plan_own_sysctls(const NetworkDesired& desired, const NetworkObserved& observed, const OverlayUse& use, Steps& steps) {
  const bool with_v6 = own_blocks(desired).v6.has_value();
  for (const Sysctl& want : overlay_sysctls(with_v6)) {
    const auto now = std::find_if(observed.overlay_sysctls.begin(), observed.overlay_sysctls.end(),
                                  [&want](const ObservedSysctl& one) { return one.key == want.key; });
    const bool told = !use.renewed && now != observed.overlay_sysctls.end() && now->value;
    if (told ? trim(*now->value) != want.value : use.renewed && with_v6) steps.push_back(SetSysctl{want});
  }
}

}  // namespace

std::string to_string(const MacAddress& mac) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : mac) {
    if (!out.empty()) out += ':';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

bool uses_overlay(const NetworkDesired& desired) {
  return desired.backend == NetworkBackend::vxlan || (desired.backend == NetworkBackend::host_gw && desired.cross_subnet);
}

std::optional<WantedOverlay> wanted_overlay(const NetworkDesired& desired, const NetworkObserved& observed) {
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  if (!uses_overlay(desired) || underlay == nullptr || !desired.own_cidr) return std::nullopt;
  WantedOverlay want;
  want.config = {desired.vxlan_id, desired.vxlan_port, underlay->index, desired.node_address, false, false};
  const Blocks own = own_blocks(desired);
  want.mac = tunnel_mac(desired.mac_salt, own);
  want.mtu = underlay->mtu - overlay_overhead(desired.node_address);
  if (own.v4) want.ends.push_back(tunnel_end(*own.v4));
  if (own.v6) want.ends.push_back(tunnel_end(*own.v6));
  want.underlay = underlay->name;
  return want;
}

const NetworkLink* overlay_of(const NetworkObserved& observed) {
  const auto it = std::find_if(observed.links.begin(), observed.links.end(),
                               [](const NetworkLink& link) { return link.name == k_overlay_device; });
  return it == observed.links.end() ? nullptr : &*it;
}

const NetworkLink* overlay_rival(const NetworkObserved& observed, const VxlanConfig& wanted) {
  for (const NetworkLink& link : observed.links) {
    if (!link.vxlan || link.name == k_overlay_device || link.vxlan->port != wanted.port) continue;
    // One that takes all identifiers takes them in both families.
    const bool takes_all = link.vxlan->extended && link.vxlan->id == 0;
    if (takes_all || (link.vxlan->id == wanted.id && receives_v6(*link.vxlan) == receives_v6(wanted))) return &link;
  }
  return nullptr;
}

bool fits(const NetworkLink& device, const WantedOverlay& want) {
  return device.vxlan && *device.vxlan == want.config;
}

OverlayUse plan_overlay(const NetworkDesired& desired, const NetworkObserved& observed, Steps& steps) {
  OverlayUse use;
  const auto want = wanted_overlay(desired, observed);
  if (!want) return use;
  const NetworkLink* device = overlay_of(observed);
  if (device != nullptr && fits(*device, *want)) {
    use.link = device->index;
    mend_in_place(*device, *want, use, steps);
  } else {
    if (overlay_rival(observed, want->config) != nullptr) return use;
    use.link = k_overlay_to_come;
    use.renewed = true;
    steps.push_back(PutOverlay{want->config, want->mac, want->mtu, device == nullptr ? 0 : device->index, want->underlay});
  }
  plan_own_sysctls(desired, observed, use, steps);
  plan_addresses(desired, device, *want, use, steps);
  const bool offloads = use.renewed || observed.overlay_checksum_offload.value_or(false);
  if (offloads && needs_offload_defence(observed.kernel_release)) steps.push_back(SetChecksumOffload{false});
  return use;
}

void plan_overlay_end(const NetworkDesired& desired, const NetworkObserved& observed, Steps& steps) {
  const NetworkLink* device = overlay_of(observed);
  if (device != nullptr && !uses_overlay(desired)) steps.push_back(RemoveOverlay{device->index});
}

bool is_before(std::string_view kernel_release, std::uint64_t major, std::uint64_t minor) {
  const auto parts = split(kernel_release, '.');
  if (parts.size() < 2) return false;
  const auto its_major = parse_u64(parts[0]);
  const std::string_view rest = parts[1];
  const auto its_minor = parse_u64(rest.substr(0, rest.find_first_not_of("0123456789")));
  if (!its_major || !its_minor) return false;
  return *its_major < major || (*its_major == major && *its_minor < minor);
}

bool needs_offload_defence(std::string_view kernel_release) {
  // Distributions mended older ones too, which a release does not tell for sure; without the offload they are only slower.
  return is_before(kernel_release, 5, 7);
}

std::vector<Sysctl> overlay_sysctls(bool with_v6) {
  const std::string folder = std::string("net/ipv6/conf/") + k_overlay_device + "/";
  std::vector<Sysctl> wanted = {{folder + "accept_ra", "0"}};
  // Hosts that are told to have no IPv6 on new interfaces; where no pod has it that is their own business.
  if (with_v6) wanted.push_back({folder + "disable_ipv6", "0"});
  return wanted;
}

int overlay_overhead(const IpAddress& node_address) {
  return node_address.is_v4() ? 50 : 70;  // outer IP (20, 40), UDP, VXLAN and inner Ethernet headers
}

}  // namespace slipway
