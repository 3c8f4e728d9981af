#include "coordinator/kube/kube_client.hpp"

#include "common/crypto/private_key.hpp"
#include "coordinator/kube/objects.hpp"
#include "coordinator/kube/request.hpp"

namespace slipway::kube {

namespace {

constexpr std::uint16_t k_default_port = 6443;
constexpr Millis k_deadline{10'000};
// A Node comes to 10 to 40 kB, most of it names of images; an answer may have 8 MB.
constexpr int k_page = 100;
constexpr int k_pages = 1'000;  // a list that does not end is not kube-apiserver's
constexpr Millis k_list_deadline{60'000};
// kube-apiserver's authorizer reads a copy of the roles that follows in milliseconds.
constexpr Millis k_access_wait{3'000};
constexpr Millis k_access_poll{50};
constexpr const char* k_probe = "/api/v1/nodes?limit=1";
constexpr const char* k_merge_patch = "application/merge-patch+json";
constexpr Seconds k_own_life{24 * 3600};
constexpr Seconds k_bootstrap_life{10 * 60};

std::string path_of(const std::string& name) {
  return "/api/v1/nodes/" + name;
}

}  // namespace

// A certificate with its key in memory and the connection that uses it.
struct KubeClient::Identity {
  Identity(boost::asio::any_io_executor executor, http::Endpoint endpoint,
           std::shared_ptr<http::TlsClientContext> tls, WallTime renew, std::uint64_t issuer, std::string trusted)
      : client(std::move(executor), std::move(endpoint), std::move(tls)),
        renew_at(renew),
        ca(issuer),
        bundle(std::move(trusted)) {}
  http::Client client;
  WallTime renew_at;
  std::uint64_t ca;    // number of the CA that signed it
  std::string bundle;  // of the API server's CAs
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
  std::string bundle = deps_.signer.ca_pem(CaKind::apiserver);
  auto tls = http::TlsClientContext::make(bundle, &identity);
  if (!tls) co_return tls.error();
  co_return std::make_shared<Identity>(deps_.executor, endpoint_, std::move(*tls), now + life * 2 / 3, issued->ca,
                                       std::move(bundle));
}

boost::asio::awaitable<Result<std::shared_ptr<KubeClient::Identity>>> KubeClient::own_identity() {
  const bool ca_changed = own_ != nullptr && (own_->ca != deps_.signer.issuer_number(CertUsage::coordinator_kube_client) ||
                                              own_->bundle != deps_.signer.ca_pem(CaKind::apiserver));
  if (own_ == nullptr || ca_changed || own_->renew_at <= deps_.clock.wall()) {
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
  boost::asio::awaitable<Result<http::Response>> sending = send(*identity, std::move(request));
  co_return co_await std::move(sending);
}

// All that we send may be sent twice, patches too.
boost::asio::awaitable<Result<http::Response>> KubeClient::send(std::shared_ptr<Identity> identity,
                                                                http::Request request) {
  boost::asio::awaitable<Result<http::Response>> sending =
      identity->client.send(std::move(request), k_deadline, true);
  auto response = co_await std::move(sending);
  // "Invalid" would be the caller's fault; here it is an answer that is no HTTP.
  if (!response && response.error().code == Errc::invalid)
    co_return make_error(Errc::corrupt, response.error().message);
  co_return response;
}

// Asked with our own identity. 403 is an answer too: the access is what we are about to give.
boost::asio::awaitable<Status> KubeClient::check_serving() {
  boost::asio::awaitable<Result<http::Response>> probing = call(make_request(http::Method::get, k_probe));
  const auto response = co_await std::move(probing);
  if (!response) co_return response.error();
  if (!good(*response) && response->status != 403) co_return refusal(*response);
  co_return Status{};
}

boost::asio::awaitable<Status> KubeClient::put_in_place(std::shared_ptr<Identity> admin,
                                                        AccessObject object) {
  boost::asio::awaitable<Result<http::Response>> creating =
      send(admin, make_request(http::Method::post, object.collection, object.body));
  const auto created = co_await std::move(creating);
  if (!created) co_return created.error();
  if (good(*created)) co_return Status{};
  if (created->status != 409) co_return refusal(*created);
  // It stands already, perhaps not as we need it: an older Slipway's, or changed by hand.
  http::Request patch =
      make_request(http::Method::patch, object.collection + "/" + object.name, object.body, k_merge_patch);
  boost::asio::awaitable<Result<http::Response>> mending = send(admin, std::move(patch));
  const auto mended = co_await std::move(mending);
  if (!mended) co_return mended.error();
  if (!good(*mended)) co_return refusal(*mended);
  co_return Status{};
}

boost::asio::awaitable<Status> KubeClient::wait_for_access() {
  const SteadyTime until = deps_.clock.steady() + k_access_wait;
  for (;;) {
    boost::asio::awaitable<Result<http::Response>> asking = call(make_request(http::Method::get, k_probe));
    const auto response = co_await std::move(asking);
    if (!response) co_return response.error();
    if (good(*response)) co_return Status{};
    if (response->status != 403 || deps_.clock.steady() >= until) co_return refusal(*response);
    boost::asio::awaitable<Status> sleeping = deps_.clock.sleep_for(k_access_poll);
    const Status slept = co_await std::move(sleeping);
    if (!slept) co_return slept.error();
  }
}

// The right to give ourselves and the operators' group their rights is system:masters'. That certificate lives for minutes and only in
// this frame; none is made while nobody is there who could use it.
boost::asio::awaitable<Status> KubeClient::ensure_access() {
  boost::asio::awaitable<Status> checking = check_serving();
  const Status serving = co_await std::move(checking);
  if (!serving) co_return serving.error();
  boost::asio::awaitable<Result<std::shared_ptr<Identity>>> making =
      make_identity(CertUsage::coordinator_bootstrap, "slipway:bootstrap", k_bootstrap_life);
  const auto admin = co_await std::move(making);
  if (!admin) co_return error_of(admin, "making a bootstrap certificate for kube-apiserver");
  const std::vector<AccessObject> objects = access_objects();
  for (const AccessObject& object : objects) {
    boost::asio::awaitable<Status> putting = put_in_place(*admin, object);
    const Status put = co_await std::move(putting);
    if (!put) co_return error_of(put, "giving the coordinator and its operators their access");
  }
  boost::asio::awaitable<Status> waiting = wait_for_access();
  co_return co_await std::move(waiting);
}

boost::asio::awaitable<Result<std::vector<KubeNode>>> KubeClient::list_nodes() {
  const SteadyTime until = deps_.clock.steady() + k_list_deadline;
  std::vector<KubeNode> nodes;
  std::string next;
  for (int pages = 0; pages < k_pages; ++pages) {
    std::string target = "/api/v1/nodes?limit=" + std::to_string(k_page);
    if (!next.empty()) target += "&continue=" + next;
    boost::asio::awaitable<Result<http::Response>> calling = call(make_request(http::Method::get, target));
    const auto response = co_await std::move(calling);
    if (!response) co_return response.error();
    if (!good(*response)) co_return refusal(*response);
    auto page = parse_node_list(response->body);
    if (!page) co_return page.error();
    for (KubeNode& node : page->nodes) nodes.push_back(std::move(node));
    next = std::move(page->next);
    if (next.empty()) co_return nodes;
    if (deps_.clock.steady() >= until)
      co_return make_error(Errc::timeout, "kube-apiserver takes too long over the list of nodes");
  }
  co_return make_error(Errc::exhausted, "kube-apiserver's list of nodes does not end");
}

boost::asio::awaitable<Result<KubeNode>> KubeClient::get_node(std::string name) {
  const Status proper = check_name(name);
  if (!proper) co_return proper.error();
  boost::asio::awaitable<Result<http::Response>> calling =
      call(make_request(http::Method::get, path_of(name)));
  const auto response = co_await std::move(calling);
  if (!response) co_return response.error();
  if (!good(*response)) co_return refusal(*response);
  auto node = parse_node(response->body);
  if (node && node->name != name)
    co_return make_error(Errc::corrupt, "kube-apiserver sent another Node than the one asked for");
  co_return node;
}

boost::asio::awaitable<Status> KubeClient::set_pod_cidr(std::string name, Cidr pod_cidr,
                                                        std::optional<Cidr> second) {
  return patch_node(std::move(name), pod_cidr_patch(pod_cidr, second));
}

boost::asio::awaitable<Status> KubeClient::set_unschedulable(std::string name, bool unschedulable) {
  return patch_node(std::move(name), unschedulable_patch(unschedulable));
}

boost::asio::awaitable<Status> KubeClient::set_marks(std::string name, KubeMarks marks) {
  return patch_node(std::move(name), marks_patch(marks));
}

boost::asio::awaitable<Status> KubeClient::patch_node(std::string name, std::string patch) {
  const Status proper = check_name(name);
  if (!proper) co_return proper.error();
  http::Request request = make_request(http::Method::patch, path_of(name), std::move(patch), k_merge_patch);
  boost::asio::awaitable<Result<http::Response>> calling = call(std::move(request));
  const auto response = co_await std::move(calling);
  if (!response) co_return response.error();
  if (!good(*response)) co_return refusal(*response);
  co_return Status{};
}

boost::asio::awaitable<Status> KubeClient::delete_node(std::string name) {
  const Status proper = check_name(name);
  if (!proper) co_return proper.error();
  boost::asio::awaitable<Result<http::Response>> calling =
      call(make_request(http::Method::del, path_of(name)));
  const auto response = co_await std::move(calling);
  if (!response) co_return response.error();
  if (!good(*response) && response->status != 404) co_return refusal(*response);
  co_return Status{};
}

}  // namespace slipway::kube
