// The archive for support of a host with real keys and a real token, whose log tells them: nothing of them is
// in it.
#include <catch2/catch.hpp>
#include <filesystem>

#include "agent/service/local_api.hpp"
#include "agent/service/renew.hpp"
#include "agent/support_sections.hpp"
#include "common/archive/unpack.hpp"
#include "common/core/text.hpp"
#include "common/crypto/key_forms.hpp"
#include "common/files/atomic_file.hpp"
#include "common/http/unix_client.hpp"
#include "common/systemd/journal.hpp"
#include "proto/codec.hpp"
#include "tests/support/service_fixture.hpp"

namespace slipway::test {
namespace {

namespace fs = std::filesystem;

const std::string k_secret = "abcdefghijklmnopqrstuvwxyz234567";
const std::string k_token = "slipway1" + std::string(64, 'c') + "::abc123." + k_secret;

// Every text of the archive by its name.
std::map<std::string, std::string> contents_of(const std::string& archive, const std::string& fresh) {
  REQUIRE(unpack(archive, fresh));
  std::map<std::string, std::string> texts;
  for (const auto& entry : fs::recursive_directory_iterator(fresh)) {
    if (!entry.is_regular_file()) continue;
    texts[fs::relative(entry.path(), fresh).string()] =
        read_file(entry.path().string(), std::size_t{64} << 20).value();
  }
  return texts;
}

struct Host {
  Host() {
    REQUIRE(life.attempt());
    // A renewal whose answer was lost leaves a pending key beside those in use.
    world.coordinator.lose_answers = 1;
    Renewer renewer("node", life.deps(), life.enroller);
    life.state.moves_to = IpAddress::parse("10.77.0.77").value();
    (void)world.io.run(renewer.tick()).has_value();
    REQUIRE(write_file_atomically(config.token_file, k_token + "\n", 0600));
    config.coordinators = {"https://10.77.0.10:7443"};
    config.data_dir = world.dir.path();
    for (const auto& entry : fs::recursive_directory_iterator(world.dir.path())) {
      if (!entry.is_regular_file()) continue;
      const auto text = read_file(entry.path().string(), std::size_t{1} << 20);
      if (text && text->find("PRIVATE KEY") != std::string::npos) keys.push_back(*text);
    }
    REQUIRE(keys.size() >= 5);
    proto::DesiredState desired = world.coordinator.desired(7);
    desired.cluster.kubelet.config.text =
        R"({"staticPodURLHeader": {"Authorization": ["x"]}, "apiPassword": "hunter2"})";
    desired.cluster.docker.config.text = R"({"proxies": {"http-proxy": "http://me:hunter2@proxy:3128"}})";
    life.state.desired = desired;
    PassReport pass;
    pass.components = {{"kubelet", "1.20.2", "", "", "kubelet.service", std::nullopt}};
    pass.problems = {"kubelet: starting: it said Bearer hunter2hunter2"};
    life.state.last_pass = pass;
    life.state.units["kubelet.service"].name = "kubelet.service";
  }

  // Somebody has set a component to log all that it knows.
  std::string indiscreet_log() const {
    std::string log = "Nov 29 kubelet[812]: started\n";
    for (const std::string& pem : keys) {
      log += "Nov 29 kubelet[812]: key is " + pem;
      const std::string body = pem.substr(pem.find('\n') + 1, pem.rfind("-----END") - pem.find('\n') - 1);
      for (const std::string_view line : split(body, '\n'))
        log += "Nov 29 kubelet[812]: " + std::string(line) + "\n";
      const auto forms = key_forms(Secret(pem));
      REQUIRE(forms);
      for (const Secret& form : *forms) log += "Nov 29 kubelet[812]: x=" + std::string(form.reveal()) + ";\n";
    }
    log += "Nov 29 kubelet[812]: token " + k_token + "\nNov 29 kubelet[812]: secret " + k_secret + "\n";
    return log + "Nov 29 kubelet[812]: the end\n";
  }

  SupportSources sources() {
    SupportSources sources;
    sources.config = config;
    sources.desired = life.state.desired;
    sources.reconcile = in_words(*life.state.last_pass);
    sources.network = in_words(NetworkObserved{});
    sources.unit_names = {"kubelet.service", "silent.service"};
    sources.preflight = [] { return Result<proto::PreflightReport>(proto::PreflightReport{true, {}}); };
    sources.journal = [log = indiscreet_log()](const std::string& unit) -> Result<std::string> {
      if (unit == "silent.service") return make_error(Errc::denied, "the journal may not be read");
      return log;
    };
    return sources;
  }
  std::function<std::vector<Secret>()> secrets() const {
    return [dir = config.data_dir, token = config.token_file] { return secrets_of_host({dir}, token); };
  }

  ServiceFixture world;
  AgentLife life{world};
  proto::AgentConfig config = [this] {
    proto::AgentConfig made;
    made.token_file = world.dir / "join.token";
    return made;
  }();
  std::vector<std::string> keys;  // PEM
};

std::string pack(SupportPacker& packer, const std::string& file) {
  std::string bytes;
  while (!packer.done()) {
    const auto part = packer.step();
    REQUIRE(part);
    bytes += *part;
  }
  REQUIRE(write_file_atomically(file, bytes, 0600));
  return file;
}

void check_nothing_secret(const Host& host, const std::map<std::string, std::string>& texts) {
  std::vector<std::string> needles = {"PRIVATE KEY-----", k_secret, k_token, "hunter2"};
  for (const std::string& pem : host.keys) {
    const auto forms = key_forms(Secret(pem));
    REQUIRE(forms);
    for (const Secret& form : *forms) {
      if (form.reveal().size() >= 12) needles.emplace_back(form.reveal());
    }
  }
  CHECK(needles.size() > host.keys.size() * 8);
  for (const auto& [name, text] : texts) {
    for (const std::string& needle : needles) {
      if (text.find(needle) == std::string::npos) continue;
      FAIL_CHECK(name << " holds " << needle);
    }
  }
}

TEST_CASE("an archive for support tells of the node and holds no secret", "[support]") {
  Host host;
  SupportPacker packer(support_sections(host.sources()), host.secrets(), host.world.clock);
  TempDir dir;
  const auto texts = contents_of(pack(packer, dir / "a.tar.gz"), dir / "fresh");
  for (const char* name : {"about.txt", "MANIFEST.txt", "versions.txt", "agent.json", "preflight.json",
                           "desired.json", "reconcile.txt", "network.txt", "routes.txt", "sysctls.txt",
                           "mounts.txt", "journal/kubelet.service.log"}) {
    INFO(name);
    CHECK(texts.contains(name));
  }
  check_nothing_secret(host, texts);
  const std::string& log = texts.at("journal/kubelet.service.log");
  CHECK(log.find("started") != std::string::npos);
  CHECK(log.find("the end") != std::string::npos);
  CHECK(log.find("[redacted]") != std::string::npos);
  CHECK(texts.at("desired.json").find("10.10.0.0/16") != std::string::npos);
  CHECK(texts.at("agent.json").find("https://10.77.0.10:7443") != std::string::npos);
  const std::string& manifest = texts.at("MANIFEST.txt");
  CHECK(manifest.find("journal/silent.service.log: left out, the journal may not be read") !=
        std::string::npos);
}

TEST_CASE("a journal without lines of a unit is empty, and one that is not there an error", "[support]") {
  TempDir dir;
  const auto none = systemd::last_lines("kubelet.service", {}, dir.path());
  REQUIRE(none);
  CHECK(none->empty());
  CHECK_FALSE(systemd::last_lines("kubelet.service", {}, dir / "nowhere"));
}

TEST_CASE("without the list of known secrets their look gives most away", "[support]") {
  Host host;
  SupportSources sources = host.sources();
  sources.journal = [&host](const std::string&) -> Result<std::string> {
    std::string log;
    for (const std::string& pem : host.keys) log += "key " + pem + " and " + to_base64(pem) + "\n";
    return log + k_token + "\n" + k_secret + "\n";
  };
  SupportPacker packer(
      support_sections(std::move(sources)), [] { return std::vector<Secret>(); }, host.world.clock);
  TempDir dir;
  check_nothing_secret(host, contents_of(pack(packer, dir / "a.tar.gz"), dir / "fresh"));
}

TEST_CASE("an archive is bounded in size and time, and says what is missing", "[support]") {
  ManualClock clock;
  std::vector<SupportSection> sections;
  sections.push_back({"long.log", []() -> Result<std::string> {
                        return std::string(5000, 'a') + "\n" + std::string(900, 'b') + "\n";
                      }});
  sections.push_back({"two.txt", []() -> Result<std::string> { return std::string(900, 'c'); }});
  sections.push_back({"three.txt", []() -> Result<std::string> { return std::string("left out"); }});
  SupportLimits limits;
  limits.bounds.member_bytes = 1000;
  TempDir dir;
  SECTION("size") {
    limits.bounds.total_bytes = 1500;
    SupportPacker packer(
        sections, [] { return std::vector<Secret>(); }, clock, limits);
    const auto texts = contents_of(pack(packer, dir / "a.tar.gz"), dir / "fresh");
    CHECK(texts.at("long.log") == std::string(900, 'b') + "\n");  // whole lines of its end
    CHECK_FALSE(texts.contains("three.txt"));
    CHECK(texts.at("MANIFEST.txt").find("three.txt: left out, the archive is full") != std::string::npos);
  }
  SECTION("time") {
    sections[0].gather = [&clock]() -> Result<std::string> {
      clock.advance(Millis(61'000));
      return std::string("slow");
    };
    SupportPacker packer(
        sections, [] { return std::vector<Secret>(); }, clock, limits);
    const auto texts = contents_of(pack(packer, dir / "a.tar.gz"), dir / "fresh");
    CHECK(texts.contains("long.log"));
    CHECK(texts.at("MANIFEST.txt").find("two.txt: left out, it took too long") != std::string::npos);
  }
}

TEST_CASE("the agent answers on its socket: status, health, preflight, and the archive as a stream",
          "[support][unix]") {
  Host host;
  std::vector<std::string> asked;
  LocalApi api({host.world.clock, host.life.state, [&host]() -> Workers& { return host.world.workers; },
                [](HealthProbe) -> boost::asio::awaitable<Status> { co_return Status{}; },
                [&asked](std::vector<std::string> ignore) -> Result<proto::PreflightReport> {
                  asked = ignore;
                  return proto::PreflightReport{true,
                                                {{"disk", "ok", "3 GiB below /var/lib", "", false},
                                                 {"ports", "error", "10250 is taken", "", false}}};
                },
                [&host](const proto::HealthReport& health) {
                  SupportSources sources = host.sources();
                  sources.health = health;
                  return support_sections(std::move(sources));
                },
                host.secrets()});
  http::UnixServer server(host.world.io.executor(), api.handler());
  const std::string path = host.world.dir / "agent.sock";
  REQUIRE(server.listen(path));
  const auto get = [&](const std::string& target, std::function<Status(std::string_view)> sink = {}) {
    return host.world.io.run(http::get_over_unix(path, target, std::chrono::seconds(20), std::move(sink)));
  };
  const auto status = proto::decode<proto::AgentLocalStatus>(get("/v1/status")->body);
  REQUIRE(status);
  CHECK(status->node_name == "node1");
  CHECK(status->pod_cidr == "10.10.3.0/24");
  REQUIRE_FALSE(status->certificates.empty());
  CHECK(parse_rfc3339(status->certificates[0].renew_at) < parse_rfc3339(status->certificates[0].not_after));
  REQUIRE_FALSE(status->errors.empty());
  CHECK_FALSE(status->errors[0].since.empty());
  const auto health = proto::decode<proto::HealthReport>(get("/v1/health")->body);
  REQUIRE(health);
  CHECK_FALSE(health->ok);
  for (const proto::HealthCheck& check : health->checks) {
    if (!check.ok || check.warning) CHECK_FALSE(check.cure.empty());
    CHECK(check.name != "ports");  // that is for hosts that are to join
  }
  CHECK(get("/v1/preflight?ignore=swap,ports")->status == 200);
  CHECK(asked == std::vector<std::string>{"swap", "ports"});
  CHECK(get("/v1/nothing")->status == 404);
  TempDir dir;
  std::string bytes;
  const auto streamed = get("/v1/support", [&bytes](std::string_view part) {
    bytes += part;
    return Status{};
  });
  REQUIRE(streamed);
  CHECK(*streamed->headers.find("Content-Type") == "application/gzip");
  REQUIRE(write_file_atomically(dir / "a.tar.gz", bytes, 0600));
  const auto texts = contents_of(dir / "a.tar.gz", dir / "fresh");
  CHECK(texts.contains("health.json"));
  check_nothing_secret(host, texts);
  // One at a time, and again when that is done.
  CHECK(get("/v1/support")->status == 200);
}

TEST_CASE("root may ask the agent everything, the group all but the archive, others nothing",
          "[support][unix]") {
  Host host;
  LocalApi::Deps deps{host.world.clock,
                      host.life.state,
                      [&host]() -> Workers& { return host.world.workers; },
                      [](HealthProbe) -> boost::asio::awaitable<Status> { co_return Status{}; },
                      {},
                      {},
                      {}};
  deps.group = 77;
  LocalApi api(deps);
  const http::UnixHandler handler = api.handler();
  const auto allowed = [&handler](uid_t uid, std::vector<gid_t> groups, const std::string& path) {
    http::Request request;
    request.path = path;
    const auto refusal = handler.refuse({uid, 1, std::move(groups)}, request);
    if (refusal) CHECK(refusal->status == 403);
    return !refusal;
  };
  CHECK(allowed(0, {}, "/v1/support"));
  CHECK(allowed(1000, {5, 77}, "/v1/status"));
  CHECK(allowed(1000, {5, 77}, "/v1/health"));
  CHECK_FALSE(allowed(1000, {5, 77}, "/v1/support"));
  CHECK_FALSE(allowed(1000, {5}, "/v1/status"));
  CHECK_FALSE(allowed(1000, {}, "/v1/health"));
}

}  // namespace
}  // namespace slipway::test
