#include "coordinator/domain/cert_profile.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "common/core/text.hpp"

namespace slipway {

namespace {

template <class Enum, std::size_t N>
using NameTable = std::array<std::pair<Enum, std::string_view>, N>;

constexpr NameTable<CaKind, 6> k_ca_names = {{
    {CaKind::fabric, "fabric"},
    {CaKind::kube_client, "kubeClient"},
    {CaKind::kubelet_serving, "kubeletServing"},
    {CaKind::apiserver, "apiserver"},
    {CaKind::front_proxy, "frontProxy"},
    {CaKind::etcd, "etcd"},
}};

constexpr NameTable<CertUsage, 19> k_usage_names = {{
    {CertUsage::agent, "agent"},
    {CertUsage::kubelet_client, "kubeletClient"},
    {CertUsage::kubelet_serving, "kubeletServing"},
    {CertUsage::kube_proxy, "kubeProxy"},
    {CertUsage::apiserver_serving, "apiserverServing"},
    {CertUsage::apiserver_kubelet_client, "apiserverKubeletClient"},
    {CertUsage::apiserver_etcd_client, "apiserverEtcdClient"},
    {CertUsage::etcd_server, "etcdServer"},
    {CertUsage::etcd_peer, "etcdPeer"},
    {CertUsage::front_proxy_client, "frontProxyClient"},
    {CertUsage::controller_manager, "controllerManager"},
    {CertUsage::scheduler, "scheduler"},
    {CertUsage::coordinator_serving, "coordinatorServing"},
    {CertUsage::coordinator_kube_client, "coordinatorKubeClient"},
    {CertUsage::operator_admin, "operatorAdmin"},
    {CertUsage::kubeconfig_admin, "kubeconfigAdmin"},
    {CertUsage::operator_op, "operatorOperator"},
    {CertUsage::operator_viewer, "operatorViewer"},
    {CertUsage::coordinator_bootstrap, "coordinatorBootstrap"},
}};

template <class Enum, std::size_t N>
std::string_view name_in(const NameTable<Enum, N>& table, Enum value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return name;
  }
  return "?";
}

template <class Enum, std::size_t N>
std::optional<Enum> value_in(const NameTable<Enum, N>& table, std::string_view text) {
  for (const auto& [entry, name] : table) {
    if (name == text) return entry;
  }
  return std::nullopt;
}

// What a profile says before any name of the input comes in.
struct FixedPart {
  CertUsage usage;
  CaKind issuer;
  std::string_view organization;
  std::string_view common_name;  // empty: made from the input
  UsageBits eku;
  ValidityClass validity;
};

constexpr UsageBits k_client = {false, true};
constexpr UsageBits k_server = {true, false};
// etcd members dial each other, and themselves for the HTTP gateway, with the certificate that they serve
// with.
constexpr UsageBits k_both = {true, true};

constexpr std::array<FixedPart, 19> k_fixed = {{
    {CertUsage::agent, CaKind::fabric, "", "", k_client, ValidityClass::node},
    {CertUsage::kubelet_client, CaKind::kube_client, "system:nodes", "", k_client, ValidityClass::node},
    {CertUsage::kubelet_serving, CaKind::kubelet_serving, "system:nodes", "", k_server,
     ValidityClass::serving},
    {CertUsage::kube_proxy, CaKind::kube_client, "system:node-proxier", "system:kube-proxy", k_client,
     ValidityClass::node},
    {CertUsage::apiserver_serving, CaKind::apiserver, "", "kube-apiserver", k_server,
     ValidityClass::control_plane},
    {CertUsage::apiserver_kubelet_client, CaKind::kube_client, "", "slipway:kube-apiserver", k_client,
     ValidityClass::control_plane},
    {CertUsage::apiserver_etcd_client, CaKind::etcd, "", "kube-apiserver-etcd-client", k_client,
     ValidityClass::control_plane},
    {CertUsage::etcd_server, CaKind::etcd, "", "", k_both, ValidityClass::control_plane},
    {CertUsage::etcd_peer, CaKind::etcd, "", "", k_both, ValidityClass::control_plane},
    {CertUsage::front_proxy_client, CaKind::front_proxy, "", "front-proxy-client", k_client,
     ValidityClass::control_plane},
    {CertUsage::controller_manager, CaKind::kube_client, "", "system:kube-controller-manager", k_client,
     ValidityClass::control_plane},
    {CertUsage::scheduler, CaKind::kube_client, "", "system:kube-scheduler", k_client,
     ValidityClass::control_plane},
    {CertUsage::coordinator_serving, CaKind::fabric, "", "coordinator", k_server, ValidityClass::coordinator},
    {CertUsage::coordinator_kube_client, CaKind::kube_client, "", "slipway:coordinator", k_client,
     ValidityClass::coordinator},
    {CertUsage::operator_admin, CaKind::fabric, "slipway:admin", "", k_client, ValidityClass::operators},
    {CertUsage::kubeconfig_admin, CaKind::kube_client, "slipway:cluster-admins", "", k_client, ValidityClass::admin},
    {CertUsage::operator_op, CaKind::fabric, "slipway:operator", "", k_client, ValidityClass::operators},
    {CertUsage::operator_viewer, CaKind::fabric, "slipway:viewer", "", k_client, ValidityClass::operators},
    // Past all of kube-apiserver's checks: nobody's but the coordinator's own, and its key never leaves memory (decision 0014).
    {CertUsage::coordinator_bootstrap, CaKind::kube_client, "system:masters", "slipway:bootstrap", k_client, ValidityClass::bootstrap},
}};

Error missing(std::string_view what) {
  return make_error(Errc::invalid, "certificate profile: " + std::string(what));
}

void add_name(CertSpec& spec, const std::string& name) {
  if (auto address = IpAddress::parse(name)) {
    if (std::find(spec.ip_addresses.begin(), spec.ip_addresses.end(), *address) == spec.ip_addresses.end()) {
      spec.ip_addresses.push_back(*address);
    }
  } else if (std::find(spec.dns_names.begin(), spec.dns_names.end(), name) == spec.dns_names.end()) {
    spec.dns_names.push_back(name);
  }
}

Status add_configured(CertSpec& spec, const std::vector<std::string>& names, std::string_view setting) {
  for (const auto& name : names) {
    if (!IpAddress::parse(name) && !is_dns_subdomain(name)) {
      return missing(std::string(setting) + " \"" + name + "\" is neither a DNS name nor an IP address");
    }
    add_name(spec, name);
  }
  return {};
}

Status add_node_addresses(CertSpec& spec, const ProfileInput& input) {
  if (input.node.addresses.empty()) return missing("node \"" + input.node.name + "\" has no address");
  for (const auto& address : input.node.addresses) {
    if (const auto allowed = check_node_address(input.cluster, input.node, address); !allowed) return allowed;
    add_name(spec, address.to_string());
  }
  return {};
}

void add_loopback(CertSpec& spec) {
  add_name(spec, "127.0.0.1");
  add_name(spec, "localhost");
}

Status fill_agent(CertSpec& spec, const ProfileInput& input) {
  spec.common_name = input.node.name;
  spec.uris = {agent_uri(input.cluster.id, input.node.uid, input.node.generation)};
  if (!parse_agent_uri(spec.uris[0])) return missing("cluster id or node uid is no UUID");
  return {};
}

Status fill_kubelet_serving(CertSpec& spec, const ProfileInput& input) {
  spec.common_name = "system:node:" + input.node.name;
  add_name(spec, input.node.name);
  return add_node_addresses(spec, input);
}

Status fill_apiserver(CertSpec& spec, const ProfileInput& input) {
  const auto& cluster = input.cluster;
  if (!is_dns_subdomain(cluster.dns_domain))
    return missing("dnsDomain \"" + cluster.dns_domain + "\" is no DNS name");
  if (cluster.service_cidrs.empty()) return missing("the service range is not known");
  for (const char* name : {"kubernetes", "kubernetes.default", "kubernetes.default.svc"})
    add_name(spec, name);
  add_name(spec, "kubernetes.default.svc." + cluster.dns_domain);
  add_name(spec, cluster.service_cidrs[0].at(1).to_string());
  if (const auto added = add_configured(spec, {cluster.api_endpoint_host}, "apiServer.endpoint"); !added)
    return added;
  if (const auto added = add_configured(spec, cluster.api_extra_names, "API server name"); !added)
    return added;
  if (const auto added = add_node_addresses(spec, input); !added) return added;
  add_loopback(spec);
  return {};
}

Status fill_etcd(CertSpec& spec, const ProfileInput& input) {
  spec.common_name = input.node.name;
  if (const auto added = add_node_addresses(spec, input); !added) return added;
  add_loopback(spec);
  return {};
}

Status fill_coordinator(CertSpec& spec, const ProfileInput& input) {
  if (input.cluster.coordinator_names.empty()) return missing("coordinator.addresses is empty");
  return add_configured(spec, input.cluster.coordinator_names, "coordinator address");
}

Status fill_user(CertSpec& spec, const ProfileInput& input) {
  spec.common_name = input.user_name;
  return check_user_name(input.user_name);
}

Status fill(CertSpec& spec, const ProfileInput& input) {
  switch (spec.usage) {
    case CertUsage::agent:
      return fill_agent(spec, input);
    case CertUsage::kubelet_client:
      spec.common_name = "system:node:" + input.node.name;
      return {};
    case CertUsage::kubelet_serving:
      return fill_kubelet_serving(spec, input);
    case CertUsage::apiserver_serving:
      return fill_apiserver(spec, input);
    case CertUsage::etcd_server:
    case CertUsage::etcd_peer:
      return fill_etcd(spec, input);
    case CertUsage::coordinator_serving:
      return fill_coordinator(spec, input);
    case CertUsage::operator_admin:
    case CertUsage::kubeconfig_admin:
    case CertUsage::operator_op:
    case CertUsage::operator_viewer:
      return fill_user(spec, input);
    // All they say is fixed.
    case CertUsage::kube_proxy:
    case CertUsage::apiserver_kubelet_client:
    case CertUsage::apiserver_etcd_client:
    case CertUsage::front_proxy_client:
    case CertUsage::controller_manager:
    case CertUsage::scheduler:
    case CertUsage::coordinator_kube_client:
    case CertUsage::coordinator_bootstrap:
      return {};
  }
  return missing("unknown usage");
}

bool contains(const std::vector<CertUsage>& usages, CertUsage usage) {
  return std::find(usages.begin(), usages.end(), usage) != usages.end();
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    if (hyphen ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

Error deny(std::string text) {
  return make_error(Errc::denied, std::move(text));
}

bool is_or_below(std::string_view name, std::string_view domain) {
  if (name == domain) return true;
  return name.size() > domain.size() && name.ends_with(domain) &&
         name[name.size() - domain.size() - 1] == '.';
}

// Names and addresses under which the control plane is reached. A master may live there; a worker that claims
// one would be taken for the API server or the coordinator.
bool is_control_plane_host(const ProfileCluster& cluster, std::string_view host) {
  const auto& names = cluster.coordinator_names;
  return host == cluster.api_endpoint_host || std::find(names.begin(), names.end(), host) != names.end();
}

}  // namespace

std::string_view to_string(CaKind kind) {
  return name_in(k_ca_names, kind);
}
std::optional<CaKind> ca_kind_from_string(std::string_view text) {
  return value_in(k_ca_names, text);
}
std::string_view to_string(CertUsage usage) {
  return name_in(k_usage_names, usage);
}
std::optional<CertUsage> cert_usage_from_string(std::string_view text) {
  return value_in(k_usage_names, text);
}

CaKind ca_of(CertUsage usage) {
  const auto fixed =
      std::find_if(k_fixed.begin(), k_fixed.end(), [usage](const FixedPart& f) { return f.usage == usage; });
  return fixed == k_fixed.end() ? CaKind::fabric : fixed->issuer;
}

const std::vector<CertUsage>& usages_of_node() {
  static const std::vector<CertUsage> k_usages = {CertUsage::agent, CertUsage::kubelet_client,
                                                  CertUsage::kubelet_serving, CertUsage::kube_proxy};
  return k_usages;
}

const std::vector<CertUsage>& usages_of_master() {
  static const std::vector<CertUsage> k_usages = {
      CertUsage::agent,
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
  };
  return k_usages;
}

Result<CertSpec> profile(CertUsage usage, const ProfileInput& input) {
  const bool of_node = contains(usages_of_node(), usage);
  const bool of_master = contains(usages_of_master(), usage);
  if (of_node || of_master) {
    if (const auto allowed = check_node_name(input.cluster, input.node.name, input.node.master); !allowed)
      return allowed.error();
  }
  if (of_master && !of_node && !input.node.master) {
    return make_error(Errc::denied, "node \"" + input.node.name + "\" is no master and gets no " +
                                        std::string(to_string(usage)) + " certificate");
  }
  const auto fixed =
      std::find_if(k_fixed.begin(), k_fixed.end(), [usage](const FixedPart& f) { return f.usage == usage; });
  if (fixed == k_fixed.end()) return missing("unknown usage");
  CertSpec spec;
  spec.usage = usage;
  spec.issuer = fixed->issuer;
  spec.organization = fixed->organization;
  spec.common_name = fixed->common_name;
  spec.eku = fixed->eku;
  spec.validity = fixed->validity;
  if (const auto filled = fill(spec, input); !filled) return filled.error();
  return spec;
}

std::vector<std::string> names_of(const CertSpec& spec) {
  std::vector<std::string> names = spec.dns_names;
  for (const auto& address : spec.ip_addresses) names.push_back(address.to_string());
  names.insert(names.end(), spec.uris.begin(), spec.uris.end());
  return names;
}

// The same names are excluded by the constraints of the kubelet-serving CA: coordinator/ca/authority.cpp.
Status check_node_name(const ProfileCluster& cluster, std::string_view name, bool master) {
  const std::string shown = "node name \"" + std::string(name.substr(0, 64)) + "\"";
  if (!is_dns_subdomain(name)) {
    return make_error(Errc::invalid,
                      shown + " is not a lower case DNS name of at most 253 letters, digits, '-' and '.'");
  }
  // CN has an upper bound of 64 (RFC 5280 ub-common-name) and the kubelet's starts with "system:node:".
  if (name.size() > 64 - std::string_view("system:node:").size()) {
    return make_error(Errc::invalid, shown + " has " + std::to_string(name.size()) +
                                         " letters; a certificate has room for 52: set a shorter nodeName");
  }
  if (IpAddress::parse(name)) return deny(shown + " is an IP address; set nodeName to a name");
  if (name.starts_with("kubernetes"))
    return deny(shown + " is reserved: names starting with kubernetes belong to the API server");
  if (name == "coordinator") return deny(shown + " is reserved for the coordinator's own certificate");
  if (name.starts_with("localhost.")) return deny(shown + " means this very host everywhere; set nodeName");
  for (const std::string_view domain : {"localhost", "kubernetes", "default", "svc"}) {
    if (is_or_below(name, domain))
      return deny(shown + " is reserved: \"" + std::string(domain) + "\" means something else in a cluster");
  }
  if (!cluster.dns_domain.empty() && is_or_below(name, cluster.dns_domain)) {
    return deny(shown + " lies in the cluster's own DNS domain " + cluster.dns_domain +
                ", where services live");
  }
  if (!master && is_control_plane_host(cluster, name)) {
    return deny(shown + " is a name of the API server or the coordinator and only a master may have it");
  }
  return {};
}

Status check_node_address(const ProfileCluster& cluster, const ProfileNode& node, const IpAddress& address) {
  const std::string shown = "address " + address.to_string() + " of node \"" + node.name + "\"";
  if (address.is_unspecified()) return deny(shown + " is unspecified; set nodeAddress");
  if (address.is_loopback())
    return deny(shown + " is a loopback address: no other host reaches it; set nodeAddress");
  if (address.is_link_local()) return deny(shown + " is link-local; set nodeAddress to a routed one");
  if (address.is_multicast()) return deny(shown + " is a multicast address");
  for (const auto& [ranges, what] :
       {std::pair(&cluster.pod_cidrs, "pod"), std::pair(&cluster.service_cidrs, "service")}) {
    for (const auto& range : *ranges) {
      if (range.contains(address))
        return deny(shown + " lies in the " + what + " range " + range.to_string());
    }
  }
  if (!node.master && is_control_plane_host(cluster, address.to_string())) {
    return deny(shown + " is an address of the API server or the coordinator and only a master may have it");
  }
  if (cluster.node_cidrs.empty()) return {};
  std::vector<std::string> allowed;
  for (const auto& range : cluster.node_cidrs) {
    if (range.contains(address)) return {};
    allowed.push_back(range.to_string());
  }
  return deny(shown + " lies outside network.nodeCIDRs (" + join(allowed, ", ") + ")");
}

Status check_user_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '@';
  };
  if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), allowed)) {
    // Colons are left out on purpose: "system:" and "slipway:" identities are not for people.
    return make_error(Errc::invalid, "a user name has 1 to 64 of letters, digits, '-', '_', '.', '@'");
  }
  if (name == "coordinator") return deny("user name \"coordinator\" is reserved");
  return {};
}

std::string agent_uri(std::string_view cluster_id, std::string_view node_uid, std::uint64_t generation) {
  return "urn:slipway:" + std::string(cluster_id) + ":node:" + std::string(node_uid) + ":" +
         std::to_string(generation);
}

std::optional<AgentUri> parse_agent_uri(std::string_view uri) {
  const auto parts = split(uri, ':');
  if (parts.size() != 6 || parts[0] != "urn" || parts[1] != "slipway" || parts[3] != "node")
    return std::nullopt;
  if (!is_uuid(parts[2]) || !is_uuid(parts[4])) return std::nullopt;
  const auto generation = parse_u64(parts[5]);
  // The one right spelling only, so that equal identities are equal texts.
  if (!generation || std::to_string(*generation) != parts[5]) return std::nullopt;
  return AgentUri{std::string(parts[2]), std::string(parts[4]), *generation};
}

namespace {

Seconds life_of(ValidityClass validity, const Lifetimes& lifetimes) {
  switch (validity) {
    case ValidityClass::node: return lifetimes.node;
    case ValidityClass::serving: return lifetimes.serving;
    case ValidityClass::control_plane: return lifetimes.control_plane;
    case ValidityClass::coordinator: return lifetimes.coordinator;
    case ValidityClass::admin: return lifetimes.admin;
    case ValidityClass::operators: return lifetimes.operators;
    case ValidityClass::bootstrap: return lifetimes.bootstrap;
  }
  return lifetimes.node;
}

}  // namespace

Seconds longest_life(CaKind kind, const Lifetimes& lifetimes) {
  Seconds longest{0};
  for (const FixedPart& part : k_fixed) {
    if (part.issuer == kind) longest = std::max(longest, life_of(part.validity, lifetimes));
  }
  return longest;
}

Validity validity_of(ValidityClass validity, const Lifetimes& lifetimes, WallTime now) {
  constexpr Seconds k_backdate{300}, k_short{8 * 3600};
  const Seconds life = life_of(validity, lifetimes);
  return {now - k_backdate, now + life - (life < k_short ? Seconds(0) : k_backdate)};
}

Result<Serial> Serial::from_random(std::string_view sixteen_bytes) {
  if (sixteen_bytes.size() != 16) return missing("a serial number is made from 16 random bytes");
  std::string bytes(sixteen_bytes);
  bytes[0] = static_cast<char>(bytes[0] & 0x7f);
  bytes.erase(0, bytes.find_first_not_of('\0'));
  if (bytes.empty()) return missing("the random generator gave a serial number of zero");
  return Serial(std::move(bytes));
}

Result<Serial> Serial::in_order(WallTime now, std::uint16_t count, std::string_view fourteen_bytes) {
  constexpr std::int64_t k_step = 2;  // seconds: 31 bits of these last until 2106
  if (fourteen_bytes.size() != 14) return missing("a serial number in order is made from 14 random bytes");
  const std::int64_t since = now.time_since_epoch().count() / k_step;
  if (since < 0x01000000 || since > 0x7fffffff) return missing("a serial number needs a clock that is right: it says " + to_rfc3339(now));
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(since >> shift & 0xff));
  for (int shift = 8; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(count >> shift & 0xff));
  return Serial(bytes.append(fourteen_bytes));
}

Result<Serial> Serial::from_hex(std::string_view hex) {
  auto bytes = slipway::from_hex(hex);
  if (!bytes || bytes->empty() || bytes->size() > 20 || (*bytes)[0] == '\0' ||
      (bytes->size() == 20 && static_cast<unsigned char>((*bytes)[0]) >= 0x80)) {
    return missing("\"" + std::string(hex.substr(0, 48)) + "\" is no serial number");
  }
  return Serial(std::move(*bytes));
}

std::string Serial::hex() const {
  return to_hex(bytes_);
}

}  // namespace slipway
