#pragma once
// What operators say of the whole cluster, and what it is: plain structs of the wire (proto/fields.hpp).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/network_types.hpp"
#include "proto/settings_types.hpp"

namespace slipway::proto {

struct ClusterMetadata {
  std::string name;
  bool operator==(const ClusterMetadata&) const = default;
};
struct ApiServerSettings {
  std::string endpoint;  // https://MASTER_IP:6443
  bool operator==(const ApiServerSettings&) const = default;
};
struct CoordinatorSettings {
  std::vector<std::string> addresses;  // names and addresses for its certificate; the first is what agents are told
  std::uint64_t port = 7443;
  bool operator==(const CoordinatorSettings&) const = default;
};
struct Versions {
  std::string kubernetes;
  std::string etcd;
  std::string docker;
  std::string cni_plugins;
  std::string containerd = {};   // of runtime containerd; docker's artifact brings its own
  std::string runc = {};         // of runtime containerd
  std::string cri_dockerd = {};  // between docker and a kubelet of 1.24 or newer
  bool operator==(const Versions&) const = default;
};
struct KubeletSettings {
  std::uint64_t max_pods = 110;
  std::string pod_infra_container_image;
  RawJson config;  // merged over the rendered KubeletConfiguration
  std::vector<std::string> extra_args;
  bool operator==(const KubeletSettings&) const = default;
};
struct RawConfig {
  RawJson config;
  bool operator==(const RawConfig&) const = default;
};
struct CertificateSettings {
  std::string node_ttl = "24h";      // client certificates of nodes and of the control plane
  std::string serving_ttl = "168h";  // serving certificates: kubelet 1.20 reads them only at its start
  std::string admin_ttl = "12h";      // kubeconfigs: kube-apiserver takes them until their end, whatever happens
  std::string operator_ttl = "720h";  // operators' certificates for the coordinator, which asks itself at each request whether they count
  double renew_at = 0.667;           // fraction of the life after which a certificate is renewed
  bool operator==(const CertificateSettings&) const = default;
};
// Where programs come from, and whose word is needed for them.
struct ArtifactSettings {
  std::vector<std::string> signers;  // Ed25519 keys, base64; not empty: agents install only what a manifest signed by these names
  std::uint64_t threshold = 1;       // so many of them
  std::vector<std::string> mirrors;  // https://HOST[:PORT][/PATH], asked before the coordinator for PATH/sha256/<digest>
  std::string mirror_ca;             // PEM: what the mirrors' certificates end in; empty: what the host's own list says
  bool operator==(const ArtifactSettings&) const = default;
};
struct ClusterSpec {
  ClusterMetadata metadata;
  ApiServerSettings api_server;
  CoordinatorSettings coordinator;
  NetworkSettings network;
  std::string runtime = "docker";
  Versions versions;
  KubeletSettings kubelet;
  ComponentSettings kube_proxy;
  RawConfig docker;
  CertificateSettings certificates;
  std::string admission = "token";  // token: a valid token is enough; manual: an operator approves each node
  std::map<std::string, std::optional<std::string>> node_labels = {};  // of every node; so are the taints
  std::vector<std::string> node_taints = {};
  std::vector<NodeGroup> node_groups = {};
  RolloutSettings rollout = {};
  RawConfig containerd = {};
  ArtifactSettings artifacts = {};
  bool operator==(const ClusterSpec&) const = default;
};
struct ClusterCapacity {
  std::uint64_t max_nodes = 0;
  std::uint64_t nodes = 0;
  std::uint64_t quarantined = 0;
  std::uint64_t pods_per_node = 0;
  std::uint64_t services = 0;
};
struct ClusterView {
  std::string id;
  std::string epoch;
  std::uint64_t revision = 0;
  std::string ca_sha256;  // pin of the fabric CA, as in join tokens
  ClusterSpec spec;
  ClusterCapacity capacity;
  std::uint64_t desired_revision = 0;  // of the last change that agents must see; what they report as applied; 0: not told
  std::optional<RolloutView> rollout = {};
};

}  // namespace slipway::proto
