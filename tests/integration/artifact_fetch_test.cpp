// `slipwayctl artifact fetch` from servers laid out like the projects' release sites, into a coordinator over real TLS.
#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <sstream>

#include "common/crypto/digest.hpp"
#include "coordinator/app.hpp"
#include "coordinator/ctl/fetch.hpp"
#include "proto/fetch_report.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/https_fixture.hpp"
#include "tests/support/raw_http.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

using ctl::ArtifactFetch;

const std::string k_folder = "/release/v1.20.2/bin/linux/amd64/";
constexpr std::array k_programs = {"kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler"};

// What a site does with one path; asked for each request to it.
struct Page {
  std::string body;
  int status = 200;
  std::string location = {};
  std::size_t cut_after = 0;  // not 0: so many bytes of the body, and the connection ends; once
  bool endless = false;       // a chunk that is followed by ever more, as far as a limit of a test would go
  bool ranges = true;
};

std::string program(const std::string& name) { return "the program " + name + std::string(1000, '.') + "end"; }

// A site over http or https. Pages may be changed between two runs of the command.
class Site {
 public:
  explicit Site(bool is_tls = false) {
    if (is_tls) {
      tls_ = std::make_unique<RawTlsServer>(pki.server.certificate_pem + pki.root.certificate_pem, pki.server.key_pem);
      tls_->answer_by([this](const std::string& request) { return RawTlsServer::Answer{answer(request)}; });
      put_file(ca_file(), pki.root.certificate_pem);
    } else {
      plain_ = std::make_unique<RawHttpServer>([this](const std::string& request) { return answer(request); });
    }
  }
  ~Site() {
    tls_.reset();
    plain_.reset();
  }
  std::string url(const std::string& path = "/release") const {
    return (tls_ ? "https://127.0.0.1:" + std::to_string(tls_->port()) : "http://127.0.0.1:" + std::to_string(plain_->port())) + path;
  }
  std::string ca_file() const { return dir_ / "ca.pem"; }
  void put(const std::string& path, Page page) {
    const std::lock_guard lock(mutex_);
    pages_[path] = std::move(page);
  }
  void put_with_checksum(const std::string& path, const std::string& body) {
    put(path, {body});
    put(path + ".sha256", {sha256_hex(body)});
  }
  void put_release() {
    for (const char* name : k_programs) put_with_checksum(k_folder + name, program(name));
  }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  int asked(const std::string& path) const {
    int count = 0;
    for (const std::string& request : requests()) count += request.starts_with("GET " + path + " ") ? 1 : 0;
    return count;
  }

  const TestPki pki;

 private:
  std::string answer(const std::string& request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
    const std::string path = request.substr(4, request.find(' ', 4) - 4);
    const auto found = pages_.find(path);
    if (found == pages_.end()) return "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\nConnection: close\r\n\r\nnot found";
    return response_of(found->second, range_of(request));
  }
  static std::size_t range_of(const std::string& request) {
    const std::size_t at = request.find("Range: bytes=");
    return at == std::string::npos ? 0 : std::stoul(request.substr(at + 13));
  }
  static std::string response_of(Page& page, std::size_t from) {
    if (!page.location.empty()) return "HTTP/1.1 302 Found\r\nLocation: " + page.location + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (page.endless) return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks();
    std::string head = "HTTP/1.1 " + std::to_string(page.status) + " x";
    std::string body = page.body;
    if (from > 0 && page.ranges) {
      head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(from) + "-" + std::to_string(body.size() - 1) + "/" + std::to_string(body.size());
      body.erase(0, from);
    }
    head += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n";
    if (page.cut_after > 0) body.resize(page.cut_after);
    page.cut_after = 0;
    return head + body;
  }
  static std::string chunks() {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "1000\r\n" + std::string(0x1000, 'x') + "\r\n";
    return text;  // the last chunk never comes
  }

  TempDir dir_;
  mutable std::mutex mutex_;
  std::map<std::string, Page> pages_;
  std::vector<std::string> requests_;
  std::unique_ptr<RawTlsServer> tls_;
  std::unique_ptr<RawHttpServer> plain_;
};

struct Ran {
  int code = 0;
  std::string out;
  std::string err;
};

bool says(const std::string& text, const std::string& part) {
  INFO(text << " | " << part);
  return text.find(part) != std::string::npos;
}

// A coordinator, slipwayctl's own connection to it, and the command with limits that a test reaches.
struct Rig {
  Rig() {
    cluster.start();
    auto admin = cluster.admin_cluster;
    admin.server = "https://127.0.0.1:" + std::to_string(cluster.app->port());
    connection = must(ctl::connect(admin));
    limits.file_bytes = 64 * 1024;
    limits.text_bytes = 4 * 1024;
    limits.pause = std::chrono::milliseconds(1);
  }
  template <class Work>
  Ran run(Work work) {
    std::ostringstream out, err;
    ctl::Console console{out, err};
    const int code = work(console);
    return {code, out.str(), err.str()};
  }
  Ran fetch(const ArtifactFetch& wish, ctl::Format format = ctl::Format::table) {
    return run([&](ctl::Console& console) { return ctl::fetch_to_coordinator(wish, format, *connection, limits, console); });
  }
  std::map<std::string, proto::Artifact> artifacts() {
    std::map<std::string, proto::Artifact> all;
    auto list = must(ctl::ask_all<proto::ArtifactList>(*connection, "/v1/artifacts"));
    for (proto::Artifact& artifact : list.items) all[artifact.component + " " + artifact.version] = std::move(artifact);
    return all;
  }

  ClusterFixture cluster;
  std::unique_ptr<ctl::Connection> connection;
  ctl::WebLimits limits;
};

ArtifactFetch release_of(const Site& site) {
  ArtifactFetch wish;
  wish.kubernetes = "v1.20.2";
  wish.from = site.url();
  wish.arch = "amd64";
  return wish;
}

}  // namespace

TEST_CASE("a release is fetched and imported as if by hand, once", "[cluster][fetch]") {
  Rig rig;
  Site site(true);
  site.put_release();
  ArtifactFetch wish = release_of(site);
  wish.ca_file = site.ca_file();

  wish.dry_run = true;
  const Ran planned = rig.fetch(wish, ctl::Format::json);
  INFO(planned.err);
  REQUIRE(planned.code == 0);
  const auto plan = must(proto::decode<proto::FetchReport>(planned.out));
  CHECK(plan.dry_run);
  REQUIRE(plan.files.size() == 5);
  CHECK(plan.files[0].result == "planned");
  CHECK(plan.files[0].url == site.url() + "/v1.20.2/bin/linux/amd64/kubelet");
  CHECK(site.asked(k_folder + "kubelet") == 0);
  CHECK(rig.artifacts().empty());

  wish.dry_run = false;
  const Ran first = rig.fetch(wish);
  INFO(first.err);
  REQUIRE(first.code == 0);
  CHECK(says(first.out, "kube-scheduler"));
  CHECK_FALSE(says(first.err, "warning"));
  auto imported = rig.artifacts();
  REQUIRE(imported.size() == 5);
  for (const char* name : k_programs) {
    const proto::Artifact& artifact = imported.at(std::string(name) + " 1.20.2");
    CHECK(artifact.sha256 == sha256_hex(program(name)));
    CHECK(artifact.format == "file");
    CHECK(artifact.size == program(name).size());
  }
  // An import by hand of the same file finds all of it there.
  const TempDir dir;
  put_file(dir / "kubelet", program("kubelet"));
  const Ran by_hand = rig.run([&](ctl::Console& console) {
    return ctl::import_artifact({dir / "kubelet", "kubelet", "1.20.2", "", {}}, *rig.connection, console);
  });
  CHECK(by_hand.code == 0);
  CHECK(says(by_hand.err, "is there already"));

  const Ran again = rig.fetch(wish, ctl::Format::json);
  REQUIRE(again.code == 0);
  for (const proto::FetchedFile& file : must(proto::decode<proto::FetchReport>(again.out)).files) CHECK(file.result == "present");
  CHECK(site.asked(k_folder + "kubelet") == 1);
}

TEST_CASE("plain http is taken when it was asked for, with a warning", "[cluster][fetch]") {
  Rig rig;
  Site site;
  site.put_release();
  ArtifactFetch wish = release_of(site);
  wish.only = {"kubelet", "kube-proxy"};
  const Ran ran = rig.fetch(wish);
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(says(ran.err, "warning: " + site.url() + "/v1.20.2/bin/linux/amd64/kubelet comes over http"));
  CHECK(rig.artifacts().size() == 2);
}

TEST_CASE("nothing is imported when anything of a set is not as published", "[cluster][fetch]") {
  Rig rig;
  Site site;
  site.put_release();
  const ArtifactFetch wish = release_of(site);
  const std::string proxy = k_folder + "kube-proxy";
  const auto refused = [&](const std::string& part, int code = ctl::k_failed) {
    const Ran ran = rig.fetch(wish);
    CHECK(ran.code == code);
    CHECK(says(ran.err, part));
    CHECK(says(ran.err, "nothing of it was imported"));
    CHECK(ran.out.empty());
    CHECK(rig.artifacts().empty());
  };
  SECTION("other bytes than the checksum says") {
    site.put(proxy, {program("kubelet")});
    refused("verifying kube-proxy 1.20.2: what came from " + site.url() + "/v1.20.2/bin/linux/amd64/kube-proxy has SHA-256 " + sha256_hex(program("kubelet")));
    // Asked again, when the site is well.
    site.put(proxy, {program("kube-proxy")});
    CHECK(rig.fetch(wish).code == 0);
    CHECK(rig.artifacts().size() == 5);
  }
  SECTION("no checksum") {
    site.put(proxy + ".sha256", {"gone", 404});
    refused("reading the published checksum of kube-proxy 1.20.2: " + site.url() + "/v1.20.2/bin/linux/amd64/kube-proxy.sha256 answered 404");
    CHECK(site.asked(k_folder + "kubelet") == 0);
  }
  SECTION("a web page instead of a checksum") {
    site.put(proxy + ".sha256", {"<!doctype html><html><body>Sign in</body></html>"});
    refused("a web page came instead");
  }
  SECTION("half a checksum") {
    site.put(proxy + ".sha256", {sha256_hex("x").substr(0, 40)});
    refused("it holds no SHA-256");
  }
  SECTION("a checksum without end") {
    site.put(proxy + ".sha256", {"", 200, "", 0, true});
    refused("the answer is too large");
  }
  SECTION("a checksum that is too long") {
    site.put(proxy + ".sha256", {sha256_hex(program("kube-proxy")) + "\n" + std::string(5'000, ' ')});
    refused("too long for a checksum");
  }
  SECTION("a file without end") {
    site.put(proxy, {"", 200, "", 0, true});
    refused("more bytes came than such a file has");
  }
  SECTION("a file that says that it is too long") {
    site.put(proxy, {std::string(70'000, 'x')});
    refused("longer than");
  }
  SECTION("a server that is broken") {
    site.put(proxy, {"sorry", 503});
    refused("gave up after 4 tries");
    CHECK(site.asked(proxy) == 4);
  }
}

TEST_CASE("a version that the site has not is named", "[cluster][fetch]") {
  Rig rig;
  Site site;
  site.put_release();
  ArtifactFetch wish = release_of(site);
  wish.kubernetes = "v1.20.3";
  const Ran ran = rig.fetch(wish);
  CHECK(ran.code == ctl::k_failed);
  CHECK(says(ran.err, "answered 404: this site has no kubelet 1.20.3 there"));
  CHECK(rig.artifacts().empty());
}

TEST_CASE("a download that breaks off goes on where it stopped", "[cluster][fetch]") {
  Rig rig;
  Site site;
  site.put_release();
  ArtifactFetch wish = release_of(site);
  wish.only = {"kubelet"};
  const std::string kubelet = k_folder + "kubelet";
  SECTION("with ranges") {
    site.put(kubelet, {program("kubelet"), 200, "", 100});
    REQUIRE(rig.fetch(wish).code == 0);
    CHECK(says(site.requests().back(), "\r\nRange: bytes=100-\r\n"));
  }
  SECTION("from a server that knows none") {
    site.put(kubelet, {program("kubelet"), 200, "", 100, false, false});
    REQUIRE(rig.fetch(wish).code == 0);
    CHECK(says(site.requests().back(), "\r\nRange: bytes=100-\r\n"));
  }
  CHECK(site.asked(kubelet) == 2);
  CHECK(rig.artifacts().at("kubelet 1.20.2").sha256 == sha256_hex(program("kubelet")));
}

TEST_CASE("redirects lead to another host, but not out of https and not in circles", "[cluster][fetch]") {
  Rig rig;
  Site front(true);
  ArtifactFetch wish = release_of(front);
  wish.ca_file = front.ca_file();
  wish.only = {"kubelet"};
  const std::string kubelet = k_folder + "kubelet";
  front.put(kubelet + ".sha256", {sha256_hex(program("kubelet")) + "  kubelet\n"});
  SECTION("followed") {
    front.put(kubelet, {"", 302, "/cdn/kubelet?signature=secret"});
    front.put("/cdn/kubelet?signature=secret", {program("kubelet")});
    const Ran ran = rig.fetch(wish);
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(rig.artifacts().size() == 1);
    CHECK_FALSE(says(ran.out + ran.err, "secret"));
  }
  SECTION("to plain http") {
    Site plain;
    plain.put("/kubelet", {program("kubelet")});
    front.put(kubelet, {"", 302, plain.url("/kubelet")});
    const Ran ran = rig.fetch(wish);
    CHECK(ran.code == ctl::k_failed);
    CHECK(says(ran.err, "redirects from https to " + plain.url("/kubelet")));
    CHECK(plain.requests().empty());
    CHECK(rig.artifacts().empty());
  }
  SECTION("from plain http to https") {
    Site plain;
    plain.put(kubelet + ".sha256", {"", 302, front.url(kubelet + ".sha256")});
    plain.put(kubelet, {"", 307, front.url("/cdn/kubelet")});
    front.put("/cdn/kubelet", {program("kubelet")});
    wish.from = plain.url();
    const Ran ran = rig.fetch(wish);
    INFO(ran.err);
    CHECK(ran.code == 0);
    CHECK(rig.artifacts().size() == 1);
  }
  SECTION("a loop") {
    front.put(kubelet, {"", 302, "/other"});
    front.put("/other", {"", 302, kubelet});
    const Ran ran = rig.fetch(wish);
    CHECK(ran.code == ctl::k_failed);
    CHECK(says(ran.err, "a loop"));
    CHECK(front.asked(kubelet) == 1);
  }
  SECTION("ever on") {
    front.put(kubelet, {"", 302, "/0"});
    for (int i = 0; i < 9; ++i) front.put("/" + std::to_string(i), {"", 302, "/" + std::to_string(i + 1)});
    const Ran ran = rig.fetch(wish);
    CHECK(ran.code == ctl::k_failed);
    CHECK(says(ran.err, "after 5 redirects"));
    CHECK(front.asked("/5") == 0);
  }
}

TEST_CASE("a site that is not whom the CAs vouch for is not asked", "[cluster][fetch]") {
  Rig rig;
  Site site(true);
  site.put_release();
  const Site other(true);
  ArtifactFetch wish = release_of(site);
  wish.ca_file = other.ca_file();
  const Ran ran = rig.fetch(wish);
  CHECK(ran.code == ctl::k_failed);
  CHECK(says(ran.err, "TLS handshake with 127.0.0.1"));
  CHECK(site.requests().empty());
}

TEST_CASE("a server that does not answer is waited for so long and no longer", "[fetch]") {
  std::promise<void> over;
  const std::shared_future<void> gate = over.get_future().share();
  const RawHttpServer silent([gate](const std::string&) {
    gate.wait();
    return std::string();
  });
  // Before the server's thread is joined.
  struct Opening {
    std::promise<void>& over;
    ~Opening() { over.set_value(); }
  } const opening{over};
  ArtifactFetch wish;
  wish.kubernetes = "v1.20.2";
  wish.from = "http://127.0.0.1:" + std::to_string(silent.port());
  const ctl::FetchItem item = must(ctl::plan_fetch(wish, "amd64")).at(0);
  const TempDir dir;
  ctl::WebLimits limits;
  limits.pause = std::chrono::milliseconds(1);
  SECTION("without a byte") {
    limits.idle = std::chrono::milliseconds(20);
    limits.tries = 2;
    const Status came = ctl::WebReader("", limits).download(item, dir / "kubelet", {});
    REQUIRE_FALSE(came);
    CHECK(came.error().code == Errc::timeout);
    CHECK(says(came.error().message, "gave up after 2 tries"));
  }
  SECTION("all together") {
    limits.total = std::chrono::milliseconds(50);
    const Status came = ctl::WebReader("", limits).download(item, dir / "kubelet", {});
    REQUIRE_FALSE(came);
    CHECK(came.error().code == Errc::timeout);
    CHECK(says(came.error().message, "--timeout"));
    // The checksum's file likewise.
    CHECK(ctl::WebReader("", limits).checksum_text(item).error().code == Errc::timeout);
  }
}

TEST_CASE("an interrupt ends a download in order", "[fetch]") {
  const RawHttpServer server([](const std::string&) {
    ::kill(::getpid(), SIGINT);
    return std::string();
  });
  ArtifactFetch wish;
  wish.kubernetes = "v1.20.2";
  wish.from = "http://127.0.0.1:" + std::to_string(server.port());
  const ctl::FetchItem item = must(ctl::plan_fetch(wish, "amd64")).at(0);
  ctl::WebLimits limits;
  limits.pause = std::chrono::seconds(30);  // which the interrupt ends
  const auto text = ctl::WebReader("", limits).checksum_text(item);
  REQUIRE_FALSE(text);
  CHECK(text.error().code == Errc::canceled);
}

TEST_CASE("other content under a name that the coordinator has is refused", "[cluster][fetch]") {
  Rig rig;
  Site site;
  site.put_release();
  ArtifactFetch wish = release_of(site);
  wish.only = {"kubelet"};
  REQUIRE(rig.fetch(wish).code == 0);
  site.put_with_checksum(k_folder + "kubelet", "another program");
  const Ran ran = rig.fetch(wish);
  CHECK(ran.code == ctl::k_failed);
  CHECK(says(ran.err, "was imported with SHA-256 " + sha256_hex(program("kubelet"))));
  CHECK(site.asked(k_folder + "kubelet") == 1);
}

TEST_CASE("files are kept in a folder without a coordinator", "[fetch]") {
  Site site;
  site.put_release();
  site.put_with_checksum(k_folder + "kubectl", program("kubectl"));
  const TempDir dir;
  ArtifactFetch wish = release_of(site);
  wish.only = {"kubectl", "kubelet"};
  wish.to = dir / "new/folder";
  ctl::WebLimits limits;
  limits.pause = std::chrono::milliseconds(1);
  std::ostringstream out, err;
  ctl::Console console{out, err};
  REQUIRE(ctl::fetch_to_folder(wish, ctl::Format::table, limits, console) == 0);
  CHECK(get_file(wish.to + "/kubectl") == program("kubectl"));
  struct stat file {};
  REQUIRE(::stat((wish.to + "/kubectl").c_str(), &file) == 0);
  CHECK((file.st_mode & 0777U) == 0755);
  // No work folder is left, and what is there is not fetched again; what was damaged is.
  CHECK(std::distance(std::filesystem::directory_iterator(wish.to), {}) == 2);
  put_file(wish.to + "/kubelet", "damaged");
  REQUIRE(ctl::fetch_to_folder(wish, ctl::Format::table, limits, console) == 0);
  CHECK(site.asked(k_folder + "kubectl") == 1);
  CHECK(site.asked(k_folder + "kubelet") == 2);
  CHECK(get_file(wish.to + "/kubelet") == program("kubelet"));
  site.put(k_folder + "kubelet", {"other bytes"});
  put_file(wish.to + "/kubelet", "damaged");
  CHECK(ctl::fetch_to_folder(wish, ctl::Format::table, limits, console) == ctl::k_failed);
  CHECK(std::distance(std::filesystem::directory_iterator(wish.to), {}) == 2);
}

}  // namespace slipway::test
