// The verification of the other end's certificate chain and its failures in words.
#include <openssl/err.h>
#include <openssl/evp.h>

#include <array>
#include <chrono>

#include "common/core/ip.hpp"
#include "common/core/text.hpp"
#include "common/core/time.hpp"
#include "common/http/tls_native.hpp"

namespace slipway::http {

namespace {

constexpr int k_max_rsa_bits = 4096;
constexpr int k_max_names = 8;

// Text from a certificate goes to terminals: only what prints.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 253)) out += c >= ' ' && c < 0x7f ? c : '?';
  return out;
}

std::string common_name(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at < 0) return "(no common name)";
  const ASN1_STRING* const text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
  return printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                    static_cast<std::size_t>(ASN1_STRING_length(text))});
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable time";
  return to_rfc3339(std::chrono::floor<Seconds>(std::chrono::system_clock::from_time_t(::timegm(&parts))));
}

std::string local_time_text() {
  return to_rfc3339(std::chrono::floor<Seconds>(std::chrono::system_clock::now()));
}

std::string expiry_text(const X509* certificate, bool expired) {
  const std::string subject = common_name(X509_get_subject_name(certificate));
  if (expired) {
    return "the certificate of " + subject + " expired at " + time_text(X509_get0_notAfter(certificate)) +
           ", the local clock says " + local_time_text() + ": renew it, or set the clock if that is wrong";
  }
  return "the certificate of " + subject + " is valid only from " +
         time_text(X509_get0_notBefore(certificate)) + ", the local clock says " + local_time_text() +
         ": set the clocks of both hosts";
}

std::string failure_text(int error, const X509* certificate, const VerifyNotes& notes) {
  const std::string subject =
      certificate != nullptr ? common_name(X509_get_subject_name(certificate)) : "(none)";
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return certificate != nullptr ? expiry_text(certificate, true) : "expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return certificate != nullptr ? expiry_text(certificate, false) : "not yet valid";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the certificate is for " + (certificate != nullptr ? names_of(certificate) : subject) +
             "; not for " + notes.expected_host;
    case X509_V_ERR_INVALID_PURPOSE:
      return "the certificate of " + subject + " is not meant for this use (extended key usage)";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "the certificate of " + subject + " comes from " +
             (certificate != nullptr ? common_name(X509_get_issuer_name(certificate)) : subject) +
             ", not from a trusted CA";
    default:
      return "the certificate of " + subject + " is refused: " + X509_verify_cert_error_string(error);
  }
}

SSL* ssl_of(X509_STORE_CTX* store) {
  return static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
}

void note(X509_STORE_CTX* store, std::string text) {
  SSL* const ssl = ssl_of(store);
  auto* const notes = ssl != nullptr ? static_cast<VerifyNotes*>(SSL_get_app_data(ssl)) : nullptr;
  if (notes != nullptr && notes->failure.empty()) notes->failure = std::move(text);
}

int refuse(X509_STORE_CTX* store, int error, std::string text) {
  note(store, std::move(text));
  X509_STORE_CTX_set_error(store, error);
  return 0;
}

// Before any signature is checked: odd and huge keys cost the verifier time.
bool key_is_reasonable(X509* certificate) {
  EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (key == nullptr) return false;
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return EVP_PKEY_get_bits(key) <= k_max_rsa_bits;
    case EVP_PKEY_ED25519:
      return true;
    case EVP_PKEY_EC: {
      std::array<char, 32> group{};
      std::size_t size = 0;
      if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1) return false;
      const std::string_view name(group.data(), size);
      return name == "prime256v1" || name == "secp384r1" || name == "secp521r1";
    }
    default:
      return false;
  }
}

bool has_pin(const X509* certificate, std::string_view pin) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return false;
  return std::string_view(reinterpret_cast<const char*>(digest.data()), size) == pin;
}

// The pinned CA may stand anywhere above the leaf: of an imported intermediate some issuers may be sent as well.
X509* find_pinned(const STACK_OF(X509) * chain, std::string_view pin) {
  for (int i = 1; i < sk_X509_num(chain); ++i) {
    X509* const certificate = sk_X509_value(chain, i);
    if (has_pin(certificate, pin) && X509_check_ca(certificate) != 0) return certificate;
  }
  return nullptr;
}

int verify_pinned(X509_STORE_CTX* store, const STACK_OF(X509) * chain, std::string_view pin) {
  // One certificate alone would be anchor and server in one: the pin names a CA.
  X509* const pinned = find_pinned(chain, pin);
  if (pinned == nullptr) {
    return refuse(store, X509_V_ERR_APPLICATION_VERIFICATION,
                  "the CA that the server presents is not the one the join token pins (wrong pin): the token "
                  "belongs to another cluster, the cluster's CA was replaced since, or somebody is in between; "
                  "check the address and make a new token");
  }
  const Ossl<STACK_OF(X509)> anchors(sk_X509_new_null());
  if (!anchors || sk_X509_push(anchors.get(), pinned) == 0)
    return refuse(store, X509_V_ERR_OUT_OF_MEM, "out of memory");
  X509_STORE_CTX_set0_trusted_stack(store, anchors.get());
  return X509_verify_cert(store) == 1 ? 1 : 0;
}

std::string address_text(const ASN1_OCTET_STRING* bytes) {
  const auto address = IpAddress::from_bytes({reinterpret_cast<const char*>(ASN1_STRING_get0_data(bytes)),
                                              static_cast<std::size_t>(ASN1_STRING_length(bytes))});
  return address ? address->to_string() : "(odd address)";
}

}  // namespace

std::string drain_openssl_errors() {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  const char* const reason = first != 0 ? ERR_reason_error_string(first) : nullptr;
  return reason != nullptr ? lower(reason) : "unknown OpenSSL error";
}

std::string names_of(const X509* certificate) {
  const Ossl<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string out;
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  for (int i = 0; i < count && i < k_max_names; ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    if (!out.empty()) out += ", ";
    out += name->type == GEN_IPADD
               ? address_text(name->d.iPAddress)
               : printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                            static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))});
  }
  if (count > k_max_names) out += " and more";
  return out.empty() ? "no host (common name " + common_name(X509_get_subject_name(certificate)) + ")" : out;
}

int note_verification(int ok, X509_STORE_CTX* store) {
  X509* const certificate = X509_STORE_CTX_get_current_cert(store);
  if (ok != 1) {
    SSL* const ssl = ssl_of(store);
    const auto* const notes =
        ssl != nullptr ? static_cast<const VerifyNotes*>(SSL_get_app_data(ssl)) : nullptr;
    const VerifyNotes none;
    note(store, failure_text(X509_STORE_CTX_get_error(store), certificate, notes != nullptr ? *notes : none));
    return 0;
  }
  if (X509_STORE_CTX_get_error_depth(store) != 0 || certificate == nullptr) return 1;
  // OpenSSL lets a leaf without extended key usage pass for every purpose.
  SSL* const ssl = ssl_of(store);
  const std::uint32_t wanted = ssl != nullptr && SSL_is_server(ssl) == 1 ? XKU_SSL_CLIENT : XKU_SSL_SERVER;
  const std::uint32_t usage = X509_get_extended_key_usage(certificate);
  if (usage == UINT32_MAX || (usage & wanted) == 0) {
    return refuse(store, X509_V_ERR_INVALID_PURPOSE,
                  failure_text(X509_V_ERR_INVALID_PURPOSE, certificate, VerifyNotes{}));
  }
  return 1;
}

int verify_chain(X509_STORE_CTX* store, void* settings) {
  const auto& tls = *static_cast<const TlsSettings*>(settings);
  const STACK_OF(X509)* const chain = X509_STORE_CTX_get0_untrusted(store);
  if (chain == nullptr || sk_X509_num(chain) < 1)
    return refuse(store, X509_V_ERR_UNSPECIFIED, "no certificate was presented");
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    if (!key_is_reasonable(sk_X509_value(chain, i))) {
      return refuse(store, X509_V_ERR_EE_KEY_TOO_SMALL,
                    "a certificate has a key of a kind or size that is not accepted (RSA to 4096 bits, "
                    "P-256, P-384, P-521, Ed25519)");
    }
  }
  if (!tls.pin.empty()) return verify_pinned(store, chain, tls.pin);
  return X509_verify_cert(store) == 1 ? 1 : 0;
}

}  // namespace slipway::http
