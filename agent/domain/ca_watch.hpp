#pragma once
// Which CA bundles a node needs, has, and works with; which of its certificates come from a CA that is being replaced. Pure.
#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/enrollment_state.hpp"
#include "agent/domain/renewal.hpp"
#include "common/core/time.hpp"
#include "proto/desired_types.hpp"

namespace slipway {

using BundleDigests = std::map<std::string, std::string>;  // CA kind -> SHA-256 of the bundle's text

// What the coordinator announces, without the bundles that only masters get.
BundleDigests wanted_bundles(const std::vector<proto::CaRef>& cas, std::string_view role);

// Kinds whose stored bundle is missing or another one.
std::vector<std::string> outdated_bundles(const BundleDigests& wanted, const BundleDigests& stored);

// A bundle where the components read it.
struct BundleUse {
  std::string digest;
  std::chrono::steady_clock::time_point since{};
};

// kube-apiserver and kubelet look at their client CA files once a minute (DynamicFileCAContent); what reads a bundle only at its
// start was restarted. A bundle counts as used when it has been in place for longer than that.
inline constexpr std::chrono::seconds k_bundle_settles{90};

// A pass has put this bundle where it is read; an unchanged digest keeps its time.
void note_use(std::map<std::string, BundleUse>& uses, const std::string& kind, const std::string& digest, std::chrono::steady_clock::time_point now);

// What the agent tells the coordinator. "fabric" is the agent's own: used as soon as it is stored.
BundleDigests confirmed_bundles(const std::map<std::string, BundleUse>& uses, const BundleDigests& stored, std::chrono::steady_clock::time_point now);

// Usages whose certificate was not signed by the CA that signs now.
std::vector<std::string> issued_by_others(const std::vector<CertificateLife>& certificates,
                                          const std::vector<UsageProfile>& profiles, const std::vector<proto::CaRef>& cas);

}  // namespace slipway
