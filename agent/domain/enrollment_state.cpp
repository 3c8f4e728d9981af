#include "agent/domain/enrollment_state.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::string_view k_prefix = "slipway1";
constexpr std::size_t k_pin_digits = 64;
constexpr std::size_t k_id_length = 6;
constexpr std::size_t k_min_secret = 16;
constexpr std::size_t k_max_secret = 128;

Error bad_token(std::string what) {
  return make_error(Errc::invalid, "the join token is not whole: " + std::move(what) +
                                       "; copy it again, or make one with: slipwayctl token create");
}

bool all_of(std::string_view text, bool (*allowed)(char)) {
  return std::all_of(text.begin(), text.end(), allowed);
}
bool lower_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool alphanumeric(char c) {
  return lower_alphanumeric(c) || (c >= 'A' && c <= 'Z');
}

std::vector<UsageProfile> node_usages() {
  return {{"agent", "fabric", false},
          {"kubeletClient", "kubeClient", false},
          {"kubeletServing", "kubeletServing", true},
          {"kubeProxy", "kubeClient", false}};
}

std::vector<UsageProfile> master_usages() {
  std::vector<UsageProfile> usages = node_usages();
  usages.push_back({"apiserverServing", "apiserver", true});
  usages.push_back({"apiserverKubeletClient", "kubeClient", false});
  usages.push_back({"apiserverEtcdClient", "etcd", false});
  usages.push_back({"etcdServer", "etcd", true});
  usages.push_back({"etcdPeer", "etcd", true});
  usages.push_back({"frontProxyClient", "frontProxy", false});
  usages.push_back({"controllerManager", "kubeClient", false});
  usages.push_back({"scheduler", "kubeClient", false});
  return usages;
}

}  // namespace

Result<PinnedToken> parse_pinned_token(std::string_view text) {
  text = trim(text);
  if (!text.starts_with(k_prefix)) return bad_token("it does not start with \"slipway1\"");
  text.remove_prefix(k_prefix.size());
  const std::size_t colons = text.find("::");
  if (colons == std::string_view::npos) return bad_token("there is no \"::\" in it");
  const std::string pin = lower(text.substr(0, colons));
  const auto pin_bytes = from_hex(pin);
  if (pin.size() != k_pin_digits || !pin_bytes)
    return bad_token("the part before \"::\" is not a SHA-256 of 64 hex digits");
  const std::string_view credential = text.substr(colons + 2);
  const std::size_t dot = credential.find('.');
  if (dot != k_id_length || !all_of(credential.substr(0, dot), lower_alphanumeric)) {
    return bad_token("the part after \"::\" does not start with an id of 6 letters or digits and a dot");
  }
  const std::string_view secret = credential.substr(dot + 1);
  if (secret.size() < k_min_secret || secret.size() > k_max_secret || !all_of(secret, alphanumeric)) {
    return bad_token("its last part is cut short or has foreign characters");
  }
  PinnedToken token;
  token.ca_sha256 = pin;
  token.id = std::string(credential.substr(0, dot));
  token.credential = Secret(std::string(credential));
  return token;
}

const std::vector<UsageProfile>& usages_of_role(std::string_view role) {
  static const std::vector<UsageProfile> node = node_usages();
  static const std::vector<UsageProfile> master = master_usages();
  return role == "master" ? master : node;
}

EnrollmentStep first_step(const EnrollmentFacts& facts, WallTime now) {
  if (facts.identity && facts.agent_not_after && now < *facts.agent_not_after)
    return EnrollmentStep::use_identity;
  if (facts.identity && facts.agent_key && facts.fabric_ca) return EnrollmentStep::prove_key;
  return EnrollmentStep::use_token;
}

EnrollmentStep step_without_token(const EnrollmentFacts& facts) {
  return facts.agent_key && facts.fabric_ca ? EnrollmentStep::prove_key : EnrollmentStep::wait;
}

std::chrono::milliseconds polite_wait(std::chrono::milliseconds own, const Error& error) {
  if (error.retry_after == 0) return own;
  const std::chrono::milliseconds asked = std::chrono::seconds(error.retry_after);
  return std::max(own, asked + own % (asked / 4));
}

bool is_refusal(const Error& error) {
  switch (error.code) {
    case Errc::invalid:
    case Errc::unauthenticated:
    case Errc::denied:
    case Errc::not_found:
    case Errc::conflict:
    case Errc::gone:
      return true;
    default:
      return false;
  }
}

std::string join_cure(const Error& error, EnrollmentStep step, std::string_view node_name,
                      std::string_view token_file) {
  const std::string name(node_name);
  const std::string anew = std::string("to join anew: ") + k_join_anew;
  switch (error.code) {
    case Errc::unauthenticated:
    case Errc::denied:
      // An operator's own word, with the way back.
      if (error.cause == Cause::host_denied) return {};
      if (step == EnrollmentStep::prove_key)
        return "the coordinator does not know this node's key any more: " + anew;
      return "slipwayctl node list --all on the coordinator shows why; then slipwayctl token create, and put the "
             "token into " +
             std::string(token_file) + " (mode 600)";
    case Errc::conflict:
      return "another host has joined as " + name +
             ": set another nodeName in agent.yaml, or on the coordinator run slipwayctl node replace " + name;
    case Errc::gone:
      return "this node was deleted from the cluster: " + anew;
    case Errc::exhausted:
      return "the pod network has no free range: delete nodes that are gone, or widen podCIDR";
    case Errc::invalid:
      return "correct agent.yaml";
    default:
      return {};
  }
}

}  // namespace slipway
