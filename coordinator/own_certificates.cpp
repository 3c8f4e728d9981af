#include "coordinator/own_certificates.hpp"

#include "common/crypto/private_key.hpp"
#include "common/crypto/random.hpp"
#include "coordinator/domain/signing_rules.hpp"

namespace slipway {

Result<OwnCertificate> make_own_certificate(CertUsage usage, const ValidatedCluster& cluster,
                                            const std::string& cluster_id, const std::string& user,
                                            Signer& signer, WallTime now) {
  const auto key = PrivateKey::generate_p256();
  if (!key) return error_of(key, "making a key");
  ProfileInput input;
  input.cluster = profile_cluster(cluster, cluster_id);
  input.user_name = user;
  auto spec = profile(usage, input);
  if (!spec) return spec.error();
  if (usage == CertUsage::coordinator_serving) add_own_host(*spec);
  const auto serial = Serial::from_random(random_bytes(16));
  if (!serial) return serial.error();
  const Validity validity = validity_of(spec->validity, lifetimes_of(cluster), now);
  const auto issued = signer.issue(*spec, key->spki_der(), *serial, validity.not_before, validity.not_after);
  if (!issued) return issued.error();
  auto pem = key->to_pem();
  if (!pem) return pem.error();
  OwnCertificate own;
  own.key_pem = std::move(*pem);
  own.certificate.pem = issued->pem;
  own.certificate.names = names_of(*spec);
  CertificateRecord& record = own.certificate.record;
  record.serial = issued->serial_hex;
  record.usage = usage;
  record.subject = user.empty() ? "coordinator" : user;
  record.not_before = issued->not_before;
  record.not_after = issued->not_after;
  record.sha256 = issued->sha256_hex;
  record.spki_sha256 = key->spki_sha256_hex();
  record.ca = issued->ca;
  return own;
}

}  // namespace slipway
