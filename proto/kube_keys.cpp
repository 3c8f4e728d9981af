#include "proto/kube_keys.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "common/core/text.hpp"
#include "proto/settings.hpp"

namespace slipway::proto {

namespace {

struct Key {
  std::string_view name;
  int since = 0;     // first minor version that knows it
  int until = 1000;  // last
};

// KubeletConfiguration of kubelet.config.k8s.io/v1beta1 (staging/src/k8s.io/kubelet/config/v1beta1/types.go).
constexpr Key k_kubelet[] = {{"address"},
                             {"allowedUnsafeSysctls"},
                             {"apiVersion"},
                             {"authentication"},
                             {"authorization"},
                             {"cgroupDriver"},
                             {"cgroupRoot"},
                             {"cgroupsPerQOS"},
                             {"clusterDNS"},
                             {"clusterDomain"},
                             {"configMapAndSecretChangeDetectionStrategy"},
                             {"containerLogMaxFiles"},
                             {"containerLogMaxSize"},
                             {"contentType"},
                             {"cpuCFSQuota"},
                             {"cpuCFSQuotaPeriod"},
                             {"cpuManagerPolicy"},
                             {"cpuManagerPolicyOptions", 22},
                             {"cpuManagerReconcilePeriod"},
                             {"enableContentionProfiling"},
                             {"enableControllerAttachDetach"},
                             {"enableDebugFlagsHandler", 20},
                             {"enableDebuggingHandlers"},
                             {"enableProfilingHandler", 20},
                             {"enableServer", 20},
                             {"enableSystemLogHandler", 19},
                             {"enforceNodeAllocatable"},
                             {"eventBurst"},
                             {"eventRecordQPS"},
                             {"evictionHard"},
                             {"evictionMaxPodGracePeriod"},
                             {"evictionMinimumReclaim"},
                             {"evictionPressureTransitionPeriod"},
                             {"evictionSoft"},
                             {"evictionSoftGracePeriod"},
                             {"failSwapOn"},
                             {"featureGates"},
                             {"fileCheckFrequency"},
                             {"hairpinMode"},
                             {"healthzBindAddress"},
                             {"healthzPort"},
                             {"httpCheckFrequency"},
                             {"imageGCHighThresholdPercent"},
                             {"imageGCLowThresholdPercent"},
                             {"imageMinimumGCAge"},
                             {"iptablesDropBit"},
                             {"iptablesMasqueradeBit"},
                             {"kernelMemcgNotification", 19},
                             {"kind"},
                             {"kubeAPIBurst"},
                             {"kubeAPIQPS"},
                             {"kubeReserved"},
                             {"kubeReservedCgroup"},
                             {"kubeletCgroups"},
                             {"logging", 19},
                             {"makeIPTablesUtilChains"},
                             {"maxOpenFiles"},
                             {"maxPods"},
                             {"memoryManagerPolicy", 21},
                             {"memorySwap", 22},
                             {"memoryThrottlingFactor", 22},
                             {"nodeLeaseDurationSeconds"},
                             {"nodeStatusMaxImages"},
                             {"nodeStatusReportFrequency"},
                             {"nodeStatusUpdateFrequency"},
                             {"oomScoreAdj"},
                             {"podCIDR"},
                             {"podPidsLimit"},
                             {"podsPerCore"},
                             {"port"},
                             {"protectKernelDefaults"},
                             {"providerID"},
                             {"qosReserved"},
                             {"readOnlyPort"},
                             {"registerNode", 22},
                             {"registerWithTaints", 22},
                             {"registryBurst"},
                             {"registryPullQPS"},
                             {"reservedMemory", 21},
                             {"reservedSystemCPUs"},
                             {"resolvConf"},
                             {"rotateCertificates"},
                             {"runOnce"},
                             {"runtimeRequestTimeout"},
                             {"seccompDefault", 22},
                             {"serializeImagePulls"},
                             {"serverTLSBootstrap"},
                             {"showHiddenMetricsForVersion"},
                             {"shutdownGracePeriod", 20},
                             {"shutdownGracePeriodByPodPriority", 23},
                             {"shutdownGracePeriodCriticalPods", 20},
                             {"staticPodPath"},
                             {"staticPodURL"},
                             {"staticPodURLHeader"},
                             {"streamingConnectionIdleTimeout"},
                             {"syncFrequency"},
                             {"systemCgroups"},
                             {"systemReserved"},
                             {"systemReservedCgroup"},
                             {"tlsCertFile"},
                             {"tlsCipherSuites"},
                             {"tlsMinVersion"},
                             {"tlsPrivateKeyFile"},
                             {"topologyManagerPolicy"},
                             {"topologyManagerScope", 20},
                             {"volumePluginDir"},
                             {"volumeStatsAggPeriod"}};

// KubeProxyConfiguration of kubeproxy.config.k8s.io/v1alpha1
// (staging/src/k8s.io/kube-proxy/config/v1alpha1/types.go).
constexpr Key k_kube_proxy[] = {{"apiVersion"},
                                {"bindAddress"},
                                {"bindAddressHardFail", 20},
                                {"clientConnection"},
                                {"clusterCIDR"},
                                {"configSyncPeriod"},
                                {"conntrack"},
                                {"detectLocal", 23},
                                {"detectLocalMode"},
                                {"enableProfiling"},
                                {"featureGates"},
                                {"healthzBindAddress"},
                                {"hostnameOverride"},
                                {"iptables"},
                                {"ipvs"},
                                {"kind"},
                                {"metricsBindAddress"},
                                {"mode"},
                                {"nodePortAddresses"},
                                {"oomScoreAdj"},
                                {"portRange"},
                                {"showHiddenMetricsForVersion"},
                                {"udpIdleTimeout"},
                                {"winkernel"}};

// A change of one of these would open the kubelet to others or take it out of the agent's hands.
constexpr std::string_view k_kubelet_kept[] = {"apiVersion",         "kind",
                                               "authentication",     "authorization",
                                               "tlsCertFile",        "tlsPrivateKeyFile",
                                               "rotateCertificates", "serverTLSBootstrap",
                                               "healthzPort",        "healthzBindAddress",
                                               "readOnlyPort"};
constexpr std::string_view k_kube_proxy_kept[] = {"apiVersion", "kind", "clientConnection",
                                                  "hostnameOverride", "healthzBindAddress"};
constexpr std::string_view k_kubelet_flags_kept[] = {"--anonymous-auth",     "--authentication-token-webhook",
                                                     "--authorization-mode", "--bootstrap-kubeconfig",
                                                     "--client-ca-file",     "--cgroup-driver",
                                                     "--read-only-port",     "--rotate-certificates",
                                                     "--tls-cert-file",      "--tls-private-key-file",
                                                     "--healthz-port",       "--healthz-bind-address",
                                                     "--kubeconfig",         "--config",
                                                     "--root-dir",           "--cert-dir",
                                                     "--hostname-override",  "--node-ip"};
constexpr std::string_view k_kube_proxy_flags_kept[] = {
    "--config",  "--kubeconfig",     "--hostname-override", "--healthz-bind-address",
    "--cleanup", "--write-config-to"};

// What a kubelet may say of itself (NodeRestriction, pkg/kubelet/apis/well_known_labels.go): it does not
// start with others of these prefixes.
constexpr std::string_view k_kubelet_labels[] = {"kubernetes.io/hostname",
                                                 "kubernetes.io/os",
                                                 "kubernetes.io/arch",
                                                 "beta.kubernetes.io/os",
                                                 "beta.kubernetes.io/arch",
                                                 "beta.kubernetes.io/instance-type",
                                                 "node.kubernetes.io/instance-type",
                                                 "failure-domain.beta.kubernetes.io/zone",
                                                 "failure-domain.beta.kubernetes.io/region",
                                                 "topology.kubernetes.io/zone",
                                                 "topology.kubernetes.io/region"};

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t before = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = before + (a[i - 1] == b[j - 1] ? 0 : 1);
      before = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, change}));
    }
  }
  return row[b.size()];
}

// The known name that was probably meant; empty: none is near.
std::string_view nearest(std::string_view name, std::span<const Key> keys) {
  constexpr std::size_t k_far = 3;
  std::string_view best;
  std::size_t least = k_far;
  for (const Key& key : keys) {
    const std::size_t far = name.size() > 64 ? k_far : distance(name, key.name);
    if (far < least) least = far, best = key.name;
  }
  return best;
}

void check_keys(const RawJson& config, std::span<const Key> known, std::span<const std::string_view> kept,
                int minor, std::string_view kind, std::vector<SettingProblem>& problems) {
  for (const std::string& name : keys_of(config)) {
    const std::string where = "config/" + name;
    const auto found =
        std::find_if(known.begin(), known.end(), [&name](const Key& key) { return key.name == name; });
    const std::string release = "Kubernetes 1." + std::to_string(minor);
    if (is_one_of(name, kept)) {
      problems.push_back({where, name + " cannot be set: Slipway decides it"});
    } else if (found == known.end()) {
      const std::string_view near = nearest(name, known);
      problems.push_back(
          {where, name.substr(0, 64) + " is no field of " + std::string(kind) + " of " + release +
                      (near.empty() ? std::string() : "; is " + std::string(near) + " meant?")});
    } else if (minor < found->since || minor > found->until) {
      problems.push_back(
          {where, name + " is no field of " + std::string(kind) + " of " + release + ": " +
                      (minor < found->since ? "it came with 1." + std::to_string(found->since)
                                            : "it went with 1." + std::to_string(found->until + 1))});
    }
  }
}

void check_node_labels(const std::string& argument, const std::string& where,
                       std::vector<SettingProblem>& problems) {
  for (const std::string_view label : split(std::string_view(argument).substr(argument.find('=') + 1), ',')) {
    const std::string_view key = label.substr(0, label.find('='));
    const std::string_view prefix = key.substr(0, std::min(key.find('/'), key.size()));
    const bool reserved = key.find('/') != std::string_view::npos &&
                          (prefix == "kubernetes.io" || prefix == "k8s.io" ||
                           prefix.ends_with(".kubernetes.io") || prefix.ends_with(".k8s.io"));
    const bool allowed = !reserved || is_one_of(key, k_kubelet_labels) || prefix == "kubelet.kubernetes.io" ||
                         prefix == "node.kubernetes.io";
    if (!is_label_key(key))
      problems.push_back({where, "\"" + std::string(key.substr(0, 80)) + "\" is no label"});
    else if (!allowed)
      problems.push_back(
          {where, "a kubelet may not give itself the label " + std::string(key) +
                      " and does not start with it; write it under labels, the coordinator sets it"});
  }
}

// Control characters would tear a report apart.
std::string quoted(std::string_view text) {
  std::string shown(text.substr(0, 80));
  std::replace_if(shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return "\"" + shown + "\"";
}

void check_arguments(const std::vector<std::string>& arguments, std::span<const std::string_view> kept,
                     std::vector<SettingProblem>& problems) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::string where = "extraArgs/" + std::to_string(i);
    const bool proper = argument.starts_with("--") && argument.size() >= 4 &&
                        argument.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
    if (!proper)
      problems.push_back({where, quoted(argument) + " is no argument: write --name=value"});
    else if (is_one_of(flag_name(argument), kept))
      problems.push_back({where, flag_name(argument) + " cannot be set: Slipway decides it"});
    else if (flag_name(argument) == "--node-labels")
      check_node_labels(argument, where, problems);
  }
}

}  // namespace

std::optional<int> kubernetes_minor(std::string_view version) {
  const auto parts = split(version, '.');
  if (parts.size() != 3 || parts[0] != "1") return std::nullopt;
  const auto minor = parse_u64(parts[1], 999);
  if (!minor) return std::nullopt;
  return static_cast<int>(*minor);
}

std::vector<SettingProblem> kubelet_problems(const ComponentSettings& settings, int minor) {
  std::vector<SettingProblem> problems;
  check_keys(settings.config, k_kubelet, k_kubelet_kept, minor, "KubeletConfiguration", problems);
  check_arguments(settings.extra_args, k_kubelet_flags_kept, problems);
  return problems;
}

std::vector<SettingProblem> kube_proxy_problems(const ComponentSettings& settings, int minor) {
  std::vector<SettingProblem> problems;
  check_keys(settings.config, k_kube_proxy, k_kube_proxy_kept, minor, "KubeProxyConfiguration", problems);
  check_arguments(settings.extra_args, k_kube_proxy_flags_kept, problems);
  return problems;
}

}  // namespace slipway::proto
