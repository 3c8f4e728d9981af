#include "coordinator/kube/kube_client.hpp"

#include "common/crypto/private_key.hpp"
#include "coordinator/kube/objects.hpp"

namespace slipway::kube {

namespace {

constexpr std::uint16_t k_default_port = 6443;
constexpr Millis k_deadline{10'000};
constexpr Seconds k_own_life{24 * 3600};
constexpr Seconds k_bootstrap_life{10 * 60};

http::Request make_request(http::Method method, std::string target, std::string body = {},
                           const char* type = "application/json") {
  http::Request request;
  request.method = method;
  request.target = std::move(target);
  request.headers.set("Accept", "application/json");
  if (!body.empty()) request.headers.set("Content-Type", type);
  request.body = std::move(body);
  return request;
}

Error refusal(const http::Response& response) {
  const std::string message = status_message(response.status, response.body);
  switch (response.status) {
    case 401:
    case 403:
      return make_error(Errc::denied, message);
    case 404:
      return make_error(Errc::not_found, message);
    case 409:
    case 422:
      return make_error(Errc::conflict, message);
    default:
      return make_error(response.status >= 500 ? Errc::unavailable : Errc::internal, message);
  }
}

bool good(const http::Response& response) {
  return response.status >= 200 && response.status < 300;
}

}  // namespace

// A certificate with its key in memory and the connection that uses it.
struct KubeClient::Identity {
  Identity(boost::asio::any_io_executor executor, http::Endpoint endpoint,
           std::shared_ptr<http::TlsClientContext> tls, WallTime renew)
      : client(std::move(executor), std::move(endpoint), std::move(tls)), renew_at(renew) {}
  http::Client client;
  WallTime renew_at;
};

KubeClient::KubeClient(KubeClientDeps deps, http::Endpoint endpoint)
    : deps_(std::move(deps)), endpoint_(std::move(endpoint)) {}
KubeClient::~KubeClient() = default;

Result<std::unique_ptr<KubeClient>> KubeClient::make(KubeClientDeps deps) {
  auto endpoint = http::parse_https_url(deps.endpoint, k_default_port);
  if (!endpoint) return error_of(endpoint, "the API server's endpoint");
  return std::unique_ptr<KubeClient>(new KubeClient(std::move(deps), std::move(*endpoint)));
}

boost::asio::awaitable<Result<std::shared_ptr<KubeClient::Identity>>> KubeClient::make_identity(
    CertUsage usage, std::string user, Seconds life) {
  std::function<Result<std::shared_ptr<PrivateKey>>()> make_key =
      []() -> Result<std::shared_ptr<PrivateKey>> {
    auto key = PrivateKey::generate_p256();
    if (!key) return key.error();
    return std::make_shared<PrivateKey>(std::move(*key));
  };
  boost::asio::awaitable<Result<std::shared_ptr<PrivateKey>>> making =
      offload<std::shared_ptr<PrivateKey>>(deps_.workers, std::move(make_key));
  const auto key = co_await std::move(making);
  if (!key) co_return key.error();
  ProfileInput input;
  input.cluster = deps_.cluster();
  input.user_name = user;
  const auto spec = profile(usage, input);
  if (!spec) co_return spec.error();
  const auto serial = Serial::from_random(deps_.random_bytes(16));
  if (!serial) co_return serial.error();
  const WallTime now = deps_.clock.wall();
  const auto issued = deps_.signer.issue(*spec, (*key)->spki_der(), *serial, now - Seconds(300), now + life);
  if (!issued) co_return issued.error();
  boost::asio::awaitable<Status> recording = deps_.record(usage, user, *issued, (*key)->spki_sha256_hex());
  const Status recorded = co_await std::move(recording);
  if (!recorded) co_return recorded.error();
  auto pem = (*key)->to_pem();
  if (!pem) co_return pem.error();
  http::ClientIdentity identity{issued->pem, std::move(*pem)};
  auto tls = http::TlsClientContext::make(deps_.signer.ca_pem(CaKind::apiserver), &identity);
  if (!tls) co_return tls.error();
  co_return std::make_shared<Identity>(deps_.executor, endpoint_, std::move(*tls), now + life * 2 / 3);
}

boost::asio::awaitable<Result<std::shared_ptr<KubeClient::Identity>>> KubeClient::own_identity() {
  if (own_ == nullptr || own_->renew_at <= deps_.clock.wall()) {
    boost::asio::awaitable<Result<std::shared_ptr<Identity>>> making =
        make_identity(CertUsage::coordinator_kube_client, "slipway:coordinator", k_own_life);
    auto made = co_await std::move(making);
    if (!made) co_return made.error();
    own_ = std::move(*made);
  }
  co_return own_;
}

boost::asio::awaitable<Result<http::Response>> KubeClient::call(http::Request request) {
  boost::asio::awaitable<Result<std::shared_ptr<Identity>>> asking = own_identity();
  const auto identity = co_await std::move(asking);
  if (!identity) co_return error_of(identity, "making the coordinator's certificate for kube-apiserver");
  boost::asio::awaitable<Result<http::Response>> sending =
      (*identity)->client.send(std::move(request), k_deadline);
  co_return co_await std::move(sending);
}

// The right to give ourselves these rights is system:masters'. That certificate lives for minutes and only in
// this frame.
boost::asio::awaitable<Status> KubeClient::ensure_access() {
  // Asked first with our own identity, whose answer does not matter: no bootstrap certificate while nobody is
  // there.
  boost::asio::awaitable<Result<http::Response>> probing = call(make_request(http::Method::get, "/version"));
  const auto reached = co_await std::move(probing);
  if (!reached) co_return reached.error();
  boost::asio::awaitable<Result<std::shared_ptr<Identity>>> making =
      make_identity(CertUsage::kubeconfig_admin, "slipway-bootstrap", k_bootstrap_life);
  const auto admin = co_await std::move(making);
  if (!admin) co_return error_of(admin, "making a bootstrap certificate for kube-apiserver");
  const auto objects = access_objects();
  for (const auto& [path, body] : objects) {
    boost::asio::awaitable<Result<http::Response>> sending =
        (*admin)->client.send(make_request(http::Method::post, path, body), k_deadline, true);
    const auto response = co_await std::move(sending);
    if (!response) co_return response.error();
    if (!good(*response) && response->status != 409) co_return refusal(*response);  // 409: stands already
  }
  co_return Status{};
}

boost::asio::awaitable<Result<std::vector<KubeNode>>> KubeClient::list_nodes() {
  std::vector<KubeNode> nodes;
  std::string next;
  do {
    std::string target = "/api/v1/nodes?limit=500";
    if (!next.empty()) target += "&continue=" + next;
    boost::asio::awaitable<Result<http::Response>> calling = call(make_request(http::Method::get, target));
    const auto response = co_await std::move(calling);
    if (!response) co_return response.error();
    if (!good(*response)) co_return refusal(*response);
    auto page = parse_node_list(response->body);
    if (!page) co_return page.error();
    for (KubeNode& node : page->nodes) nodes.push_back(std::move(node));
    next = page->next;
  } while (!next.empty());
  co_return nodes;
}

boost::asio::awaitable<Result<KubeNode>> KubeClient::get_node(std::string name) {
  boost::asio::awaitable<Result<http::Response>> calling =
      call(make_request(http::Method::get, "/api/v1/nodes/" + name));
  const auto response = co_await std::move(calling);
  if (!response) co_return response.error();
  if (!good(*response)) co_return refusal(*response);
  co_return parse_node(response->body);
}

boost::asio::awaitable<Status> KubeClient::set_pod_cidr(std::string name, Cidr pod_cidr) {
  http::Request request = make_request(http::Method::patch, "/api/v1/nodes/" + name, pod_cidr_patch(pod_cidr),
                                       "application/merge-patch+json");
  boost::asio::awaitable<Result<http::Response>> calling = call(std::move(request));
  const auto response = co_await std::move(calling);
  if (!response) co_return response.error();
  if (!good(*response)) co_return refusal(*response);
  co_return Status{};
}

boost::asio::awaitable<Status> KubeClient::delete_node(std::string name) {
  boost::asio::awaitable<Result<http::Response>> calling =
      call(make_request(http::Method::del, "/api/v1/nodes/" + name));
  const auto response = co_await std::move(calling);
  if (!response) co_return response.error();
  if (!good(*response) && response->status != 404) co_return refusal(*response);
  co_return Status{};
}

}  // namespace slipway::kube
