// etcd, kube-apiserver, kube-controller-manager, kube-scheduler.
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/render/parts.hpp"

namespace slipway::render_parts {

using Json = nlohmann::json;

namespace {

// As the kubelet gives to static pods of critical priority (kubernetes/pkg/kubelet/qos/policy.go), which these are elsewhere.
constexpr int k_oom_score = -997;

// Who did what is kept; request bodies, and with them secrets, are not. What only reads and repeats is left out.
Json audit_policy() {
  return {{"apiVersion", kube::k_audit_api},
          {"kind", "Policy"},
          {"omitStages", {"RequestReceived"}},
          {"rules",
           {{{"level", "None"}, {"nonResourceURLs", {"/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"}}},
            {{"level", "None"}, {"verbs", {"get", "list", "watch"}}, {"userGroups", {"system:nodes", "system:node-proxier"}}},
            {{"level", "None"},
             {"users", {"system:kube-scheduler", "system:kube-controller-manager", "slipway:kube-apiserver"}},
             {"verbs", {"get", "list", "watch"}}},
            {{"level", "None"}, {"resources", {{{"group", "coordination.k8s.io"}, {"resources", {"leases"}}}}}},
            {{"level", "None"}, {"resources", {{{"group", ""}, {"resources", {"events"}}}}}},
            {{"level", "Metadata"}}}}};
}

ComponentFiles kube_component(const Settings& settings, const std::string& name) {
  ComponentFiles component;
  component.name = name;
  component.artifact = name;
  component.version = settings.node.cluster.versions.kubernetes;
  component.dirs = {{settings.node.paths.kubernetes_dir, 0755}, {settings.kubernetes_pki(), 0700, true}};
  return component;
}

void add_service_account(ComponentFiles& component, const std::string& pki) {
  component.inputs.push_back({InputKind::service_account_key, "sa", pki + "/sa.key", true});
}

// Found in the table of versions when this is compiled.
consteval kube::KnownFlag api(std::string_view name) { return {"kube-apiserver", name}; }
consteval kube::KnownFlag manager(std::string_view name) { return {"kube-controller-manager", name}; }
consteval kube::KnownFlag etcd_flag(std::string_view name) { return {"etcd", name}; }

struct FlagValue {
  kube::KnownFlag known;
  std::string value;
};

void add_flags(std::vector<std::string>& command, int minor, const std::vector<FlagValue>& flags) {
  for (const FlagValue& one : flags) add_flag(command, minor, one.known, one.value);
}

std::vector<FlagValue> apiserver_tls_flags(const std::string& pki) {
  return {{api("tls-cert-file"), chain_file(pki, "apiserverServing")},
          {api("tls-private-key-file"), key_file(pki, "apiserverServing")},
          {api("tls-min-version"), "VersionTLS12"},
          {api("client-ca-file"), ca_file(pki, "kubeClient")},
          {api("kubelet-certificate-authority"), ca_file(pki, "kubeletServing")},
          {api("kubelet-client-certificate"), chain_file(pki, "apiserverKubeletClient")},
          {api("kubelet-client-key"), key_file(pki, "apiserverKubeletClient")},
          {api("kubelet-preferred-address-types"), "InternalIP"},
          {api("proxy-client-cert-file"), chain_file(pki, "frontProxyClient")},
          {api("proxy-client-key-file"), key_file(pki, "frontProxyClient")},
          {api("requestheader-client-ca-file"), ca_file(pki, "frontProxy")},
          {api("requestheader-allowed-names"), "front-proxy-client"},
          {api("requestheader-username-headers"), "X-Remote-User"},
          {api("requestheader-group-headers"), "X-Remote-Group"},
          {api("requestheader-extra-headers-prefix"), "X-Remote-Extra-"},
          {api("etcd-servers"), "https://127.0.0.1:2379"},
          {api("etcd-cafile"), ca_file(pki, "etcd")},
          {api("etcd-certfile"), chain_file(pki, "apiserverEtcdClient")},
          {api("etcd-keyfile"), key_file(pki, "apiserverEtcdClient")},
          {api("service-account-key-file"), pki + "/sa.pub"},
          {api("service-account-signing-key-file"), pki + "/sa.key"}};
}

std::vector<std::string> apiserver_command(const Settings& settings, const std::string& policy) {
  const NodeContext& node = settings.node;
  std::vector<std::string> command = {settings.program("kube-apiserver", "kube-apiserver")};
  add_flags(command, settings.kube_minor,
            {{api("advertise-address"), node.node_address.to_string()},
             {api("bind-address"), "0.0.0.0"},
             {api("secure-port"), std::to_string(settings.api_port)},
             {api("allow-privileged"), "true"},
             // Everyone who asks has a certificate, probes too.
             {api("anonymous-auth"), "false"},
             {api("authorization-mode"), "Node,RBAC"},
             {api("enable-admission-plugins"), "NodeRestriction"},
             {api("service-cluster-ip-range"), settings.service_network.to_string()},
             {api("service-account-issuer"), "https://kubernetes.default.svc." + settings.dns_domain},
             {api("profiling"), "false"},
             {api("audit-policy-file"), policy},
             {api("audit-log-path"), node.paths.log_dir + "/audit.log"},
             {api("audit-log-maxage"), "30"},
             {api("audit-log-maxbackup"), "10"},
             {api("audit-log-maxsize"), "100"},
             {api("insecure-port"), "0"}});
  add_flags(command, settings.kube_minor, apiserver_tls_flags(settings.kubernetes_pki()));
  return command;
}

// Of controller manager and scheduler.
struct LoopFlag {
  kube::KnownFlag manager;
  kube::KnownFlag scheduler;
};
consteval LoopFlag both(std::string_view name) { return {{"kube-controller-manager", name}, {"kube-scheduler", name}}; }

// What the two have in common: a kubeconfig for all three uses, no plain HTTP, loopback only.
std::vector<std::string> loop_flags(const Settings& settings, const std::string& name, const std::string& access) {
  const std::string pki = settings.kubernetes_pki();
  const std::pair<LoopFlag, std::string> common[] = {{both("kubeconfig"), access},
                                                     {both("authentication-kubeconfig"), access},
                                                     {both("authorization-kubeconfig"), access},
                                                     {both("client-ca-file"), ca_file(pki, "kubeClient")},
                                                     {both("requestheader-client-ca-file"), ca_file(pki, "frontProxy")},
                                                     {both("bind-address"), "127.0.0.1"},
                                                     {both("leader-elect"), "true"},
                                                     {both("profiling"), "false"},
                                                     {both("port"), "0"}};
  std::vector<std::string> flags;
  for (const auto& [known, value] : common) add_flag(flags, settings.kube_minor, name == "kube-scheduler" ? known.scheduler : known.manager, value);
  return flags;
}

Result<ComponentFiles> loop_component(const Settings& settings, const std::string& name, const std::string& usage,
                                      std::uint16_t port, const std::vector<FlagValue>& own_flags) {
  const std::string pki = settings.kubernetes_pki();
  const std::string access = settings.node.paths.kubernetes_dir + "/" + name.substr(5) + ".kubeconfig";
  Result<RenderedFile> file = kubeconfig(settings, access, pki, usage);
  if (!file) return file.error();
  ComponentFiles component = kube_component(settings, name);
  component.files = {*file};
  add_pair(component, pki, usage);
  add_ca(component, pki, "apiserver", true);
  add_ca(component, pki, "kubeClient");
  add_ca(component, pki, "frontProxy");
  UnitSpec unit = make_unit(settings, name, "Kubernetes " + name, component.version);
  unit.oom_score_adjust = k_oom_score;
  unit.after.push_back("kube-apiserver.service");
  unit.exec = {settings.program(name, name)};
  const std::vector<std::string> flags = loop_flags(settings, name, access);
  unit.exec.insert(unit.exec.end(), flags.begin(), flags.end());
  add_flags(unit.exec, settings.kube_minor, own_flags);
  component.unit = unit;
  // Its own certificate is made at start and signed by nobody.
  component.probe = HealthProbe{HealthProbe::Kind::https, "127.0.0.1", port, "/healthz", "", ""};
  return component;
}

}  // namespace

Result<ComponentFiles> etcd(const Settings& settings) {
  const NodeContext& node = settings.node;
  const std::string pki = settings.kubernetes_pki();
  const std::string address = node.node_address.to_string();
  ComponentFiles component;
  component.name = "etcd";
  component.artifact = "etcd";
  component.version = node.cluster.versions.etcd;
  component.dirs = {{node.paths.kubernetes_dir, 0755}, {pki, 0700, true}, {node.paths.etcd_dir, 0700, true}};
  add_pair(component, pki, "etcdServer");
  add_pair(component, pki, "etcdPeer");
  add_ca(component, pki, "etcd", true);
  UnitSpec unit = make_unit(settings, "etcd", "etcd", component.version);
  unit.oom_score_adjust = k_oom_score;
  unit.type = UnitType::notify;
  unit.timeout_start = std::chrono::seconds(120);
  unit.exec = {settings.program("etcd", "etcd")};
  const auto version = kube::parse_version(component.version);
  add_flags(unit.exec, version ? version->minor : kube::k_oldest_etcd_minor,
            {{etcd_flag("name"), node.node_name},
             {etcd_flag("data-dir"), node.paths.etcd_dir},
             {etcd_flag("listen-client-urls"), "https://127.0.0.1:2379,https://" + address + ":2379"},
             {etcd_flag("advertise-client-urls"), "https://" + address + ":2379"},
             {etcd_flag("listen-peer-urls"), "https://" + address + ":2380"},
             {etcd_flag("initial-advertise-peer-urls"), "https://" + address + ":2380"},
             {etcd_flag("initial-cluster"), node.node_name + "=https://" + address + ":2380"},
             {etcd_flag("initial-cluster-state"), "new"},
             {etcd_flag("initial-cluster-token"), node.cluster.metadata.name},
             {etcd_flag("cert-file"), chain_file(pki, "etcdServer")},
             {etcd_flag("key-file"), key_file(pki, "etcdServer")},
             {etcd_flag("client-cert-auth"), "true"},
             {etcd_flag("trusted-ca-file"), ca_file(pki, "etcd")},
             {etcd_flag("peer-cert-file"), chain_file(pki, "etcdPeer")},
             {etcd_flag("peer-key-file"), key_file(pki, "etcdPeer")},
             {etcd_flag("peer-client-cert-auth"), "true"},
             {etcd_flag("peer-trusted-ca-file"), ca_file(pki, "etcd")},
             {etcd_flag("logger"), "zap"}});
  component.unit = unit;
  component.probe = HealthProbe{HealthProbe::Kind::https, "127.0.0.1", 2379, "/health", "apiserverEtcdClient", "etcd"};
  return component;
}

Result<ComponentFiles> kube_apiserver(const Settings& settings) {
  const NodeContext& node = settings.node;
  const std::string pki = settings.kubernetes_pki();
  const std::string policy = node.paths.kubernetes_dir + "/audit-policy.yaml";
  Result<RenderedFile> policy_file = yaml_file(policy, 0600, audit_policy());
  if (!policy_file) return policy_file.error();
  ComponentFiles component = kube_component(settings, "kube-apiserver");
  component.dirs.push_back({node.paths.log_dir, 0700});
  component.files = {*policy_file};
  for (const char* usage : {"apiserverServing", "apiserverKubeletClient", "apiserverEtcdClient", "frontProxyClient"}) {
    add_pair(component, pki, usage);
  }
  add_ca(component, pki, "kubeClient");
  add_ca(component, pki, "frontProxy");
  add_ca(component, pki, "kubeletServing", true);
  add_ca(component, pki, "etcd", true);
  add_ca(component, pki, "apiserver");
  add_service_account(component, pki);
  component.inputs.push_back({InputKind::service_account_public, "sa", pki + "/sa.pub", true});
  UnitSpec unit = make_unit(settings, "kube-apiserver", "Kubernetes kube-apiserver", component.version);
  unit.type = UnitType::notify;
  unit.timeout_start = std::chrono::seconds(180);
  unit.oom_score_adjust = k_oom_score;
  // It lets requests that run end.
  unit.timeout_stop = std::chrono::seconds(30);
  unit.after.push_back("etcd.service");
  unit.wants.push_back("etcd.service");
  unit.exec = apiserver_command(settings, policy);
  component.unit = unit;
  component.probe =
      HealthProbe{HealthProbe::Kind::https, node.node_address.to_string(), settings.api_port, "/readyz", "kubeletClient", "apiserver"};
  return component;
}

Result<ComponentFiles> kube_controller_manager(const Settings& settings) {
  const std::string pki = settings.kubernetes_pki();
  Result<ComponentFiles> component =
      loop_component(settings, "kube-controller-manager", "controllerManager", 10257,
                     {// The coordinator's ledger gives the nodes their blocks; two allocators would disagree.
                      {manager("allocate-node-cidrs"), "false"},
                      {manager("cluster-name"), settings.node.cluster.metadata.name},
                      {manager("service-cluster-ip-range"), settings.service_network.to_string()},
                      {manager("root-ca-file"), ca_file(pki, "apiserver")},
                      {manager("service-account-private-key-file"), pki + "/sa.key"},
                      {manager("use-service-account-credentials"), "true"}});
  if (component) add_service_account(*component, pki);
  return component;
}

Result<ComponentFiles> kube_scheduler(const Settings& settings) {
  return loop_component(settings, "kube-scheduler", "scheduler", 10259, {});
}

}  // namespace slipway::render_parts
