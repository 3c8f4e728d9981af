// KubeClient's part for the pods of a node.
#include "common/core/text.hpp"
#include "coordinator/kube/kube_client.hpp"
#include "coordinator/kube/objects.hpp"
#include "coordinator/kube/request.hpp"

namespace slipway::kube {

namespace {

// A pod comes to 5 to 20 kB; an answer may have 8 MB.
constexpr int k_page = 100;
constexpr int k_pages = 100;  // no kubelet runs so many pods
constexpr Millis k_list_deadline{20'000};
constexpr Millis k_version_life = std::chrono::minutes(10);

// Both go into the path.
Status check_pod(const KubePod& pod) {
  if (is_dns_label(pod.name_space) && is_dns_subdomain(pod.name)) return {};
  return make_error(Errc::invalid, "this cannot be the name of a pod");
}

}  // namespace

boost::asio::awaitable<Result<std::vector<KubePod>>> KubeClient::list_pods(std::string node) {
  const Status proper = check_name(node);
  if (!proper) co_return proper.error();
  const SteadyTime until = deps_.clock.steady() + k_list_deadline;
  std::vector<KubePod> pods;
  std::string next;
  for (int pages = 0; pages < k_pages; ++pages) {
    std::string target = "/api/v1/pods?fieldSelector=spec.nodeName%3D" + node + "&limit=" + std::to_string(k_page);
    if (!next.empty()) target += "&continue=" + next;
    boost::asio::awaitable<Result<http::Response>> calling = call(make_request(http::Method::get, target));
    const auto response = co_await std::move(calling);
    if (!response) co_return response.error();
    if (!good(*response)) co_return refusal(*response);
    auto page = parse_pod_list(response->body);
    if (!page) co_return page.error();
    for (KubePod& pod : page->pods) pods.push_back(std::move(pod));
    next = std::move(page->next);
    if (next.empty()) co_return pods;
    if (deps_.clock.steady() >= until) co_return make_error(Errc::timeout, "kube-apiserver takes too long over the list of pods");
  }
  co_return make_error(Errc::exhausted, "kube-apiserver's list of pods does not end");
}

// The list of /api/v1 names the group and version of the body that pods/eviction takes; the list of API groups does not do: 1.21
// has policy/v1, but evicts by policy/v1beta1 alone.
boost::asio::awaitable<Result<std::string>> KubeClient::eviction_version() {
  if (!eviction_version_.empty() && deps_.clock.steady() < eviction_version_until_) co_return eviction_version_;
  boost::asio::awaitable<Result<http::Response>> calling = call(make_request(http::Method::get, "/api/v1"));
  const auto response = co_await std::move(calling);
  if (!response) co_return response.error();
  if (!good(*response)) co_return refusal(*response);
  auto version = parse_eviction_version(response->body);
  if (!version) co_return version.error();
  eviction_version_ = std::move(*version);
  eviction_version_until_ = deps_.clock.steady() + k_version_life;
  co_return eviction_version_;
}

boost::asio::awaitable<Status> KubeClient::evict_pod(KubePod pod) {
  const Status proper = check_pod(pod);
  if (!proper) co_return proper.error();
  boost::asio::awaitable<Result<std::string>> asking = eviction_version();
  const auto version = co_await std::move(asking);
  if (!version) co_return error_of(version, "asking kube-apiserver how it evicts");
  http::Request request = make_request(http::Method::post, "/api/v1/namespaces/" + pod.name_space + "/pods/" + pod.name + "/eviction",
                                       eviction_body(*version, pod));
  boost::asio::awaitable<Result<http::Response>> calling = call(std::move(request));
  const auto response = co_await std::move(calling);
  if (!response) co_return response.error();
  if (good(*response) || response->status == 404) co_return Status{};
  const Error error = refusal(*response);
  // 429: a PodDisruptionBudget, or the server has too much to do. 500: several budgets cover the pod. It is this pod's trouble.
  const bool of_this_pod = response->status == 429 || response->status == 500;
  co_return of_this_pod ? make_error(Errc::too_many, error.message) : error;
}

}  // namespace slipway::kube
