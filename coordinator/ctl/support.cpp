// `support`: what the coordinator tells whoever asks, as an archive without secrets. Gathered here, by the
// routes that there are: each under the role of who asks, nothing that this person could not see anyhow.
#include "common/archive/support_archive.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "common/systemd/journal.hpp"
#include "coordinator/ctl/commands.hpp"
#include "proto/audit.hpp"

namespace slipway::ctl {

namespace {

using http::Method;

constexpr SupportBounds k_bounds{std::size_t{8} << 20, std::size_t{48} << 20};
constexpr char k_own_state[] =
    "/var/lib/slipway/coordinator/state.db";  // there: this is the coordinator's host
constexpr char k_unit[] = "slipway-coordinator.service";

const char k_about[] =
    "What slipwayctl support has asked the coordinator. MANIFEST.txt lists the members and what was cut or "
    "left out.\n"
    "There are no private keys, tokens or kubeconfigs in it: the coordinator tells nobody these. What looks "
    "like a secret in settings and logs is\n"
    "[redacted]. It does name nodes, addresses and operators: read it before you give it away. For a host: "
    "slipway-agent support there.\n";

class Gatherer {
 public:
  Gatherer(Connection& connection, SupportArchive archive)
      : connection_(connection), archive_(std::move(archive)) {}

  // Errc::unavailable and the like for the first thing asked: then there is no archive to make.
  template <class T>
  Status one(const std::string& name, const std::string& target) {
    const auto value = ask<T>(connection_, make_request(Method::get, target));
    return take(name,
                value ? Result<std::string>(proto::encode(*value)) : Result<std::string>(value.error()));
  }
  template <class T>
  Status all(const std::string& name, const std::string& target) {
    const auto value = ask_all<T>(connection_, target);
    return take(name,
                value ? Result<std::string>(proto::encode(*value)) : Result<std::string>(value.error()));
  }
  Status text(const std::string& name, const std::string& target) {
    const auto response = exchange(connection_, make_request(Method::get, target));
    if (response) return archive_.add(name, response->body);
    archive_.leave_out(name, response.error().message);
    return {};
  }
  SupportArchive& archive() { return archive_; }

 private:
  // What this person may not see, or what fails, keeps nothing else away.
  Status take(const std::string& name, const Result<std::string>& json) {
    if (json) return archive_.add(name, proto::pretty(*json) + "\n");
    archive_.leave_out(name, json.error().message);
    return {};
  }

  Connection& connection_;
  SupportArchive archive_;
};

Status gather(Gatherer& from) {
  const Status steps[] = {
      from.archive().add("about.txt", k_about),
      from.one<proto::VersionInfo>("version.json", "/version"),
      from.one<proto::HealthReport>("health.json", "/v1/health"),
      from.one<proto::ClusterView>("cluster.json", "/v1/cluster"),
      from.one<proto::CaList>("authorities.json", "/v1/cas"),
      from.all<proto::PoolList>("pools.json", "/v1/pools?limit=1000"),
      from.all<proto::TokenList>("tokens.json", "/v1/tokens?limit=1000"),
      from.all<proto::PendingNodeList>("pending.json", "/v1/pending?limit=1000"),
      from.all<proto::JoinAttemptList>("joins.json", "/v1/joins?limit=1000"),
      from.all<proto::ArtifactList>("artifacts.json", "/v1/artifacts?limit=1000"),
      from.all<proto::OperatorList>("operators.json", "/v1/operators?limit=1000"),
      from.one<proto::AuditList>("audit.json", "/v1/audit?limit=1000"),
      from.text("metrics.txt", "/metrics"),
      from.all<proto::NodeList>("nodes.json", "/v1/nodes?limit=1000"),
      from.all<proto::CertificateList>("certificates.json", "/v1/certificates?limit=1000")};
  for (const Status& step : steps) {
    if (!step) return step;
  }
  return {};
}

Status add_journal(SupportArchive& archive) {
  if (!path_exists(k_own_state)) return {};
  const std::string name = std::string("journal/") + k_unit + ".log";
  const auto lines = systemd::last_lines(k_unit);
  if (lines) return archive.add(name, *lines);
  archive.leave_out(name, lines.error().message);
  return {};
}

std::string default_name(WallTime now) {
  std::string time = to_rfc3339(now);
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return "slipway-support-cluster-" + time + ".tar.gz";
}

}  // namespace

int make_support_archive(const Support& wish, Connection& connection, Console& console) {
  const std::string file = wish.file.empty() ? default_name(console.now) : wish.file;
  if (path_exists(file))
    return fail(console, make_error(Errc::conflict, file + " is there already: name another one with -O"));
  // Whether anybody answers at all, before anything is written.
  const auto reached = exchange(connection, make_request(Method::get, "/v1/health"));
  if (!reached) return fail(console, reached.error());
  auto archive = SupportArchive::open(Redactor(), console.now, k_bounds);
  if (!archive) return fail(console, archive.error());
  Gatherer gatherer(connection, std::move(*archive));
  Status done = gather(gatherer);
  if (done) done = add_journal(gatherer.archive());
  if (done) done = gatherer.archive().finish();
  const std::string bytes = gatherer.archive().take();
  if (done) done = write_file_atomically(file, bytes, 0600);
  if (!done) return fail(console, done.error());
  console.out << "wrote " << file << " (" << bytes.size() << " bytes); read it before you give it away\n";
  return k_ok;
}

}  // namespace slipway::ctl
