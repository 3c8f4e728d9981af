#include "tests/integration/host_below.hpp"

namespace slipway::test {

HostPaths paths_below(const std::string& root) {
  HostPaths paths;
  paths.install_root = root + "/opt";
  paths.unit_dir = root + "/units";
  paths.run_unit_dir = root + "/run-units";
  paths.kubelet_dir = root + "/kubelet";
  paths.kube_proxy_dir = root + "/kube-proxy";
  paths.kubernetes_dir = root + "/kubernetes";
  paths.docker_dir = root + "/docker";
  paths.containerd_dir = root + "/containerd";
  paths.crictl_config = root + "/crictl.yaml";
  paths.cni_conf_dir = root + "/cni";
  paths.cni_bin_dir = root + "/opt-cni/bin";
  paths.cni_state_dir = root + "/cni-state";
  paths.etcd_dir = root + "/etcd";
  paths.log_dir = root + "/log";
  paths.host_root = root + "/rest";
  return paths;
}

}  // namespace slipway::test
