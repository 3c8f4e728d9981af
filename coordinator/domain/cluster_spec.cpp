#include "coordinator/domain/cluster_spec.hpp"

#include <algorithm>
#include <utility>

#include "common/core/problems.hpp"
#include "common/core/text.hpp"
#include "common/kube/runtime_rules.hpp"
#include "coordinator/domain/cluster_ranges.hpp"
#include "coordinator/domain/network_spec.hpp"
#include "coordinator/domain/settings_check.hpp"
#include "proto/artifact_manifest.hpp"
#include "proto/config_reference.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_name = 40;
constexpr Seconds k_min_ttl{60};
constexpr Seconds k_max_ttl{366 * 86400};

void check_host(Problems& problems, const std::string& field, const std::string& host) {
  const auto address = IpAddress::parse(host);
  if (!address) {
    // A name whose last label is a number is a mistyped address to every URL parser.
    const auto labels = split(host, '.');
    if (!is_dns_subdomain(host) || parse_u64(labels.back())) {
      problems.add(field, in_quotes(host) + " is neither an IP address nor a DNS name");
    }
    return;
  }
  if (address->is_loopback() || address->is_link_local() || address->is_unspecified() || address->is_multicast()) {
    problems.add(field, host + " cannot be reached from other hosts: give the address on the nodes' network");
  }
}

void check_name(Problems& problems, const std::string& name) {
  if (!is_dns_label(name) || name.size() > k_max_name) {
    problems.add("/metadata/name", in_quotes(name) + " is not a cluster name: 1 to " + std::to_string(k_max_name) +
                                      " lower-case letters, digits and hyphens, no hyphen at the ends");
  }
}

// "[::1]:6443", "10.0.0.1:6443" or "api.example:6443" in its parts.
bool split_authority(const std::string& authority, std::string& host, std::string& port) {
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find("]:");
    if (end == std::string::npos) return false;
    host = authority.substr(1, end - 1);
    port = authority.substr(end + 2);
    return true;
  }
  const std::size_t colon = authority.find(':');
  if (colon == std::string::npos || authority.find(':', colon + 1) != std::string::npos) return false;
  host = authority.substr(0, colon);
  port = authority.substr(colon + 1);
  return true;
}

void read_endpoint(Problems& problems, ValidatedCluster& cluster) {
  static const std::string k_field = "/apiServer/endpoint";
  const std::string& text = cluster.spec.api_server.endpoint;
  static constexpr std::string_view k_scheme = "https://";
  if (text.starts_with("http://")) {
    problems.add(k_field, "HTTPS only: the API server carries secrets; write https://" + text.substr(7));
    return;
  }
  std::string port;
  if (!text.starts_with(k_scheme) || !split_authority(text.substr(k_scheme.size()), cluster.endpoint_host, port)) {
    problems.add(k_field, in_quotes(text) + " must be https://ADDRESS:PORT, as in https://10.0.0.1:6443");
    return;
  }
  const auto number = parse_u64(port, 65535);
  if (!number || *number == 0) {
    problems.add(k_field, in_quotes(port) + " is not a port: write https://" + cluster.endpoint_host + ":6443, without a path");
    return;
  }
  cluster.endpoint_port = static_cast<std::uint16_t>(*number);
  check_host(problems, k_field, cluster.endpoint_host);
  if (const auto address = IpAddress::parse(cluster.endpoint_host)) cluster.endpoint_address = *address;
}

void check_coordinator(Problems& problems, const proto::CoordinatorSettings& coordinator) {
  if (coordinator.addresses.empty()) {
    problems.add("/coordinator/addresses", "is empty: name at least one address or DNS name under which agents reach it");
  }
  for (std::size_t i = 0; i < coordinator.addresses.size(); ++i) {
    check_host(problems, "/coordinator/addresses/" + std::to_string(i), coordinator.addresses[i]);
  }
  if (coordinator.port == 0 || coordinator.port > 65535) {
    problems.add("/coordinator/port", std::to_string(coordinator.port) + " is not a port: 1 to 65535, usually 7443");
  }
}

void check_version(Problems& problems, const std::string& field, const std::string& text) {
  if (text.empty()) {
    problems.add(field, "is missing: write a version, as in 1.20.2");
    return;
  }
  const auto parts = split(text, '.');
  const bool good = parts.size() == 3 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) { return parse_u64(part, 9999).has_value(); });
  if (!good) problems.add(field, in_quotes(text) + " is not a version: three numbers without a v, as in 1.20.2");
}

void check_versions(Problems& problems, const proto::ClusterSpec& spec) {
  const proto::Versions& versions = spec.versions;
  check_version(problems, "/versions/kubernetes", versions.kubernetes);
  check_version(problems, "/versions/etcd", versions.etcd);
  check_version(problems, "/versions/cniPlugins", versions.cni_plugins);
  // Which of these must be there is the runtime's.
  if (!versions.docker.empty()) check_version(problems, "/versions/docker", versions.docker);
  if (!versions.containerd.empty()) check_version(problems, "/versions/containerd", versions.containerd);
  if (!versions.runc.empty()) check_version(problems, "/versions/runc", versions.runc);
  if (!versions.cri_dockerd.empty()) check_version(problems, "/versions/criDockerd", versions.cri_dockerd);
  for (const kube::FieldProblem& problem : kube::runtime_problems(spec)) problems.add(problem.field, problem.text);
}

void check_kubelet(Problems& problems, const proto::KubeletSettings& kubelet) {
  if (kubelet.pod_infra_container_image.find_first_of(" \t\r\n") != std::string::npos) {
    problems.add("/kubelet/podInfraContainerImage", in_quotes(kubelet.pod_infra_container_image) + " has white space in it");
  }
}

Seconds read_ttl(Problems& problems, const std::string& field, const std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration) {
    problems.add(field, in_quotes(text) + " is not a duration: write it as in 24h, 90m or 7d");
    return k_min_ttl;
  }
  if (*duration < k_min_ttl || *duration > k_max_ttl) {
    problems.add(field, text + " is out of bounds: from 1m to 366d");
  }
  return *duration;
}

void check_certificates(Problems& problems, ValidatedCluster& cluster) {
  const proto::CertificateSettings& settings = cluster.spec.certificates;
  cluster.node_ttl = read_ttl(problems, "/certificates/nodeTTL", settings.node_ttl);
  cluster.serving_ttl = read_ttl(problems, "/certificates/servingTTL", settings.serving_ttl);
  cluster.operator_ttl = read_ttl(problems, "/certificates/operatorTTL", settings.operator_ttl);
  cluster.admin_ttl = read_ttl(problems, "/certificates/adminTTL", settings.admin_ttl);
  if (cluster.admin_ttl > k_max_admin_life && cluster.admin_ttl <= k_max_ttl) {
    problems.add("/certificates/adminTTL", settings.admin_ttl + " is out of bounds: at most 12h, as kube-apiserver takes a kubeconfig until its end and " +
                                              "knows no revocation; for operators' certificates, which can be revoked, set certificates.operatorTTL");
  }
  if (!(settings.renew_at > 0.1 && settings.renew_at < 0.95)) {
    problems.add("/certificates/renewAt", std::to_string(settings.renew_at) +
                                             " is out of bounds: a part of the life between 0.1 and 0.95, usually 0.667");
  }
}

void check_artifacts(Problems& problems, const proto::ArtifactSettings& artifacts) {
  if (const Status signers = proto::check_signers(artifacts.signers, artifacts.threshold); !signers)
    problems.add("/artifacts/signers", signers.error().message);
  for (std::size_t i = 0; i < artifacts.mirrors.size(); ++i) {
    const std::string& url = artifacts.mirrors[i];
    const bool plain = url.starts_with("https://") && url.size() > 8 && url.find_first_of(" \t\r\n?#@") == std::string::npos;
    if (!plain) problems.add("/artifacts/mirrors/" + std::to_string(i), in_quotes(url) + " is not a place: write it as in https://mirror.example/slipway");
  }
  if (!artifacts.mirror_ca.empty() && artifacts.mirror_ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos)
    problems.add("/artifacts/mirrorCA", "is no certificate in PEM");
}

void check_choice(Problems& problems, std::string_view field, const std::string& pointer, const std::string& value) {
  if (auto problem = proto::choice_problem(proto::note_of(proto::cluster_notes(), field), value)) problems.add(pointer, *problem);
}

}  // namespace

Result<ValidatedCluster> validate(const proto::ClusterSpec& spec) {
  Problems problems;
  ValidatedCluster cluster;
  cluster.spec = spec;
  check_name(problems, spec.metadata.name);
  read_endpoint(problems, cluster);
  check_coordinator(problems, spec.coordinator);
  check_network(problems, cluster);
  check_versions(problems, spec);
  check_kubelet(problems, spec.kubelet);
  check_cluster_settings(problems, spec);
  check_certificates(problems, cluster);
  check_artifacts(problems, spec.artifacts);
  check_choice(problems, "admission", "/admission", spec.admission);
  check_choice(problems, "network.addressChange", "/network/addressChange", spec.network.address_change);
  if (!problems.none()) return problems.error(Errc::invalid, "the cluster cannot be made as written:");
  return cluster;
}

proto::ClusterSpec brought_up_to_date(proto::ClusterSpec stored) {
  proto::CertificateSettings& settings = stored.certificates;
  const auto admin = parse_duration(settings.admin_ttl);
  if (admin && *admin > k_max_admin_life) settings.operator_ttl = std::exchange(settings.admin_ttl, "12h");
  return stored;
}

Status check_change(const ValidatedCluster& living, const ValidatedCluster& wanted) {
  Problems problems;
  const auto fixed = [&problems](const std::string& field, const std::string& is, const std::string& would_be) {
    if (is != would_be) problems.add(field, "is " + is + " and cannot become " + would_be + " on a living cluster");
  };
  fixed("/metadata/name", living.spec.metadata.name, wanted.spec.metadata.name);
  fixed("/apiServer/endpoint", living.spec.api_server.endpoint, wanted.spec.api_server.endpoint);
  // The kubelets would lose the pods of the other runtime, and nobody would end them.
  fixed("/runtime", living.spec.runtime, wanted.spec.runtime);
  if (!wanted.pod_cidr.contains(living.pod_cidr)) {
    problems.add("/network/podCIDR", "is " + living.pod_cidr.to_string() + " and cannot become " + wanted.pod_cidr.to_string() +
                                        ": it may only grow around what it is; add a pool for another range (network.pools)");
  }
  check_pod_network_change(problems, living.spec.network, wanted.spec.network);
  fixed("/network/nodePrefixLength", std::to_string(living.node_prefix_length), std::to_string(wanted.node_prefix_length));
  const bool grown = wanted.service_cidr.base() == living.service_cidr.base() && wanted.service_cidr.contains(living.service_cidr);
  if (!grown) {
    problems.add("/network/serviceCIDR", "is " + living.service_cidr.to_string() + " and cannot become " +
                                            wanted.service_cidr.to_string() +
                                            ": it may only grow and must keep its first address, where the kubernetes service and DNS are");
  }
  if (problems.none()) return {};
  Error error = problems.error(Errc::conflict, "the living cluster cannot be changed like that:");
  error.cause = Cause::fixed;
  return error;
}

PoolRecord default_pool(const ValidatedCluster& cluster) {
  PoolRecord pool;
  pool.name = k_default_pool;
  pool.order = 1;
  pool.ranges = {cluster.pod_cidr};
  pool.node_prefix_length = cluster.node_prefix_length;
  return pool;
}

ProfileCluster profile_cluster(const ValidatedCluster& cluster, const std::string& cluster_id) {
  ProfileCluster profile;
  profile.name = cluster.spec.metadata.name;
  profile.id = cluster_id;
  profile.dns_domain = cluster.spec.network.dns_domain;
  profile.api_endpoint_host = cluster.endpoint_host;
  profile.pod_cidrs = {cluster.pod_cidr};
  for (const PoolRecord& pool : cluster.pools) profile.pod_cidrs.insert(profile.pod_cidrs.end(), pool.ranges.begin(), pool.ranges.end());
  profile.service_cidrs = {cluster.service_cidr};
  profile.node_cidrs = cluster.node_cidrs;
  profile.coordinator_names = cluster.spec.coordinator.addresses;
  return profile;
}

Lifetimes lifetimes_of(const ValidatedCluster& cluster) {
  Lifetimes lifetimes;
  lifetimes.node = cluster.node_ttl;
  lifetimes.serving = cluster.serving_ttl;
  lifetimes.control_plane = cluster.serving_ttl;
  lifetimes.admin = cluster.admin_ttl;
  lifetimes.operators = cluster.operator_ttl;
  return lifetimes;
}

std::string coordinator_url(const proto::CoordinatorSettings& settings) {
  std::string host = settings.addresses.empty() ? "localhost" : settings.addresses.front();
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "https://" + host + ":" + std::to_string(settings.port);
}

}  // namespace slipway
