#pragma once
// What a component is on a host: files, a unit, credentials, a probe. Rendering is pure: the same context and versions give
// the same bytes, nothing is read, written or logged. What is written where is drawn in agent/install/paths.hpp.
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/unit_spec.hpp"
#include "agent/domain/wanted_copies.hpp"
#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "proto/cluster_types.hpp"

namespace slipway {

// Folders that components live in; tests put them below a folder of their own.
struct HostPaths {
  std::string install_root = "/opt/slipway";
  std::string unit_dir = "/etc/systemd/system";
  std::string run_unit_dir = "/run/systemd/system";  // of drop-ins that are gone with the next boot
  std::string kubelet_dir = "/var/lib/kubelet";
  std::string kube_proxy_dir = "/var/lib/kube-proxy";
  std::string kubernetes_dir = "/etc/kubernetes";
  std::string docker_dir = "/etc/docker";
  std::string containerd_dir = "/etc/containerd";
  std::string crictl_config = "/etc/crictl.yaml";
  std::string cni_conf_dir = "/etc/cni/net.d";
  std::string cni_bin_dir = "/opt/cni/bin";  // where installers of other CNI plugins put their programs
  std::string cni_state_dir = "/run/slipway/cni";
  std::string etc_dir = "/etc";  // of the pod network's own files (agent/domain/host_dropins.hpp)
  std::string etcd_dir = "/var/lib/etcd";
  std::string log_dir = "/var/log/kubernetes";
  std::string host_root;  // before what the programs make where nobody tells them to (agent/render/traces.hpp)
};

// All that a node's files depend on.
struct NodeContext {
  std::string node_name;
  IpAddress node_address;
  std::string role = "node";  // node | master
  Cidr pod_cidr;
  std::optional<Cidr> second_pod_cidr = {};  // of the other family
  std::vector<Cidr> pod_ranges;  // of all pools; empty: network.podCIDR alone
  proto::ClusterSpec cluster;
  std::uint32_t pod_mtu = 1500;           // of the pod bridge: the underlay's, less the overlay's header
  std::string cgroup_driver = "systemd";  // systemd | cgroupfs; cgroupfs where systemd does not own the controllers
  std::string resolv_conf = "/etc/resolv.conf";  // systemd-resolved's own where that serves the host
  HostPaths paths;
};

struct RenderedFile {
  std::string path;
  mode_t mode = 0644;
  std::string content;
  bool operator==(const RenderedFile&) const = default;
};

struct RenderedDir {
  std::string path;
  mode_t mode = 0755;
  bool secret = false;  // 0700, and put back where it is not: keys lie in it
  bool operator==(const RenderedDir&) const = default;
};

// A file that the component reads and that rendering does not know the content of.
enum class InputKind {
  certificate,             // name: usage. A link to CredentialStore::chain_path(name), so that a renewal needs no write here
  private_key,             // name: usage. A link to CredentialStore::key_path(name)
  ca_bundle,               // name: CA. A copy, 0644
  service_account_key,     // PEM, 0600
  service_account_public,  // PEM of its public half, 0644
};

struct FileInput {
  InputKind kind = InputKind::certificate;
  std::string name;
  std::string path;
  bool restart = false;  // the program reads it only at its start: restart the unit when it changes
  bool operator==(const FileInput&) const = default;
};

// How to ask a running component whether it is well.
struct HealthProbe {
  enum class Kind { http, https, unix_socket };
  Kind kind = Kind::http;
  std::string host;         // literal address, or the socket's path
  std::uint16_t port = 0;
  std::string path;         // "/healthz": 200 is well; empty on a socket: it speaks gRPC
  std::string usage;        // https: client certificate to show; empty: none
  std::string ca;           // https: bundle that the server's certificate must chain to; empty: self-signed on loopback
  bool operator==(const HealthProbe&) const = default;
};

struct ComponentFiles {
  std::string name;      // "kubelet"
  std::string artifact;  // component whose artifact brings its programs: "docker" for containerd
  std::string version;
  std::vector<RenderedDir> dirs;
  std::vector<RenderedFile> files;   // a changed one calls for a restart of the unit; without the unit file itself
  std::vector<FileInput> inputs;
  std::vector<std::string> removed;  // paths that an earlier Slipway or setting wrote there and that must go
  std::optional<UnitSpec> unit;      // none: nothing runs (CNI)
  std::optional<HealthProbe> probe;
  std::optional<ProgramCopies> copies = {};  // that it needs before it is started
  bool after_network = false;        // comes only once the pod network stands: the CNI file is the node's readiness gate

  bool operator==(const ComponentFiles&) const = default;
};

// The components of this role in the order in which they start. Errc::invalid: settings that cannot work together (docker
// with kubelet 1.24, an override of what Slipway must decide, ...), in words and with the cure.
Result<std::vector<ComponentFiles>> render_components(const NodeContext& context);

}  // namespace slipway
