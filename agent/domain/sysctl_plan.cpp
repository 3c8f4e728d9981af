#include "agent/domain/sysctl_plan.hpp"

#include <algorithm>
#include <bit>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr char k_gc_thresh[] = "net/ipv4/neigh/default/gc_thresh";
constexpr std::size_t k_default_neighbours = 1024;  // the kernel's gc_thresh3

// Every peer is an ARP entry twice over at worst, and so is every local pod; rounded so that the file seldom
// changes.
std::size_t neighbour_limit(const NetworkDesired& desired) {
  if (desired.backend != NetworkBackend::host_gw) return k_default_neighbours;
  return std::bit_ceil(std::max(k_default_neighbours, desired.peers.size() * 4 + 512));
}

const ObservedSysctl* find_sysctl(const NetworkObserved& observed, const std::string& key) {
  const auto it = std::find_if(observed.sysctls.begin(), observed.sysctls.end(),
                               [&key](const ObservedSysctl& s) { return s.key == key; });
  return it == observed.sysctls.end() ? nullptr : &*it;
}

bool at_least(const std::optional<std::string>& have, const std::string& want) {
  const auto have_number = have ? parse_u64(trim(*have)) : std::nullopt;
  return have_number && *have_number >= parse_u64(want).value_or(0);
}

}  // namespace

std::vector<std::string> network_sysctl_keys() {
  const std::string thresh = k_gc_thresh;
  return {"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables", thresh + "1", thresh + "2",
          thresh + "3"};
}

std::vector<WantedSysctl> wanted_sysctls(const NetworkDesired& desired) {
  std::vector<WantedSysctl> wanted;
  wanted.push_back({{"net/ipv4/ip_forward", "1"}, false, false, ""});
  // Without it a pod's reply to a pod of the same node skips the service address translation.
  wanted.push_back({{"net/bridge/bridge-nf-call-iptables", "1"}, false, false, "br_netfilter"});
  const std::size_t limit = neighbour_limit(desired);
  if (limit <= k_default_neighbours) return wanted;
  const std::string thresh = k_gc_thresh;
  // The upper limits first: at no time may a lower one be above them.
  wanted.push_back({{thresh + "3", std::to_string(limit)}, true, true, ""});
  wanted.push_back({{thresh + "2", std::to_string(limit / 2)}, true, true, ""});
  wanted.push_back({{thresh + "1", std::to_string(limit / 8)}, true, true, ""});
  return wanted;
}

std::string sysctl_file_content(const NetworkDesired& desired) {
  std::string text =
      "# Written by slipway-agent: what the pod network needs. Changes here are overwritten.\n";
  for (const WantedSysctl& want : wanted_sysctls(desired)) {
    std::string key = want.sysctl.key;
    std::replace(key.begin(), key.end(), '/', '.');
    // A leading '-' lets systemd-sysctl go on where the key does not exist.
    text += "-" + key + " = " + want.sysctl.value + "\n";
  }
  return text;
}

std::string modules_file_content() {
  return "# Written by slipway-agent.\nbr_netfilter\n";
}

void plan_sysctls(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkStep>& steps) {
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
  const std::string sysctl_file = sysctl_file_content(desired);
  if (observed.sysctl_file != sysctl_file)
    steps.push_back(WriteNetworkFile{NetworkFile::sysctl, sysctl_file});
  const std::string modules_file = modules_file_content();
  if (observed.modules_file != modules_file)
    steps.push_back(WriteNetworkFile{NetworkFile::modules, modules_file});
}

}  // namespace slipway
