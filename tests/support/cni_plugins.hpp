#pragma once
// Pods by Debian's containernetworking-plugins, run as the kubelet has them run: the list that Slipway renders, one plugin
// after the other, each with what the one before it said. Needs root.
#include <optional>
#include <string>
#include <vector>

#include "common/core/ip.hpp"

namespace slipway::test {

// Whether bridge, host-local, loopback and portmap are here.
bool have_cni_plugins();
// Says so.
bool no_cni_plugins();

// The text of the list that a node with these blocks is given.
std::string rendered_conflist(const Cidr& block, const std::optional<Cidr>& second, int mtu, const std::string& state_dir);

struct CniPod {
  std::string container;     // its sandbox's identifier
  std::string netns;         // a path
  int host_port = 0;         // of UDP, led to port 80 of the pod; 0: none
  std::string result = {};   // what the plugins said; JSON
};

// `conflist` is of the node whose network namespace the thread is in. Both throw with the plugin's words when it fails.
// The loopback interface too, as the kubelet has it.
void cni_add(const std::string& conflist, CniPod& pod);
// In reverse, with the result of before.
void cni_del(const std::string& conflist, const CniPod& pod);

// The node's end of the pod's interface.
std::string node_end(const CniPod& pod);
// Its addresses, in the order of the ranges.
std::vector<IpAddress> addresses_of(const CniPod& pod);

// The file of <cache>/results in which libcni keeps a pod, as containerd and dockershim have it written.
std::string cached_result_name(const CniPod& pod);
std::string cached_result(const CniPod& pod, const std::string& pod_namespace, const std::string& pod_name);

}  // namespace slipway::test
