#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/domain/reset_plan.hpp"
#include "agent/host/host_objects.hpp"

using namespace slipway;

namespace {

struct World {
  std::vector<Change> changes;
  ResetSeen seen;

  World& add(Change change, EntrySeen entry) {
    changes.push_back(std::move(change));
    seen.of.push_back(std::move(entry));
    return *this;
  }
  World& made(ChangeKind kind, const std::string& name, const std::string& wanted = "") { return add({kind, name, wanted}, there()); }
  static EntrySeen there(const std::string& value = "") {
    EntrySeen entry;
    entry.there = true;
    entry.value = value;
    return entry;
  }
  ResetPlan plan() const { return plan_reset(changes, seen); }
  std::vector<std::string> steps() const {
    std::vector<std::string> all;
    for (const ResetStep& step : plan().steps) all.push_back(describe(step));
    return all;
  }
  std::vector<std::string> left() const {
    std::vector<std::string> all;
    for (const Leftover& leftover : plan().leftovers) all.push_back(leftover.name);
    return all;
  }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a reset stops what runs before it takes away what that stands on", "[agent][reset]") {
  World w;
  w.made(ChangeKind::sysctl, "net/ipv4/ip_forward", "1");
  w.changes.back().former = Former::kept;
  w.changes.back().value = "0";
  w.seen.of.back().value = "1";
  w.made(ChangeKind::routes, "77").made(ChangeKind::table, "slipway").made(ChangeKind::chains, "KUBE-").made(ChangeKind::device, "cni0");
  w.made(ChangeKind::programs, "/opt/slipway").made(ChangeKind::tree, "/opt/slipway").made(ChangeKind::tree, "/var/lib/docker");
  w.made(ChangeKind::dir, "/etc/docker").made(ChangeKind::file, "/etc/docker/daemon.json");
  w.made(ChangeKind::unit, "docker.service", "/etc/systemd/system/docker.service").made(ChangeKind::file, "/etc/systemd/system/docker.service");
  w.made(ChangeKind::unit, "kubelet.service", "/etc/systemd/system/kubelet.service").made(ChangeKind::cgroup, "kubepods").made(ChangeKind::module, "br_netfilter");
  w.seen.mounts = {"/", "/var/lib/docker/overlay2/a/merged", "/proc", "/var/lib/docker/containers/b/mounts/shm"};
  CHECK(w.left().empty());
  CHECK(w.steps() == Texts{"stop kubelet.service", "stop docker.service", "end the processes of the programs below /opt/slipway",
                           "remove the control group kubepods with the processes in it", "unmount /var/lib/docker/overlay2/a/merged",
                           "unmount /var/lib/docker/containers/b/mounts/shm", "remove the network device cni0", "remove the iptables chains KUBE-*",
                           "remove the packet filter table ip slipway", "remove the routes of protocol 77", "remove the file /etc/systemd/system/docker.service",
                           "remove the file /etc/docker/daemon.json", "have systemd read its units again", "set net/ipv4/ip_forward back to 0",
                           "unload the kernel module br_netfilter", "remove /var/lib/docker with all that is in it",
                           "remove /opt/slipway with all that is in it", "remove the folder /etc/docker when it is empty"});
}

TEST_CASE("what is gone already gives no step", "[agent][reset]") {
  World w;
  w.add({ChangeKind::file, "/etc/a/b"}, {}).add({ChangeKind::tree, "/var/lib/x"}, {}).add({ChangeKind::unit, "a.service"}, {});
  CHECK(w.plan().empty());
  CHECK(World().plan().empty());
}

TEST_CASE("what was there before us stays or comes back", "[agent][reset]") {
  struct Row {
    Change change;
    EntrySeen seen;
    Texts steps;
    bool left;
  };
  EntrySeen same = World::there();
  same.same_as_kept = true;
  EntrySeen other = World::there();
  other.other_kind = true;
  const Change kept{ChangeKind::file, "/etc/docker/daemon.json", "", Former::kept, "00"};
  const std::vector<Row> rows = {
      {{ChangeKind::dir, "/etc/cni", "", Former::found}, World::there(), {}, false},
      {{ChangeKind::tree, "/var/lib/docker", "", Former::found}, World::there(), {}, false},
      {kept, World::there(), {"put back what was before ours: /etc/docker/daemon.json"}, false},
      {kept, same, {}, false},
      {kept, other, {}, true},
      {{ChangeKind::file, "/etc/a/b", "", Former::link, "c"}, World::there(), {"let /etc/a/b lead to c again"}, false},
      {{ChangeKind::link, "/etc/a/b", "/x/y", Former::kept, "/old"}, World::there("/x/y"), {"let /etc/a/b lead to /old again"}, false},
      {{ChangeKind::link, "/etc/a/b", "/x/y", Former::kept, "/old"}, World::there("/old"), {}, false},
      {{ChangeKind::link, "/etc/a/b", "/x/y"}, World::there("/x/y"), {"remove the link /etc/a/b"}, false},
      {{ChangeKind::link, "/etc/a/b", "/x/y"}, World::there("/somebody/else"), {}, true},
      {{ChangeKind::file, "/etc/a/b"}, other, {}, true},
      {{ChangeKind::tree, "/var/lib/docker", "", Former::empty}, World::there(), {"empty /var/lib/docker, as it was before us"}, false},
      {{ChangeKind::device, "cni0", "", Former::found}, World::there(), {}, false},
      {{ChangeKind::chains, "KUBE-", "", Former::found}, World::there(), {}, false},
      {{ChangeKind::module, "br_netfilter", "", Former::found}, World::there(), {}, false},
      {{ChangeKind::tree, "/var/lib/docker", "", Former::unsure}, World::there(), {}, true},
      {{ChangeKind::tree, "/opt/slipway", "", Former::presumed}, World::there(), {"remove /opt/slipway with all that is in it"}, false},
  };
  for (const Row& row : rows) {
    World w;
    w.add(row.change, row.seen);
    INFO(describe(row.change.kind, row.change.name) << " " << to_string(row.change.former));
    CHECK(w.steps() == row.steps);
    CHECK(w.left().size() == (row.left ? 1 : 0));
  }
}

TEST_CASE("a sysctl goes back only from the value that we gave it", "[agent][reset]") {
  World w;
  const Change change{ChangeKind::sysctl, "kernel/panic", "10", Former::kept, "0"};
  w.add(change, World::there("10"));
  CHECK(w.steps() == Texts{"set kernel/panic back to 0"});
  w.seen.of[0].value = "5";  // somebody's, since
  CHECK(w.plan().empty());
  w.seen.of[0].value = "0";
  CHECK(w.plan().empty());
  w.changes[0].wanted.clear();  // what the program would set is not known beforehand
  w.seen.of[0].value = "5";
  CHECK(w.steps() == Texts{"set kernel/panic back to 0"});
  w.changes[0] = {ChangeKind::sysctl, "kernel/panic", "10", Former::unsure, ""};
  w.seen.of[0].value = "10";
  CHECK(w.steps().empty());
  CHECK(w.left() == Texts{"kernel/panic"});
}

TEST_CASE("a unit that somebody else brought under that name is left running", "[agent][reset]") {
  World w;
  w.add({ChangeKind::unit, "docker.service", "/etc/systemd/system/docker.service"}, World::there("/lib/systemd/system/docker.service"));
  CHECK(w.plan().empty());
}

TEST_CASE("nothing behind a foreign mount is removed", "[agent][reset]") {
  World w;
  w.made(ChangeKind::tree, "/var/lib/kubelet").made(ChangeKind::tree, "/var/lib/kubelet/inner").made(ChangeKind::tree, "/var/lib/docker");
  w.seen.mounts = {"/var/lib/kubelet/pods/u/volumes/kubernetes.io~nfs/data", "/var/lib/kubelet/backup", "/var/lib/dockerized", "/var/lib/docker/containers/x"};
  CHECK(w.left() == Texts{"/var/lib/kubelet"});
  CHECK(w.steps() == Texts{"unmount /var/lib/kubelet/pods/u/volumes/kubernetes.io~nfs/data", "unmount /var/lib/docker/containers/x",
                           "remove /var/lib/docker with all that is in it", "remove /var/lib/kubelet/inner with all that is in it"});
  // The tree itself on a disk of its own.
  World disk;
  disk.made(ChangeKind::tree, "/var/lib/docker");
  disk.seen.mounts = {"/var/lib/docker"};
  CHECK(disk.steps().empty());
  CHECK(disk.left() == Texts{"/var/lib/docker"});
  // Or an empty disk, which was there before us: what our containers have put there goes, the disk stays.
  World empty;
  empty.add({ChangeKind::tree, "/var/lib/docker", "", Former::empty}, World::there());
  empty.seen.mounts = {"/var/lib/docker", "/var/lib/docker/overlay2/a/merged"};
  CHECK(empty.left().empty());
  CHECK(empty.steps() == Texts{"unmount /var/lib/docker/overlay2/a/merged", "empty /var/lib/docker, as it was before us"});
  // The tree bound to itself.
  disk.seen.self_mounts = {"/var/lib/docker"};
  CHECK(disk.left().empty());
  CHECK(disk.steps() == Texts{"unmount /var/lib/docker", "remove /var/lib/docker with all that is in it"});
}

TEST_CASE("what containerd has mounted goes before what it is mounted on, and pods' namespaces with it", "[agent][reset]") {
  World w;
  w.made(ChangeKind::tree, "/var/lib/containerd").made(ChangeKind::tree, "/run/containerd").made(ChangeKind::device, "cni0");
  EntrySeen two = World::there();
  two.more = {"cni-1", "cni-2"};
  w.add({ChangeKind::namespaces, "/run/netns/cni-"}, two).made(ChangeKind::table, "ip6 kube-proxy").made(ChangeKind::programs, "/opt/slipway");
  w.seen.mounts = {"/run/containerd/io.containerd.runtime.v2.task/k8s.io/a/rootfs", "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/b/shm",
                   "/run/netns/cni-1", "/run/netns/mine", "/var/lib/containerd/tmpmounts/containerd-mount1"};
  CHECK(w.left().empty());
  CHECK(w.steps() == Texts{"end the processes of the programs below /opt/slipway", "unmount /var/lib/containerd/tmpmounts/containerd-mount1",
                           "unmount /run/containerd/io.containerd.runtime.v2.task/k8s.io/a/rootfs",
                           "unmount /run/containerd/io.containerd.grpc.v1.cri/sandboxes/b/shm", "remove the network device cni0",
                           "remove the packet filter table ip6 kube-proxy", "remove the pods' network namespaces /run/netns/cni-*: cni-1, cni-2",
                           "remove /run/containerd with all that is in it", "remove /var/lib/containerd with all that is in it"});
  // Somebody else had such ones before us.
  w.changes[3].former = Former::found;
  const ResetPlan plan = w.plan();
  CHECK(std::none_of(plan.steps.begin(), plan.steps.end(), [](const ResetStep& step) { return step.action == ResetAction::remove_namespaces; }));
}

TEST_CASE("a folder that is bound to its own place is told from another's data", "[agent][reset]") {
  const std::string table =
      "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "30 22 8:1 /var/lib/docker /var/lib/docker rw shared:5 - ext4 /dev/sda1 rw\n"
      "31 22 8:1 /srv/data /var/lib/kubelet rw - ext4 /dev/sda1 rw\n"
      "32 22 8:2 / /data rw - ext4 /dev/sdb1 rw\n"
      "33 32 8:2 /x\\040y /data/x\\040y rw - ext4 /dev/sdb1 rw\n"
      "34 22 8:3 / /var/lib/etcd rw - ext4 /dev/sdc1 rw\n"
      "short line\n";
  std::vector<std::pair<std::string, bool>> found;
  for (const MountPoint& mount : mounts_in(table)) found.emplace_back(mount.path, mount.itself);
  CHECK(found == std::vector<std::pair<std::string, bool>>{
                     {"/", false}, {"/var/lib/docker", true}, {"/var/lib/kubelet", false}, {"/data", false}, {"/data/x y", true}, {"/var/lib/etcd", false}});
}

TEST_CASE("files within a tree of ours go with it, those of a tree that stays by themselves", "[agent][reset]") {
  World w;
  w.made(ChangeKind::tree, "/var/lib/kubelet").made(ChangeKind::dir, "/var/lib/kubelet/pki").made(ChangeKind::file, "/var/lib/kubelet/config.yaml");
  CHECK(w.steps() == Texts{"remove /var/lib/kubelet with all that is in it"});
  w.made(ChangeKind::dir, "/var/lib/kubelet");
  CHECK(w.steps() == Texts{"remove /var/lib/kubelet with all that is in it"});
  w.changes.pop_back();
  w.seen.of.pop_back();
  w.changes[0].former = Former::found;
  CHECK(w.steps() == Texts{"remove the file /var/lib/kubelet/config.yaml", "remove the folder /var/lib/kubelet/pki when it is empty"});
}

TEST_CASE("folders go from the deepest up", "[agent][reset]") {
  World w;
  w.made(ChangeKind::dir, "/etc/cni").made(ChangeKind::dir, "/etc/cni/net.d").made(ChangeKind::dir, "/etc/kubernetes");
  CHECK(w.steps() == Texts{"remove the folder /etc/kubernetes when it is empty", "remove the folder /etc/cni/net.d when it is empty",
                           "remove the folder /etc/cni when it is empty"});
}

TEST_CASE("an entry of the ledger names nothing that could not be ours", "[agent][reset]") {
  const auto ok = [](ChangeKind kind, const std::string& name) { return check_change({kind, name}).has_value(); };
  for (const char* name : {"/etc/docker/daemon.json", "/var/lib/docker", "/run/docker.sock"}) CHECK(ok(ChangeKind::tree, name));
  for (const char* name : {"", "/", "/etc", "etc/docker", "/etc/../root", "/etc//x", "/etc/./x", "/etc/x/", "/etc/a\nb"}) CHECK_FALSE(ok(ChangeKind::tree, name));
  CHECK(ok(ChangeKind::sysctl, "net/ipv4/ip_forward"));
  CHECK_FALSE(ok(ChangeKind::sysctl, "../../etc/passwd"));
  CHECK_FALSE(ok(ChangeKind::sysctl, "/etc/passwd"));
  CHECK_FALSE(ok(ChangeKind::device, "a/b"));
  CHECK_FALSE(ok(ChangeKind::chains, "-F"));
  CHECK_FALSE(ok(ChangeKind::cgroup, ".."));
  for (const char* name : {"slipway", "ip6 slipway", "ip kube-proxy", "ip6 cni_hostport"}) CHECK(ok(ChangeKind::table, name));
  // They become words of a command.
  for (const char* name : {"ip ", "bridge filter", "ip x y", "ip x; flush ruleset", "ip x\"", "ip x{", "ip X"}) CHECK_FALSE(ok(ChangeKind::table, name));
  CHECK(ok(ChangeKind::namespaces, "/run/netns/cni-"));
  CHECK_FALSE(ok(ChangeKind::namespaces, "cni-"));
}

TEST_CASE("of two entries for one thing the first holds", "[agent][reset]") {
  Ledger ledger;
  CHECK(ledger.add({ChangeKind::file, "/etc/a/b", "", Former::kept, "x"}));
  CHECK_FALSE(ledger.add({ChangeKind::file, "/etc/a/b", "", Former::absent, ""}));
  CHECK(ledger.find(ChangeKind::file, "/etc/a/b")->former == Former::kept);
  CHECK(ledger.find(ChangeKind::dir, "/etc/a/b") == nullptr);
  const auto news = ledger.news({{ChangeKind::file, "/etc/a/b"}, {ChangeKind::file, "/etc/a/c"}, {ChangeKind::file, "/etc/a/c"}});
  REQUIRE(news.size() == 1);
  CHECK(news[0].name == "/etc/a/c");
}

TEST_CASE("words of the ledger file are read back", "[agent][reset]") {
  for (const char* word : {"file", "link", "dir", "tree", "unit", "sysctl", "module", "routes", "table", "chains", "device", "cgroup", "programs", "copy", "namespaces"}) {
    REQUIRE(change_kind_of(word));
    CHECK(to_string(*change_kind_of(word)) == word);
  }
  for (const char* word : {"absent", "found", "kept", "empty", "link", "presumed", "unsure"}) {
    REQUIRE(former_of(word));
    CHECK(to_string(*former_of(word)) == word);
  }
  CHECK_FALSE(change_kind_of("filet"));
  CHECK_FALSE(former_of(""));
}
