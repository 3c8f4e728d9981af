#pragma once
// Whether a host can become, or stay, a node: all findings at once, each with a name, a severity, and a cure. Pure.
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"

namespace slipway {

struct PortUser {
  std::uint16_t port = 0;
  std::string program;  // "dockerd (pid 812)"; empty: not known
};

struct HostRoute {
  Cidr block;
  std::string device;
  bool via = false;  // through a gateway
  bool operator==(const HostRoute&) const = default;
};

// What the kubelet on this host is told by what the agent rendered for it.
struct KubeletFound {
  bool fail_swap_on = true;
  std::string cgroup_driver;  // "systemd"; empty: nothing was rendered yet
};

// What was found on the host. Texts are as the host says them; empty: not known.
struct HostObserved {
  bool root = false;
  std::string kernel;                        // "6.1.0-18-amd64"
  std::set<std::string> missing_features;    // of k_kernel_features: neither there nor loadable
  int cgroup_version = 0;                    // 1 or 2; 0: none is mounted
  std::set<std::string> cgroup_controllers;  // that may be used
  std::string cgroup_driver;                 // that this host can do: systemd or cgroupfs
  std::vector<std::string> swap;             // "/dev/sda2"
  std::map<std::string, std::string> sysctls;
  bool forwarding_locked = false;            // root may not set net.ipv4.ip_forward: /proc/sys is read-only
  std::set<std::string> missing_programs;
  std::vector<PortUser> ports;               // TCP ports that are listened on
  std::map<std::string, std::uint64_t> free_bytes;  // folder -> on its file system, for root
  std::string host_name;
  std::optional<IpAddress> address;          // on the way to the coordinator
  Error address_problem;                     // when there is none
  std::uint64_t mtu = 0;                     // of the device with that address; 0: not known
  std::vector<HostRoute> routes;             // of others than us, without default routes
  std::vector<std::string> foreign_units;    // "kubelet.service (/lib/systemd/system/kubelet.service)", and what packages drop in for them
  std::vector<std::string> dropins;          // likewise, below /etc/systemd/system: an administrator's
  std::vector<std::string> foreign_files;    // of another installation of Kubernetes
  std::vector<std::string> cni_files;        // in /etc/cni/net.d, without ours
  std::vector<std::string> static_pods;      // in /etc/kubernetes/manifests, which our kubelet reads too
  KubeletFound kubelet;
  std::set<std::string> services;            // that run: firewalld, NetworkManager
  std::map<std::string, std::string> proxies;  // variable -> value, as the agent's components would get them
  std::map<std::string, std::string> unreachable;  // "https://10.0.0.1:7443" -> why
  std::map<std::string, std::string> untrusted;    // likewise: something answers there, and not as our cluster's
  std::string clock_skew;                    // with both times and the cure; empty: near enough, or not asked
  bool joined = false;                       // this host is a node already: ports and units may be ours
};

// What the node is to be.
struct PreflightWish {
  std::string role = "node";
  std::string node_name;
  std::vector<Cidr> pod_ranges;          // empty: not known before the first join
  std::optional<Cidr> service_range;
  std::string cgroup_driver;             // of agent.yaml; empty: none is asked for
  bool external_network = false;         // somebody else's CNI plugin brings pods together; known once joined
  bool accept_forward = true;            // network.acceptForward; likewise
};

enum class Severity { ok, warning, error };
std::string_view to_string(Severity severity);

struct Finding {
  std::string check;  // "swap"
  Severity severity = Severity::ok;
  std::string message;
  std::string cure;  // empty: nothing to do
  bool ignored = false;  // an error that the operator asked to pass over

  bool operator==(const Finding&) const = default;
};

// One finding or more for each check, in a fixed order; what is well has one too.
std::vector<Finding> preflight(const HostObserved& host, const PreflightWish& wish);

// All checks there are: what may be named to be ignored.
std::vector<std::string> preflight_checks();

// Marks errors of the named checks ("all" for every one) as ignored. Errc::invalid names a check that there is not.
Status ignore_findings(std::vector<Finding>& findings, const std::vector<std::string>& names);
// Whether any error stands.
bool refuses(const std::vector<Finding>& findings);

// Names of /proc/filesystems, or of modules: what the runtime, the pod network and kube-proxy cannot do without.
inline constexpr const char* k_kernel_features[] = {"overlay", "br_netfilter", "nf_conntrack", "nf_nat", "xt_conntrack", "xt_comment", "xt_mark",
                                                    "nf_tables"};
inline constexpr const char* k_needed_programs[] = {"iptables", "iptables-restore", "modprobe", "mount", "conntrack"};

}  // namespace slipway
