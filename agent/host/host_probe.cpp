#include "agent/host/host_probe.hpp"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_text = std::size_t{4} << 20;  // modules.dep is the longest

// Files of /proc say that they have no length: read until nothing more comes. Empty when it cannot be read.
std::string text_of(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16384> block{};
  while (fd && text.size() < k_max_text) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::vector<std::string> names_in(const std::string& dir) {
  auto names = list_dir(dir);
  return names ? *names : std::vector<std::string>();
}

std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  for (const std::string_view word : split(text, ' ')) {
    if (!trim(word).empty()) words.insert(std::string(trim(word)));
  }
  return words;
}

// A kernel without its folder of modules (in a container, or with all built in) says nothing: then nothing is missing.
std::set<std::string> missing_features(const std::string& root, const std::string& release) {
  const std::string folder = root + "/lib/modules/" + release;
  const std::string modules = text_of(folder + "/modules.dep") + text_of(folder + "/modules.builtin");
  std::set<std::string> missing;
  if (modules.empty()) return missing;
  for (const char* name : k_kernel_features) {
    if (!path_exists(root + "/sys/module/" + name) && !has_module(modules, name)) missing.insert(name);
  }
  return missing;
}

void observe_cgroups(const std::string& root, HostObserved& host) {
  const std::string unified = text_of(root + "/sys/fs/cgroup/cgroup.controllers");
  if (!unified.empty()) {
    host.cgroup_version = 2;
    host.cgroup_controllers = words_of(unified);
    return;
  }
  // Columns: name, hierarchy, number of groups, enabled.
  for (const std::string_view line : split(text_of(root + "/proc/cgroups"), '\n')) {
    const auto columns = split(line, '\t');
    if (columns.size() < 4 || columns[0].starts_with('#') || trim(columns[3]) != "1") continue;
    host.cgroup_version = 1;
    host.cgroup_controllers.insert(std::string(columns[0]));
  }
}

bool program_exists(const std::string& root, const char* name) {
  for (const char* folder : {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"}) {
    if (::access((root + folder + name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

// inode of a socket -> "name (pid 12)". Other users' processes are hidden from all but root.
std::map<std::uint64_t, std::string> socket_owners(const std::string& root) {
  std::map<std::uint64_t, std::string> owners;
  for (const std::string& pid : names_in(root + "/proc")) {
    if (!parse_u64(pid)) continue;
    const std::string process = root + "/proc/" + pid;
    for (const std::string& fd : names_in(process + "/fd")) {
      const auto target = read_link(process + "/fd/" + fd);
      if (!target || !target->starts_with("socket:[") || !target->ends_with("]")) continue;
      const auto inode = parse_u64(std::string_view(*target).substr(8, target->size() - 9));
      if (inode) owners.emplace(*inode, std::string(trim(text_of(process + "/comm"))) + " (pid " + pid + ")");
    }
  }
  return owners;
}

std::vector<PortUser> listening_ports(const std::string& root) {
  std::vector<PortUser> users;
  const auto owners = socket_owners(root);
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    for (const auto& [port, inode] : listeners_in(text_of(root + table))) {
      const auto owner = owners.find(inode);
      const std::uint16_t taken = port;
      if (std::any_of(users.begin(), users.end(), [taken](const PortUser& user) { return user.port == taken; })) continue;
      users.push_back({port, owner == owners.end() ? std::string() : owner->second});
    }
  }
  return users;
}

void observe_space(const std::string& root, HostObserved& host) {
  for (const char* folder : {"/opt", "/var/lib", "/run"}) {
    std::string there = root + folder;
    while (!path_exists(there) && there != parent_path(there)) there = parent_path(there);
    struct statvfs info {};
    if (::statvfs(there.c_str(), &info) == 0) host.free_bytes[folder] = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }
}

// A unit of ours says what it was started with; a drop-in can put anything in the place of anybody's. Those below /etc are an
// administrator's, the others come with packages.
void observe_units(const std::string& root, HostObserved& host) {
  for (const char* name : {"kubelet.service", "kube-proxy.service", "docker.service", "containerd.service", "cri-docker.service", "crio.service", "etcd.service",
                           "kube-apiserver.service", "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service",
                           "k0scontroller.service", "k0sworker.service", "snap.microk8s.daemon-kubelite.service"}) {
    for (const char* folder : {"/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"}) {
      const std::string path = std::string(folder) + name;
      const std::string text = text_of(root + path);
      if (!text.empty() && text.find("SLIPWAY_INPUTS=") == std::string::npos) host.foreign_units.push_back(std::string(name) + " (" + path + ")");
      for (const std::string& file : names_in(root + path + ".d")) {
        std::vector<std::string>& whose = path.starts_with("/etc/") ? host.dropins : host.foreign_units;
        if (file.ends_with(".conf")) whose.push_back(std::string(name) + " (" + path + ".d/" + file + ")");
      }
      if (!text.empty()) break;  // it hides those of the folders after it
    }
  }
}

void observe_files(const std::string& root, HostObserved& host) {
  for (const std::string& file : names_in(root + "/etc/cni/net.d")) {
    if (file != "10-slipway.conflist") host.cni_files.push_back("/etc/cni/net.d/" + file);
  }
  for (const std::string& file : names_in(root + "/etc/kubernetes/manifests")) host.static_pods.push_back("/etc/kubernetes/manifests/" + file);
  for (const char* path : {"/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf", "/etc/kubernetes/admin.conf", "/var/lib/rancher/k3s",
                           "/var/lib/rancher/rke2", "/var/lib/k0s", "/var/snap/microk8s"}) {
    if (path_exists(root + path)) host.foreign_files.emplace_back(path);
  }
}

void observe_sysctls(const std::string& root, HostObserved& host) {
  for (const char* key : {"net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter"}) {
    const std::string value = text_of(root + "/proc/sys/" + key);
    if (!value.empty()) host.sysctls[key] = std::string(trim(value));
  }
  // Of anybody but root it would say no more than that.
  host.forwarding_locked = host.root && ::access((root + "/proc/sys/net/ipv4/ip_forward").c_str(), W_OK) != 0 && errno != ENOENT;
}

// The control group of a service is there while it runs.
void observe_services(const std::string& root, HostObserved& host) {
  for (const char* name : {"firewalld", "NetworkManager"}) {
    const std::string group = std::string("/system.slice/") + name + ".service";
    if (path_exists(root + "/sys/fs/cgroup" + group) || path_exists(root + "/sys/fs/cgroup/systemd" + group)) host.services.insert(name);
  }
}

void observe_proxies(const std::string& root, HostObserved& host) {
  host.proxies = proxies_in(text_of(root + "/etc/systemd/system.conf"));
  for (const char* folder : {"/usr/lib/systemd/system.conf.d", "/etc/systemd/system.conf.d"}) {
    for (const std::string& file : names_in(root + folder)) {
      if (file.ends_with(".conf")) host.proxies.merge(proxies_in(text_of(root + folder + "/" + file)));
    }
  }
}

}  // namespace

std::vector<std::pair<std::uint16_t, std::uint64_t>> listeners_in(std::string_view proc_net_tcp) {
  std::vector<std::pair<std::uint16_t, std::uint64_t>> found;
  for (const std::string_view line : split(proc_net_tcp, '\n')) {
    std::vector<std::string_view> columns;
    for (const std::string_view column : split(line, ' ')) {
      if (!column.empty()) columns.push_back(column);
    }
    constexpr std::string_view k_listen = "0A";  // net/tcp_states.h
    if (columns.size() < 10 || columns[3] != k_listen) continue;
    const std::string_view port_text = columns[1].substr(std::min(columns[1].size(), columns[1].rfind(':') + 1));
    std::uint16_t port = 0;
    const auto read = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port, 16);
    if (read.ec == std::errc() && port != 0) found.emplace_back(port, parse_u64(columns[9]).value_or(0));
  }
  return found;
}

std::vector<std::string> swaps_in(std::string_view proc_swaps) {
  std::vector<std::string> names;
  const auto lines = split(proc_swaps, '\n');
  for (std::size_t i = 1; i < lines.size(); ++i) {  // the first names the columns
    const std::string_view name = lines[i].substr(0, lines[i].find_first_of(" \t"));
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

bool has_module(std::string_view modules, std::string_view name) {
  std::string wanted = "/" + std::string(name) + ".ko";
  std::string dashed = wanted;
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  return modules.find(wanted) != std::string_view::npos || modules.find(dashed) != std::string_view::npos;
}

std::map<std::string, std::string> proxies_in(std::string_view system_conf) {
  constexpr std::string_view k_key = "DefaultEnvironment=";
  std::map<std::string, std::string> proxies;
  for (std::string_view line : split(system_conf, '\n')) {
    line = trim(line);
    if (!line.starts_with(k_key)) continue;
    for (std::string_view word : split(line.substr(k_key.size()), ' ')) {
      if (word.starts_with('"')) word.remove_prefix(1);
      if (word.ends_with('"')) word.remove_suffix(1);
      const std::size_t equals = word.find('=');
      if (equals == std::string_view::npos || lower(word.substr(0, equals)).find("proxy") == std::string::npos) continue;
      proxies[std::string(word.substr(0, equals))] = std::string(word.substr(equals + 1));
    }
  }
  return proxies;
}

// Both are of our own rendering: a setting of the top level is a line.
KubeletFound kubelet_found(std::string_view config, std::string_view unit) {
  constexpr std::string_view k_driver = "cgroupDriver: ";
  KubeletFound found;
  if (!config.starts_with("# Written by slipway-agent")) return found;
  for (const std::string_view line : split(config, '\n')) {
    if (trim(line) == "failSwapOn: false" && !line.starts_with(' ')) found.fail_swap_on = false;
    if (line.starts_with(k_driver)) found.cgroup_driver = std::string(trim(line.substr(k_driver.size())));
  }
  if (unit.find("--fail-swap-on=false") != std::string_view::npos) found.fail_swap_on = false;
  if (unit.find("--fail-swap-on=true") != std::string_view::npos) found.fail_swap_on = true;
  return found;
}

namespace {

std::string_view bytes_of(const sockaddr* address) {
  if (address == nullptr) return {};
  if (address->sa_family == AF_INET)
    return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr), sizeof(in_addr)};
  if (address->sa_family == AF_INET6)
    return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr), sizeof(in6_addr)};
  return {};
}

// Not from /sys, which shows the network namespace of whoever mounted it.
std::uint64_t device_mtu(std::string_view name) {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  name.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (!fd || ::ioctl(fd.get(), SIOCGIFMTU, &request) != 0 || request.ifr_mtu < 0) return 0;
  return static_cast<std::uint64_t>(request.ifr_mtu);
}

}  // namespace

std::uint64_t mtu_of(const IpAddress& address) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return 0;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(first, ::freeifaddrs);
  for (const ifaddrs* at = first; at != nullptr; at = at->ifa_next) {
    const std::string_view bytes = bytes_of(at->ifa_addr);
    if (!bytes.empty() && bytes == address.bytes()) return device_mtu(at->ifa_name);
  }
  return 0;
}

HostObserved observe_host(const std::string& root_dir) {
  HostObserved host;
  host.root = ::geteuid() == 0;
  utsname system{};
  if (::uname(&system) == 0) {
    host.kernel = system.release;
    host.host_name = system.nodename;
  }
  host.missing_features = missing_features(root_dir, host.kernel);
  observe_cgroups(root_dir, host);
  host.swap = swaps_in(text_of(root_dir + "/proc/swaps"));
  observe_sysctls(root_dir, host);
  host.kubelet = kubelet_found(text_of(root_dir + "/var/lib/kubelet/config.yaml"), text_of(root_dir + "/etc/systemd/system/kubelet.service"));
  for (const char* name : k_needed_programs) {
    if (!program_exists(root_dir, name)) host.missing_programs.insert(name);
  }
  host.ports = listening_ports(root_dir);
  observe_space(root_dir, host);
  observe_units(root_dir, host);
  observe_files(root_dir, host);
  observe_services(root_dir, host);
  observe_proxies(root_dir, host);
  return host;
}

}  // namespace slipway
