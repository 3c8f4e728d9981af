#pragma once
// The pod network's files below /etc: settings for the next boot, and drop-ins that make udev, systemd-networkd
// and NetworkManager leave the pod network's devices and routes alone. Pure.
//
// The drop-ins are written where those programs are not installed, too: they are four files of a few lines, and a
// NetworkManager that is installed on a running node takes hold of its devices at its first start, before the
// agent could have seen it coming.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/network_plan.hpp"

namespace slipway {

inline constexpr NetworkFile k_network_files[] = {NetworkFile::sysctl,          NetworkFile::modules,
                                                  NetworkFile::udev_link,       NetworkFile::networkd_device,
                                                  NetworkFile::networkd_routes, NetworkFile::network_manager};

// Below /etc: "sysctl.d/90-slipway.conf".
std::string network_file_path(NetworkFile file);
// Programs that have to be told of a change of their files while they run.
enum class FileReader { networkd, network_manager };
std::string_view describe(FileReader reader);

// Who reads it while running. Empty: nobody; or udev, which sees it by itself, and networkd.conf, which is
// read at networkd's start only: then it counts, for networkd's start is what removes others' routes.
std::optional<FileReader> reader_of(NetworkFile file);

// For people: "the sysctl file".
std::string describe(NetworkFile file);

// Empty: the file is not to be there. With somebody else's network plugin the devices are that one's business.
std::string network_file_content(NetworkFile file, const NetworkDesired& desired,
                                 const NetworkObserved& observed);

void plan_files(const NetworkDesired& desired, const NetworkObserved& observed, std::vector<NetworkStep>& steps);

// Whether a dhcpcd with this configuration (dhcpcd.conf(5): allowinterfaces, denyinterfaces) leaves the pod
// network's devices alone; it has no folder for drop-ins.
bool dhcpcd_leaves_pods(std::string_view configuration);

void dropin_findings(const NetworkObserved& observed, std::vector<NetworkFinding>& out);

}  // namespace slipway
