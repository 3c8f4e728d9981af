#include "tests/support/pki.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>

#include "common/core/text.hpp"

namespace slipway::test {

namespace {

struct Free {
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(X509_EXTENSION* p) const { X509_EXTENSION_free(p); }
};
template <class T>
using Handle = std::unique_ptr<T, Free>;

void need(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("test certificates: ") + what);
}

Handle<BIO> reader(const std::string& text) {
  return Handle<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

Handle<X509> read_certificate(const std::string& pem) {
  Handle<X509> out(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
  need(out != nullptr, "reading a certificate");
  return out;
}

Handle<EVP_PKEY> read_key(const std::string& pem) {
  Handle<EVP_PKEY> out(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
  need(out != nullptr, "reading a key");
  return out;
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  if (value.empty()) return;
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Handle<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  need(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

void add_name(X509* certificate, const char* field, const std::string& value) {
  if (value.empty()) return;
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), field, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
}

std::string alternative_names(const CertOptions& options) {
  std::vector<std::string> names;
  for (const std::string& name : options.dns) names.push_back("DNS:" + name);
  for (const std::string& ip : options.ips) names.push_back("IP:" + ip);
  for (const std::string& uri : options.uris) names.push_back("URI:" + uri);
  return join(names, ",");
}

TestCert build(const CertOptions& options, const TestCert* issuer) {
  const Handle<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const Handle<X509> certificate(X509_new());
  need(key && certificate, "out of memory");
  X509* const c = certificate.get();
  X509_set_version(c, 2);
  std::uint64_t serial = 0;
  need(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "random");
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(c), serial >> 1 | 1);
  X509_gmtime_adj(X509_getm_notBefore(c), options.not_before);
  X509_gmtime_adj(X509_getm_notAfter(c), options.not_after);
  add_name(c, "O", options.organization);
  add_name(c, "CN", options.common_name);
  X509_set_pubkey(c, key.get());
  const Handle<X509> parent = issuer != nullptr ? read_certificate(issuer->certificate_pem) : Handle<X509>();
  const Handle<EVP_PKEY> signer = issuer != nullptr ? read_key(issuer->key_pem) : Handle<EVP_PKEY>();
  X509* const from = parent ? parent.get() : c;
  X509_set_issuer_name(c, X509_get_subject_name(from));
  extend(c, from, NID_basic_constraints, options.is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
  extend(c, from, NID_key_usage,
         options.is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  extend(c, from, NID_ext_key_usage, options.extended_key_usage);
  extend(c, from, NID_subject_alt_name, alternative_names(options));
  need(X509_sign(c, signer ? signer.get() : key.get(), EVP_sha256()) > 0, "signing");

  const Handle<BIO> certificate_text(BIO_new(BIO_s_mem()));
  const Handle<BIO> key_text(BIO_new(BIO_s_mem()));
  need(PEM_write_bio_X509(certificate_text.get(), c) == 1, "writing a certificate");
  need(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
       "writing a key");
  return TestCert{text_of(certificate_text.get()), text_of(key_text.get())};
}

}  // namespace

TestCert make_root(const std::string& common_name) {
  CertOptions options;
  options.common_name = common_name;
  options.is_ca = true;
  return build(options, nullptr);
}

TestCert issue(const TestCert& issuer, const CertOptions& options) {
  return build(options, &issuer);
}

TestCert issue_server(const TestCert& issuer) {
  CertOptions options;
  options.common_name = "server";
  options.dns = {"localhost"};
  options.ips = {"127.0.0.1", "::1"};
  options.extended_key_usage = "serverAuth";
  return issue(issuer, options);
}

TestCert issue_client(const TestCert& issuer, const std::string& common_name) {
  CertOptions options;
  options.common_name = common_name;
  options.extended_key_usage = "clientAuth";
  return issue(issuer, options);
}

std::string der_of(const std::string& certificate_pem) {
  const Handle<X509> certificate = read_certificate(certificate_pem);
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  need(size > 0, "encoding a certificate");
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string sha256_hex_of(const std::string& certificate_pem) {
  const std::string der = der_of(certificate_pem);
  unsigned char digest[32];
  need(EVP_Digest(der.data(), der.size(), digest, nullptr, EVP_sha256(), nullptr) == 1, "hashing");
  return to_hex({reinterpret_cast<const char*>(digest), sizeof digest});
}

}  // namespace slipway::test
