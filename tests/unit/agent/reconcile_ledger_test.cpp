// Nothing is changed before it is noted; copies and notices to other programs follow.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "common/crypto/private_key.hpp"
#include "tests/unit/agent/reconcile_world.hpp"

using namespace slipway;
using namespace slipway::test;

TEST_CASE("nothing is changed before it stands in the ledger", "[agent][reconcile][ledger]") {
  ReconcileWorld w;
  std::vector<Intent> noted;
  int refuse_from = 1 << 20, calls = 0;
  w.noting = [&](const std::vector<Intent>& intents) -> Status {
    if (++calls >= refuse_from) return make_error(Errc::exhausted, "no space left");
    noted.insert(noted.end(), intents.begin(), intents.end());
    return {};
  };
  w.restart_agent();
  SECTION("neither in the kernel nor on the disk") {
    refuse_from = 1;
    const PassReport report = w.pass();
    CHECK(text_of(report.problems).find("no space left") != std::string::npos);
    CHECK(w.network->applied.empty());
    CHECK_FALSE(std::filesystem::exists(w.paths.kubelet_dir));
    CHECK(w.installed.empty());
  }
  SECTION("what is known of the network does not hold up for the rest") {
    refuse_from = 2;
    CHECK_FALSE(w.pass().clean());
    CHECK_FALSE(w.network->applied.empty());
    CHECK_FALSE(std::filesystem::exists(w.paths.kubelet_dir));
    CHECK(w.units->log.empty());
    refuse_from = 1 << 20;
    CHECK(w.pass().clean());
  }
}

TEST_CASE("a setting of the host's own interface stands in the ledger before it is changed",
          "[agent][reconcile][ledger]") {
  ReconcileWorld w;
  w.network->state().links[0].v6 = LinkIpv6{false, 1, true};
  const auto own = std::find_if(w.desired.nodes.begin(), w.desired.nodes.end(), [&](const proto::PeerNode& node) {
    return node.uid == w.life->state.identity->node_uid;
  });
  REQUIRE(own != w.desired.nodes.end());
  own->second_pod_cidr = "fd00:10:3::/64";
  bool refuse = true;
  bool noted = false;
  w.noting = [&](const std::vector<Intent>& intents) -> Status {
    const bool about = std::any_of(intents.begin(), intents.end(),
                                   [](const Intent& one) { return one.name.ends_with("eth0/accept_ra"); });
    noted = noted || about;
    return about && refuse ? Status(make_error(Errc::exhausted, "no space left")) : Status();
  };
  w.restart_agent();
  CHECK_FALSE(w.pass().clean());
  CHECK(noted);
  CHECK(w.network->applied.empty());
  CHECK(w.network->state().links[0].v6->accept_ra == 1);
  refuse = false;
  CHECK(w.pass().network_ready);
  CHECK(w.network->state().links[0].v6->accept_ra == 2);
}

TEST_CASE("the ledger knows every path that a pass makes", "[agent][reconcile][ledger]") {
  ReconcileWorld w(GENERATE(as<std::string>(), "node", "master"));
  w.world.coordinator.service_account_key = std::string(PrivateKey::generate_rsa2048().value().to_pem().value().reveal());
  std::set<std::string> noted;
  w.noting = [&](const std::vector<Intent>& intents) -> Status {
    for (const Intent& intent : intents) noted.insert(intent.name);
    return {};
  };
  w.restart_agent();
  std::set<std::string> before;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(w.world.dir.path())) before.insert(entry.path());
  REQUIRE(w.pass().clean());
  std::size_t made = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(w.world.dir.path())) {
    const std::string path = entry.path();
    if (before.count(path) != 0) continue;
    ++made;
    // A folder that is made for something noted is noted with it (FileChangeLedger).
    const bool above = entry.is_directory() && std::any_of(noted.begin(), noted.end(), [&](const std::string& name) { return name.starts_with(path + "/"); });
    INFO(path);
    CHECK((noted.count(path) != 0 || above));
  }
  CHECK(made > 20);
}

TEST_CASE(
    "our CNI plugins are copied beside somebody else's, noted before, and put back when they are deleted",
    "[agent][reconcile][copies]") {
  OneFolderWorld w;
  w.copier.files[w.path("portmap")] = std::string(64, '9');  // somebody else's
  w.copier.files[w.path("calico")] = std::string(64, '8');
  const PassReport first = w.pass();
  INFO(text_of(first.problems));
  REQUIRE(first.clean());
  CHECK(w.copier.files.at(w.path("bridge")) == std::string(64, '1'));
  CHECK(w.copier.files.at(w.path("portmap")) == std::string(64, '9'));
  CHECK(w.ledger.find(ChangeKind::dir, w.paths.cni_bin_dir) != nullptr);
  CHECK(w.ledger.find(ChangeKind::copy, entry_name({w.path("bridge"), std::string(64, '1')})) != nullptr);
  CHECK(w.ledger.find(ChangeKind::copy, entry_name({w.path("portmap"), std::string(64, '2')})) == nullptr);
  REQUIRE(w.pass().changes.empty());
  w.copier.files.erase(w.path("bridge"));
  CHECK(w.pass().drifted == std::vector<std::string>{"copied a program to " + w.path("bridge")});
  CHECK(w.copier.files.count(w.path("bridge")) == 1);
}

TEST_CASE("copies of CNI plugins follow the artifact, and go when the runtime needs them no more",
          "[agent][reconcile][copies]") {
  OneFolderWorld w;
  REQUIRE(w.pass().clean());
  w.copier.installed["cni-plugins"] = {{"bridge", std::string(64, '3')}};
  REQUIRE(w.pass().clean());
  CHECK(w.copier.files == FilesThere{{w.path("bridge"), std::string(64, '3')}});
  w.copier.files[w.path("calico")] = std::string(64, '8');
  w.copier.files[w.path("host-local")] = std::string(64, '1');
  w.set_containerd("2.1.0");
  w.units->stuck.insert("containerd.service");
  (void)w.pass();
  // The one that runs looks for them still.
  CHECK(w.copier.files.count(w.path("bridge")) == 1);
  w.units->stuck.clear();
  w.world.clock.advance(std::chrono::seconds(30));
  const PassReport last = w.pass();
  INFO(text_of(last.problems));
  CHECK(last.clean());
  CHECK(w.copier.files ==
        FilesThere{{w.path("calico"), std::string(64, '8')}, {w.path("host-local"), std::string(64, '1')}});
}

TEST_CASE("no copy is made that the ledger does not know, nor of programs that are not installed",
          "[agent][reconcile][copies]") {
  OneFolderWorld w;
  SECTION("the ledger cannot be written") {
    w.noting = [&w](const std::vector<Intent>& intents) -> Status {
      for (const Intent& intent : intents)
        if (intent.kind == ChangeKind::copy) return make_error(Errc::exhausted, "no space left");
      return w.note_all(intents);
    };
    w.restart_agent();
    const PassReport report = w.pass();
    CHECK(text_of(report.problems).find("no space left") != std::string::npos);
    CHECK(w.copier.files.empty());
  }
  SECTION("the artifact is not there yet") {
    w.component("cni-plugins").artifact.reset();
    const PassReport report = w.pass();
    CHECK(report.problems.empty());
    CHECK(w.copier.files.empty());
  }
}

TEST_CASE(
    "programs that read our drop-ins are told when one was written, not again, and again until they could be",
    "[agent][reconcile][readers]") {
  ReconcileWorld w;
  w.readers.running.erase(FileReader::network_manager);
  w.readers.errors.insert_or_assign(FileReader::networkd, Error{Errc::timeout, "no answer"});
  const PassReport first = w.pass();
  CHECK(first.clean());  // nothing of the pod network depends on it
  using Asked = std::vector<FileReader>;
  CHECK(w.readers.asked == Asked{FileReader::networkd, FileReader::network_manager});
  w.readers.errors.clear();
  w.pass();
  CHECK(w.readers.rereads[FileReader::networkd] == 1);
  w.readers.asked.clear();
  w.pass();
  CHECK(w.readers.asked.empty());
  w.network->state().files.erase(NetworkFile::network_manager);
  w.pass();
  CHECK(w.readers.asked == Asked{FileReader::network_manager});
  // udev and the start of networkd see theirs by themselves.
  w.readers.asked.clear();
  w.network->state().files.erase(NetworkFile::udev_link);
  w.network->state().files.erase(NetworkFile::networkd_routes);
  w.pass();
  CHECK(w.readers.asked.empty());
}
