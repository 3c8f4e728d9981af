// Somebody between the agent and what it downloads from: whatever becomes of the bytes, what can be executed is what was named by its
// digest, whole, or what was there before; and when the tricks stop, what was wanted is there.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>

#include "agent/client/http_coordinator.hpp"
#include "agent/client/mirror_source.hpp"
#include "agent/install/installer.hpp"
#include "common/core/unique_fd.hpp"
#include "common/crypto/digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "coordinator/app.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/pki.hpp"
#include "tests/support/raw_tls.hpp"
#include "tests/support/tamper_proxy.hpp"

namespace slipway::test {
namespace {

using Kind = Trick::Kind;

std::string program(const std::string& word, std::size_t size) {
  std::string text = "#!/bin/true " + word + "\n";
  for (std::size_t i = 0; text.size() < size; ++i) text += word + std::to_string(i) + ",";
  return text.substr(0, size);
}

ArtifactRef ref_of(const std::string& version, const std::string& bytes) { return {"kubelet", version, sha256_hex(bytes), bytes.size(), ArtifactFormat::file}; }

// A real coordinator that has two versions of a program.
struct Offer {
  explicit Offer(std::size_t size) : bytes{program("old", size), program("new", size)}, refs{ref_of("1.20.1", bytes[0]), ref_of("1.20.2", bytes[1])} {
    cluster.start();
    agent.accept(cluster.anonymous().send(agent.join_message(cluster.new_token())));
    Caller admin = cluster.admin();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      put_file(cluster.dir / "program", bytes[i]);
      const auto uploaded = cluster.clients.run(
          admin.client.upload(request_of(http::Method::put, "/v1/blobs/" + refs[i].sha256), cluster.dir / "program", std::chrono::seconds(10)));
      REQUIRE(uploaded);
      REQUIRE(uploaded->status == 201);
      const proto::Artifact artifact{"kubelet", refs[i].version, "file", refs[i].sha256, refs[i].size, ""};
      REQUIRE(admin.post("/v1/artifacts", proto::encode(artifact)).status == 201);
    }
  }
  std::unique_ptr<HttpCoordinator> client(IoTest& io, std::uint16_t port) {
    const std::vector<http::Endpoint> endpoints = {{"127.0.0.1", port}};
    auto made = std::make_unique<HttpCoordinator>(io.executor(), endpoints);
    const KeyPair pair{agent.certificates.at("agent"), agent.keys.at("agent").to_pem().value()};
    REQUIRE(made->use_identity(cluster.admin_cluster.ca_certificate, pair));
    return made;
  }

  ClusterFixture cluster;
  SimulatedAgent agent{"node-1", 11};
  std::array<std::string, 2> bytes;
  std::array<ArtifactRef, 2> refs;
};

// A host with one version in use, that is to have the other.
class Host {
 public:
  Host(Offer& offer, std::uint16_t coordinator_port)
      : offer_(offer),
        coordinator_(offer.client(io, coordinator_port)),
        source_({io.executor(), *coordinator_, clock, workers_, [this] { return wish; }}),
        installer_({dir_ / "opt", dir_ / "cache"}, source_, workers_) {}

  const ArtifactRef& wanted() const { return offer_.refs[1 - in_use_]; }
  const std::string& wanted_bytes() const { return offer_.bytes[1 - in_use_]; }
  void start() {
    REQUIRE(io.run(installer_.ensure(offer_.refs[in_use_])));
    check(in_use_);
  }
  // Nothing is there of the other version.
  void forget_other() {
    std::filesystem::remove(dir_ / "opt/kubelet/previous");
    std::filesystem::remove_all(dir_ / "opt/kubelet/" + wanted().version);
    std::filesystem::remove_all(dir_ / "cache");
  }
  // One try, with whatever is done to it: the wanted version is in use, or the old one as before.
  Status try_once() {
    const Result<InstallOutcome> done = io.run(installer_.ensure(wanted()));
    check(done ? 1 - in_use_ : in_use_);
    if (!done) CHECK_FALSE(path_exists(dir_ / "opt/kubelet/" + wanted().version));
    return done ? Status() : Status(done.error());
  }
  // Now it must come to be in use.
  void converge() {
    const Status done = try_once();
    CAPTURE(done);
    REQUIRE(done);
    in_use_ = 1 - in_use_;
  }
  std::string part() const { return dir_ / "cache/" + wanted().sha256 + ".part"; }

  IoTest io;
  ManualClock clock;
  MirrorWish wish;

 private:
  void check(std::size_t current) {
    const std::string root = dir_ / "opt";
    CHECK(read_link(root + "/kubelet/current").value() == offer_.refs[current].version);
    CHECK(get_file(root + "/kubelet/current/kubelet") == offer_.bytes[current]);
    CHECK(::access((root + "/kubelet/current/kubelet").c_str(), X_OK) == 0);
    // Of all that lies there, half made or not.
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (!entry.is_regular_file() || entry.is_symlink() || entry.path().filename() == ".slipway-manifest") continue;
      const std::string digest = sha256_hex(get_file(entry.path().string()));
      INFO(entry.path());
      CHECK((digest == offer_.refs[0].sha256 || digest == offer_.refs[1].sha256));
    }
    // What has come so far can be executed by nobody.
    if (path_exists(dir_ / "cache")) {
      for (const auto& entry : std::filesystem::directory_iterator(dir_ / "cache"))
        CHECK((entry.status().permissions() & std::filesystem::perms(0111)) == std::filesystem::perms::none);
    }
  }

  Offer& offer_;
  TempDir dir_{memory_folder()};
  Workers workers_{1};
  std::unique_ptr<HttpCoordinator> coordinator_;
  MirroredSource source_;
  Installer installer_;
  std::size_t in_use_ = 0;
};

// From 1 to `end` in steps that are prime to 8, so that all bits are hit.
std::vector<std::uint64_t> places(std::size_t end, std::size_t count) {
  const std::size_t step = std::max<std::size_t>(end / count, 1) | 1;
  std::vector<std::uint64_t> found;
  for (std::size_t at = 1; at < end; at += step) found.push_back(at);
  return found;
}

// What the honest connection of a download looks like; the host then has the other version.
TamperProxy::Recorded honest_download(Host& host, TamperProxy& proxy) {
  const std::size_t before = proxy.recorded().size();
  proxy.be_honest();
  host.forget_other();
  host.converge();
  return proxy.recorded(before + 1).back();
}

struct Tally {
  int refused = 0;
  int passed = 0;
};

Tally sweep(Host& host, TamperProxy& proxy, Kind kind, bool of_answers, const std::vector<std::uint64_t>& at) {
  Tally tally;
  for (const std::uint64_t place : at) {
    INFO(to_string(kind) << " at " << place << (of_answers ? " of the answers" : " of the requests"));
    host.forget_other();
    const Trick trick{kind, place};
    proxy.play(of_answers ? trick : Trick{}, of_answers ? Trick{} : trick);
    const Status tried = host.try_once();
    ++(tried ? tally.passed : tally.refused);
    proxy.be_honest();
    host.converge();
  }
  return tally;
}

TEST_CASE("over mutual TLS nobody on the way gets a byte in", "[tamper]") {
  Offer offer(64);
  TamperProxy proxy(offer.cluster.app->port());
  Host host(offer, proxy.port());
  host.start();
  const TamperProxy::Recorded honest = honest_download(host, proxy);
  REQUIRE(honest.answers.size() > 1000);
  CHECK(honest.answers.find("old") == std::string::npos);  // nothing of it in the clear
  CHECK(honest.answers.find("new") == std::string::npos);
  for (const Kind kind : {Kind::cut, Kind::flip, Kind::drop, Kind::repeat}) {
    // A signature more or less moves the end a few bytes.
    const Tally answers = sweep(host, proxy, kind, true, places(honest.answers.size() - 200, 60));
    CHECK(answers.refused >= 50);
    CHECK(answers.passed <= 2);  // a version number that everybody has to ignore (RFC 8446 section 5.1)
    const Tally requests = sweep(host, proxy, kind, false, places(honest.requests.size() - 200, 20));
    CHECK(requests.refused >= 15);
    CHECK(requests.passed <= 2);
  }
  CHECK(sweep(host, proxy, Kind::dribble, true, {0}).passed == 1);
}

TEST_CASE("a connection that is played once more says nothing to anybody", "[tamper]") {
  Offer offer(64);
  TamperProxy proxy(offer.cluster.app->port());
  Host host(offer, proxy.port());
  host.start();
  (void)honest_download(host, proxy);
  const TamperProxy::Recorded honest = honest_download(host, proxy);  // of the version that is wanted next but one
  host.forget_other();
  for (const bool same : {false, true}) {
    if (same) host.converge();
    proxy.replay(honest.answers);
    host.forget_other();
    const Status tried = host.try_once();
    REQUIRE_FALSE(tried);
    CHECK(tried.error().code != Errc::corrupt);  // TLS says it, before there are bytes of an artifact
    CHECK((!path_exists(host.part()) || get_file(host.part()).empty()));
    proxy.be_honest();
  }
  // And to the coordinator: it begins a handshake of its own, in which the old words have no place.
  const UniqueFd again(raw_connect(offer.cluster.app->port()));
  REQUIRE(::send(again.get(), honest.requests.data(), honest.requests.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(honest.requests.size()));
  std::string answers;
  std::array<char, 4096> data{};
  for (ssize_t got = 0; (got = ::recv(again.get(), data.data(), data.size(), 0)) > 0;) answers.append(data.data(), static_cast<std::size_t>(got));
  CHECK(answers.size() + 64 < honest.answers.size());
  host.converge();
}

TEST_CASE("a large download that is cut again and again goes on where it stopped", "[tamper]") {
  Offer offer(300'000);
  TamperProxy proxy(offer.cluster.app->port());
  Host host(offer, proxy.port());
  host.start();
  const TamperProxy::Recorded honest = honest_download(host, proxy);
  for (const Kind kind : {Kind::cut, Kind::flip, Kind::drop, Kind::repeat}) {
    const Tally tally = sweep(host, proxy, kind, true, places(honest.answers.size() - 1000, 8));
    CHECK(tally.passed == 0);
  }
  host.forget_other();
  proxy.play({Kind::cut, 40'000});
  std::uintmax_t have = 0;
  int tries = 0;
  while (!host.try_once()) {
    REQUIRE(++tries < 20);
    REQUIRE(std::filesystem::file_size(host.part()) > have);
    have = std::filesystem::file_size(host.part());
    CHECK(get_file(host.part()) == host.wanted_bytes().substr(0, have));
  }
  CHECK(tries >= 6);
}

// A mirror with a right certificate and wrong intentions: what is done to its answers is done inside TLS.
class EvilMirror {
 public:
  explicit EvilMirror(const Offer& offer) : offer_(offer), server_(certificate_.certificate_pem + root_.certificate_pem, certificate_.key_pem) {
    server_.answer_by([this](const std::string& request) { return RawTlsServer::Answer{answer(request)}; });
  }
  void play(Trick trick, std::string instead = {}) {
    const std::lock_guard lock(mutex_);
    trick_ = trick;
    instead_ = std::move(instead);
  }
  MirrorWish wish() const { return {{"https://127.0.0.1:" + std::to_string(server_.port()) + "/pool"}, root_.certificate_pem, {}}; }
  // The answer without tricks.
  std::string honest(const std::string& request) const {
    for (std::size_t i = 0; i < offer_.refs.size(); ++i) {
      if (!request.starts_with("GET /pool/sha256/" + offer_.refs[i].sha256 + " ")) continue;
      const std::string& bytes = offer_.bytes[i];
      const std::size_t range = request.find("bytes=");
      if (range == std::string::npos) return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes.size()) + "\r\n\r\n" + bytes;
      const std::size_t from = std::stoull(request.substr(range + 6));
      return "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(from) + "-" + std::to_string(bytes.size() - 1) + "/" +
             std::to_string(bytes.size()) + "\r\nContent-Length: " + std::to_string(bytes.size() - from) + "\r\n\r\n" + bytes.substr(from);
    }
    return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
  }

 private:
  std::string answer(const std::string& request) {
    const std::lock_guard lock(mutex_);
    return TrickedStream(trick_).pass(instead_.empty() ? honest(request) : instead_);
  }

  const Offer& offer_;
  TestCert root_ = make_root("mirrors");
  TestCert certificate_ = issue_server(root_);
  std::mutex mutex_;
  Trick trick_;
  std::string instead_;
  RawTlsServer server_;  // last: its thread calls answer()
};

std::string get_of(const ArtifactRef& artifact) { return "GET /pool/sha256/" + artifact.sha256 + " HTTP/1.1\r\n\r\n"; }

// Every place of a short answer, some of a long one.
void sweep_mirror(Host& host, EvilMirror& mirror, std::size_t count, bool coordinator_helps) {
  host.wish = mirror.wish();
  const std::size_t size = mirror.honest(get_of(host.wanted())).size();
  for (const Kind kind : {Kind::cut, Kind::flip, Kind::drop, Kind::repeat}) {
    for (const std::uint64_t place : places(size, count)) {
      INFO(to_string(kind) << " at " << place << " of " << size);
      host.forget_other();
      host.clock.advance(std::chrono::hours(2));  // a mirror that was caught is left alone for an hour
      mirror.play({kind, place});
      const Status tried = host.try_once();
      if (coordinator_helps) CHECK(tried);
      mirror.play({});
      host.clock.advance(std::chrono::hours(2));
      // Wrong bytes that nobody could tell yet are found when they are whole: once more, then.
      if (!tried && !coordinator_helps) (void)host.try_once();
      host.clock.advance(std::chrono::hours(2));
      host.converge();
    }
  }
}

TEST_CASE("what a mirror makes of bytes is told by their digest, and the coordinator has the right ones", "[tamper][mirror]") {
  Offer offer(64);
  Host host(offer, offer.cluster.app->port());
  EvilMirror mirror(offer);
  host.start();
  sweep_mirror(host, mirror, 1'000, true);
}

TEST_CASE("a mirror alone gives the right bytes or none", "[tamper][mirror]") {
  Offer offer(64);
  // The way to the coordinator is cut at once, for good.
  TamperProxy nobody(offer.cluster.app->port());
  Host host(offer, nobody.port());
  EvilMirror mirror(offer);
  host.start();
  nobody.play({Kind::cut, 0});
  sweep_mirror(host, mirror, 40, false);
}

TEST_CASE("a mirror's large answers are cut and bent too", "[tamper][mirror]") {
  Offer offer(300'000);
  Host host(offer, offer.cluster.app->port());
  EvilMirror mirror(offer);
  host.start();
  sweep_mirror(host, mirror, 9, true);
}

TEST_CASE("a mirror that plays an earlier answer, another version or more than was asked for is seen through", "[tamper][mirror]") {
  Offer offer(64);
  Host host(offer, offer.cluster.app->port());
  EvilMirror mirror(offer);
  host.start();
  host.wish = mirror.wish();
  const std::string other = mirror.honest(get_of(offer.refs[0]));  // what is in use: the same length, another digest
  const std::string body = offer.bytes[0];
  for (const std::string& answer :
       {other, "HTTP/1.1 200 OK\r\nContent-Length: 6400\r\n\r\n" + std::string(6400, 'x'), "HTTP/1.1 200 OK\r\n\r\n" + body + body, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + other,
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-63/64\r\nContent-Length: 64\r\n\r\n" + body, other + other, std::string("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")}) {
    INFO(answer.substr(0, 80));
    host.forget_other();
    host.clock.advance(std::chrono::hours(2));
    mirror.play({}, answer);
    CHECK(host.try_once());  // by the coordinator
  }
}

}  // namespace
}  // namespace slipway::test
