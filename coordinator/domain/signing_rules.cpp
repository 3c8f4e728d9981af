#include "coordinator/domain/signing_rules.hpp"

#include <algorithm>

namespace slipway {

namespace {

constexpr Seconds k_longest{366 * 86400};  // as of settings, see cluster_spec.cpp
constexpr Seconds k_earliest{
    600};  // before now: the five minutes of validity_of() and a request that took its time
constexpr Seconds k_latest{60};  // behind now
constexpr std::string_view k_node_prefix = "system:node:";
// For usages whose certificate names no node. Any name that the deny list lets pass.
constexpr const char* k_some_node = "some-node";

Error refuse(const CertSpec& spec, std::string_view why) {
  return make_error(Errc::denied, "the signer refuses CN=\"" + spec.common_name + "\" for " +
                                      std::string(to_string(spec.usage)) + ": " + std::string(why));
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Addresses that the API server's profile adds by itself; those of its node are the rest.
bool is_api_servers_own(const ProfileCluster& cluster, const IpAddress& address) {
  const std::string text = address.to_string();
  const bool service = !cluster.service_cidrs.empty() && cluster.service_cidrs[0].at(1) == address;
  return service || address.is_loopback() || text == cluster.api_endpoint_host ||
         has(cluster.api_extra_names, text);
}

std::vector<IpAddress> node_addresses(const CertSpec& spec, const ProfileInput& input) {
  std::vector<IpAddress> addresses;
  for (const IpAddress& address : spec.ip_addresses) {
    const bool own = spec.usage == CertUsage::apiserver_serving ? is_api_servers_own(input.cluster, address)
                                                                : address.is_loopback();
    if (!own) addresses.push_back(address);
  }
  if (!addresses.empty()) return addresses;
  // A master whose address is the endpoint's: added once more it changes nothing.
  for (const IpAddress& address : spec.ip_addresses) {
    if (check_node_address(input.cluster, input.node, address)) addresses.push_back(address);
  }
  return addresses;
}

void take_node(ProfileInput& input, const CertSpec& spec) {
  const std::string& name = spec.common_name;
  switch (spec.usage) {
    case CertUsage::agent:
    case CertUsage::etcd_server:
    case CertUsage::etcd_peer:
      input.node.name = name;
      break;
    case CertUsage::kubelet_client:
    case CertUsage::kubelet_serving:
      input.node.name = name.starts_with(k_node_prefix) ? name.substr(k_node_prefix.size()) : std::string();
      break;
    default:
      input.node.name = k_some_node;
  }
  const auto uri = spec.uris.size() == 1 ? parse_agent_uri(spec.uris[0]) : std::nullopt;
  if (uri) {
    input.node.uid = uri->node_uid;
    input.node.generation = uri->generation;
  }
}

bool within(const Cidr& wide, const Cidr& narrow) {
  return wide.base() == narrow.base() && wide.contains(narrow);
}

}  // namespace

Status check_lifetimes(const Lifetimes& lifetimes) {
  const auto bad = [](Seconds life, Seconds most) { return life <= Seconds(0) || life > most; };
  const bool long_one = bad(lifetimes.node, k_longest) || bad(lifetimes.serving, k_longest) ||
                        bad(lifetimes.control_plane, k_longest) || bad(lifetimes.coordinator, k_longest) ||
                        bad(lifetimes.operators, k_longest) || bad(lifetimes.admin, k_max_admin_life) ||
                        bad(lifetimes.bootstrap, k_max_bootstrap_life);
  if (long_one)
    return make_error(
        Errc::denied,
        "the signer refuses these lives of certificates: one is longer than any setting may be");
  return {};
}

Status check_rules_change(const SigningRules& before, const SigningRules& after) {
  const ProfileCluster &was = before.cluster, &is = after.cluster;
  const bool same = was.name == is.name && was.id == is.id && was.api_endpoint_host == is.api_endpoint_host;
  if (!same) return make_error(Errc::denied, "the signer refuses these settings: they are another cluster's");
  const bool services =
      was.service_cidrs.size() == is.service_cidrs.size() &&
      std::equal(is.service_cidrs.begin(), is.service_cidrs.end(), was.service_cidrs.begin(), within);
  if (!services)
    return make_error(Errc::denied, "the signer refuses these settings: the service range may only grow");
  return check_lifetimes(after.lifetimes);
}

Status check_profile(const CertSpec& spec, const ProfileCluster& cluster) {
  ProfileInput input;
  input.cluster = cluster;
  input.node.master = true;
  take_node(input, spec);
  input.node.addresses = node_addresses(spec, input);
  input.user_name = spec.common_name;
  auto made = profile(spec.usage, input);
  if (!made) return refuse(spec, made.error().message);
  if (spec.usage == CertUsage::coordinator_serving) add_own_host(*made);
  return *made == spec ? Status() : refuse(spec, "it is not what the profile of this usage makes");
}

Status check_validity(const CertSpec& spec, Validity validity, const Lifetimes& lifetimes, WallTime now) {
  if (validity.not_before < now - k_earliest)
    return refuse(spec, "it would begin at " + to_rfc3339(validity.not_before) + ", long before now");
  if (validity.not_before > now + k_latest)
    return refuse(spec, "it would begin at " + to_rfc3339(validity.not_before) + ", in the future");
  if (validity.not_after > validity_of(spec.validity, lifetimes, now).not_after + k_latest) {
    return refuse(spec,
                  "it would live until " + to_rfc3339(validity.not_after) + ", longer than the settings say");
  }
  return {};
}

void add_own_host(CertSpec& spec) {
  spec.dns_names.push_back("localhost");
  for (const char* text : {"127.0.0.1", "::1"}) {
    const auto address = IpAddress::parse(text);
    if (address) spec.ip_addresses.push_back(*address);
  }
}

}  // namespace slipway
