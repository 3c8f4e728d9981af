#include "common/kube/config_keys.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/core/nearest.hpp"

namespace slipway::kube {

namespace {

// Keys keep the order in which they were written.
using Json = nlohmann::ordered_json;

// clang-format off
// Source: kubernetes/kubernetes staging/src/k8s.io/kubelet/config/v1beta1/types.go, by pull request where a key came after 1.18; what 1.20 has was
// compared with the struct tags in its kubelet. No key was removed up to 1.37; those that do nothing any more are still read.
constexpr std::array k_kubelet_keys = std::to_array<ConfigKey>({
    {"apiVersion"}, {"kind"},
    {"address"}, {"allowedUnsafeSysctls"}, {"authentication"}, {"authorization"}, {"cgroupDriver"}, {"cgroupRoot"}, {"cgroupsPerQOS"},
    {"clusterDNS"}, {"clusterDomain"}, {"configMapAndSecretChangeDetectionStrategy"}, {"containerLogMaxFiles"}, {"containerLogMaxSize"},
    {"contentType"}, {"cpuCFSQuota"}, {"cpuCFSQuotaPeriod"}, {"cpuManagerPolicy"}, {"cpuManagerReconcilePeriod"},
    {"enableContentionProfiling"}, {"enableControllerAttachDetach"}, {"enableDebuggingHandlers"}, {"enforceNodeAllocatable"}, {"eventBurst"},
    {"eventRecordQPS"}, {"evictionHard"}, {"evictionMaxPodGracePeriod"}, {"evictionMinimumReclaim"}, {"evictionPressureTransitionPeriod"},
    {"evictionSoft"}, {"evictionSoftGracePeriod"}, {"failSwapOn"}, {"featureGates"}, {"fileCheckFrequency"}, {"hairpinMode"},
    {"healthzBindAddress"}, {"healthzPort"}, {"httpCheckFrequency"}, {"imageGCHighThresholdPercent"}, {"imageGCLowThresholdPercent"},
    {"imageMinimumGCAge"}, {"iptablesDropBit"}, {"iptablesMasqueradeBit"}, {"kubeAPIBurst"}, {"kubeAPIQPS"}, {"kubeReserved"},
    {"kubeReservedCgroup"}, {"kubeletCgroups"}, {"makeIPTablesUtilChains"}, {"maxOpenFiles"}, {"maxPods"}, {"nodeLeaseDurationSeconds"},
    {"nodeStatusReportFrequency"}, {"nodeStatusUpdateFrequency"}, {"oomScoreAdj"}, {"podCIDR"}, {"podPidsLimit"}, {"podsPerCore"}, {"port"},
    {"protectKernelDefaults"}, {"qosReserved"}, {"readOnlyPort"}, {"registryBurst"}, {"registryPullQPS"}, {"reservedSystemCPUs"},
    {"resolvConf"}, {"rotateCertificates"}, {"runtimeRequestTimeout"}, {"serializeImagePulls"}, {"serverTLSBootstrap"},
    {"showHiddenMetricsForVersion"}, {"staticPodPath"}, {"staticPodURL"}, {"staticPodURLHeader"}, {"streamingConnectionIdleTimeout"},
    {"syncFrequency"}, {"systemCgroups"}, {"systemReserved"}, {"systemReservedCgroup"}, {"tlsCertFile"}, {"tlsCipherSuites"}, {"tlsMinVersion"},
    {"tlsPrivateKeyFile"}, {"topologyManagerPolicy"}, {"volumeStatsAggPeriod"},
    {"enableServer", {19}},                           // #90494
    {"enableSystemLogHandler", {19}},                 // #87273
    {"kernelMemcgNotification", {19}},                // #91863
    {"logging", {19}},                                // KEP-1602
    {"nodeStatusMaxImages", {19}},                    // #86843
    {"providerID", {19}},                             // #90494
    {"runOnce", {19}},                                // #86843
    {"volumePluginDir", {19}},                        // #88480
    {"shutdownGracePeriod", {20}},                    // KEP-2000
    {"shutdownGracePeriodCriticalPods", {20}},        // KEP-2000
    {"topologyManagerScope", {20}},                   // KEP-693
    {"enableDebugFlagsHandler", {21}},                // #98458
    {"enableProfilingHandler", {21}},                 // #98458
    {"memoryManagerPolicy", {21}},                    // KEP-1769
    {"reservedMemory", {21}},                         // KEP-1769
    {"cpuManagerPolicyOptions", {22}},                // KEP-2625
    {"memorySwap", {22}},                             // KEP-2400
    {"memoryThrottlingFactor", {22}},                 // KEP-2570
    {"seccompDefault", {22}},                         // KEP-2413
    {"registerNode", {23}},                           // #86843
    {"registerWithTaints", {23}},                     // #105437
    {"shutdownGracePeriodByPodPriority", {23}},       // KEP-2712
    {"localStorageCapacityIsolation", {25}},          // KEP-361
    {"tracing", {25}},                                // KEP-2831
    {"topologyManagerPolicyOptions", {26}},           // KEP-3545
    {"containerRuntimeEndpoint", {27}},               // #112136
    {"enableSystemLogQuery", {27}},                   // KEP-2258
    {"imageServiceEndpoint", {27}},                   // #112136
    {"maxParallelImagePulls", {27}},                  // KEP-3673
    {"imageMaximumGCAge", {29}},                      // KEP-4210
    {"containerLogMaxWorkers", {30}},                 // #114301
    {"containerLogMonitorInterval", {30}},            // #114301
    {"podLogsDir", {30}},                             // #112957
    {"failCgroupV1", {31}},                           // KEP-4569
    {"crashLoopBackOff", {32}},                       // KEP-4603
    {"singleProcessOOMKill", {32}},                   // #126096
    {"imagePullCredentialsVerificationPolicy", {33}}, // KEP-2535
    {"mergeDefaultEvictionSettings", {33}},           // #127577
    {"preloadedImagesVerificationAllowlist", {33}},   // KEP-2535
    {"userNamespaces", {33}},                         // KEP-127
    {"memoryReservationPolicy", {36}},                // #137584
    {"draManagerReconcilePeriod", {37}},              // #136946
    {"tlsCurvePreferences", {36}},                    // #137115
});

// Source: kubernetes/kubernetes staging/src/k8s.io/kube-proxy/config/v1alpha1/types.go; 1.20 compared as above.
constexpr std::array k_kube_proxy_keys = std::to_array<ConfigKey>({
    {"apiVersion"}, {"kind"},
    {"bindAddress"}, {"clientConnection"}, {"clusterCIDR"}, {"configSyncPeriod"}, {"conntrack"}, {"detectLocalMode"}, {"enableProfiling"},
    {"featureGates"}, {"healthzBindAddress"}, {"hostnameOverride"}, {"iptables"}, {"ipvs"}, {"metricsBindAddress"}, {"mode"},
    {"nodePortAddresses"}, {"oomScoreAdj"}, {"portRange"}, {"showHiddenMetricsForVersion"}, {"winkernel"},
    {"udpIdleTimeout", {k_oldest_minor, 25}},  // gone with the mode userspace: #112133
    {"bindAddressHardFail", {20}},             // #89350
    {"detectLocal", {24}},                     // #95400
    {"logging", {28}},                         // CHANGELOG-1.28
    {"nftables", {29}},                        // KEP-3866
    {"windowsRunAsService", {31}},             // #126072
});

constexpr std::array k_proxy_modes = std::to_array<ConfigKey>({
    {"iptables"}, {"ipvs"}, {"userspace", {k_oldest_minor, 25}}, {"nftables", {29}},  // #112133, KEP-3866
});
// clang-format on

// The nearest of what exists in that minor, if anybody could have meant it.
std::optional<std::string_view> nearest(std::string_view written, std::span<const ConfigKey> keys, int minor) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : keys) {
    if (key.span.contains(minor)) names.push_back(key.name);
  }
  return nearest_name(written, names);
}

std::string minor_text(int minor) {
  return "1." + std::to_string(minor);
}

// Empty: the key exists. `what`: "field of KubeletConfiguration".
std::string key_problem(std::string_view written, std::span<const ConfigKey> keys, int minor,
                        std::string_view what) {
  const auto known =
      std::find_if(keys.begin(), keys.end(), [written](const ConfigKey& key) { return key.name == written; });
  if (known == keys.end()) {
    std::string text = "is no " + std::string(what) + " in Kubernetes " + minor_text(minor);
    if (const auto meant = nearest(written, keys, minor))
      return text + "; did you mean " + std::string(*meant) + "?";
    return text + ": take it out";
  }
  if (minor < known->span.first) {
    return "came as a " + std::string(what) + " with Kubernetes " + minor_text(known->span.first) +
           ", this is " + minor_text(minor) + ": take it out";
  }
  if (minor > known->span.last) {
    return "was a " + std::string(what) + " until Kubernetes " + minor_text(known->span.last) + ", this is " +
           minor_text(minor) + ": take it out";
  }
  return {};
}

// As large as a request to the coordinator may be; a configuration has some kilobytes.
constexpr std::size_t k_max_text = 1 << 20;

std::optional<Json> parse(std::string_view text) {
  if (text.empty()) return Json::object();
  if (text.size() > k_max_text) return std::nullopt;
  Json value = Json::parse(text, nullptr, false);
  if (value.is_null()) return Json::object();
  if (!value.is_object()) return std::nullopt;
  return value;
}

std::vector<KeyProblem> check_keys(const Json& config, std::span<const ConfigKey> keys, int minor,
                                   std::string_view what) {
  std::vector<KeyProblem> problems;
  for (const auto& [key, value] : config.items()) {
    std::string text = key_problem(key, keys, minor, what);
    if (!text.empty()) problems.push_back({key, std::move(text)});
  }
  return problems;
}

const KeyProblem k_no_map{"", "must be a map of settings"};

}  // namespace

std::span<const ConfigKey> kubelet_config_keys() {
  return k_kubelet_keys;
}
std::span<const ConfigKey> kube_proxy_config_keys() {
  return k_kube_proxy_keys;
}

std::vector<KeyProblem> check_kubelet_config(std::string_view json, int minor) {
  const auto config = parse(json);
  if (!config) return {k_no_map};
  return check_keys(*config, k_kubelet_keys, std::min(minor, k_newest_minor),
                    "field of KubeletConfiguration");
}

std::vector<KeyProblem> check_kube_proxy_config(std::string_view json, int minor) {
  const auto config = parse(json);
  if (!config) return {k_no_map};
  minor = std::min(minor, k_newest_minor);
  std::vector<KeyProblem> problems =
      check_keys(*config, k_kube_proxy_keys, minor, "field of KubeProxyConfiguration");
  const auto mode = config->find("mode");
  if (mode == config->end() || !mode->is_string() || mode->get_ref<const std::string&>().empty())
    return problems;
  const auto& name = mode->get_ref<const std::string&>();
  const std::string text = key_problem(name, k_proxy_modes, minor, "mode of kube-proxy");
  if (!text.empty()) problems.push_back({"mode", name.substr(0, 40) + " " + text});
  return problems;
}

}  // namespace slipway::kube
