#include "host_state.hpp"

#include <catch2/catch.hpp>

#include "common/core/text.hpp"

namespace lab {

Lines lines_of(const std::string& text) {
  Lines lines;
  for (const std::string_view line : slipway::split(text, '\n')) {
    if (!slipway::trim(line).empty()) lines.insert(std::string(line));
  }
  return lines;
}

std::vector<std::string> not_in(const Lines& some, const Lines& others) {
  std::vector<std::string> out;
  for (const std::string& line : some) {
    if (others.count(line) == 0) out.push_back(line);
  }
  return out;
}

Lines files_of(const Cluster& cluster, const std::string& host) {
  const std::string find =
      "find / /run -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/tmp "
      "-o -path /var/log/journal -o -path /run/log -o -path /run/systemd -o -path /run/dbus -o -path "
      "/run/udev "
      "-o -path /run/lock -o -path /run/user -o -path /run/host -o -path /var/lib/systemd "
      "-o -path /run/xtables.lock -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log/dpkg.log "
      "-o -path /var/log/apt \\) -prune -o \\( -type d -printf '%p %y %m %U %G\\n' \\) "
      "-o \\( -type l -printf '%p %y -> %l\\n' \\) -o -printf '%p %y %m %U %G %s\\n'; "
      "find /etc -xdev -type f -exec sha256sum {} +";
  return lines_of(cluster.must(host, {"sh", "-c", find}));
}

std::string path_of(const std::string& line) {
  const bool digest = line.size() > 66 && line.substr(64, 2) == "  ";
  return digest ? line.substr(66) : line.substr(0, line.find(' '));
}

void purge(const Cluster& cluster, const std::string& host, const Words& packages) {
  Words argv = {"env", "DEBIAN_FRONTEND=noninteractive", "dpkg", "-P"};
  argv.insert(argv.end(), packages.begin(), packages.end());
  cluster.must(host, argv);
}

std::vector<std::string> left_by_purge(const Cluster& cluster, const std::string& host, const Lines& before) {
  std::vector<std::string> left = not_in(files_of(cluster, host), before);
  const std::string notes =
      "find /var/lib/dpkg /var/lib/systemd -name '*slipway*'; grep '^Package: slipway' /var/lib/dpkg/status "
      "|| true";
  const Lines noted = lines_of(cluster.must(host, {"sh", "-c", notes}));
  left.insert(left.end(), noted.begin(), noted.end());
  return left;
}

}  // namespace lab
