#include "common/kube/component_settings.hpp"

#include <algorithm>
#include <span>

#include "common/core/problems.hpp"
#include "common/core/text.hpp"
#include "common/kube/config_keys.hpp"
#include "proto/settings.hpp"

namespace slipway::kube {

namespace {

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

void check_keys(const proto::RawJson& config, std::span<const std::string_view> kept, const std::vector<KeyProblem>& unfit,
                std::vector<SettingProblem>& problems) {
  for (const std::string& name : proto::keys_of(config)) {
    if (is_one_of(name, kept)) problems.push_back({"config/" + name, name + " cannot be set: Slipway decides it"});
  }
  for (const KeyProblem& problem : unfit) {
    if (is_one_of(problem.key, kept)) continue;
    if (problem.key.empty()) {
      problems.push_back({"config", problem.text});
    } else {
      problems.push_back({"config/" + problem.key, problem.key.substr(0, 64) + " " + problem.text});
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
    if (!proto::is_label_key(key))
      problems.push_back({where, "\"" + std::string(key.substr(0, 80)) + "\" is no label"});
    else if (!allowed)
      problems.push_back(
          {where, "a kubelet may not give itself the label " + std::string(key) +
                      " and does not start with it; write it under labels, the coordinator sets it"});
  }
}

void check_arguments(const std::vector<std::string>& arguments, std::span<const std::string_view> kept,
                     std::vector<SettingProblem>& problems) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::string where = "extraArgs/" + std::to_string(i);
    const bool proper = argument.starts_with("--") && argument.size() >= 4 &&
                        argument.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
    if (!proper)
      problems.push_back({where, in_quotes(argument) + " is no argument: write --name=value"});
    else if (is_one_of(proto::flag_name(argument), kept))
      problems.push_back({where, proto::flag_name(argument) + " cannot be set: Slipway decides it"});
    else if (proto::flag_name(argument) == "--node-labels")
      check_node_labels(argument, where, problems);
  }
}

}  // namespace

std::vector<SettingProblem> kubelet_problems(const proto::ComponentSettings& settings, int minor) {
  std::vector<SettingProblem> problems;
  check_keys(settings.config, k_kubelet_kept, check_kubelet_config(settings.config.text, minor), problems);
  check_arguments(settings.extra_args, k_kubelet_flags_kept, problems);
  return problems;
}

std::vector<SettingProblem> kube_proxy_problems(const proto::ComponentSettings& settings, int minor) {
  std::vector<SettingProblem> problems;
  check_keys(settings.config, k_kube_proxy_kept, check_kube_proxy_config(settings.config.text, minor), problems);
  check_arguments(settings.extra_args, k_kube_proxy_flags_kept, problems);
  return problems;
}

}  // namespace slipway::kube
