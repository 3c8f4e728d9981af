// A real coordinator with its signer process: where the keys are, what either can do, and how they end
// together.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/crypto/certificate.hpp"
#include "coordinator/ca/convert_keys.hpp"
#include "coordinator/config.hpp"
#include "coordinator/init.hpp"
#include "slipway_test_paths.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/soft_token.hpp"

namespace slipway::test {
namespace {

using Catch::Matchers::Contains;
namespace fs = std::filesystem;

constexpr int k_patience_ms = 60'000;

UniqueFd process_handle(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

bool ends(const UniqueFd& process) {
  pollfd waiting{process.get(), POLLIN, 0};
  return ::poll(&waiting, 1, k_patience_ms) == 1;
}

// `slipway-coordinator run`, its log read from a pipe.
class Coordinator {
 public:
  Coordinator(const std::string& config) {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    log_ = UniqueFd(fds[0]);
    UniqueFd theirs(fds[1]);
    const char* const program = SLIPWAY_BINARY_DIR "/bin/slipway-coordinator";
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(theirs.get(), 1);
      ::dup2(theirs.get(), 2);
      ::execl(program, program, "run", "--config", config.c_str(), nullptr);
      ::_exit(127);
    }
    REQUIRE(pid_ > 0);
  }
  ~Coordinator() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  pid_t pid() const { return pid_; }
  // Reads the log until it holds the text; false: it ended before.
  bool says(const std::string& text) {
    while (seen_.find(text) == std::string::npos) {
      char buffer[4096];
      pollfd waiting{log_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, k_patience_ms) != 1) return false;
      const ssize_t count = ::read(log_.get(), buffer, sizeof buffer);
      if (count <= 0) return false;
      seen_.append(buffer, static_cast<std::size_t>(count));
    }
    return true;
  }
  const std::string& log() const { return seen_; }
  pid_t signer() { return static_cast<pid_t>(number_behind("signer process started pid=")); }
  std::uint16_t port() { return static_cast<std::uint16_t>(number_behind(" port=")); }
  // Its exit code, or 1000 and the signal.
  int wait() {
    static_cast<void>(says("what it never says"));  // to the log's end
    int status = 0;
    REQUIRE(::waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

 private:
  std::uint64_t number_behind(const std::string& text) {
    REQUIRE(says(text));
    const auto at = seen_.find(text) + text.size();
    return *parse_u64(std::string_view(seen_).substr(at, seen_.find_first_not_of("0123456789", at) - at));
  }

  pid_t pid_ = -1;
  UniqueFd log_;
  std::string seen_;
};

struct Cluster {
  TempDir dir;
  std::string config = dir / "coordinator.yaml";

  explicit Cluster(const std::string& ca_dir = "", const std::string& passphrase_file = "") {
    // A real coordinator asks its kube-apiserver: nobody answers here.
    put_file(dir / "cluster.yaml", std::string(k_cluster_yaml).replace(std::string_view(k_cluster_yaml).find("10.77.0.10:6443"), 15, "api.invalid:6443"));
    InitOptions options;
    options.config = dir / "cluster.yaml";
    options.data_dir = dir / "data";
    options.admin_conf = dir / "admin.conf";
    options.master_token_file = dir / "master.token";
    options.ca_dir = ca_dir;
    options.ca_passphrase_file = passphrase_file;
    const auto made = init_cluster(options, ClusterFixture::now());
    if (!made) FAIL(made.error().message);
    put_file(config,
             "listen: 127.0.0.1:0\ndataDir: " + (dir / "data") + "\n" +
                 (passphrase_file.empty() ? std::string() : "caPassphraseFile: " + passphrase_file + "\n"));
  }
};

// "name: value" of /proc/PID/status.
std::string status_of(pid_t pid, const std::string& name) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":"))
      return std::string(trim(std::string_view(line).substr(name.size() + 1)));
  }
  return {};
}

// The secret number of a plain P-256 key (RFC 5915: version 1, then 32 octets), both ways round: OpenSSL
// keeps the least significant first.
std::vector<std::string> secrets_in(const std::string& file) {
  std::string base64;
  std::istringstream text(get_file(file));
  std::vector<std::string> secrets;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("-----")) continue;
    base64 += line;
    if (secrets.empty() && base64.size() > line.size())
      secrets.push_back(line);  // the second line of the text: within the number
  }
  const auto der = from_base64(base64);
  REQUIRE(der);
  const auto at = der->find(std::string("\2\1\1\4\x20", 5));
  REQUIRE(at != std::string::npos);
  std::string number = der->substr(at + 5, 32);
  secrets.push_back(number);
  std::reverse(number.begin(), number.end());
  secrets.push_back(number);
  return secrets;
}

std::vector<std::string> all_secrets(const std::string& folder) {
  std::vector<std::string> secrets;
  for (const CaKind kind : k_ca_kinds) {
    for (std::string& one : secrets_in(folder + "/" + std::string(to_string(kind)) + "-ca.key"))
      secrets.push_back(std::move(one));
  }
  return secrets;
}

// A sanitizer's shadow memory is terabytes, which nobody can search: the plain build does.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool k_searchable = false;
#else
constexpr bool k_searchable = true;
#endif

// How many of the secrets stand in what the process has written to.
std::size_t found_in_memory(pid_t pid, const std::vector<std::string>& secrets) {
  const std::string proc = "/proc/" + std::to_string(pid);
  std::ifstream maps(proc + "/maps");
  const UniqueFd memory(::open((proc + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(memory);
  std::vector<bool> found(secrets.size());
  std::size_t looked_at = 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode) != 3 || mode[1] != 'w') continue;
    std::string part(end - begin, '\0');
    const ssize_t count = ::pread(memory.get(), part.data(), part.size(), static_cast<off_t>(begin));
    if (count <= 0) continue;
    looked_at += static_cast<std::size_t>(count);
    for (std::size_t i = 0; i < secrets.size(); ++i)
      found[i] = found[i] || part.find(secrets[i]) != std::string::npos;
  }
  REQUIRE(looked_at > 100'000);
  return static_cast<std::size_t>(std::count(found.begin(), found.end(), true));
}

TEST_CASE("the authorities' keys are in the signer's memory and never in the coordinator's",
          "[signer][process]") {
  if (::geteuid() != 0 || !k_searchable) {
    WARN("SKIPPED: only root may look into these processes, and not into those of a sanitizer's build");
    return;
  }
  const Cluster cluster;
  Coordinator coordinator(cluster.config);
  REQUIRE(coordinator.says("serving listen="));  // so the fabric authority has signed
  const auto secrets = all_secrets(cluster.dir / "data/ca");
  CHECK(found_in_memory(coordinator.signer(), secrets) >= std::size(k_ca_kinds));
  CHECK(found_in_memory(coordinator.pid(), secrets) == 0);
}

TEST_CASE("the signer is confined and so is the coordinator", "[signer][process]") {
  const Cluster cluster;
  Coordinator coordinator(cluster.config);
  REQUIRE(coordinator.says("serving listen="));
  const pid_t signer = coordinator.signer();
  CHECK(status_of(signer, "PPid") == std::to_string(coordinator.pid()));
  CHECK(status_of(signer, "Name") == "slipway-signer");
  std::size_t threads = 0;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(signer) + "/task")) {
    ++threads;
    CHECK(status_of(static_cast<pid_t>(*parse_u64(entry.path().filename().string())), "Seccomp") ==
          "2");  // a filter
  }
  CHECK(threads >= 2);
  CHECK(status_of(signer, "NoNewPrivs") == "1");
  CHECK(status_of(coordinator.pid(), "NoNewPrivs") == "1");
  CHECK(get_file("/proc/" + std::to_string(signer) + "/limits").find("Max core file size        0") !=
        std::string::npos);
  // Nothing is shared but the channels.
  if (::geteuid() != 0) return;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(signer) + "/fd")) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    const auto number = parse_u64(entry.path().filename().string());
    CHECK((*number <= 2 || target.starts_with("socket:")));
  }
}

TEST_CASE("what the coordinator writes while it runs is not hidden from it with the keys", "[signer][process]") {
  const Cluster cluster;
  Coordinator coordinator(cluster.config);
  REQUIRE(coordinator.says(" nodes=0"));
  Clients clients;
  const auto tls = http::TlsClientContext::make(get_file(cluster.dir / "data/ca/fabric-ca.crt"), nullptr);
  REQUIRE(tls);
  Caller stranger(clients, coordinator.port(), *tls);
  CHECK(stranger.send(SimulatedAgent("web-9", 29).join_message("none.such")).status == 403);
  REQUIRE(::kill(coordinator.pid(), SIGTERM) == 0);
  CHECK(coordinator.wait() == 0);
  CHECK_THAT(get_file(join_log_file(cluster.dir / "data")), Contains("web-9"));
  CHECK_THAT(coordinator.log(), !Contains("not saved"));
}

TEST_CASE("without its signer the coordinator ends and says why", "[signer][process]") {
  const Cluster cluster;
  Coordinator coordinator(cluster.config);
  REQUIRE(coordinator.says("serving listen="));
  const pid_t signer = coordinator.signer();
  REQUIRE(::kill(signer, SIGKILL) == 0);
  CHECK(coordinator.wait() == 1);
  CHECK_THAT(coordinator.log(), Contains("the signer process (pid " + std::to_string(signer) + ")"));
}

TEST_CASE("the signer ends with the coordinator, however that ends", "[signer][process]") {
  const Cluster cluster;
  Coordinator coordinator(cluster.config);
  REQUIRE(coordinator.says("serving listen="));
  const UniqueFd signer = process_handle(coordinator.signer());
  REQUIRE(signer);
  SECTION("killed") {
    REQUIRE(::kill(coordinator.pid(), SIGKILL) == 0);
    CHECK(coordinator.wait() == 1000 + SIGKILL);
  }
  SECTION("asked, and all its processes with it, as systemd does") {
    REQUIRE(::kill(coordinator.signer(), SIGTERM) == 0);
    REQUIRE(::kill(coordinator.pid(), SIGTERM) == 0);
    CHECK(coordinator.wait() == 0);
    CHECK_THAT(coordinator.log(), Contains("stopped"));
  }
  CHECK(ends(signer));
}

TEST_CASE("certificates are signed by the cluster's settings as they are now", "[signer][cluster]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  auto view = as<proto::ClusterView>(admin.get("/v1/cluster"));
  view.spec.certificates.node_ttl = "72h";
  view.spec.network.node_cidrs.push_back("10.78.0.0/16");
  REQUIRE(admin.put("/v1/cluster", proto::encode(view.spec)).status == 200);
  const SimulatedAgent agent = joined(cluster, "web-1", 21);
  const auto certificate = Certificate::chain_from_pem(agent.certificates.at("agent"));
  REQUIRE(certificate);
  CHECK(certificate->front().not_after() - certificate->front().not_before() == Seconds(72 * 3600));
}

TEST_CASE("a start that fails for its keys says what the signer found", "[signer][process]") {
  const Cluster cluster;
  SECTION("others can read a key") {
    fs::permissions(cluster.dir / "data/ca/etcd-ca.key", fs::perms::others_read, fs::perm_options::add);
    Coordinator coordinator(cluster.config);
    CHECK(coordinator.wait() == 1);
    CHECK_THAT(coordinator.log(), Contains("etcd-ca.key") && Contains("chmod"));
  }
  SECTION("keys are encrypted and there is no passphrase") {
    const Secret passphrase("correct horse battery");
    REQUIRE(convert_keys(cluster.dir / "data/ca", {{}, &passphrase}));
    Coordinator coordinator(cluster.config);
    CHECK(coordinator.wait() == 1);
    CHECK_THAT(coordinator.log(), Contains("is encrypted and there is no passphrase"));
  }
}

TEST_CASE("the signer opens encrypted keys itself", "[signer][process]") {
  const TempDir secret;
  put_file(secret / "passphrase", "correct horse battery\n");
  fs::permissions(secret / "passphrase", fs::perms::owner_read | fs::perms::owner_write);
  const Cluster cluster("", secret / "passphrase");
  Coordinator coordinator(cluster.config);
  CHECK(coordinator.says("serving listen="));
  CHECK_THAT(get_file(cluster.dir / "data/ca/fabric-ca.key"), Contains("ENCRYPTED"));
  if (::geteuid() == 0 && k_searchable) CHECK(found_in_memory(coordinator.pid(), {"correct horse battery"}) == 0);
}

TEST_CASE("the signer signs with a key in a token, without a network either", "[signer][process][pkcs11]") {
  if (!has_token_tools())
    FAIL(
        "softhsm2, opensc or libengine-pkcs11-openssl is missing: sudo apt-get install them "
        "(packaging/build-deps.txt)");
  static SoftToken token;
  token.put_uri("&pin-value=87654321");
  const Cluster cluster(token.dir.path());
  REQUIRE(fs::exists(cluster.dir / "data/ca/fabric-ca.uri"));
  Coordinator coordinator(cluster.config);
  REQUIRE(coordinator.says("serving listen="));  // signed by the fabric authority
  CHECK(status_of(coordinator.signer(), "Seccomp") == "2");
  REQUIRE(::kill(coordinator.pid(), SIGTERM) == 0);
  CHECK(coordinator.wait() == 0);
}

}  // namespace
}  // namespace slipway::test
