#include "agent/service/credentials.hpp"

#include <algorithm>
#include <optional>

#include "common/core/text.hpp"
#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/private_key.hpp"

namespace slipway {

namespace {

constexpr char k_agent[] = "agent";
constexpr char k_fabric[] = "fabric";

std::optional<Certificate> leaf_of(const std::string& chain_pem) {
  auto chain = Certificate::chain_from_pem(chain_pem);
  if (!chain || chain->empty()) return std::nullopt;
  return chain->front();
}

Result<Secret> choose_key(CredentialStore& credentials, const std::string& usage, KeyChoice choice) {
  auto pending = credentials.pending_key(usage);
  if (!pending) return pending.error();
  if (*pending) return std::move(**pending);
  if (choice == KeyChoice::in_use_or_new) {
    auto pair = credentials.pair(usage);
    if (!pair) return pair.error();
    if (*pair) {
      if (auto kept = credentials.save_pending_key(usage, (*pair)->key_pem); !kept) return kept.error();
      return (*pair)->key_pem.copy();
    }
  }
  auto key = PrivateKey::generate_p256();
  if (!key) return key.error();
  auto pem = key->to_pem();
  if (!pem) return pem.error();
  if (auto kept = credentials.save_pending_key(usage, *pem); !kept) return kept.error();
  return std::move(*pem);
}

Error mistrusted(const std::string& usage, const std::string& what) {
  return make_error(Errc::corrupt,
                    "the coordinator's certificate for " + usage + " is not to be used: " + what);
}

bool issued_by_any(const Certificate& leaf, const std::string& bundle_pem) {
  const auto bundle = Certificate::chain_from_pem(bundle_pem);
  if (!bundle) return false;
  return std::any_of(bundle->begin(), bundle->end(), [&](const Certificate& ca) {
    return ca.is_ca() && leaf.verify_issued_by(ca).has_value();
  });
}

bool names_the_node(const Certificate& leaf, const UsageProfile& profile, const CertificateSubject& subject) {
  if (profile.usage == k_agent) {
    const std::string mark = ":node:" + subject.node_uid + ":";
    return std::any_of(leaf.uris().begin(), leaf.uris().end(),
                       [&](const std::string& uri) { return uri.find(mark) != std::string::npos; });
  }
  if (profile.usage == "kubeletClient") return leaf.common_name() == "system:node:" + subject.node_name;
  return true;
}

Status check_one(const UsageProfile& profile, const std::string& pem, const std::string& spki,
                 const std::string& bundle, const CertificateSubject& subject, WallTime now) {
  const auto leaf = leaf_of(pem);
  if (!leaf) return mistrusted(profile.usage, "it cannot be read");
  if (leaf->spki_der() != spki) return mistrusted(profile.usage, "it is for another key");
  if (!issued_by_any(*leaf, bundle))
    return mistrusted(profile.usage, "no CA called " + profile.ca + " has signed it");
  if (leaf->not_after() <= now) {
    return mistrusted(profile.usage, "it ended at " + to_rfc3339(leaf->not_after()) + " and here it is " +
                                         to_rfc3339(now) +
                                         ": compare the clocks of this host and the coordinator");
  }
  if (leaf->not_before() > now) {
    return mistrusted(profile.usage, "it begins at " + to_rfc3339(leaf->not_before()) + " and here it is " +
                                         to_rfc3339(now) +
                                         ": compare the clocks of this host and the coordinator");
  }
  if (profile.serving && !leaf->has_eku(Eku::server_auth))
    return mistrusted(profile.usage, "it is not for a server");
  if (!profile.serving && !leaf->has_eku(Eku::client_auth))
    return mistrusted(profile.usage, "it is not for a client");
  if (!names_the_node(*leaf, profile, subject))
    return mistrusted(profile.usage, "it names another node (" + leaf->subject() + ")");
  return {};
}

}  // namespace

Result<EnrollmentFacts> read_enrollment_facts(NodeStore& nodes, CredentialStore& credentials) {
  auto identity = nodes.identity();
  if (!identity) return identity.error();
  auto pair = credentials.pair(k_agent);
  if (!pair) return pair.error();
  auto pending = credentials.pending_key(k_agent);
  if (!pending) return pending.error();
  auto fabric = credentials.ca_bundle(k_fabric);
  if (!fabric) return fabric.error();
  EnrollmentFacts facts;
  facts.identity = identity->has_value();
  facts.agent_key = pair->has_value() || pending->has_value();
  facts.fabric_ca = fabric->has_value();
  if (*pair) {
    if (const auto leaf = leaf_of((*pair)->chain_pem)) facts.agent_not_after = leaf->not_after();
  }
  return facts;
}

Result<PreparedKeys> prepare_keys(CredentialStore& credentials, const std::vector<std::string>& usages,
                                  KeyChoice choice) {
  PreparedKeys keys;
  for (const std::string& usage : usages) {
    auto pem = choose_key(credentials, usage, choice);
    if (!pem) return context(pem.error(), "preparing the key for " + usage);
    auto key = PrivateKey::from_pem(*pem);
    if (!key) return context(key.error(), "reading the key for " + usage);
    auto csr = make_csr(*key);
    if (!csr) return context(csr.error(), "requesting a certificate for " + usage);
    keys.csrs[usage] = std::move(*csr);
    keys.spki[usage] = key->spki_der();
  }
  return keys;
}

Status offer_identity_key(CredentialStore& credentials, bool drop_candidate) {
  auto pending = credentials.pending_key(k_agent);
  if (!pending) return pending.error();
  if (*pending && !drop_candidate) return {};
  auto pair = credentials.pair(k_agent);
  if (!pair) return pair.error();
  if (!*pair) return {};
  return credentials.save_pending_key(k_agent, (*pair)->key_pem);
}

Status check_issued(const IssuedCertificates& issued, const std::vector<UsageProfile>& profiles,
                    const PreparedKeys& keys, const CertificateSubject& subject, WallTime now) {
  for (const UsageProfile& profile : profiles) {
    const auto spki = keys.spki.find(profile.usage);
    if (spki == keys.spki.end()) continue;  // not asked for this time
    const auto certificate = issued.certificates.find(profile.usage);
    if (certificate == issued.certificates.end()) return mistrusted(profile.usage, "the answer lacks it");
    const auto bundle = issued.ca_bundles.find(profile.ca);
    if (bundle == issued.ca_bundles.end())
      return mistrusted(profile.usage, "the answer lacks the CA called " + profile.ca);
    auto checked = check_one(profile, certificate->second, spki->second, bundle->second, subject, now);
    if (!checked) return checked;
  }
  return {};
}

namespace {

Result<bool> keeps_stored(CredentialStore& credentials, const IssuedCertificates& issued, const std::string& name, const std::string& pem) {
  const auto announced = issued.announced.find(name);
  if (announced == issued.announced.end() || announced->second == sha256_hex(pem)) return false;
  const auto stored = credentials.ca_bundle(name);
  if (!stored) return stored.error();
  return stored->has_value();
}

}  // namespace

Status take_over(CredentialStore& credentials, const IssuedCertificates& issued) {
  for (const auto& [name, pem] : issued.ca_bundles) {
    const auto keeps = keeps_stored(credentials, issued, name, pem);
    if (!keeps) return context(keeps.error(), "reading the CA " + name);
    if (*keeps) continue;
    if (auto saved = credentials.save_ca_bundle(name, pem); !saved)
      return context(saved.error(), "keeping the CA " + name);
  }
  for (const auto& [usage, pem] : issued.certificates) {
    if (usage == k_agent) continue;
    if (auto done = credentials.activate(usage, pem); !done)
      return context(done.error(), "keeping the certificate for " + usage);
  }
  const auto agent = issued.certificates.find(k_agent);
  if (agent == issued.certificates.end()) return {};
  if (auto done = credentials.activate(k_agent, agent->second); !done)
    return context(done.error(), "keeping the certificate for agent");
  return {};
}

Result<std::vector<CertificateLife>> certificate_lives(CredentialStore& credentials,
                                                       const std::vector<UsageProfile>& profiles) {
  std::vector<CertificateLife> lives;
  for (const UsageProfile& profile : profiles) {
    auto pair = credentials.pair(profile.usage);
    if (!pair) return pair.error();
    if (!*pair) continue;
    const auto leaf = leaf_of((*pair)->chain_pem);
    if (!leaf) continue;
    lives.push_back({profile.usage, leaf->serial_hex(), leaf->not_before(), leaf->not_after(), to_hex(leaf->authority_key_id())});
  }
  return lives;
}

boost::asio::awaitable<Status> use_stored_identity(CredentialStore& store, CoordinatorApi& coordinator, Workers& workers) {
  struct Pair {
    KeyPair pair;
    std::string fabric_ca;
  };
  CredentialStore* credentials = &store;
  std::function<Result<Pair>()> read = [credentials]() -> Result<Pair> {
    auto pair = credentials->pair("agent");
    if (!pair) return pair.error();
    auto bundle = credentials->ca_bundle("fabric");
    if (!bundle) return bundle.error();
    if (!*pair || !*bundle) return make_error(Errc::corrupt, "the agent's certificate is not there");
    return Pair{std::move(**pair), std::move(**bundle)};
  };
  boost::asio::awaitable<Result<Pair>> reading = offload<Pair>(workers, std::move(read));
  const Result<Pair> pair = co_await std::move(reading);
  if (!pair) co_return pair.error();
  co_return coordinator.use_identity(pair->fabric_ca, pair->pair);
}

}  // namespace slipway
