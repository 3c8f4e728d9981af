#include "agent/client/http_coordinator.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <utility>

#include "agent/client/download.hpp"
#include "agent/domain/clock_skew.hpp"
#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/http/tls.hpp"
#include "proto/codec.hpp"
#include "proto/problem.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr std::uint16_t k_default_port = 7443;
constexpr int k_poll_seconds = 50;
constexpr Millis k_poll_grace{15'000};  // beyond the wait that was asked for
constexpr Millis k_deadline{30'000};
constexpr std::uint64_t k_longest_wait = 3600;  // seconds: no answer may send an agent to sleep for days
constexpr int k_accepted = 202;
constexpr std::size_t k_longest_probe = 64;  // bytes of its id

// The desired state of 50,000 nodes is ten megabytes.
http::ClientLimits client_limits() {
  http::ClientLimits limits;
  limits.body_bytes = 32 * 1024 * 1024;
  return limits;
}

http::Request make_request(http::Method method, std::string target, std::string body = {}) {
  http::Request request;
  request.method = method;
  request.target = std::move(target);
  request.headers.set("Accept", "application/json");
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  request.body = std::move(body);
  return request;
}

bool is_success(const http::Response& response) {
  return response.status >= 200 && response.status < 300;
}
std::string body_of(const http::Response& response) {
  return response.shared_body ? *response.shared_body : response.body;
}

// Another coordinator may do better.
bool is_their_trouble(const http::Response& response) {
  return response.status == 502 || response.status == 503 || response.status == 504;
}

// What a refusal says, and how long it asks to wait: seconds; a date is not read.
Error refusal_of(const http::Response& response) {
  Error error = proto::from_problem(response.status, body_of(response));
  if (const std::string* wait = response.headers.find("Retry-After")) {
    if (const auto seconds = parse_u64(trim(*wait))) {
      error.retry_after = static_cast<std::uint32_t>(std::min<std::uint64_t>(*seconds, k_longest_wait));
    }
  }
  return error;
}

template <class T>
Result<T> decode_answer(const Result<http::Response>& response, std::string_view doing) {
  if (!response) return context(response.error(), doing);
  // Taken note of, and no more: the host waits for an operator.
  if (response->status == k_accepted) return refusal_of(*response);
  if (!is_success(*response)) return context(refusal_of(*response), doing);
  auto value = proto::decode<T>(body_of(*response));
  if (!value)
    return context(make_error(Errc::corrupt, value.error().message),
                   std::string(doing) + ": reading the answer");
  return value;
}

std::optional<std::string> skew_of(const http::Response& response, const Clock* clock) {
  const std::string* date = response.headers.find("Date");
  const auto theirs = date != nullptr ? parse_http_date(*date) : std::nullopt;
  if (!theirs || clock == nullptr) return std::nullopt;
  return clock_skew(clock->wall(), *theirs);
}

std::string percent_encode(std::string_view text) {
  static constexpr char k_digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += k_digits[byte >> 4];
    out += k_digits[byte & 15];
  }
  return out;
}

// The probe of the network that the answer tells of; empty: none.
std::string probe_in(const http::Response& response) {
  const std::string* const id = response.headers.find(proto::k_probe_header);
  return id == nullptr || id->size() > k_longest_probe ? std::string() : *id;
}

Error not_joined() {
  return make_error(Errc::unauthenticated, "this host has no certificate yet");
}

}  // namespace

Result<std::vector<http::Endpoint>> parse_coordinators(const std::vector<std::string>& urls) {
  std::vector<http::Endpoint> endpoints;
  for (const std::string& url : urls) {
    auto endpoint = http::parse_https_url(url, k_default_port);
    if (!endpoint) return context(endpoint.error(), "coordinators: " + url);
    endpoints.push_back(std::move(*endpoint));
  }
  if (endpoints.empty())
    return make_error(Errc::invalid, "coordinators: name at least one, such as https://10.0.0.1:7443");
  return endpoints;
}

HttpCoordinator::HttpCoordinator(asio::any_io_executor executor, std::vector<http::Endpoint> coordinators, const Clock* clock)
    : executor_(std::move(executor)), coordinators_(std::move(coordinators)), clock_(clock) {}

HttpCoordinator::~HttpCoordinator() = default;

std::string HttpCoordinator::last_answered() const {
  if (!any_answered_) return {};
  const http::Endpoint& endpoint = coordinators_[current_];
  const bool is_v6 = endpoint.host.find(':') != std::string::npos;
  return "https://" + (is_v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

Status HttpCoordinator::use_identity(const std::string& ca_pem, const KeyPair& pair) {
  http::ClientIdentity identity{pair.chain_pem, pair.key_pem.copy()};
  auto tls = http::TlsClientContext::make(ca_pem, &identity, http::TlsPeer::coordinator);
  if (!tls) return tls.error();
  tls_ = std::move(*tls);
  return {};
}

// Requests are safe to repeat: reads, reports, and requests for certificates of given keys.
asio::awaitable<Result<http::Response>> HttpCoordinator::call(Channel& channel, Tls tls,
                                                              http::Request request, Millis deadline) {
  Result<http::Response> response = make_error(Errc::unavailable, "no coordinator");
  // Counted from here on by ourselves: another call under way may find the same one dead meanwhile.
  const std::size_t first = channel.client && channel.tls == tls ? channel.at : current_;
  for (std::size_t i = 0; i < coordinators_.size(); ++i) {
    const std::size_t at = (first + i) % coordinators_.size();
    if (!channel.client || channel.tls != tls) {
      channel.client = std::make_shared<http::Client>(executor_, coordinators_[at], tls, client_limits());
      channel.tls = tls;
      channel.at = at;
    }
    const std::shared_ptr<http::Client> client = channel.client;
    http::Request copy = request;
    asio::awaitable<Result<http::Response>> sending = client->send(std::move(copy), deadline, true);
    response = co_await std::move(sending);
    if (response && !is_their_trouble(*response)) {
      current_ = at;
      any_answered_ = true;
      co_return response;
    }
    if (!response && response.error().code == Errc::canceled) co_return response;
    channel.client.reset();
  }
  co_return response;
}

asio::awaitable<Result<http::Response>> HttpCoordinator::call_once(http::Request request) {
  if (!tls_) co_return not_joined();
  Channel channel;
  asio::awaitable<Result<http::Response>> calling = call(channel, tls_, std::move(request), k_deadline);
  co_return co_await std::move(calling);
}

asio::awaitable<Result<proto::JoinReply>> HttpCoordinator::join(proto::JoinRequest request, JoinTrust trust) {
  auto tls = trust.ca_pem.empty() ? http::TlsClientContext::make_pinned(trust.ca_sha256)
                                  : http::TlsClientContext::make(trust.ca_pem, nullptr, http::TlsPeer::coordinator);
  if (!tls) co_return context(tls.error(), "preparing TLS");
  Channel channel;
  http::Request post = make_request(http::Method::post, "/v1/join", proto::encode(request));
  asio::awaitable<Result<http::Response>> calling = call(channel, *tls, std::move(post), k_deadline);
  const Result<http::Response> response = co_await std::move(calling);
  const std::string host = coordinators_[current_].host;
  // Before anything of the answer is used: certificates made by a clock far from ours are worth nothing here. Nothing is lost,
  // the next try with the same keys gets the same answer.
  if (const auto skew = response ? skew_of(*response, clock_) : std::nullopt) co_return make_error(Errc::unavailable, host + ": " + *skew);
  co_return decode_answer<proto::JoinReply>(response, host);
}

asio::awaitable<Result<std::optional<SyncNews>>> HttpCoordinator::sync(SyncPosition position) {
  if (!tls_) co_return not_joined();
  std::string target = "/v1/agent/sync?revision=" + std::to_string(position.revision) +
                       "&applied=" + std::to_string(position.applied);
  if (!position.epoch.empty()) target += "&epoch=" + percent_encode(position.epoch);
  target += "&probe=" + (position.probe.empty() ? std::string("none") : percent_encode(position.probe));
  target += "&wait=" + std::to_string(position.at_once ? 0 : k_poll_seconds);
  http::Request get = make_request(http::Method::get, std::move(target));
  if (position.takes_delta) get.headers.set("Accept", std::string(proto::k_delta_type) + ", application/json");
  const Millis deadline = std::chrono::seconds(k_poll_seconds) + k_poll_grace;
  asio::awaitable<Result<http::Response>> calling = call(polling_, tls_, std::move(get), deadline);
  const Result<http::Response> response = co_await std::move(calling);
  if (!response) co_return context(response.error(), "asking for the desired state");
  const std::string probe = probe_in(*response);
  if (response->status == 204 || response->status == 304)
    co_return probe.empty() ? std::optional<SyncNews>() : std::optional<SyncNews>({"", false, probe});
  if (!is_success(*response))
    co_return context(refusal_of(*response),
                      "asking for the desired state");
  const std::string* const type = response->headers.find("Content-Type");
  co_return std::optional<SyncNews>(
      {body_of(*response), type != nullptr && *type == proto::k_delta_type, probe});
}

asio::awaitable<Status> HttpCoordinator::report(proto::NodeStatusReport report) {
  if (!tls_) co_return not_joined();
  http::Request post = make_request(http::Method::post, "/v1/agent/status", proto::encode(report));
  asio::awaitable<Result<http::Response>> calling = call(reporting_, tls_, std::move(post), k_deadline);
  const Result<http::Response> response = co_await std::move(calling);
  if (!response) co_return context(response.error(), "reporting");
  if (!is_success(*response))
    co_return context(refusal_of(*response), "reporting");
  co_return Status{};
}

asio::awaitable<Result<proto::RenewReply>> HttpCoordinator::renew(proto::RenewRequest request) {
  http::Request post = make_request(http::Method::post, "/v1/agent/certificates", proto::encode(request));
  asio::awaitable<Result<http::Response>> calling = call_once(std::move(post));
  const Result<http::Response> response = co_await std::move(calling);
  co_return decode_answer<proto::RenewReply>(response, "asking for certificates");
}

asio::awaitable<Result<proto::MasterSecrets>> HttpCoordinator::master_secrets() {
  http::Request get = make_request(http::Method::get, "/v1/agent/secrets");
  asio::awaitable<Result<http::Response>> calling = call_once(std::move(get));
  const Result<http::Response> response = co_await std::move(calling);
  co_return decode_answer<proto::MasterSecrets>(response, "asking for what masters share");
}

asio::awaitable<Result<proto::CaBundles>> HttpCoordinator::ca_bundles() {
  http::Request get = make_request(http::Method::get, "/v1/agent/ca-bundles");
  asio::awaitable<Result<http::Response>> calling = call_once(std::move(get));
  const Result<http::Response> response = co_await std::move(calling);
  co_return decode_answer<proto::CaBundles>(response, "asking for the CA bundles");
}

asio::awaitable<Result<proto::RestartReply>> HttpCoordinator::request_restart(proto::RestartRequest request) {
  http::Request post = make_request(http::Method::post, "/v1/agent/restart-permit", proto::encode(request));
  asio::awaitable<Result<http::Response>> calling = call_once(std::move(post));
  const Result<http::Response> response = co_await std::move(calling);
  co_return decode_answer<proto::RestartReply>(response, "asking leave to restart for new settings");
}

asio::awaitable<Result<proto::ProbeTargets>> HttpCoordinator::offer_probe(proto::ProbeOffer offer) {
  if (!tls_) co_return not_joined();
  http::Request post = make_request(http::Method::post, "/v1/agent/network-probe", proto::encode(offer));
  asio::awaitable<Result<http::Response>> calling = call(probing_, tls_, std::move(post), k_deadline);
  const Result<http::Response> response = co_await std::move(calling);
  co_return decode_answer<proto::ProbeTargets>(response, "taking part in a probe of the network");
}

asio::awaitable<Status> HttpCoordinator::report_probe(proto::ProbeReport report) {
  if (!tls_) co_return not_joined();
  http::Request post =
      make_request(http::Method::post, "/v1/agent/network-probe/report", proto::encode(report));
  asio::awaitable<Result<http::Response>> calling = call(probing_, tls_, std::move(post), k_deadline);
  const Result<http::Response> response = co_await std::move(calling);
  probing_ = {};  // probes are rare
  if (!response) co_return context(response.error(), "telling what the probe of the network found");
  if (!is_success(*response))
    co_return context(refusal_of(*response), "telling what the probe of the network found");
  co_return Status{};
}

asio::awaitable<Status> HttpCoordinator::fetch(ArtifactRef artifact, std::string to_path) {
  if (!tls_) co_return not_joined();
  const UniqueFd fd(::open(to_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) co_return from_errno("open " + to_path, errno);
  // What one of them left goes on at the next.
  Status fetched = make_error(Errc::unavailable, "no coordinator");
  const std::size_t first = current_;
  for (std::size_t i = 0; i < coordinators_.size(); ++i) {
    const std::size_t at = (first + i) % coordinators_.size();
    asio::awaitable<Status> fetching = fetch_from(at, artifact, fd.get());
    fetched = co_await std::move(fetching);
    if (fetched) current_ = at;
    if (fetched || fetched.error().code == Errc::canceled) co_return fetched;
  }
  co_return fetched;
}

asio::awaitable<Status> HttpCoordinator::fetch_from(std::size_t at, ArtifactRef artifact, int fd) {
  auto client = std::make_shared<http::Client>(executor_, coordinators_[at], tls_);
  http::Request get = make_request(http::Method::get, "/v1/artifacts/" + artifact.sha256 + "/content");
  get.headers.set("Accept", "application/octet-stream");
  asio::awaitable<Result<http::Response>> fetching = download(client, std::move(get), artifact.size, fd, coordinators_[at].host);
  const Result<http::Response> response = co_await std::move(fetching);
  if (!response) co_return response.error();
  if (!is_success(*response)) co_return context(refusal_of(*response), "download");
  co_return Status{};
}

}  // namespace slipway
