#include "agent/domain/preflight.hpp"

#include <algorithm>
#include <charconv>

#include "common/core/text.hpp"

namespace slipway {

namespace {

using Findings = std::vector<Finding>;

constexpr std::uint64_t k_gib = std::uint64_t{1} << 30;
constexpr int k_oldest_major = 4, k_oldest_minor = 15;  // nf_tables with what masquerading needs, and cgroup v2's cpu controller
constexpr std::uint64_t k_least_mtu = 1280;             // RFC 8200 section 5; below it no IPv6, and with tunnels little else

Finding well(const char* check, std::string message) { return {check, Severity::ok, std::move(message), "", false}; }
Finding warning(const char* check, std::string message, std::string cure) {
  return {check, Severity::warning, std::move(message), std::move(cure), false};
}
Finding error(const char* check, std::string message, std::string cure) {
  return {check, Severity::error, std::move(message), std::move(cure), false};
}

template <class List> std::string list(const List& names) { return join(std::vector<std::string>(std::begin(names), std::end(names)), ", "); }

void check_root(const HostObserved& host, const PreflightWish&, Findings& out) {
  out.push_back(host.root ? well("root", "runs as root") : error("root", "does not run as root", "use sudo"));
}

void check_kernel(const HostObserved& host, const PreflightWish&, Findings& out) {
  const auto parts = split(host.kernel, '.');
  const auto number = [&parts](std::size_t i) {
    int value = 0;
    if (i < parts.size()) std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), value);
    return value;
  };
  const bool old = number(0) < k_oldest_major || (number(0) == k_oldest_major && number(1) < k_oldest_minor);
  out.push_back(old ? error("kernel", "Linux " + host.kernel + " is too old", "install Linux 4.15 or newer") : well("kernel", "Linux " + host.kernel));
}

void check_features(const HostObserved& host, const PreflightWish&, Findings& out) {
  if (host.missing_features.empty()) return out.push_back(well("modules", "the kernel has all that is needed"));
  out.push_back(error("modules", "the kernel has no " + list(host.missing_features) + ", neither built in nor as a module of this version",
                      "install the distribution's full kernel (not a cloud-minimal one), and reboot if another kernel runs than is installed; "
                      "in a container load them on its host"));
}

// The runtime and the kubelet get the same one; what is asked for is known from agent.yaml, or from what the kubelet was given.
void check_cgroup_driver(const HostObserved& host, const PreflightWish& wish, const std::string& version, Findings& out) {
  const bool rendered = host.joined && !host.kubelet.cgroup_driver.empty();
  const std::string& wanted = rendered ? host.kubelet.cgroup_driver : wish.cgroup_driver;
  if (host.cgroup_driver.empty()) return out.push_back(well("cgroups", version));
  if (wanted.empty() || wanted == host.cgroup_driver) return out.push_back(well("cgroups", version + ", driver " + host.cgroup_driver));
  if (wanted == "systemd") {
    out.push_back(error("cgroups", version + "; the driver is to be systemd, but systemd does not own this host's control groups",
                        "cgroupDriver: cgroupfs in agent.yaml, and no other one in the cluster's settings of kubelet and docker; or boot with cgroup v2"));
    return;
  }
  const std::string text = version + "; the driver is to be " + wanted + ", though systemd owns this host's control groups";
  if (host.joined) return out.push_back(well("cgroups", text));
  out.push_back(warning("cgroups", text, "leave out cgroupDriver in agent.yaml: two that divide the same memory do not know of each other"));
}

void check_cgroups(const HostObserved& host, const PreflightWish& wish, Findings& out) {
  if (host.cgroup_version == 0) {
    out.push_back(error("cgroups", "no cgroup hierarchy is mounted at /sys/fs/cgroup", "boot with systemd"));
    return;
  }
  std::set<std::string> missing;
  for (const char* name : {"cpu", "memory", "pids"}) {
    if (host.cgroup_controllers.count(name) == 0) missing.insert(name);
  }
  const std::string version = "cgroup v" + std::to_string(host.cgroup_version);
  if (missing.empty()) return check_cgroup_driver(host, wish, version, out);
  out.push_back(error("cgroups", version + " without the controllers " + list(missing),
                      "take cgroup_disable=... from the kernel's command line (for memory on some boards add cgroup_enable=memory)"));
}

void check_swap(const HostObserved& host, const PreflightWish&, Findings& out) {
  if (host.swap.empty()) return out.push_back(well("swap", "off"));
  if (host.joined && !host.kubelet.fail_swap_on) return out.push_back(well("swap", "on: " + list(host.swap) + "; the kubelet is told to bear it"));
  out.push_back(error("swap", "swap is on: " + list(host.swap) + "; the kubelet refuses to start with it",
                      "swapoff -a, and take it from /etc/fstab (and mask swap units: systemctl --type swap); or set failSwapOn: false in the "
                      "kubelet's settings, and join with --ignore-preflight-errors swap"));
}

// The agent sets these itself; a value that somebody else sets again is worth knowing.
void check_sysctls(const HostObserved& host, const PreflightWish&, Findings& out) {
  const auto forward = host.sysctls.find("net/ipv4/ip_forward");
  if (forward == host.sysctls.end()) {
    out.push_back(error("sysctls", "net.ipv4.ip_forward cannot be read", "mount /proc with /proc/sys writable for root"));
    return;
  }
  if (forward->second != "1" && host.forwarding_locked) {
    out.push_back(error("sysctls", "net.ipv4.ip_forward is " + forward->second + " and cannot be set",
                        "mount /proc/sys writable for root; in a container set it on the host, or give the container a network of its own"));
    return;
  }
  const auto filter = host.sysctls.find("net/ipv4/conf/all/rp_filter");
  if (filter != host.sysctls.end() && filter->second == "1") {
    out.push_back(warning("sysctls", "net.ipv4.conf.all.rp_filter is 1: packets of pods that come another way than they would go are dropped",
                          "set it to 2 (loose) where nodes have several ways to each other"));
    return;
  }
  out.push_back(well("sysctls", forward->second == "1" ? "forwarding is on" : "forwarding is off; the agent turns it on"));
}

void check_tools(const HostObserved& host, const PreflightWish&, Findings& out) {
  if (host.missing_programs.empty()) return out.push_back(well("tools", list(k_needed_programs) + " are there"));
  out.push_back(error("tools", "not installed: " + list(host.missing_programs),
                      "install the packages iptables, kmod, mount (util-linux), conntrack (conntrack-tools)"));
}

struct NeededPort {
  std::uint16_t port;
  const char* user;
  bool master_only;
};
constexpr NeededPort k_ports[] = {{10250, "kubelet", false},          {10248, "kubelet's health", false},
                                  {10256, "kube-proxy's health", false}, {10249, "kube-proxy's metrics", false},
                                  {6443, "kube-apiserver", true},     {2379, "etcd", true},
                                  {2380, "etcd", true},               {10257, "kube-controller-manager", true},
                                  {10259, "kube-scheduler", true}};

void check_ports(const HostObserved& host, const PreflightWish& wish, Findings& out) {
  if (host.joined) return out.push_back(well("ports", "not looked at: this host is a node already, and its components listen"));
  const std::size_t before = out.size();
  for (const NeededPort& needed : k_ports) {
    if (needed.master_only && wish.role != "master") continue;
    const auto taken = std::find_if(host.ports.begin(), host.ports.end(), [&needed](const PortUser& user) { return user.port == needed.port; });
    if (taken == host.ports.end()) continue;
    out.push_back(error("ports", "port " + std::to_string(needed.port) + " (" + needed.user + ") is taken by " +
                                     (taken->program.empty() ? "an unknown program" : taken->program),
                        "stop that program, or give it another port"));
  }
  if (out.size() == before) out.push_back(well("ports", "all that a " + wish.role + " needs are free"));
}

struct NeededSpace {
  const char* folder;
  std::uint64_t least, enough;
};
constexpr NeededSpace k_space[] = {{"/opt", k_gib, 2 * k_gib}, {"/var/lib", 2 * k_gib, 10 * k_gib}, {"/run", k_gib / 64, k_gib / 16}};

std::string megabytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

void check_disk(const HostObserved& host, const PreflightWish&, Findings& out) {
  const std::size_t before = out.size();
  for (const NeededSpace& space : k_space) {
    const auto found = host.free_bytes.find(space.folder);
    if (found == host.free_bytes.end() || found->second >= space.enough) continue;
    const std::string text = std::string(space.folder) + " has " + megabytes(found->second) + " free, " + megabytes(space.enough) + " are good to have";
    const std::string cure = "free some, or mount something larger there";
    out.push_back(found->second < space.least ? error("disk", text, cure) : warning("disk", text, cure));
  }
  if (out.size() == before) out.push_back(well("disk", "enough is free"));
}

void check_clock(const HostObserved& host, const PreflightWish&, Findings& out) {
  if (host.clock_skew.empty()) return out.push_back(well("clock", "near the coordinator's, where that could be asked"));
  out.push_back(error("clock", host.clock_skew, "let systemd-timesyncd or chrony set it"));
}

void check_name(const HostObserved& host, const PreflightWish& wish, Findings& out) {
  const std::string& name = wish.node_name.empty() ? host.host_name : wish.node_name;
  if (name == "localhost" || !is_dns_subdomain(name)) {
    out.push_back(error("host-name", "\"" + name.substr(0, 64) + "\" cannot be a node's name: small letters, digits, - and ., and not localhost",
                        "hostnamectl set-hostname NAME, or nodeName in agent.yaml"));
    return;
  }
  out.push_back(well("host-name", name));
}

void check_address(const HostObserved& host, const PreflightWish&, Findings& out) {
  if (!host.address && host.address_problem.message.empty()) {
    out.push_back(well("node-address", "not looked for: no coordinator is named"));
    return;
  }
  if (!host.address) {
    out.push_back(error("node-address", "no address of this host could be found: " + host.address_problem.message,
                        "check the address of the coordinator and this host's routes, or set nodeAddress in agent.yaml"));
    return;
  }
  const std::string address = host.address->to_string();
  if (address.starts_with("127.") || address == "::1") {
    out.push_back(error("node-address", address + " is this host's loopback: other nodes cannot reach it",
                        "name the coordinator by the address that other hosts use, or set nodeAddress in agent.yaml"));
    return;
  }
  if (host.mtu != 0 && host.mtu < k_least_mtu) {
    out.push_back(warning("node-address", address + " is on a device with an MTU of " + std::to_string(host.mtu), "raise it to 1280 or more"));
    return;
  }
  out.push_back(well("node-address", address + (host.mtu != 0 ? ", MTU " + std::to_string(host.mtu) : "")));
}

// A wide route through a gateway is no harm, as the coordinator sees it too: ours to pods are narrower, and services are rewritten
// before any route is looked up.
bool in_the_way(const HostRoute& route, const Cidr& range) { return range.contains(route.block) || (!route.via && route.block.contains(range)); }

constexpr std::size_t k_named_routes = 8;  // a host that routes for others may have thousands

void check_range(const HostObserved& host, const Cidr& range, const std::string& what, Findings& out) {
  const char* const cure = "take that network elsewhere, or give the cluster another range";
  std::size_t found = 0;
  for (const HostRoute& route : host.routes) {
    if (!in_the_way(route, range) || ++found > k_named_routes) continue;
    out.push_back(error("ranges", "the route " + route.block.to_string() + (route.via ? " via " : " dev ") + route.device + " overlaps the cluster's " +
                                      what + " " + range.to_string(), cure));
  }
  if (found > k_named_routes) {
    out.push_back(error("ranges", std::to_string(found - k_named_routes) + " more routes overlap the cluster's " + what + " " + range.to_string(), cure));
  }
  if (host.address && range.contains(*host.address)) {
    out.push_back(error("ranges", "this host's address " + host.address->to_string() + " lies in the cluster's " + what + " " + range.to_string(),
                        "give the cluster another range, or this host another address"));
  }
}

void check_ranges(const HostObserved& host, const PreflightWish& wish, Findings& out) {
  const std::size_t before = out.size();
  for (const Cidr& range : wish.pod_ranges) check_range(host, range, "pod range", out);
  if (wish.service_range) check_range(host, *wish.service_range, "service range", out);
  if (out.size() != before) return;
  out.push_back(wish.pod_ranges.empty() ? well("ranges", "not known before the join; the coordinator holds them against this host's routes then")
                                        : well("ranges", "no route of this host overlaps them"));
}

void check_reach(const HostObserved& host, const PreflightWish&, Findings& out) {
  for (const auto& [where, why] : host.unreachable) {
    out.push_back(error("reach", where + ": " + why, "open the way there in firewalls, and check that it runs"));
  }
  for (const auto& [where, why] : host.untrusted) {
    out.push_back(error("reach", where + ": " + why, "see that the address and the token are of the same cluster, and that nobody answers in its place"));
  }
  if (host.unreachable.empty() && host.untrusted.empty()) out.push_back(well("reach", "the coordinator answers, and the API server where it is known"));
}

using Names = std::vector<std::string>;

Names both(Names some, const Names& others) {
  some.insert(some.end(), others.begin(), others.end());
  return some;
}

// Before a join whatever there is of another installation would get into the way of ours.
void check_foreign_before(const HostObserved& host, Findings& out) {
  const Names units = both(host.foreign_units, host.dropins);
  const Names files = both(both(host.cni_files, host.static_pods), host.foreign_files);
  if (!units.empty()) {
    out.push_back(error("foreign-software", "units that are not Slipway's: " + list(units),
                        std::string("remove their packages (and drop-ins) first: two of a kind would take turns at the same sockets and ports") +
                            (host.dropins.empty() ? "" : "; drop-ins of your own for Slipway's units may stay, with --ignore-preflight-errors foreign-software")));
  }
  if (!files.empty()) {
    out.push_back(error("foreign-software", "left by another installation: " + list(files),
                        "kubeadm reset, or what that installation has for it; then remove them"));
  }
}

// A node runs with it, so it is no error any more. Drop-ins of an administrator, static pods, and the files of the plugin that backend
// external is for are as it should be.
void check_foreign_beside(const HostObserved& host, const PreflightWish& wish, Findings& out) {
  if (!host.foreign_units.empty()) {
    out.push_back(warning("foreign-software", "units that are not Slipway's: " + list(host.foreign_units),
                          "remove their packages: two of a kind take turns at the same sockets and ports, and what a package drops in holds for our units too "
                          "(systemctl cat NAME)"));
  }
  if (!host.cni_files.empty() && !wish.external_network) {
    out.push_back(warning("foreign-software", "another CNI configuration: " + list(host.cni_files),
                          "remove it, or set network.backend: external; the first one by name counts for new pods"));
  }
  if (!host.foreign_files.empty()) {
    out.push_back(warning("foreign-software", "of another installation: " + list(host.foreign_files), "remove them when nothing uses them any more"));
  }
}

void check_foreign(const HostObserved& host, const PreflightWish& wish, Findings& out) {
  const std::size_t before = out.size();
  if (host.joined) check_foreign_beside(host, wish, out);
  else check_foreign_before(host, out);
  if (out.size() != before) return;
  Names own;
  if (!host.dropins.empty()) own.push_back("drop-ins: " + list(host.dropins));
  if (!host.cni_files.empty()) own.push_back("files of the CNI plugin: " + list(host.cni_files));
  if (!host.static_pods.empty()) own.push_back("static pods: " + list(host.static_pods));
  out.push_back(well("foreign-software", own.empty() ? "no other kubelet, container runtime or CNI configuration" : "this host's own " + join(own, "; ")));
}

void check_firewall(const HostObserved& host, const PreflightWish& wish, Findings& out) {
  if (host.services.count("firewalld") == 0) return out.push_back(well("firewall", "no firewalld"));
  if (!wish.external_network && wish.accept_forward) {
    out.push_back(well("firewall", "firewalld runs; the agent tells it of the pod network (zone trusted, policy slipway)"));
    return;
  }
  const std::string why = wish.external_network ? "network.backend is external" : "network.acceptForward is false";
  out.push_back(warning("firewall", "firewalld runs, and " + why + ": the agent does not tell it to let pods' packets pass",
                        "see that the network plugin or policy engine does, or put the pod ranges into the zone trusted yourself"));
}

// The agent tells firewalld what pods need and keeps NetworkManager off their devices, unless these are somebody else's.
void check_services(const HostObserved& host, const PreflightWish& wish, Findings& out) {
  check_firewall(host, wish, out);
  if (host.services.count("NetworkManager") == 0) return out.push_back(well("network-manager", "does not run"));
  if (!wish.external_network) return out.push_back(well("network-manager", "runs; a file of the agent's (99-slipway.conf) keeps it off the pod network's devices"));
  out.push_back(warning("network-manager", "NetworkManager runs, and network.backend is external: it may take the plugin's devices into its care",
                        "name them below [keyfile] in /etc/NetworkManager/conf.d, as the plugin's instructions say: unmanaged-devices=interface-name:..."));
}

void check_proxies(const HostObserved& host, const PreflightWish&, Findings& out) {
  std::vector<std::string> names;
  for (const auto& [name, value] : host.proxies) {
    if (lower(name) != "no_proxy") names.push_back(name);
  }
  if (names.empty()) return out.push_back(well("proxy", "none is set"));
  out.push_back(warning("proxy", "set for services: " + list(names) + "; the kubelet would ask the API server through it",
                        "name the node, pod and service ranges and the coordinator in NO_PROXY"));
}

using Check = void (*)(const HostObserved&, const PreflightWish&, Findings&);
struct NamedCheck {
  std::vector<const char*> names;
  Check run;
};
const std::vector<NamedCheck>& checks() {
  static const std::vector<NamedCheck> all = {{{"root"}, check_root},
                                              {{"kernel"}, check_kernel},
                                              {{"modules"}, check_features},
                                              {{"cgroups"}, check_cgroups},
                                              {{"swap"}, check_swap},
                                              {{"sysctls"}, check_sysctls},
                                              {{"tools"}, check_tools},
                                              {{"ports"}, check_ports},
                                              {{"disk"}, check_disk},
                                              {{"clock"}, check_clock},
                                              {{"host-name"}, check_name},
                                              {{"node-address"}, check_address},
                                              {{"ranges"}, check_ranges},
                                              {{"reach"}, check_reach},
                                              {{"foreign-software"}, check_foreign},
                                              {{"firewall", "network-manager"}, check_services},
                                              {{"proxy"}, check_proxies}};
  return all;
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::ok:
      return "ok";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

std::vector<Finding> preflight(const HostObserved& host, const PreflightWish& wish) {
  Findings findings;
  for (const NamedCheck& check : checks()) check.run(host, wish, findings);
  return findings;
}

std::vector<std::string> preflight_checks() {
  std::vector<std::string> names;
  for (const NamedCheck& check : checks()) names.insert(names.end(), check.names.begin(), check.names.end());
  return names;
}

Status ignore_findings(std::vector<Finding>& findings, const std::vector<std::string>& names) {
  const std::vector<std::string> known = preflight_checks();
  for (const std::string& name : names) {
    if (name == "all" || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return make_error(Errc::invalid, "there is no check \"" + name.substr(0, 64) + "\" to ignore; there are: " + join(known, ", "));
  }
  for (Finding& finding : findings) {
    const bool named = std::any_of(names.begin(), names.end(), [&finding](const std::string& name) { return name == "all" || name == finding.check; });
    if (named && finding.severity == Severity::error) finding.ignored = true;
  }
  return {};
}

bool refuses(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.severity == Severity::error && !f.ignored; });
}

}  // namespace slipway
