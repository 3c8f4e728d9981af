// etcd, kube-apiserver, kube-controller-manager, kube-scheduler.
#include <nlohmann/json.hpp>

#include "agent/render/parts.hpp"

namespace slipway::render_parts {

using Json = nlohmann::json;

namespace {

// As the kubelet gives to static pods of critical priority (kubernetes/pkg/kubelet/qos/policy.go), which these are elsewhere.
constexpr int k_oom_score = -997;

// Who did what is kept; request bodies, and with them secrets, are not. What only reads and repeats is left out.
Json audit_policy() {
  return {{"apiVersion", "audit.k8s.io/v1"},
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
  component.dirs = {{settings.node.paths.kubernetes_dir, 0755}, {settings.kubernetes_pki(), 0700}};
  return component;
}

void add_service_account(ComponentFiles& component, const std::string& pki) {
  component.inputs.push_back({InputKind::service_account_key, "sa", pki + "/sa.key", true});
}

std::vector<std::string> apiserver_tls_flags(const std::string& pki) {
  return {flag("tls-cert-file", chain_file(pki, "apiserverServing")),
          flag("tls-private-key-file", key_file(pki, "apiserverServing")),
          flag("tls-min-version", "VersionTLS12"),
          flag("client-ca-file", ca_file(pki, "kubeClient")),
          flag("kubelet-certificate-authority", ca_file(pki, "kubeletServing")),
          flag("kubelet-client-certificate", chain_file(pki, "apiserverKubeletClient")),
          flag("kubelet-client-key", key_file(pki, "apiserverKubeletClient")),
          flag("kubelet-preferred-address-types", "InternalIP"),
          flag("proxy-client-cert-file", chain_file(pki, "frontProxyClient")),
          flag("proxy-client-key-file", key_file(pki, "frontProxyClient")),
          flag("requestheader-client-ca-file", ca_file(pki, "frontProxy")),
          flag("requestheader-allowed-names", "front-proxy-client"),
          flag("requestheader-username-headers", "X-Remote-User"),
          flag("requestheader-group-headers", "X-Remote-Group"),
          flag("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
          flag("etcd-servers", "https://127.0.0.1:2379"),
          flag("etcd-cafile", ca_file(pki, "etcd")),
          flag("etcd-certfile", chain_file(pki, "apiserverEtcdClient")),
          flag("etcd-keyfile", key_file(pki, "apiserverEtcdClient")),
          flag("service-account-key-file", pki + "/sa.pub"),
          flag("service-account-signing-key-file", pki + "/sa.key")};
}

std::vector<std::string> apiserver_command(const Settings& settings, const std::string& policy) {
  const NodeContext& node = settings.node;
  std::vector<std::string> command = {settings.program("kube-apiserver", "kube-apiserver"),
                                      flag("advertise-address", node.node_address.to_string()),
                                      flag("bind-address", "0.0.0.0"),
                                      flag("secure-port", std::to_string(settings.api_port)),
                                      flag("allow-privileged", "true"),
                                      // Everyone who asks has a certificate, probes too.
                                      flag("anonymous-auth", "false"),
                                      flag("authorization-mode", "Node,RBAC"),
                                      flag("enable-admission-plugins", "NodeRestriction"),
                                      flag("service-cluster-ip-range", settings.service_network.to_string()),
                                      flag("service-account-issuer", "https://kubernetes.default.svc." + settings.dns_domain),
                                      flag("profiling", "false"),
                                      flag("audit-policy-file", policy),
                                      flag("audit-log-path", node.paths.log_dir + "/audit.log"),
                                      flag("audit-log-maxage", "30"),
                                      flag("audit-log-maxbackup", "10"),
                                      flag("audit-log-maxsize", "100")};
  if (settings.has_insecure_port_flags()) command.push_back(flag("insecure-port", "0"));
  const std::vector<std::string> tls = apiserver_tls_flags(settings.kubernetes_pki());
  command.insert(command.end(), tls.begin(), tls.end());
  return command;
}

// What controller manager and scheduler have in common: a kubeconfig for all three uses, no plain HTTP, loopback only.
std::vector<std::string> loop_flags(const Settings& settings, const std::string& access) {
  const std::string pki = settings.kubernetes_pki();
  std::vector<std::string> flags = {flag("kubeconfig", access),
                                    flag("authentication-kubeconfig", access),
                                    flag("authorization-kubeconfig", access),
                                    flag("client-ca-file", ca_file(pki, "kubeClient")),
                                    flag("requestheader-client-ca-file", ca_file(pki, "frontProxy")),
                                    flag("bind-address", "127.0.0.1"),
                                    flag("leader-elect", "true"),
                                    flag("profiling", "false")};
  if (settings.has_insecure_port_flags()) flags.push_back(flag("port", "0"));
  return flags;
}

Result<ComponentFiles> loop_component(const Settings& settings, const std::string& name, const std::string& usage,
                                      std::uint16_t port, const std::vector<std::string>& own_flags) {
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
  const std::vector<std::string> flags = loop_flags(settings, access);
  unit.exec.insert(unit.exec.end(), flags.begin(), flags.end());
  unit.exec.insert(unit.exec.end(), own_flags.begin(), own_flags.end());
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
  component.dirs = {{node.paths.kubernetes_dir, 0755}, {pki, 0700}, {node.paths.etcd_dir, 0700}};
  add_pair(component, pki, "etcdServer");
  add_pair(component, pki, "etcdPeer");
  add_ca(component, pki, "etcd", true);
  UnitSpec unit = make_unit(settings, "etcd", "etcd", component.version);
  unit.oom_score_adjust = k_oom_score;
  unit.type = UnitType::notify;
  unit.timeout_start = std::chrono::seconds(120);
  unit.exec = {settings.program("etcd", "etcd"),
               flag("name", node.node_name),
               flag("data-dir", node.paths.etcd_dir),
               flag("listen-client-urls", "https://127.0.0.1:2379,https://" + address + ":2379"),
               flag("advertise-client-urls", "https://" + address + ":2379"),
               flag("listen-peer-urls", "https://" + address + ":2380"),
               flag("initial-advertise-peer-urls", "https://" + address + ":2380"),
               flag("initial-cluster", node.node_name + "=https://" + address + ":2380"),
               flag("initial-cluster-state", "new"),
               flag("initial-cluster-token", node.cluster.metadata.name),
               flag("cert-file", chain_file(pki, "etcdServer")),
               flag("key-file", key_file(pki, "etcdServer")),
               flag("client-cert-auth", "true"),
               flag("trusted-ca-file", ca_file(pki, "etcd")),
               flag("peer-cert-file", chain_file(pki, "etcdPeer")),
               flag("peer-key-file", key_file(pki, "etcdPeer")),
               flag("peer-client-cert-auth", "true"),
               flag("peer-trusted-ca-file", ca_file(pki, "etcd")),
               flag("logger", "zap")};
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
                      flag("allocate-node-cidrs", "false"), flag("cluster-name", settings.node.cluster.metadata.name),
                      flag("service-cluster-ip-range", settings.service_network.to_string()),
                      flag("root-ca-file", ca_file(pki, "apiserver")), flag("service-account-private-key-file", pki + "/sa.key"),
                      flag("use-service-account-credentials", "true")});
  if (component) add_service_account(*component, pki);
  return component;
}

Result<ComponentFiles> kube_scheduler(const Settings& settings) {
  return loop_component(settings, "kube-scheduler", "scheduler", 10259, {});
}

}  // namespace slipway::render_parts
