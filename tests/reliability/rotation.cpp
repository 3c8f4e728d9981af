#include "tests/reliability/rotation.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "common/core/text.hpp"
#include "common/crypto/certificate.hpp"
#include "proto/codec.hpp"
#include "proto/desired_types.hpp"
#include "proto/report_types.hpp"

namespace slipway::test {

namespace {

using bench::must;

constexpr const char* k_kind = "kubeletServing";
constexpr const char* k_usage = "kubeletServing";
constexpr const char* k_target = "/v1/cas/kubeletServing";
const std::map<std::string, std::string> k_kind_of = {
    {"agent", "fabric"}, {"kubeletClient", "kubeClient"}, {"kubeletServing", "kubeletServing"}, {"kubeProxy", "kubeClient"}};

CaStand stand_of(const proto::CaView& view) { return {view.phase, view.signing.number, view.other ? view.other->number : 0}; }

std::string step_from(const std::string& phase) {
  if (phase == "stable") return "prepare";
  return phase == "distributing" ? "activate" : "retire";
}

bool told(const std::vector<std::string>& findings, const std::string& when) {
  for (const std::string& text : findings) std::fprintf(stderr, "%s: %s\n", when.c_str(), text.c_str());
  return findings.empty();
}

// By openssl, so that a fault of our own reading is not shared by its judge.
bool verify(const std::string& dir, const std::string& kind, const std::string& bundle, const std::vector<std::string>& pems) {
  const std::string trusted = dir + "verify-" + kind + "-ca";
  std::ofstream(trusted) << bundle;
  std::vector<std::string> command = {"openssl", "verify", "-x509_strict", "-CAfile", trusted};
  for (std::size_t i = 0; i < pems.size(); ++i) {
    command.push_back(dir + "verify-" + kind + "-" + std::to_string(i));
    std::ofstream(command.back()) << pems[i];
  }
  return bench::succeeds(command);
}

}  // namespace

proto::CaView Rotation::view() const {
  const bench::ClusterDir& cluster = campaign_.cluster();
  const auto response = must(bench::send_now(cluster.endpoint(bench::sim_address(0)), cluster.admin_tls(), bench::json_request(http::Method::get, k_target, "")),
                             "looking at an authority");
  return must(proto::decode<proto::CaView>(response.body), "looking at an authority");
}

bool Rotation::take(const std::string& step) {
  const bench::ClusterDir& cluster = campaign_.cluster();
  checker_.asked(step);
  const auto response = bench::send_now(cluster.endpoint(bench::sim_address(0)), cluster.admin_tls(),
                                        bench::json_request(http::Method::post, k_target, proto::encode(proto::CaChangeRequest{step, false, false})));
  if (!response || response->status != 200) {
    campaign_.give_up();
    if (response && response->status < 500) std::fprintf(stderr, "%s was answered %s\n", step.c_str(), response->body.c_str());
    return false;
  }
  const auto found = checker_.answered(stand_of(must(proto::decode<proto::CaView>(response->body), "the answer to a step")));
  findings_.insert(findings_.end(), found.begin(), found.end());
  return true;
}

// Each node has the bundle, and says which certificates it uses.
void Rotation::report() {
  const proto::CaView now = view();
  for (bench::SimNode* node : campaign_.members()) {
    proto::NodeStatusReport status;
    status.phase = "Running";
    status.ca_bundles[k_kind] = now.bundle_sha256;
    for (const auto& [usage, pem] : node->reply.certificates) {
      status.certificates.push_back({usage, must(Certificate::from_pem(pem), "reading an issued certificate").serial_hex(), ""});
    }
    const bench::ClusterDir& cluster = campaign_.cluster();
    const auto response = must(bench::send_now(cluster.endpoint(node->address), node->tls(cluster.ca_pem()),
                                               bench::json_request(http::Method::post, "/v1/agent/status", proto::encode(status))),
                               "a node's report");
    if (response.status != 204) bench::die("a node's report was answered " + response.body);
  }
}

void Rotation::make_ready(const std::string& step) {
  if (step == "retire" && !campaign_.renew_all(k_usage)) bench::die("a renewal during a replacement went unanswered");
  if (step != "prepare") report();
}

void Rotation::come_to(const std::string& step) {
  for (std::string next = step_from(view().phase); next != step; next = step_from(view().phase)) {
    make_ready(next);
    if (!take(next)) bench::die("a replacement does not go on: " + next);
  }
  make_ready(step);
}

bool Rotation::check(const std::string& when) {
  std::vector<std::string> found = std::exchange(findings_, {});
  const auto image = campaign_.image();
  if (!image) return told({"the store cannot be read: " + image.error().message}, when);
  const auto line = std::find_if(image->cas.begin(), image->cas.end(), [](const StoreImage::Ca& ca) { return ca.kind == k_kind; });
  if (line == image->cas.end()) return told({"I1: the authority is lost"}, when);
  for (std::string& text : checker_.check({line->phase, line->signing, line->other})) found.push_back(std::move(text));
  return told(found, when);
}

bool Rotation::certificates_verify(const std::string& when) {
  const auto members = campaign_.members();
  if (members.empty()) bench::die("there is no node to verify anything of");
  const bench::ClusterDir& cluster = campaign_.cluster();
  const auto response = must(bench::send_now(cluster.endpoint(members.front()->address), members.front()->tls(cluster.ca_pem()),
                                             bench::json_request(http::Method::get, "/v1/agent/ca-bundles", "")),
                             "fetching bundles");
  const auto bundles = must(proto::decode<proto::CaBundles>(response.body), "fetching bundles").ca_bundles;
  std::map<std::string, std::vector<std::string>> of_kind;
  for (const bench::SimNode* node : members) {
    for (const auto& [usage, pem] : node->reply.certificates) of_kind[k_kind_of.at(usage)].push_back(pem);
  }
  std::vector<std::string> found;
  for (const auto& [kind, pems] : of_kind) {
    if (bundles.count(kind) == 0 || !verify(campaign_.files(), kind, bundles.at(kind), pems)) {
      found.push_back("I5: a node holds a certificate that the bundle of " + kind + " does not verify");
    }
  }
  return told(found, when);
}

bool Rotation::keys_are_right(const std::string& when) {
  const std::string prefix = std::string(k_kind) + "-ca";
  std::set<std::uint64_t> numbers;
  for (const auto& entry : std::filesystem::directory_iterator(campaign_.data_dir() + "/ca")) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix) || !name.ends_with(".key")) continue;
    const std::string number = name.substr(prefix.size(), name.size() - prefix.size() - 4);  // "" or "-2"
    numbers.insert(number.empty() ? 1 : parse_u64(number.substr(1)).value_or(0));
  }
  return told(checker_.check_keys(numbers), when);
}

bool Rotation::goes_on(const std::string& step, const std::string& when) {
  bool clean = keys_are_right(when);
  clean = certificates_verify(when) && clean;
  if (step_from(view().phase) == step) {
    // What nodes confirmed is not kept over a restart: they say it again.
    make_ready(step);
    if (!take(step)) clean = told({"I3: " + step + " cannot be taken after the crash"}, when);
  }
  return certificates_verify(when) && clean;
}

}  // namespace slipway::test
