#include "agent/domain/preflight.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>

#include "agent/host/host_probe.hpp"
#include "agent/preflight_command.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;
namespace fs = std::filesystem;

namespace {

HostObserved good_host() {
  HostObserved host;
  host.root = true;
  host.kernel = "6.1.0-18-amd64";
  host.cgroup_version = 2;
  host.cgroup_controllers = {"cpu", "memory", "pids", "io"};
  host.cgroup_driver = "systemd";
  host.sysctls = {{"net/ipv4/ip_forward", "0"}, {"net/ipv4/conf/all/rp_filter", "2"}};
  host.free_bytes = {{"/opt", std::uint64_t{50} << 30}, {"/var/lib", std::uint64_t{50} << 30}, {"/run", std::uint64_t{1} << 30}};
  host.host_name = "web-1";
  host.address = IpAddress::parse("10.77.0.11").value();
  host.mtu = 1500;
  host.routes = {{Cidr::parse("10.77.0.0/24").value(), "eth0"}};
  return host;
}
Cidr cidr(const char* text) { return Cidr::parse(text).value(); }
PreflightWish wish() {
  PreflightWish made;
  made.pod_ranges = {cidr("10.10.0.0/16"), cidr("fd00:10::/48")};
  made.service_range = cidr("10.96.0.0/16");
  return made;
}

struct Row {
  std::string check;
  Severity severity;
  std::string says;
  std::function<void(HostObserved&, PreflightWish&)> spoil;
};

const std::vector<Row>& rows() {
  using H = HostObserved;
  using W = PreflightWish;
  static const std::vector<Row> all = {
      {"root", Severity::error, "does not run as root", [](H& h, W&) { h.root = false; }},
      {"kernel", Severity::error, "4.14.0 is too old", [](H& h, W&) { h.kernel = "4.14.0"; }},
      {"kernel", Severity::error, "too old", [](H& h, W&) { h.kernel = "nonsense"; }},
      {"modules", Severity::error, "no br_netfilter, overlay", [](H& h, W&) { h.missing_features = {"overlay", "br_netfilter"}; }},
      {"cgroups", Severity::error, "no cgroup hierarchy", [](H& h, W&) { h.cgroup_version = 0; }},
      {"cgroups", Severity::error, "without the controllers memory", [](H& h, W&) { h.cgroup_controllers.erase("memory"); }},
      {"cgroups", Severity::error, "systemd does not own", [](H& h, W& w) { h.cgroup_driver = "cgroupfs"; w.cgroup_driver = "systemd"; }},
      {"cgroups", Severity::error, "cgroup v2; the driver is to be systemd", [](H& h, W&) { h.joined = true; h.cgroup_driver = "cgroupfs"; h.kubelet.cgroup_driver = "systemd"; }},
      {"cgroups", Severity::warning, "the driver is to be cgroupfs, though systemd", [](H&, W& w) { w.cgroup_driver = "cgroupfs"; }},
      {"swap", Severity::error, "/dev/sda3", [](H& h, W&) { h.joined = true; h.swap = {"/dev/sda3"}; }},
      {"swap", Severity::error, "/dev/sda2", [](H& h, W&) { h.swap = {"/dev/sda2"}; }},
      {"sysctls", Severity::error, "cannot be read", [](H& h, W&) { h.sysctls.clear(); }},
      {"sysctls", Severity::error, "ip_forward is 0 and cannot be set", [](H& h, W&) { h.forwarding_locked = true; }},
      {"sysctls", Severity::warning, "rp_filter is 1", [](H& h, W&) { h.sysctls["net/ipv4/conf/all/rp_filter"] = "1"; }},
      {"tools", Severity::error, "conntrack", [](H& h, W&) { h.missing_programs = {"conntrack"}; }},
      {"ports", Severity::error, "10250 (kubelet) is taken by k3s (pid 7)", [](H& h, W&) { h.ports = {{10250, "k3s (pid 7)"}}; }},
      {"ports", Severity::error, "2379 (etcd) is taken by an unknown program", [](H& h, W& w) { h.ports = {{2379, ""}}; w.role = "master"; }},
      {"disk", Severity::error, "/opt has 100 MiB free", [](H& h, W&) { h.free_bytes["/opt"] = std::uint64_t{100} << 20; }},
      {"disk", Severity::warning, "/var/lib has 5120 MiB free", [](H& h, W&) { h.free_bytes["/var/lib"] = std::uint64_t{5} << 30; }},
      {"clock", Severity::error, "10 minutes", [](H& h, W&) { h.clock_skew = "it differs by 10 minutes"; }},
      {"host-name", Severity::error, "localhost", [](H& h, W&) { h.host_name = "localhost"; }},
      {"host-name", Severity::error, "\"Web_1\"", [](H&, W& w) { w.node_name = "Web_1"; }},
      {"node-address", Severity::error, "no way to it", [](H& h, W&) { h.address.reset(); h.address_problem = make_error(Errc::unavailable, "no way to it"); }},
      {"node-address", Severity::error, "loopback", [](H& h, W&) { h.address = IpAddress::parse("127.0.0.1").value(); }},
      {"node-address", Severity::warning, "MTU of 1000", [](H& h, W&) { h.mtu = 1000; }},
      {"ranges", Severity::error, "10.10.4.0/24 dev tun0 overlaps the cluster's pod range", [](H& h, W&) { h.routes.push_back({Cidr::parse("10.10.4.0/24").value(), "tun0"}); }},
      {"ranges", Severity::error, "service range 10.96.0.0/16", [](H& h, W&) { h.routes.push_back({Cidr::parse("10.0.0.0/8").value(), "tun0"}); }},
      {"ranges", Severity::error, "10.10.8.0/24 via eth1 overlaps", [](H& h, W&) { h.routes.push_back({cidr("10.10.8.0/24"), "eth1", true}); }},
      {"ranges", Severity::error, "fd00:10:0:4::/64 dev tun0 overlaps the cluster's pod range fd00:10::/48", [](H& h, W&) { h.routes.push_back({cidr("fd00:10:0:4::/64"), "tun0"}); }},
      {"ranges", Severity::error, "2 more routes overlap the cluster's pod range", [](H& h, W&) { h.routes.resize(10, {cidr("10.10.4.0/24"), "tun0"}); h.routes.push_back({cidr("10.10.5.0/24"), "tun0"}); }},
      {"ranges", Severity::error, "address 10.96.0.9 lies in", [](H& h, W&) { h.address = IpAddress::parse("10.96.0.9").value(); }},
      {"reach", Severity::error, "https://10.77.0.10:7443: connection refused", [](H& h, W&) { h.unreachable = {{"https://10.77.0.10:7443", "connection refused"}}; }},
      {"reach", Severity::error, "https://10.77.0.10:7443: self-signed", [](H& h, W&) { h.untrusted = {{"https://10.77.0.10:7443", "self-signed"}}; }},
      {"foreign-software", Severity::error, "kubelet.service.d/10-kubeadm.conf", [](H& h, W&) { h.dropins = {"kubelet.service (/etc/systemd/system/kubelet.service.d/10-kubeadm.conf)"}; }},
      {"foreign-software", Severity::error, "manifests/etcd.yaml", [](H& h, W&) { h.static_pods = {"/etc/kubernetes/manifests/etcd.yaml"}; }},
      {"foreign-software", Severity::warning, "crio.service", [](H& h, W&) { h.joined = true; h.foreign_units = {"crio.service (/lib/systemd/system/crio.service)"}; }},
      {"foreign-software", Severity::warning, "10-calico.conflist", [](H& h, W&) { h.joined = true; h.cni_files = {"/etc/cni/net.d/10-calico.conflist"}; }},
      {"foreign-software", Severity::warning, "admin.conf", [](H& h, W&) { h.joined = true; h.foreign_files = {"/etc/kubernetes/admin.conf"}; }},
      {"foreign-software", Severity::error, "docker.service (/lib/systemd/system/docker.service)", [](H& h, W&) { h.foreign_units = {"docker.service (/lib/systemd/system/docker.service)"}; }},
      {"foreign-software", Severity::error, "/etc/cni/net.d/10-calico.conflist", [](H& h, W&) { h.cni_files = {"/etc/cni/net.d/10-calico.conflist"}; }},
      {"firewall", Severity::warning, "network.backend is external", [](H& h, W& w) { h.services = {"firewalld"}; w.external_network = true; }},
      {"firewall", Severity::warning, "network.acceptForward is false", [](H& h, W& w) { h.services = {"firewalld"}; w.accept_forward = false; }},
      {"network-manager", Severity::warning, "NetworkManager runs", [](H& h, W& w) { h.services = {"NetworkManager"}; w.external_network = true; }},
      {"proxy", Severity::warning, "HTTPS_PROXY", [](H& h, W&) { h.proxies = {{"HTTPS_PROXY", "http://user:secret@proxy"}}; }},
  };
  return all;
}

}  // namespace

TEST_CASE("a good host passes every check, each by its name", "[agent][preflight]") {
  const std::vector<Finding> findings = preflight(good_host(), wish());
  CHECK_FALSE(refuses(findings));
  std::vector<std::string> names;
  for (const Finding& finding : findings) {
    INFO(finding.check << ": " << finding.message);
    CHECK(finding.severity == Severity::ok);
    CHECK(finding.cure.empty());
    names.push_back(finding.check);
  }
  CHECK(names == preflight_checks());
}

TEST_CASE("each fault is found by its check, with a cure, and by no other", "[agent][preflight]") {
  std::set<std::string> spoiled;
  for (const Row& row : rows()) {
    HostObserved host = good_host();
    PreflightWish wanted = wish();
    row.spoil(host, wanted);
    const std::vector<Finding> findings = preflight(host, wanted);
    INFO(row.check << ": " << row.says);
    bool said = false;
    for (const Finding& finding : findings) {
      if (finding.severity == Severity::ok) continue;
      INFO(finding.check << ": " << finding.message);
      CHECK(finding.check == row.check);
      CHECK(finding.severity == row.severity);
      CHECK_FALSE(finding.cure.empty());
      CHECK(finding.message.find("secret") == std::string::npos);
      said = said || finding.message.find(row.says) != std::string::npos;
    }
    CHECK(said);
    CHECK(refuses(findings) == (row.severity == Severity::error));
    spoiled.insert(row.check);
  }
  for (const std::string& name : preflight_checks()) {
    INFO(name);
    CHECK(spoiled.count(name) == 1);
  }
}

TEST_CASE("errors are ignored by name, and only by a name that there is", "[agent][preflight]") {
  HostObserved host = good_host();
  host.swap = {"/dev/sda2"};
  host.root = false;
  std::vector<Finding> findings = preflight(host, wish());
  REQUIRE(ignore_findings(findings, {"swap"}));
  CHECK(refuses(findings));
  REQUIRE(ignore_findings(findings, {"swap", "root"}));
  CHECK_FALSE(refuses(findings));
  CHECK(preflight_text(preflight_report(findings)).find("ignored  swap: swap is on: /dev/sda2") != std::string::npos);
  CHECK(preflight_report(findings).ok);
  const Status unknown = ignore_findings(findings, {"swapp"});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::invalid);
  CHECK(unknown.error().message.find("host-name") != std::string::npos);
}

TEST_CASE("a node's own ports are nobody else's", "[agent][preflight]") {
  HostObserved host = good_host();
  host.ports = {{10250, "kubelet (pid 9)"}};
  host.joined = true;
  CHECK_FALSE(refuses(preflight(host, wish())));
}

namespace {

const Finding& found(const std::vector<Finding>& findings, const std::string& check) {
  const auto at = std::find_if(findings.begin(), findings.end(), [&check](const Finding& finding) { return finding.check == check; });
  REQUIRE(at != findings.end());
  return *at;
}

// All that docs say may be on a node.
HostObserved furnished_node() {
  HostObserved host = good_host();
  host.joined = true;
  host.swap = {"/dev/sda2"};
  host.kubelet = {false, "systemd"};
  host.dropins = {"kubelet.service (/etc/systemd/system/kubelet.service.d/override.conf)"};
  host.static_pods = {"/etc/kubernetes/manifests/mirror.yaml"};
  host.services = {"firewalld", "NetworkManager"};
  host.proxies = {{"NO_PROXY", "10.0.0.0/8"}};
  host.routes.push_back({cidr("10.0.0.0/8"), "eth1", true});
  return host;
}

}  // namespace

TEST_CASE("what is supported on a node is neither an error nor a warning there", "[agent][preflight]") {
  PreflightWish wanted = wish();
  HostObserved host = furnished_node();
  std::vector<std::string> shown = {"kubelet.service.d/override.conf", "mirror.yaml", "the kubelet is told to bear it"};
  SECTION("with a network of ours") { shown.insert(shown.end(), {"zone trusted", "99-slipway.conf"}); }
  SECTION("with another driver that was asked for") {
    host.kubelet.cgroup_driver = "cgroupfs";
    shown.push_back("the driver is to be cgroupfs");
  }
  SECTION("with somebody else's CNI plugin") {
    wanted.external_network = true;
    host.services.clear();
    host.cni_files = {"/etc/cni/net.d/10-calico.conflist"};
    shown.push_back("10-calico.conflist");
  }
  const std::vector<Finding> findings = preflight(host, wanted);
  for (const Finding& finding : findings) {
    INFO(finding.check << ": " << finding.message);
    CHECK(finding.severity == Severity::ok);
  }
  // It can be seen all the same.
  const std::string wide = preflight_text(preflight_report(findings), true);
  for (const std::string& part : shown) {
    INFO(wide);
    CHECK(wide.find(part) != std::string::npos);
  }
}

TEST_CASE("the cgroup driver is told with the version", "[agent][preflight]") {
  CHECK(found(preflight(good_host(), wish()), "cgroups").message == "cgroup v2, driver systemd");
  HostObserved host = good_host();
  host.cgroup_version = 1;
  host.cgroup_driver = "cgroupfs";
  CHECK(found(preflight(host, wish()), "cgroups").message == "cgroup v1, driver cgroupfs");
  // What was rendered counts more than what agent.yaml asks for, once there is a node.
  PreflightWish wanted = wish();
  wanted.cgroup_driver = "systemd";
  host.joined = true;
  host.kubelet.cgroup_driver = "cgroupfs";
  CHECK(found(preflight(host, wanted), "cgroups").severity == Severity::ok);
}

TEST_CASE("what was rendered for the kubelet is read from its files", "[agent][preflight][host]") {
  const std::string mark = "# Written by slipway-agent; changes are undone.\n";
  CHECK(kubelet_found(mark + "cgroupDriver: systemd\n", "").cgroup_driver == "systemd");
  CHECK(kubelet_found(mark + "cgroupDriver: systemd\n", "").fail_swap_on);
  CHECK_FALSE(kubelet_found(mark + "a: b\nfailSwapOn: false\n", "").fail_swap_on);
  CHECK(kubelet_found(mark + "a:\n  failSwapOn: false\n", "").fail_swap_on);
  CHECK_FALSE(kubelet_found(mark, "ExecStart=/opt/kubelet --fail-swap-on=false\n").fail_swap_on);
  CHECK(kubelet_found(mark + "failSwapOn: false\n", "ExecStart=/opt/kubelet --fail-swap-on=true\n").fail_swap_on);
  // kubeadm's.
  CHECK(kubelet_found("cgroupDriver: cgroupfs\nfailSwapOn: false\n", "").fail_swap_on);
  CHECK(kubelet_found("cgroupDriver: cgroupfs\n", "").cgroup_driver.empty());
}

TEST_CASE("the MTU is that of the device with the address", "[agent][preflight][host]") {
  CHECK(mtu_of(IpAddress::parse("127.0.0.1").value()) >= 1280);
  CHECK(mtu_of(IpAddress::parse("192.0.2.77").value()) == 0);
  if (!is_root()) {
    WARN("SKIPPED in part: needs root");
    return;
  }
  const NetNamespace network;
  run_words("ip link add slim0 type bridge");
  run_words("ip link set slim0 mtu 1400 up");
  run_words("ip addr add 10.77.0.11/24 dev slim0");
  run_words("ip addr add fd00:77::11/64 dev slim0 nodad");
  CHECK(mtu_of(IpAddress::parse("10.77.0.11").value()) == 1400);
  CHECK(mtu_of(IpAddress::parse("fd00:77::11").value()) == 1400);
  CHECK(mtu_of(IpAddress::parse("10.77.0.12").value()) == 0);
}

TEST_CASE("a host is read as it is", "[agent][preflight][host]") {
  const TempDir dir;
  const std::string root = dir / "host";
  const auto put = [&root](const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root + path).parent_path());
    put_file(root + path, text);
  };
  put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
  put("/proc/swaps", "Filename\t\t\t\tType\t\tSize\n/dev/vda3                               partition\t1048572\n");
  put("/proc/sys/net/ipv4/ip_forward", "1\n");
  put("/proc/net/tcp",
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:2808 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0\n"
      "   1: 0100007F:D431 0100007F:2808 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0 0 10 0\n");
  put("/proc/812/comm", "kubelet\n");
  fs::create_directories(root + "/proc/812/fd");
  fs::create_symlink("socket:[4711]", root + "/proc/812/fd/7");
  put("/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n");
  put("/etc/systemd/system/kubelet.service", "[Service]\nEnvironment=\"SLIPWAY_INPUTS=ab\"\n");
  put("/lib/systemd/system/kubelet.service", "[Service]\n");
  put("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", "[Service]\n");
  put("/usr/lib/systemd/system/docker.service.d/10-other.conf", "[Service]\n");
  put("/etc/kubernetes/manifests/etcd.yaml", "kind: Pod\n");
  put("/var/lib/kubelet/config.yaml", "# Written by slipway-agent; changes are undone.\ncgroupDriver: systemd\nfailSwapOn: false\n");
  put("/etc/cni/net.d/10-slipway.conflist", "{}");
  put("/etc/cni/net.d/10-calico.conflist", "{}");
  put("/etc/kubernetes/admin.conf", "x");
  fs::create_directories(root + "/sys/fs/cgroup/system.slice/firewalld.service");
  put("/etc/systemd/system.conf.d/proxy.conf", "[Manager]\nDefaultEnvironment=\"HTTPS_PROXY=http://p:3128\" \"LANG=C\"\n");

  const HostObserved host = observe_host(root);
  CHECK(host.cgroup_version == 2);
  CHECK(host.cgroup_controllers.count("memory") == 1);
  CHECK(host.swap == std::vector<std::string>{"/dev/vda3"});
  CHECK(host.sysctls.at("net/ipv4/ip_forward") == "1");
  REQUIRE(host.ports.size() == 1);
  CHECK(host.ports[0].port == 10248);
  CHECK(host.ports[0].program == "kubelet (pid 812)");
  CHECK(host.dropins == std::vector<std::string>{"kubelet.service (/etc/systemd/system/kubelet.service.d/10-kubeadm.conf)"});
  CHECK(host.foreign_units == std::vector<std::string>{"docker.service (/usr/lib/systemd/system/docker.service.d/10-other.conf)",
                                                       "docker.service (/lib/systemd/system/docker.service)"});
  CHECK(host.cni_files == std::vector<std::string>{"/etc/cni/net.d/10-calico.conflist"});
  CHECK(host.static_pods == std::vector<std::string>{"/etc/kubernetes/manifests/etcd.yaml"});
  CHECK(host.foreign_files == std::vector<std::string>{"/etc/kubernetes/admin.conf"});
  CHECK(host.kubelet.cgroup_driver == "systemd");
  CHECK_FALSE(host.kubelet.fail_swap_on);
  CHECK_FALSE(host.forwarding_locked);
  CHECK(host.services == std::set<std::string>{"firewalld"});
  CHECK(host.proxies == std::map<std::string, std::string>{{"HTTPS_PROXY", "http://p:3128"}});
  CHECK(host.missing_programs.size() == std::size(k_needed_programs));
  CHECK(host.missing_features.empty());  // no folder of modules tells nothing
  CHECK(host.free_bytes.count("/opt") == 1);

  fs::create_directories(root + "/lib/modules/" + host.kernel);
  put_file(root + "/lib/modules/" + host.kernel + "/modules.dep", "kernel/fs/overlayfs/overlay.ko:\nkernel/net/netfilter/nf_conntrack.ko.xz: x\n");
  put_file(root + "/lib/modules/" + host.kernel + "/modules.builtin", "kernel/net/netfilter/nf-nat.ko\n");
  const std::set<std::string> missing = observe_host(root).missing_features;
  CHECK(missing.count("overlay") == 0);
  CHECK(missing.count("nf_conntrack") == 0);
  CHECK(missing.count("nf_nat") == 0);
  CHECK(missing.count("br_netfilter") == 1);
}

TEST_CASE("a host that says nothing is no fault of the reader", "[agent][preflight][host]") {
  const TempDir dir;
  const HostObserved host = observe_host(dir / "nothing");
  CHECK(host.cgroup_version == 0);
  CHECK(host.ports.empty());
  CHECK(listeners_in("").empty());
  CHECK(listeners_in("a b c 0A\n x:y 0A 0A 0A").empty());
  CHECK(swaps_in("").empty());
  CHECK(proxies_in("DefaultEnvironment=\nDefaultEnvironment=noequals proxy").empty());
}
