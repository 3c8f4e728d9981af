// The ArtifactSource port: the same cases against the fake that other tests use, and against the adapter,
// with a server that does as it is told and with the real coordinator. What only several servers or a bad one
// can show stands at the end.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>

#include "agent/client/http_coordinator.hpp"
#include "agent/client/mirror_source.hpp"
#include "common/crypto/digest.hpp"
#include "coordinator/app.hpp"
#include "tests/support/cancelable.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/fake_artifact_source.hpp"
#include "tests/support/https_fixture.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

// No two parts of it are alike.
std::string content(std::size_t size = 200'000) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
  text.resize(size);
  return text;
}

ArtifactRef ref_of(const std::string& bytes) {
  return {"kubelet", "1.20.2", sha256_hex(bytes), bytes.size(), ArtifactFormat::file};
}

// A server of one artifact, over real TLS, with habits.
struct Habits {
  std::string bytes;
  std::size_t stop_after = SIZE_MAX;  // of each answer
  bool stall = false;
  bool knows_ranges = true;
  bool shortens = false;      // an honest Content-Length of what is sent, instead of breaking off
  std::string content_range;  // instead of the true one
  std::string pretends;       // the digest that it has the bytes under, instead of their own
};

class Mirror {
 public:
  // Content stands at `before` + digest + `behind`.
  explicit Mirror(const TestPki& pki, std::string before = "/v1/artifacts/", std::string behind = "/content")
      : before_(std::move(before)),
        behind_(std::move(behind)),
        server_(pki.server.certificate_pem + pki.root.certificate_pem, pki.server.key_pem) {
    server_.answer_by([this](const std::string& request) { return answer(request); });
  }
  http::Endpoint endpoint() const { return {"127.0.0.1", server_.port()}; }
  void stop() { server_.stop(); }
  std::vector<std::uint64_t> offsets() {
    const std::lock_guard lock(mutex_);
    return offsets_;
  }
  void change(const std::function<void(Habits&)>& how) {
    const std::lock_guard lock(mutex_);
    how(habits_);
  }

 private:
  RawTlsServer::Answer answer(const std::string& request) {
    const std::lock_guard lock(mutex_);
    const std::string& bytes = habits_.bytes;
    if (!request.starts_with("GET " + before_ + (habits_.pretends.empty() ? sha256_hex(bytes) : habits_.pretends) + behind_ + " "))
      return {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
    const std::size_t range = request.find("bytes=");
    const std::uint64_t from = range == std::string::npos ? 0 : std::stoull(request.substr(range + 6));
    offsets_.push_back(from);
    const bool part = range != std::string::npos && habits_.knows_ranges;
    const std::string body = part ? bytes.substr(from) : bytes;
    const std::string sent = body.substr(0, habits_.stop_after);
    std::string head = part ? "HTTP/1.1 206 Partial Content\r\nContent-Range: " + content_range(from) + "\r\n"
                            : "HTTP/1.1 200 OK\r\n";
    head += "Content-Length: " + std::to_string(habits_.shortens ? sent.size() : body.size()) + "\r\n\r\n";
    return {head + sent, habits_.stall};
  }
  std::string content_range(std::uint64_t from) const {
    if (!habits_.content_range.empty()) return habits_.content_range;
    const std::size_t size = habits_.bytes.size();
    return "bytes " + std::to_string(from) + "-" + std::to_string(size - 1) + "/" + std::to_string(size);
  }

  const std::string before_;
  const std::string behind_;
  std::mutex mutex_;
  Habits habits_;
  std::vector<std::uint64_t> offsets_;
  RawTlsServer server_;  // last: its thread calls answer()
};

struct FakeRig {
  IoTest io;
  FakeArtifactSource fake;
  ArtifactSource& source() { return fake; }
  void offer(const std::string& bytes) { fake.bytes[sha256_hex(bytes)] = bytes; }
  void break_after(std::size_t size) { fake.stop_after = size; }
  void stall_after(std::size_t size) {
    fake.stop_after = size;
    fake.stall = true;
  }
  std::optional<std::vector<std::uint64_t>> offsets() { return fake.offsets; }
};

void identify(HttpCoordinator& adapter, const TestPki& pki) {
  const KeyPair pair{pki.client.certificate_pem, Secret(pki.client.key_pem)};
  REQUIRE(adapter.use_identity(pki.root.certificate_pem, pair));
}

struct MirrorRig {
  TestPki pki;
  Mirror mirror{pki};
  IoTest io;
  HttpCoordinator adapter{io.executor(), {mirror.endpoint()}};
  MirrorRig() { identify(adapter, pki); }
  ArtifactSource& source() { return adapter; }
  void offer(const std::string& bytes) {
    mirror.change([&bytes](Habits& habits) { habits.bytes = bytes; });
  }
  void break_after(std::size_t size) {
    mirror.change([size](Habits& habits) { habits.stop_after = size; });
  }
  void stall_after(std::size_t size) {
    break_after(size);
    mirror.change([](Habits& habits) { habits.stall = true; });
  }
  std::optional<std::vector<std::uint64_t>> offsets() { return mirror.offsets(); }
};

http::BaseUrl url_of(const Mirror& mirror) { return {mirror.endpoint(), "/pool/a"}; }

// A web server that keeps content by digest.
struct WebMirrorRig {
  TestPki pki;
  Mirror mirror{pki, "/pool/a/sha256/", ""};
  IoTest io;
  MirrorSource adapter{io.executor(), url_of(mirror), must(http::TlsClientContext::make(pki.root.certificate_pem, nullptr))};
  ArtifactSource& source() { return adapter; }
  void offer(const std::string& bytes) {
    mirror.change([&bytes](Habits& habits) { habits.bytes = bytes; });
  }
  void break_after(std::size_t size) {
    mirror.change([size](Habits& habits) { habits.stop_after = size; });
  }
  void stall_after(std::size_t size) {
    break_after(size);
    mirror.change([](Habits& habits) { habits.stall = true; });
  }
  std::optional<std::vector<std::uint64_t>> offsets() { return mirror.offsets(); }
};

// Mirrors before a coordinator.
struct MirroredRig {
  TestPki pki;
  Mirror first{pki, "/pool/a/sha256/", ""};
  Mirror second{pki, "/pool/a/sha256/", ""};
  IoTest io;
  ManualClock clock;
  Workers workers{1};
  FakeArtifactSource coordinator;
  MirroredSource adapter{{io.executor(), coordinator, clock, workers, [this] { return wish(); }}};
  std::string ca = pki.root.certificate_pem;
  ArtifactSource& source() { return adapter; }
  MirrorWish wish() const { return {{url(first), url(second)}, ca, {}}; }
  static std::string url(const Mirror& mirror) { return "https://127.0.0.1:" + std::to_string(mirror.endpoint().port) + "/pool/a/"; }
  void offer(const std::string& bytes) {
    for (Mirror* mirror : {&first, &second}) mirror->change([&bytes](Habits& habits) { habits.bytes = bytes; });
    coordinator.bytes[sha256_hex(bytes)] = bytes;
  }
  // Other bytes of the same length, under the digest of `bytes`.
  static void poison(Mirror& mirror, const std::string& bytes) {
    mirror.change([&bytes](Habits& habits) {
      habits.bytes = bytes;
      habits.bytes[bytes.size() / 2] ^= 1;
      habits.pretends = sha256_hex(bytes);
    });
  }
};

struct CoordinatorRig {
  ClusterFixture cluster;
  IoTest io;
  std::unique_ptr<HttpCoordinator> adapter;
  CoordinatorRig() {
    cluster.start();
    SimulatedAgent agent("node-1", 11);
    Caller caller = cluster.anonymous();
    agent.accept(caller.send(agent.join_message(cluster.new_token())));
    const std::vector<http::Endpoint> endpoints = {{"127.0.0.1", cluster.app->port()}};
    adapter = std::make_unique<HttpCoordinator>(io.executor(), endpoints);
    const KeyPair pair{agent.certificates.at("agent"), agent.keys.at("agent").to_pem().value()};
    REQUIRE(adapter->use_identity(cluster.admin_cluster.ca_certificate, pair));
  }
  ArtifactSource& source() { return *adapter; }
  void offer(const std::string& bytes) {
    put_file(cluster.dir / "program", bytes);
    Caller admin = cluster.admin();
    const std::string sha = sha256_hex(bytes);
    const auto uploaded =
        cluster.clients.run(admin.client.upload(request_of(http::Method::put, "/v1/blobs/" + sha),
                                                cluster.dir / "program", std::chrono::seconds(10)));
    REQUIRE(uploaded);
    REQUIRE(uploaded->status == 201);
    const proto::Artifact artifact{"kubelet", "1.20.2", "file", sha, bytes.size(), ""};
    REQUIRE(admin.post("/v1/artifacts", proto::encode(artifact)).status == 201);
  }
  std::optional<std::vector<std::uint64_t>> offsets() { return std::nullopt; }  // it does not tell
};

template <class Rig>
Status fetch(Rig& rig, const ArtifactRef& artifact, const std::string& path) {
  return rig.io.run(rig.source().fetch(artifact, path));
}

Errc code_of(const Status& status) {
  REQUIRE_FALSE(status);
  CAPTURE(status.error().message);
  return status.error().code;
}

#define EACH_SOURCE FakeRig, MirrorRig, WebMirrorRig, CoordinatorRig
#define EACH_SOURCE_THAT_CAN_FAIL FakeRig, MirrorRig, WebMirrorRig

TEMPLATE_TEST_CASE("an artifact comes whole into a private file", "[artifact-source]", EACH_SOURCE) {
  TestType rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  const Status fetched = fetch(rig, ref_of(bytes), dir / "part");
  INFO(fetched);
  REQUIRE(fetched);
  CHECK(get_file(dir / "part") == bytes);
  struct stat info {};
  REQUIRE(::stat((dir / "part").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  // Complete: nothing is asked for.
  CHECK(fetch(rig, ref_of(bytes), dir / "part"));
  if (const auto offsets = rig.offsets()) CHECK(*offsets == std::vector<std::uint64_t>{0});
}

TEMPLATE_TEST_CASE("what is there already is neither asked for nor touched", "[artifact-source]",
                   EACH_SOURCE) {
  TestType rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  const std::string mark(70'001, '#');  // no part of the artifact: shows who overwrites it
  put_file(dir / "part", mark);
  REQUIRE(fetch(rig, ref_of(bytes), dir / "part"));
  CHECK(get_file(dir / "part") == mark + bytes.substr(mark.size()));
  if (const auto offsets = rig.offsets()) CHECK(*offsets == std::vector<std::uint64_t>{mark.size()});
}

TEMPLATE_TEST_CASE("a file longer than the artifact was another one's and goes", "[artifact-source]",
                   EACH_SOURCE) {
  TestType rig;
  const TempDir dir;
  const std::string bytes = content(1000);
  rig.offer(bytes);
  put_file(dir / "part", std::string(1001, '#'));
  REQUIRE(fetch(rig, ref_of(bytes), dir / "part"));
  CHECK(get_file(dir / "part") == bytes);
}

TEMPLATE_TEST_CASE("an artifact that the source has not is not found, and the file stays",
                   "[artifact-source]", EACH_SOURCE) {
  TestType rig;
  const TempDir dir;
  rig.offer(content(1000));
  put_file(dir / "part", "begun");
  const std::string other = content(2000);
  CHECK(code_of(fetch(rig, ref_of(other), dir / "part")) == Errc::not_found);
  CHECK(get_file(dir / "part") == "begun");
}

TEMPLATE_TEST_CASE("more bytes than the artifact has are never written", "[artifact-source]", EACH_SOURCE) {
  TestType rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  ArtifactRef artifact = ref_of(bytes);
  artifact.size -= 10;
  SECTION("into a new file") {}
  SECTION("behind what is there") {
    put_file(dir / "part", bytes.substr(0, artifact.size - 10));
  }
  CHECK(code_of(fetch(rig, artifact, dir / "part")) == Errc::corrupt);
  const std::string got = get_file(dir / "part");
  CHECK(got.size() <= artifact.size);
  CHECK(got == bytes.substr(0, got.size()));
}

TEMPLATE_TEST_CASE("an answer that breaks off leaves what arrived, and the next goes on there",
                   "[artifact-source]", EACH_SOURCE_THAT_CAN_FAIL) {
  TestType rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  rig.break_after(120'000);
  CHECK(code_of(fetch(rig, ref_of(bytes), dir / "part")) == Errc::unavailable);
  CHECK(get_file(dir / "part") == bytes.substr(0, 120'000));
  REQUIRE(fetch(rig, ref_of(bytes), dir / "part"));
  CHECK(get_file(dir / "part") == bytes);
  CHECK(*rig.offsets() == std::vector<std::uint64_t>{0, 120'000});
}

TEMPLATE_TEST_CASE("a fetch that is canceled leaves what arrived", "[artifact-source]",
                   EACH_SOURCE_THAT_CAN_FAIL) {
  TestType rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  rig.stall_after(5000);
  Cancelable<void> fetching(rig.io, rig.source().fetch(ref_of(bytes), dir / "part"));
  poll_until(rig.io, [&dir] { return get_file(dir / "part").size() == 5000; });
  CHECK_FALSE(fetching.ended());
  CHECK(code_of(fetching.cancel()) == Errc::canceled);
  CHECK(get_file(dir / "part") == bytes.substr(0, 5000));
}

struct TwoMirrors {
  TestPki pki;
  Mirror first{pki};
  Mirror second{pki};
  IoTest io;
  HttpCoordinator adapter{io.executor(), {first.endpoint(), second.endpoint()}};
  TempDir dir;
  std::string bytes = content();
  TwoMirrors() {
    identify(adapter, pki);
    for (Mirror* mirror : {&first, &second}) mirror->change([this](Habits& habits) { habits.bytes = bytes; });
  }
  Status fetch() { return io.run(adapter.fetch(ref_of(bytes), dir / "part")); }
};

TEST_CASE("the second coordinator is asked when the first is away", "[artifact-source]") {
  TwoMirrors two;
  two.first.stop();
  REQUIRE(two.fetch());
  CHECK(get_file(two.dir / "part") == two.bytes);
  CHECK(two.second.offsets() == std::vector<std::uint64_t>{0});
}

TEST_CASE("the second coordinator goes on where the first broke off", "[artifact-source]") {
  TwoMirrors two;
  bool shortens = false;
  SECTION("by closing the connection") {}
  SECTION("with an answer that is too short") {
    shortens = true;
  }
  two.first.change([shortens](Habits& habits) {
    habits.stop_after = 90'000;
    habits.shortens = shortens;
  });
  REQUIRE(two.fetch());
  CHECK(get_file(two.dir / "part") == two.bytes);
  CHECK(two.first.offsets() == std::vector<std::uint64_t>{0});
  CHECK(two.second.offsets() == std::vector<std::uint64_t>{90'000});
}

TEST_CASE("an artifact that only the second coordinator has is fetched there", "[artifact-source]") {
  TwoMirrors two;
  two.first.change([](Habits& habits) { habits.bytes = "something else"; });
  REQUIRE(two.fetch());
  CHECK(get_file(two.dir / "part") == two.bytes);
  // The one that had it is asked first from now on.
  std::filesystem::remove(two.dir / "part");
  two.first.stop();
  REQUIRE(two.fetch());
  CHECK(two.second.offsets() == std::vector<std::uint64_t>{0, 0});
}

TEST_CASE("a server that knows no ranges sends the whole, and what is there stays", "[artifact-source]") {
  MirrorRig rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  rig.mirror.change([](Habits& habits) { habits.knows_ranges = false; });
  const std::string mark(70'001, '#');
  put_file(dir / "part", mark);
  SECTION("at once") {
    REQUIRE(fetch(rig, ref_of(bytes), dir / "part"));
  }
  SECTION("after breaking off before and behind it") {
    for (const std::size_t size : {50'000, 100'000}) {
      rig.break_after(size);
      CHECK(code_of(fetch(rig, ref_of(bytes), dir / "part")) == Errc::unavailable);
      CHECK(get_file(dir / "part").size() == std::max(size, mark.size()));
    }
    rig.break_after(SIZE_MAX);
    REQUIRE(fetch(rig, ref_of(bytes), dir / "part"));
  }
  CHECK(get_file(dir / "part") == mark + bytes.substr(mark.size()));
}

TEST_CASE("another part than was asked for is not taken", "[artifact-source]") {
  MirrorRig rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  const std::string range = GENERATE("bytes 0-199999/200000", "bytes 50-199999/200000", "nonsense");
  rig.mirror.change([&range](Habits& habits) { habits.content_range = range; });
  put_file(dir / "part", "begun");
  CHECK(code_of(fetch(rig, ref_of(bytes), dir / "part")) == Errc::corrupt);
  CHECK(get_file(dir / "part") == "begun");
}

TEST_CASE("mirrors come before the coordinator, one after the other", "[artifact-source][mirror]") {
  MirroredRig rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  REQUIRE(fetch(rig, ref_of(bytes), dir / "a"));
  CHECK(get_file(dir / "a") == bytes);
  CHECK(rig.second.offsets().empty());
  CHECK(rig.coordinator.offsets.empty());
  // The second goes on where the first broke off; the first is left alone for a while then.
  rig.first.change([](Habits& habits) { habits.stop_after = 1000; });
  REQUIRE(fetch(rig, ref_of(bytes), dir / "b"));
  CHECK(get_file(dir / "b") == bytes);
  CHECK(rig.second.offsets().size() == 1);
  CHECK(rig.second.offsets().front() > 0);
  rig.first.stop();
  rig.second.stop();
  REQUIRE(fetch(rig, ref_of(bytes), dir / "c"));
  CHECK(get_file(dir / "c") == bytes);
  CHECK(rig.coordinator.offsets == std::vector<std::uint64_t>{0});
}

TEST_CASE("wrong bytes of a mirror are thrown away, and the mirror is left alone for an hour", "[artifact-source][mirror]") {
  MirroredRig rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  MirroredRig::poison(rig.first, bytes);
  MirroredRig::poison(rig.second, bytes);
  REQUIRE(fetch(rig, ref_of(bytes), dir / "a"));
  CHECK(get_file(dir / "a") == bytes);
  CHECK(rig.coordinator.offsets == std::vector<std::uint64_t>{0});
  REQUIRE(fetch(rig, ref_of(bytes), dir / "b"));
  CHECK(rig.first.offsets().size() == 1);
  rig.clock.advance(std::chrono::minutes(61));
  REQUIRE(fetch(rig, ref_of(bytes), dir / "c"));
  CHECK(rig.first.offsets().size() == 2);
  CHECK(get_file(dir / "c") == bytes);
}

TEST_CASE("wrong bytes of a mirror that broke off do not spoil what the coordinator sends", "[artifact-source][mirror]") {
  MirroredRig rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  for (Mirror* mirror : {&rig.first, &rig.second}) {
    MirroredRig::poison(*mirror, bytes);
    mirror->change([&bytes](Habits& habits) { habits.stop_after = bytes.size() * 3 / 4; });
  }
  REQUIRE(fetch(rig, ref_of(bytes), dir / "a"));
  CHECK(get_file(dir / "a") == bytes);
  CHECK(rig.coordinator.offsets.back() == 0);
}

TEST_CASE("a mirror of another authority is not spoken to", "[artifact-source][mirror]") {
  MirroredRig rig;
  const TempDir dir;
  const std::string bytes = content();
  rig.offer(bytes);
  rig.ca = make_root("another").certificate_pem;
  REQUIRE(fetch(rig, ref_of(bytes), dir / "a"));
  CHECK(rig.first.offsets().empty());
  CHECK(rig.coordinator.offsets == std::vector<std::uint64_t>{0});
}

TEST_CASE("nothing is fetched without a certificate", "[artifact-source]") {
  const TestPki pki;
  Mirror mirror(pki);
  IoTest io;
  HttpCoordinator adapter(io.executor(), {mirror.endpoint()});
  const TempDir dir;
  const Status fetched = io.run(adapter.fetch(ref_of(content()), dir / "part"));
  CHECK(code_of(fetched) == Errc::unauthenticated);
  CHECK(mirror.offsets().empty());
}

}  // namespace
}  // namespace slipway::test
