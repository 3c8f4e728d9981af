#pragma once
// X.509 certificates, read by our own strict DER reader: a value type, cheap to copy and to pass between
// threads. Reading is not verifying: whether a chain is to be trusted is decided by the TLS layer or by
// verify_issued_by().
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "common/crypto/private_key.hpp"

namespace slipway {

enum class Eku { server_auth, client_auth };
std::string_view to_string(Eku eku);  // "serverAuth", "clientAuth"

// keyUsage bits as written in certificates, RFC 5280 4.2.1.3.
enum class KeyUsage { digital_signature = 0, key_encipherment = 2, key_cert_sign = 5, crl_sign = 6 };

struct CertExtension {
  std::string oid;  // DER content octets, see oid.hpp
  bool critical = false;
  std::string value;  // content of extnValue
};

class Certificate {
 public:
  // Exactly one block, nothing but white space around it.
  static Result<Certificate> from_pem(std::string_view pem);
  static Result<Certificate> from_der(std::string_view der);
  // One or more blocks, in their order; at most 16.
  static Result<std::vector<Certificate>> chain_from_pem(std::string_view pem);

  const std::string& der() const { return der_; }
  std::string pem() const;
  std::string sha256_hex() const;  // of the DER; what kube-apiserver logs as X509SHA256

  const std::string& serial_hex() const { return serial_hex_; }  // lower case, no leading zero octets
  const std::string& subject() const {
    return subject_;
  }  // "O=system:nodes,CN=system:node:a", in their order
  const std::string& issuer() const { return issuer_; }
  const std::string& common_name() const { return common_name_; }  // empty when there is none
  const std::vector<std::string>& organizations() const { return organizations_; }
  WallTime not_before() const { return not_before_; }
  WallTime not_after() const { return not_after_; }
  const std::string& spki_der() const { return spki_der_; }
  std::string spki_sha256_hex() const;
  const std::vector<std::string>& dns_names() const { return dns_names_; }
  const std::vector<IpAddress>& ip_addresses() const { return ip_addresses_; }
  const std::vector<std::string>& uris() const { return uris_; }
  bool has_san() const { return has_san_; }
  // The SAN holds a name of another kind: e-mail, directory name, ...
  bool has_other_names() const { return has_other_names_; }
  // Strict: a certificate without the extension has no usage at all.
  bool has_eku(Eku eku) const;
  const std::vector<std::string>& eku_oids() const { return eku_oids_; }  // dotted
  bool has_key_usage(KeyUsage usage) const;
  unsigned key_usage_bits() const { return key_usage_; }  // bit n = KeyUsage n
  bool is_ca() const { return is_ca_; }
  const std::string& subject_key_id() const { return subject_key_id_; }  // bytes; empty when there is none
  const std::string& authority_key_id() const {
    return authority_key_id_;
  }  // bytes; empty when there is none

  bool matches(const PrivateKey& key) const { return spki_der_ == key.spki_der(); }
  // Issuer name, authority key identifier and signature. Not dates, constraints or usage.
  Status verify_issued_by(const Certificate& ca) const;

  // The raw parts, for checks that look at bytes.
  const std::string& issuer_der() const { return issuer_der_; }
  const std::string& subject_der() const { return subject_der_; }
  const std::vector<CertExtension>& extensions() const { return extensions_; }  // in their order
  SignatureAlgorithm signature_algorithm() const { return signature_algorithm_; }

 private:
  friend class CertificateReader;
  Certificate() = default;

  std::string der_, tbs_der_, signature_, issuer_der_, subject_der_, spki_der_;
  std::string serial_hex_, subject_, issuer_, common_name_;
  std::vector<std::string> organizations_, dns_names_, uris_, eku_oids_;
  std::vector<IpAddress> ip_addresses_;
  std::vector<CertExtension> extensions_;
  std::string subject_key_id_, authority_key_id_;
  WallTime not_before_{}, not_after_{};
  SignatureAlgorithm signature_algorithm_ = SignatureAlgorithm::ecdsa_sha256;
  unsigned key_usage_ = 0;  // bit n = KeyUsage n
  bool is_ca_ = false;
  bool has_san_ = false, has_other_names_ = false;
};

}  // namespace slipway
