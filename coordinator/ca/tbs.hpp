#pragma once
// Private to this folder: the parts of a certificate as DER (RFC 5280 4.1 and 4.2).
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "common/crypto/private_key.hpp"
#include "coordinator/domain/cert_profile.hpp"

namespace slipway::tbs {

struct Body {
  std::string_view serial;  // big endian, positive
  std::string_view issuer;  // DER names
  std::string_view subject;
  Validity validity;
  std::string_view spki;
  std::string_view extensions;  // the extensions one after the other
};

// Signs and puts together: the whole certificate as DER.
Result<std::string> sign(const Body& body, const PrivateKey& key);

std::string leaf_key_usage(bool rsa);  // digitalSignature, with keyEncipherment for RSA
std::string ca_key_usage();            // keyCertSign, cRLSign
std::string leaf_constraints();        // CA:FALSE
std::string ca_constraints();          // CA:TRUE, pathlen:0
std::string extended_key_usage(UsageBits bits);
std::string subject_key_id(std::string_view key_id);
std::string authority_key_id(std::string_view key_id);
std::string alt_names(const CertSpec& spec);  // empty when the specification has none

// RFC 5280 4.2.1.10, critical. Empty lists are left out.
struct NameConstraints {
  std::vector<Cidr> permitted_addresses;
  std::vector<std::string> excluded_names;  // with all names below them
  std::vector<Cidr> excluded_addresses;
};
std::string name_constraints(const NameConstraints& constraints);

}  // namespace slipway::tbs
