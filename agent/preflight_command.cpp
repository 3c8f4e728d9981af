#include "agent/preflight_command.hpp"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "agent/client/health_probe.hpp"
#include "agent/client/http_coordinator.hpp"
#include "agent/config.hpp"
#include "agent/domain/clock_skew.hpp"
#include "agent/domain/enrollment_state.hpp"
#include "agent/host/host_probe.hpp"
#include "agent/host_facts.hpp"
#include "agent/service/stored_desired.hpp"
#include "agent/store/file_node_store.hpp"
#include "common/async/runtime.hpp"
#include "common/async/spawn.hpp"
#include "common/async/system_clock.hpp"
#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "common/http/tls.hpp"
#include "proto/codec.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_patience{5'000};
constexpr std::size_t k_max_pem = std::size_t{1} << 20;

using Tls = std::shared_ptr<http::TlsClientContext>;

struct Place {
  std::string name;  // "https://10.0.0.1:7443"
  http::Endpoint endpoint;
  Tls tls;  // null: only that something listens is asked
  bool tells_time = false;
};

// What this host knows of its cluster. Read without the store's lock: the agent may run.
struct Known {
  bool joined = false;
  std::string fabric_ca, apiserver_ca;
  std::optional<proto::DesiredState> desired;
};

Known read_known(const std::string& data_dir) {
  Known known;
  known.joined = path_exists(data_dir + "/node.json");
  if (!known.joined) return known;
  if (auto pem = read_file(data_dir + "/pki/ca/fabric.pem", k_max_pem)) known.fabric_ca = *pem;
  if (auto pem = read_file(data_dir + "/pki/ca/apiserver.pem", k_max_pem)) known.apiserver_ca = *pem;
  const auto stored = read_stored_desired(data_dir);
  if (!stored || !*stored) return known;
  auto desired = desired_of(**stored);
  if (desired) known.desired = std::move(*desired);
  return known;
}

Tls tls_of(const std::string& ca_pem) {
  if (ca_pem.empty()) return nullptr;
  auto tls = http::TlsClientContext::make(ca_pem, nullptr);
  return tls ? *tls : nullptr;
}

std::string pin_of(const PreflightOptions& options) {
  if (!options.ca_sha256.empty() || options.token_file.empty()) return options.ca_sha256;
  const auto token = read_token(options.token_file, "");
  const auto parsed = token ? parse_pinned_token(token->reveal()) : Result<PinnedToken>(make_error(Errc::not_found, ""));
  return parsed ? parsed->ca_sha256 : std::string();
}

Tls first_contact(const PreflightOptions& options) {
  const std::string pin = pin_of(options);
  if (pin.empty()) return nullptr;
  auto tls = http::TlsClientContext::make_pinned(pin);
  return tls ? *tls : nullptr;
}

Result<std::vector<Place>> places(const PreflightOptions& options, const Known& known) {
  std::vector<Place> found;
  if (!options.servers.empty()) {
    auto endpoints = parse_coordinators(options.servers);
    if (!endpoints) return endpoints.error();
    const Tls tls = known.joined ? tls_of(known.fabric_ca) : first_contact(options);
    for (std::size_t i = 0; i < endpoints->size(); ++i) found.push_back({options.servers[i], (*endpoints)[i], tls, true});
  }
  if (!known.desired) return found;
  const std::string& api_server = known.desired->cluster.api_server.endpoint;
  auto endpoint = http::parse_https_url(api_server.starts_with("https://") ? api_server : "https://" + api_server, 6443);
  if (endpoint) found.push_back({"the API server " + api_server, *endpoint, tls_of(known.apiserver_ca), false});
  return found;
}

// Any answer will do: what is asked is whether the way is open, and whether its certificate is that of our cluster.
asio::awaitable<Status> ask(Place place, HostObserved* host, const Clock* clock) {
  Status reached;
  if (!place.tls) {
    asio::awaitable<Status> connecting = probe_tcp(place.endpoint.host, place.endpoint.port, k_patience);
    reached = co_await std::move(connecting);
  } else {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    http::Client client(executor, place.endpoint, place.tls);
    http::Request request;
    request.target = "/livez";
    asio::awaitable<Result<http::Response>> sending = client.send(std::move(request), k_patience);
    const Result<http::Response> response = co_await std::move(sending);
    if (!response) reached = response.error();
    const std::string* date = response && place.tells_time ? response->headers.find("Date") : nullptr;
    const auto theirs = date != nullptr ? parse_http_date(*date) : std::nullopt;
    const auto skew = theirs ? clock_skew(clock->wall(), *theirs) : std::nullopt;
    if (skew) host->clock_skew = place.endpoint.host + ": " + *skew;
  }
  if (!reached) {
    const bool stranger = reached.error().code == Errc::unauthenticated;
    (stranger ? host->untrusted : host->unreachable)[place.name] = reached.error().message;
  }
  co_return Status{};
}

asio::awaitable<Status> ask_all(std::vector<Place> all, HostObserved* host, const Clock* clock, EventThread* thread) {
  for (const Place& place : all) {
    asio::awaitable<Status> asking = ask(place, host, clock);
    (void)(co_await std::move(asking)).has_value();
  }
  thread->stop();
  co_return Status{};
}

void observe_network(const PreflightOptions& options, const std::vector<Place>& places, HostObserved& host) {
  std::vector<http::Endpoint> remotes;
  for (const Place& place : places) remotes.push_back(place.endpoint);
  if (remotes.empty() && options.node_ip.empty()) return;
  auto address = options.node_ip.empty() ? local_address_towards(remotes) : IpAddress::parse(options.node_ip);
  if (address) {
    host.address = *address;
    host.mtu = mtu_of(*address);
  } else {
    host.address_problem = address.error();
  }
  if (auto routes = kernel_routes()) host.routes = std::move(*routes);
}

// Routes between pods are the agent's own work.
void leave_out_pod_routes(const PreflightWish& wish, HostObserved& host) {
  if (!host.joined) return;
  std::erase_if(host.routes, [&wish](const HostRoute& route) {
    return std::any_of(wish.pod_ranges.begin(), wish.pod_ranges.end(), [&route](const Cidr& range) { return range.contains(route.block); });
  });
}

PreflightWish wish_of(const PreflightOptions& options, const Known& known) {
  PreflightWish wish;
  wish.role = options.role;
  wish.node_name = options.node_name;
  wish.cgroup_driver = options.cgroup_driver;
  if (!known.desired) return wish;
  wish.external_network = known.desired->cluster.network.backend == "external";
  wish.accept_forward = known.desired->cluster.network.accept_forward;
  for (const std::string& text : known.desired->pod_ranges) {
    if (auto range = Cidr::parse(text)) wish.pod_ranges.push_back(*range);
  }
  if (auto range = Cidr::parse(known.desired->cluster.network.service_cidr)) wish.service_range = *range;
  return wish;
}

}  // namespace

PreflightOptions preflight_options(const proto::AgentConfig& config) {
  PreflightOptions options;
  options.servers = config.coordinators;
  options.token_file = config.token_file;
  options.data_dir = config.data_dir;
  options.role = config.role;
  options.node_name = config.node_name;
  options.node_ip = config.node_address;
  options.cgroup_driver = config.cgroup_driver;
  return options;
}

Result<std::vector<Finding>> run_preflight(const PreflightOptions& options) { return run_preflight(options, SystemClock()); }

Result<std::vector<Finding>> run_preflight(const PreflightOptions& options, const Clock& clock) {
  std::vector<Finding> none;
  if (Status named = ignore_findings(none, options.ignore); !named) return named.error();
  const Known known = read_known(options.data_dir);
  auto all = places(options, known);
  if (!all) return all.error();
  HostObserved host = observe_host("");
  host.joined = known.joined;
  host.cgroup_driver = host_cgroup_driver();
  observe_network(options, *all, host);
  EventThread thread("preflight");
  spawn_detached(thread.executor(), "preflight", ask_all(*all, &host, &clock, &thread));
  thread.run_here();
  const PreflightWish wish = wish_of(options, known);
  leave_out_pod_routes(wish, host);
  std::vector<Finding> findings = preflight(host, wish);
  if (Status ignored = ignore_findings(findings, options.ignore); !ignored) return ignored.error();
  return findings;
}

proto::PreflightReport preflight_report(const std::vector<Finding>& findings) {
  proto::PreflightReport report;
  report.ok = !refuses(findings);
  for (const Finding& finding : findings) {
    report.findings.push_back({finding.check, std::string(to_string(finding.severity)), finding.message, finding.cure, finding.ignored});
  }
  return report;
}

std::string preflight_text(const proto::PreflightReport& report, bool wide) {
  std::ostringstream out;
  std::vector<std::string> good;
  for (const char* severity : {"error", "warning"}) {
    for (const proto::PreflightFinding& finding : report.findings) {
      if (finding.severity != severity) continue;
      out << (finding.ignored ? "ignored" : severity) << "  " << finding.check << ": " << finding.message << "\n       " << finding.cure << "\n";
    }
  }
  for (const proto::PreflightFinding& finding : report.findings) {
    if (finding.severity != "ok") continue;
    good.push_back(finding.check);
    if (wide) out << "well  " << finding.check << ": " << finding.message << "\n";
  }
  if (!wide) out << "well: " << join(good, ", ") << "\n";
  return out.str();
}

}  // namespace slipway
