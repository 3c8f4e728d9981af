#include "agent/domain/host_dropins.hpp"

#include <fnmatch.h>

#include <algorithm>

#include "agent/domain/sysctl_plan.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

// Shell patterns: the tunnel, the bridge, and the host's end of each pod. Others' veth pairs are matched too: no
// manager has anything to gain from those either, and their names cannot be told from the bridge plugin's.
constexpr const char* k_devices[] = {k_overlay_device, k_pod_bridge, "veth*"};
constexpr const char* k_device_names[] = {k_overlay_device, k_pod_bridge, "veth1a2b3c4d"};  // one that each pattern matches

std::string devices(const std::string& before, const std::string& separator) {
  std::vector<std::string> all;
  for (const char* device : k_devices) all.push_back(before + device);
  return join(all, separator);
}

std::string head(const char* why) {
  return std::string("# Written by slipway-agent: ") + why + " Changes here are overwritten.\n";
}

std::vector<std::string> words_of(std::string_view text) {
  std::string spaced(text);
  std::replace_if(spaced.begin(), spaced.end(), [](char c) { return c == ',' || c == '\t'; }, ' ');
  std::vector<std::string> words;
  for (const std::string_view word : split(spaced, ' '))
    if (!word.empty()) words.emplace_back(word);
  return words;
}

bool any_matches(const std::vector<std::string>& patterns, const char* name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const std::string& pattern) { return ::fnmatch(pattern.c_str(), name, 0) == 0; });
}

}  // namespace

std::string network_file_path(NetworkFile file) {
  switch (file) {
    case NetworkFile::sysctl:
      return "sysctl.d/90-slipway.conf";
    case NetworkFile::modules:
      return "modules-load.d/slipway.conf";
    case NetworkFile::udev_link:
      return "systemd/network/10-slipway.link";
    case NetworkFile::networkd_device:
      return "systemd/network/10-slipway.network";
    case NetworkFile::networkd_routes:
      return "systemd/networkd.conf.d/90-slipway.conf";
    case NetworkFile::network_manager:
      return "NetworkManager/conf.d/99-slipway.conf";  // an assignment in a later file would undo the addition
  }
  return "";
}

std::string_view describe(FileReader reader) {
  return reader == FileReader::networkd ? "systemd-networkd" : "NetworkManager";
}

std::optional<FileReader> reader_of(NetworkFile file) {
  if (file == NetworkFile::networkd_device) return FileReader::networkd;
  if (file == NetworkFile::network_manager) return FileReader::network_manager;
  return std::nullopt;
}

std::string describe(NetworkFile file) {
  switch (file) {
    case NetworkFile::sysctl:
      return "the sysctl file";
    case NetworkFile::modules:
      return "the kernel modules file";
    case NetworkFile::udev_link:
      return "the file that keeps udev from giving pod devices other MAC addresses";
    case NetworkFile::networkd_device:
      return "the file that keeps systemd-networkd from pod devices";
    case NetworkFile::networkd_routes:
      return "the file that keeps systemd-networkd from removing others' routes";
    case NetworkFile::network_manager:
      return "the file that keeps NetworkManager from pod devices";
  }
  return "";
}

std::string network_file_content(NetworkFile file, const NetworkDesired& desired,
                                 const NetworkObserved& observed) {
  if (file == NetworkFile::sysctl) return sysctl_file_content(desired, observed);
  if (file == NetworkFile::modules) return modules_file_content();
  if (desired.backend == NetworkBackend::external) return "";
  switch (file) {
    case NetworkFile::udev_link:
      // systemd.link(5). The first file that matches counts alone, so the name has to be kept by this one, too.
      return head("the other end of each link knows these MAC addresses.") +
             "[Match]\nOriginalName=" + devices("", " ") + "\n\n[Link]\nNamePolicy=keep\nMACAddressPolicy=none\n";
    case NetworkFile::networkd_device:
      return head("pod devices are not systemd-networkd's.") + "[Match]\nName=" + devices("", " ") +
             "\n\n[Link]\nUnmanaged=yes\n";
    case NetworkFile::networkd_routes:
      // networkd.conf(5): otherwise a restart of it removes all routes and rules that it did not make.
      return head("routes to other nodes' pods are not systemd-networkd's.") +
             "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n";
    case NetworkFile::network_manager:
      // NetworkManager.conf(5): "+=" adds to the list that the administrator may have.
      return head("pod devices are not NetworkManager's.") +
             "[keyfile]\nunmanaged-devices+=" + devices("interface-name:", ";") + "\n";
    default:
      return "";
  }
}

void plan_files(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkStep>& steps) {
  for (const NetworkFile file : k_network_files) {
    const auto now = observed.files.find(file);
    const std::string there = now == observed.files.end() ? "" : now->second;
    std::string wanted = network_file_content(file, desired, observed);
    if (there != wanted || (now != observed.files.end() && wanted.empty()))
      steps.push_back(WriteNetworkFile{file, std::move(wanted)});
  }
}

bool dhcpcd_leaves_pods(std::string_view configuration) {
  std::vector<std::string> allowed, denied;
  for (const std::string_view line : split(configuration, '\n')) {
    std::vector<std::string> words = words_of(trim(line));
    if (words.empty()) continue;
    const std::string key = words.front();
    words.erase(words.begin());
    if (key == "interface" || key == "ssid" || key == "profile") break;  // blocks: global options come before
    if (key == "allowinterfaces") allowed.insert(allowed.end(), words.begin(), words.end());
    if (key == "denyinterfaces") denied.insert(denied.end(), words.begin(), words.end());
  }
  return std::all_of(std::begin(k_device_names), std::end(k_device_names), [&](const char* name) {
    return any_matches(denied, name) || (!allowed.empty() && !any_matches(allowed, name));
  });
}

void dropin_findings(const NetworkObserved& observed, std::vector<NetworkFinding>& out) {
  if (!observed.dhcpcd) return;
  out.push_back({NetworkFindingKind::dhcpcd, "",
                 "dhcpcd runs for all interfaces and gives addresses to pods' devices: add \"denyinterfaces " +
                     devices("", " ") + "\" to the top of /etc/dhcpcd.conf and restart it",
                 false});
}

}  // namespace slipway
