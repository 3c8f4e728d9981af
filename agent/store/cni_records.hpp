#pragma once
// What is written down of pods while they stand: by the plugin host-local, and by libcni, through which every container
// runtime calls plugins.
#include <string>
#include <vector>

#include "agent/domain/filter_state.hpp"

namespace slipway {

struct CniRecords {
  std::string leases;  // host-local's folder of our network; a file for each address, gone with a boot
  // <cache folder>/results of dockershim and cri-dockerd, and of containerd: a file for each pod and network, which a boot
  // leaves behind.
  std::vector<std::string> results = {"/var/lib/cni/cache/results", "/var/lib/cni/results"};
};

// Pods of our network (its name is that of the folder of leases) with an address and with ports of this host, by name. What
// cannot be read is left out: libcni before 0.8 does not keep ports. Blocks: one small file for each address, and one for
// each pod.
std::vector<HostPortPod> pods_with_host_ports(const CniRecords& records);

}  // namespace slipway
