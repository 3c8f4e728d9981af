#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway::test {

const Authority& test_authority() {
  static const Authority authority = Authority::create(test_cluster(), k_now).value();
  return authority;
}

int openssl_verify(const std::string& leaf_der, const std::string& ca_pem, const Check& check) {
  const auto* at = reinterpret_cast<const unsigned char*>(leaf_der.data());
  const std::unique_ptr<X509, decltype(&X509_free)> leaf(
      d2i_X509(nullptr, &at, static_cast<long>(leaf_der.size())), X509_free);
  BIO* bio = BIO_new_mem_buf(ca_pem.data(), static_cast<int>(ca_pem.size()));
  const std::unique_ptr<X509, decltype(&X509_free)> ca(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr),
                                                       X509_free);
  BIO_free(bio);
  if (!leaf || !ca) throw std::runtime_error("openssl cannot read the certificate");
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), X509_STORE_free);
  X509_STORE_add_cert(store.get(), ca.get());
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                X509_STORE_CTX_free);
  X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr);
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
  X509_VERIFY_PARAM_set_auth_level(param, 2);
  X509_VERIFY_PARAM_set_time(param, check.at.time_since_epoch().count());
  X509_VERIFY_PARAM_set_purpose(param, check.server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
  if (!check.host.empty()) X509_VERIFY_PARAM_set1_host(param, check.host.data(), check.host.size());
  if (!check.ip.empty()) X509_VERIFY_PARAM_set1_ip_asc(param, check.ip.c_str());
  return X509_verify_cert(context.get()) == 1 ? 0 : X509_STORE_CTX_get_error(context.get());
}

}  // namespace slipway::test
