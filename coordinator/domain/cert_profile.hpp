#pragma once
// What a certificate may say. Pure: the server decides subject, names, usage and lifetime from its own
// records; of the request it takes the public key. One profile for each usage.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway {

// Which certificate authority signs. They are separate so that none of them vouches in another's realm.
enum class CaKind { fabric, kube_client, kubelet_serving, apiserver, front_proxy, etcd };
inline constexpr CaKind k_ca_kinds[] = {CaKind::fabric,    CaKind::kube_client, CaKind::kubelet_serving,
                                        CaKind::apiserver, CaKind::front_proxy, CaKind::etcd};
std::string_view to_string(
    CaKind kind);  // "fabric", "kubeClient", "kubeletServing", "apiserver", "frontProxy", "etcd"
std::optional<CaKind> ca_kind_from_string(std::string_view text);

enum class CertUsage {
  agent,
  kubelet_client,
  kubelet_serving,
  kube_proxy,
  apiserver_serving,
  apiserver_kubelet_client,
  apiserver_etcd_client,
  etcd_server,
  etcd_peer,
  front_proxy_client,
  controller_manager,
  scheduler,
  coordinator_serving,
  coordinator_kube_client,
  operator_admin,
  kubeconfig_admin,
  operator_op,      // may change nodes and tokens
  operator_viewer,  // may read
  coordinator_bootstrap,  // the coordinator's, for minutes: to give itself and its operators their rights in Kubernetes
};
inline constexpr CertUsage k_cert_usages[] = {CertUsage::agent,
                                              CertUsage::kubelet_client,
                                              CertUsage::kubelet_serving,
                                              CertUsage::kube_proxy,
                                              CertUsage::apiserver_serving,
                                              CertUsage::apiserver_kubelet_client,
                                              CertUsage::apiserver_etcd_client,
                                              CertUsage::etcd_server,
                                              CertUsage::etcd_peer,
                                              CertUsage::front_proxy_client,
                                              CertUsage::controller_manager,
                                              CertUsage::scheduler,
                                              CertUsage::coordinator_serving,
                                              CertUsage::coordinator_kube_client,
                                              CertUsage::operator_admin,
                                              CertUsage::kubeconfig_admin,
                                              CertUsage::operator_op,
                                              CertUsage::operator_viewer,
                                              CertUsage::coordinator_bootstrap};
// Of people who ask the coordinator's API.
constexpr bool is_operator_usage(CertUsage usage) {
  return usage == CertUsage::operator_admin || usage == CertUsage::operator_op ||
         usage == CertUsage::operator_viewer;
}
// Of people altogether: also of those who ask kube-apiserver.
constexpr bool is_persons_usage(CertUsage usage) { return is_operator_usage(usage) || usage == CertUsage::kubeconfig_admin; }
std::string_view to_string(CertUsage usage);  // wire names: "agent", "kubeletClient", "kubeletServing", ...
std::optional<CertUsage> cert_usage_from_string(std::string_view text);

CaKind ca_of(CertUsage usage);  // which CA signs it

// What an agent asks for at join and renews. A master is a node with a control plane, so its set holds a
// node's.
const std::vector<CertUsage>& usages_of_node();
const std::vector<CertUsage>& usages_of_master();

// What the profiles need to know of the cluster. The deny rules look at all of it.
struct ProfileCluster {
  std::string name;
  std::string id;                 // UUID
  std::string dns_domain;         // "cluster.local"
  std::string api_endpoint_host;  // DNS name or IP of the API server's address
  std::vector<Cidr> pod_cidrs;
  std::vector<Cidr> service_cidrs;             // the first one's first address is the `kubernetes` service
  std::vector<Cidr> node_cidrs;                // where nodes' addresses may lie; empty: anywhere not denied
  std::vector<std::string> coordinator_names;  // DNS names and IPs of coordinators, from configuration
  std::vector<std::string>
      api_extra_names;  // further DNS names and IPs of the API server, from configuration
};

struct ProfileNode {
  std::string name;
  std::string uid;               // UUID
  std::uint64_t generation = 0;  // counts re-registrations of the name
  bool master = false;
  std::vector<IpAddress> addresses;  // from inventory or the connection; behind a listed NAT the node's word within node_cidrs
};

struct ProfileInput {
  ProfileCluster cluster;
  ProfileNode node;       // for usages of nodes
  std::string user_name;  // for usages of people
};

enum class ValidityClass { node, serving, control_plane, coordinator, admin, operators, bootstrap };

// Extended key usages of a certificate: as few as its protocol allows.
struct UsageBits {
  bool server_auth = false;
  bool client_auth = false;
  bool operator==(const UsageBits&) const = default;
};

struct CertSpec {
  CertUsage usage = CertUsage::agent;
  CaKind issuer = CaKind::fabric;
  std::string organization;  // empty: none
  std::string common_name;
  UsageBits eku;
  std::vector<std::string> dns_names;
  std::vector<IpAddress> ip_addresses;
  std::vector<std::string> uris;
  ValidityClass validity = ValidityClass::node;
  bool operator==(const CertSpec&) const = default;
};

// Errc::denied when a name or address of the input is on the deny list, Errc::invalid when one is missing or
// malformed; the message says which and why.
Result<CertSpec> profile(CertUsage usage, const ProfileInput& input);

// All subject alternative names as text.
std::vector<std::string> names_of(const CertSpec& spec);

// The deny list, also used where nodes are registered. Errc::denied or Errc::invalid with the reason.
// A master may bear the names and addresses of the API server and the coordinator; a worker may not.
Status check_node_name(const ProfileCluster& cluster, std::string_view name, bool master);
Status check_node_address(const ProfileCluster& cluster, const ProfileNode& node, const IpAddress& address);
Status check_user_name(std::string_view name);

// "urn:slipway:<cluster id>:node:<uid>:<generation>"
std::string agent_uri(std::string_view cluster_id, std::string_view node_uid, std::uint64_t generation);
struct AgentUri {
  std::string cluster_id;
  std::string node_uid;
  std::uint64_t generation = 0;
};
std::optional<AgentUri> parse_agent_uri(std::string_view uri);

struct Lifetimes {
  Seconds node{86400};         // agent, kubelet client, kube-proxy: certificates.nodeTTL
  Seconds serving{7 * 86400};  // kubelet serving: certificates.servingTTL
  Seconds control_plane{7 * 86400};
  Seconds coordinator{90 * 86400};
  Seconds admin{12 * 3600};       // kubeconfigs: certificates.adminTTL
  Seconds operators{30 * 86400};  // certificates.operatorTTL
  Seconds bootstrap{10 * 60};
};

// kube-apiserver knows no revocation: what opens all of it there lives no longer, whatever the settings say. Backdating included.
inline constexpr Seconds k_max_admin_life{12 * 3600};
inline constexpr Seconds k_max_bootstrap_life{15 * 60};

struct Validity {
  WallTime not_before{};
  WallTime not_after{};
  bool operator==(const Validity&) const = default;
};

// As kube-controller-manager does it: backdated by five minutes for clocks that go wrong; a lifetime of 8 h
// or more includes these minutes, a shorter one gets them on top.
Validity validity_of(ValidityClass validity, const Lifetimes& lifetimes, WallTime now);

// The longest life of what this CA signs.
Seconds longest_life(CaKind kind, const Lifetimes& lifetimes);

// X.509 serial number: at least 112 random bits, never zero.
class Serial {
 public:
  // Takes 16 random bytes; clears the top bit, so that DER needs no 17th octet.
  static Result<Serial> from_random(std::string_view sixteen_bytes);
  // 14 random bytes behind the time and a number that counts on (and round) from one certificate to the next: 20 octets. Certificates
  // issued one after the other get numbers that lie side by side, so a store that is ordered by them grows at its end instead of
  // everywhere; the count only orders what is issued within two seconds. Errc::invalid before 1971 and after 2105.
  static Result<Serial> in_order(WallTime now, std::uint16_t count, std::string_view fourteen_bytes);
  static Result<Serial> from_hex(std::string_view hex);
  std::string hex() const;  // lower case, no leading zero octets: equals Certificate::serial_hex()
  const std::string& bytes() const { return bytes_; }  // big endian, no leading zero octets
  auto operator<=>(const Serial&) const = default;

 private:
  explicit Serial(std::string bytes) : bytes_(std::move(bytes)) {}
  std::string bytes_;
};

}  // namespace slipway
