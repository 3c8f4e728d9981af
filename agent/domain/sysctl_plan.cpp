#include "agent/domain/sysctl_plan.hpp"

#include <algorithm>
#include <bit>

#include "agent/domain/filter_plan.hpp"
#include "agent/domain/overlay_plan.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_default_neighbours = 1024;  // the kernel's gc_thresh3

std::string ip_word(IpFamily family) {
  return family == IpFamily::v4 ? "ipv4" : "ipv6";
}

std::string thresh_key(IpFamily family, int number) {
  return "net/" + ip_word(family) + "/neigh/default/gc_thresh" + std::to_string(number);
}

std::string bridge_key(IpFamily family) {
  return std::string("net/bridge/bridge-nf-call-") + (family == IpFamily::v4 ? "iptables" : "ip6tables");
}

// Peers that are reached without a tunnel are entries that the kernel learns, twice over at worst, and so is
// every local pod; rounded so that the file seldom changes. The tunnel's entries are permanent ones, which the
// limit does not count.
std::size_t neighbour_limit(const NetworkDesired& desired) {
  const bool direct = desired.backend == NetworkBackend::host_gw || (uses_overlay(desired) && desired.cross_subnet);
  if (!direct) return k_default_neighbours;
  return std::bit_ceil(std::max(k_default_neighbours, desired.peers.size() * 4 + 512));
}

void want_neighbours(IpFamily family, std::size_t limit, std::vector<WantedSysctl>& wanted) {
  // The upper limits first: at no time may a lower one be above them.
  wanted.push_back({{thresh_key(family, 3), std::to_string(limit)}, true, true, ""});
  wanted.push_back({{thresh_key(family, 2), std::to_string(limit / 2)}, true, true, ""});
  wanted.push_back({{thresh_key(family, 1), std::to_string(limit / 8)}, true, true, ""});
}

constexpr char k_v4_forwarding[] = "net/ipv4/ip_forward";
constexpr char k_v6_forwarding[] = "net/ipv6/conf/all/forwarding";

// With slashes, or the dot in a name such as eth0.100 would be taken for one (sysctl.d(5)).
std::string accept_ra_line(const std::string& key) {
  return "-" + key + " = 2\n";
}

std::string accept_ra_key(const std::string& device) {
  return "net/ipv6/conf/" + device + "/accept_ra";
}

std::string file_there(const NetworkObserved& observed) {
  const auto file = observed.files.find(NetworkFile::sysctl);
  return file == observed.files.end() ? "" : file->second;
}

// Lines of our file about accept_ra.
std::string accept_ra_lines(const std::string& file) {
  std::string out;
  for (const std::string_view line : split(file, '\n'))
    if (line.starts_with("-net/ipv6/conf/") && line.ends_with("/accept_ra = 2"))
      out += std::string(line) + "\n";
  return out;
}

constexpr char k_loose[] = "2";  // any way back will do, not only the one that the packet came by

std::string rp_filter_key(const std::string& device) {
  return "net/ipv4/conf/" + device + "/rp_filter";
}

const ObservedSysctl* find_sysctl(const NetworkObserved& observed, const std::string& key) {
  const auto it = std::find_if(observed.sysctls.begin(), observed.sysctls.end(),
                               [&key](const ObservedSysctl& s) { return s.key == key; });
  return it == observed.sysctls.end() ? nullptr : &*it;
}

std::string value_of(const NetworkObserved& observed, const std::string& key) {
  const ObservedSysctl* now = find_sysctl(observed, key);
  return now == nullptr || !now->value ? "" : std::string(trim(*now->value));
}

bool at_least(const std::optional<std::string>& have, const std::string& want) {
  const auto have_number = have ? parse_u64(trim(*have)) : std::nullopt;
  return have_number && *have_number >= parse_u64(want).value_or(0);
}

}  // namespace

std::vector<Sysctl> network_sysctls() {
  std::vector<Sysctl> all = {{k_v4_forwarding, "1"},
                             {bridge_key(IpFamily::v4), "1"},
                             {k_v6_forwarding, "1"},
                             {bridge_key(IpFamily::v6), "1"},
                             {rp_filter_key(k_overlay_device), k_loose},
                             {rp_filter_key(k_pod_bridge), k_loose}};
  for (const IpFamily family : k_families)
    for (const int number : {1, 2, 3}) all.push_back({thresh_key(family, number), ""});
  return all;
}

std::vector<std::string> network_sysctl_keys() {
  std::vector<std::string> keys = {rp_filter_key("all"), rp_filter_key("default")};
  for (const Sysctl& sysctl : network_sysctls()) keys.push_back(sysctl.key);
  return keys;
}

std::vector<WantedSysctl> wanted_sysctls(const NetworkDesired& desired) {
  const bool v6 = own_block(desired, IpFamily::v6).has_value();
  std::vector<WantedSysctl> wanted;
  wanted.push_back({{k_v4_forwarding, "1"}, false, false, ""});
  // Without it a pod's reply to a pod of the same node skips the service address translation.
  wanted.push_back({{bridge_key(IpFamily::v4), "1"}, false, false, "br_netfilter"});
  if (v6) {
    wanted.push_back({{k_v6_forwarding, "1"}, false, false, ""});
    wanted.push_back({{bridge_key(IpFamily::v6), "1"}, false, false, "br_netfilter"});
  }
  const std::size_t limit = neighbour_limit(desired);
  if (limit <= k_default_neighbours) return wanted;
  want_neighbours(IpFamily::v4, limit, wanted);
  if (v6) want_neighbours(IpFamily::v6, limit, wanted);
  return wanted;
}

std::vector<std::string> silent_sysctls(const NetworkDesired& desired, const NetworkObserved& observed) {
  std::vector<std::string> keys;
  for (const WantedSysctl& want : wanted_sysctls(desired)) {
    const std::string& key = want.sysctl.key;
    const ObservedSysctl* now = find_sysctl(observed, key);
    const bool ours = !want.optional || (now != nullptr && now->value && now->writable);
    if (ours && key != k_v4_forwarding && key != k_v6_forwarding) keys.push_back(key);
  }
  if (const auto accept_ra = wanted_accept_ra(desired, observed)) keys.push_back(accept_ra->key);
  if (!uses_overlay(desired)) return keys;
  for (const char* device : {"all", "default", k_overlay_device, k_pod_bridge}) keys.push_back(rp_filter_key(device));
  return keys;
}

bool forwards_v6(const NetworkObserved& observed) {
  return value_of(observed, k_v6_forwarding) == "1";
}

std::optional<Sysctl> wanted_accept_ra(const NetworkDesired& desired, const NetworkObserved& observed) {
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  if (!own_block(desired, IpFamily::v6) || underlay == nullptr || !underlay->v6) return std::nullopt;
  const Sysctl wanted{accept_ra_key(underlay->name), "2"};
  if (file_there(observed).find(accept_ra_line(wanted.key)) != std::string::npos) return wanted;
  const bool listens = underlay->v6->accept_ra == 1 && underlay->v6->learnt && !forwards_v6(observed);
  return listens ? std::optional(wanted) : std::nullopt;
}

std::string sysctl_file_content(const NetworkDesired& desired, const NetworkObserved& observed) {
  std::string text =
      "# Written by slipway-agent: what the pod network needs. Changes here are overwritten.\n";
  for (const WantedSysctl& want : wanted_sysctls(desired)) {
    std::string key = want.sysctl.key;
    std::replace(key.begin(), key.end(), '/', '.');
    // A leading '-' lets systemd-sysctl go on where the key does not exist.
    text += "-" + key + " = " + want.sysctl.value + "\n";
  }
  const std::string kept = accept_ra_lines(file_there(observed));
  const auto wanted = wanted_accept_ra(desired, observed);
  const bool fresh = wanted && kept.find(accept_ra_line(wanted->key)) == std::string::npos;
  return text + kept + (fresh ? accept_ra_line(wanted->key) : "");
}

std::string modules_file_content() {
  return "# Written by slipway-agent.\nbr_netfilter\n";
}

void plan_sysctls(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkStep>& steps) {
  // Before forwarding, which makes the kernel forget what it has from routers. Another value than 1 is
  // somebody's own choice.
  const NetworkLink* underlay = underlay_of(observed, desired.node_address);
  const auto accept_ra = wanted_accept_ra(desired, observed);
  if (accept_ra && underlay->v6->accept_ra == 1) steps.push_back(SetSysctl{*accept_ra});
  for (const WantedSysctl& want : wanted_sysctls(desired)) {
    const ObservedSysctl* now = find_sysctl(observed, want.sysctl.key);
    const bool there = now != nullptr && now->value.has_value();
    // Limits of the whole machine, which a network namespace has not got.
    if (want.optional && (!there || !now->writable)) continue;
    if (there && want.minimum && at_least(now->value, want.sysctl.value)) continue;
    if (there && trim(*now->value) == want.sysctl.value) continue;
    if (!there && !want.module.empty()) steps.push_back(LoadModule{want.module});
    steps.push_back(SetSysctl{want.sysctl});
  }
}

void plan_device_sysctls(const NetworkDesired& desired, const NetworkObserved& observed, const OverlayUse& overlay,
                         std::vector<NetworkStep>& steps) {
  if (!uses_overlay(desired)) return;
  for (const std::string device : {k_overlay_device, k_pod_bridge}) {
    const bool tunnel = device == k_overlay_device;
    if (tunnel && overlay.link == 0) continue;
    const std::string key = rp_filter_key(device);
    // A tunnel that comes into being in this very plan has the default; the bridge comes with the first pod.
    const std::string own = value_of(observed, tunnel && overlay.renewed ? rp_filter_key("default") : key);
    if (own.empty()) continue;
    // The larger one of the device's and that of all counts (ip-sysctl.rst): 0 off, 1 strict, 2 loose.
    if (std::max(own, value_of(observed, rp_filter_key("all"))) == "1") steps.push_back(SetSysctl{{key, k_loose}});
  }
}

}  // namespace slipway
