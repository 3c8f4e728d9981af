#pragma once
// Where installed programs lie; drawn once, here.
//
// <install root>                     /opt/slipway
//   <component>/                     0755 root; e.g. kubelet, docker, cni-plugins
//     <version>/                     complete or not there: made as .tmp-<version>, synced, renamed
//       <program> ...                0755
//       .slipway-manifest            artifact digest, then "<sha256> <mode> <size> <path>" for each file
//     current -> <version>           switched by rename
//     previous -> <version>          what current was before, for a way back; older ones go when no process executes them any more
//     .tmp-<version>/                being unpacked; a left-over of a crash, removed at the next start
// <cache dir>                        /var/lib/slipway/agent/cache
//   <sha256>.part                    being downloaded, goes on where it stopped; removed once unpacked, or a day after nobody wants it any more
#include <string>

namespace slipway {

struct InstallPaths {
  std::string install_root = "/opt/slipway";
  std::string cache_dir = "/var/lib/slipway/agent/cache";
  std::string proc = "/proc";  // where processes are looked at

  std::string component_dir(const std::string& component) const { return install_root + "/" + component; }
  std::string version_dir(const std::string& component, const std::string& version) const {
    return component_dir(component) + "/" + version;
  }
  std::string temporary_dir(const std::string& component, const std::string& version) const {
    return component_dir(component) + "/.tmp-" + version;
  }
  std::string current_link(const std::string& component) const { return component_dir(component) + "/current"; }
  std::string previous_link(const std::string& component) const { return component_dir(component) + "/previous"; }
  std::string manifest(const std::string& component, const std::string& version) const {
    return version_dir(component, version) + "/.slipway-manifest";
  }
  std::string part_file(const std::string& sha256) const { return cache_dir + "/" + sha256 + ".part"; }
};

}  // namespace slipway
