#include "common/http/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <initializer_list>
#include <string_view>
#include <vector>

#include "common/core/text.hpp"
#include "common/http/tls_native.hpp"

namespace slipway::http {

namespace {

// Our chains are a leaf and one or two CAs of about 1 KiB.
constexpr long k_max_chain_bytes = 16 * 1024;
constexpr int k_max_chain_depth = 2;

Ossl<BIO> memory_bio(std::string_view text) {
  return Ossl<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would otherwise ask the terminal for the passphrase of an encrypted key.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

Result<std::vector<Ossl<X509>>> parse_certificates(const std::string& pem, std::string_view what) {
  std::vector<Ossl<X509>> out;
  const Ossl<BIO> bio = memory_bio(pem);
  while (bio) {
    Ossl<X509> certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (!certificate) break;
    out.push_back(std::move(certificate));
  }
  // "No start line" is how the end of the text shows; anything else is a broken certificate.
  const unsigned long last = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  const std::string text = drain_openssl_errors();
  if (!at_end) return make_error(Errc::invalid, "reading " + std::string(what) + ": " + text);
  if (out.empty())
    return make_error(Errc::invalid, "reading " + std::string(what) + ": no PEM certificate in it");
  return out;
}

Error openssl_error(std::string_view doing) {
  return make_error(Errc::internal, std::string(doing) + ": " + drain_openssl_errors());
}

Result<Ossl<SSL_CTX>> make_context(const SSL_METHOD* method) {
  ERR_clear_error();
  Ossl<SSL_CTX> context(SSL_CTX_new(method));
  if (!context) return openssl_error("making a TLS context");
  SSL_CTX* const c = context.get();
  SSL_CTX_set_security_level(c, 2);
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(c, k_max_chain_bytes);
  // A record is read with one call to the kernel in place of two, for its head and its body; nobody polls the socket by itself.
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_verify_depth(c, k_max_chain_depth);
  SSL_CTX_set_default_passwd_cb(c, no_passphrase);
  // Partial and moving writes fit non-blocking sockets; released buffers make idle connections cheap.
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                          SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(c), X509_V_FLAG_PARTIAL_CHAIN);
  static constexpr unsigned char k_id[] = "slipway";
  const bool ok = SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_num_tickets(c, 0) == 1 && SSL_CTX_set_max_early_data(c, 0) == 1 &&
                  SSL_CTX_set_recv_max_early_data(c, 0) == 1 &&
                  SSL_CTX_set_session_id_context(c, k_id, sizeof(k_id) - 1) == 1;
  if (!ok) return openssl_error("setting up a TLS context");
  return context;
}

Status use_identity(SSL_CTX* context, const std::string& chain_pem, const Secret& key_pem) {
  Result<std::vector<Ossl<X509>>> chain = parse_certificates(chain_pem, "the certificate chain");
  if (!chain) return chain.error();
  if (SSL_CTX_use_certificate(context, chain->front().get()) != 1)
    return openssl_error("using the certificate");
  for (std::size_t i = 1; i < chain->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, (*chain)[i].get()) != 1)
      return openssl_error("adding a certificate to the chain");
  }
  const Ossl<BIO> bio = memory_bio(key_pem.reveal());
  const Ossl<EVP_PKEY> key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)
                               : nullptr);
  if (!key) {
    drain_openssl_errors();  // its text may quote the input
    return make_error(Errc::invalid, "reading the private key: not an unencrypted PEM key");
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    drain_openssl_errors();
    return make_error(Errc::invalid, "the private key does not belong to the certificate");
  }
  return {};
}

Status trust(SSL_CTX* context, const std::string& ca_pem, bool announce) {
  Result<std::vector<Ossl<X509>>> anchors = parse_certificates(ca_pem, "the trusted CA certificates");
  if (!anchors) return anchors.error();
  for (const Ossl<X509>& anchor : *anchors) {
    // With partial chains an end-entity certificate in the store would be trusted as it stands.
    if (X509_check_ca(anchor.get()) == 0) {
      return make_error(Errc::invalid, "the certificate for " + names_of(anchor.get()) +
                                           " among the trusted CAs is not a CA");
    }
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), anchor.get()) != 1)
      return openssl_error("trusting a CA");
    if (announce && SSL_CTX_add_client_CA(context, anchor.get()) != 1)
      return openssl_error("announcing a CA");
  }
  return {};
}

// `settings` must stay where it is: the context keeps its address.
Status demand_verification(TlsSettings& settings, int purpose) {
  SSL_CTX* const context = settings.context.get();
  if (SSL_CTX_set_purpose(context, purpose) != 1) return openssl_error("setting the certificate purpose");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, note_verification);
  SSL_CTX_set_cert_verify_callback(context, verify_chain, &settings);
  return {};
}

// RFC 7301 section 3.1: names with their lengths before them.
std::string protocol_list(std::initializer_list<std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    list += static_cast<char>(name.size());
    list += name;
  }
  return list;
}

const std::string& served_protocols() {
  static const std::string list = protocol_list({k_slipway_protocol, "http/1.1"});
  return list;
}

// SSL_CTX_set_alpn_select_cb: not called for a client that names nothing.
int select_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  const std::string& ours = served_protocols();
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(&found, chosen_size, reinterpret_cast<const unsigned char*>(ours.data()),
                                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Status offer_slipway(TlsSettings& settings) {
  const std::string list = protocol_list({k_slipway_protocol});
  // Unlike its neighbours this one returns 0 when it has worked.
  if (SSL_CTX_set_alpn_protos(settings.context.get(), reinterpret_cast<const unsigned char*>(list.data()),
                              static_cast<unsigned int>(list.size())) != 0) {
    return openssl_error("offering " + std::string(k_slipway_protocol));
  }
  settings.slipway_only = true;
  return {};
}

Result<std::shared_ptr<TlsClientContextImpl>> make_client(const ClientIdentity* identity, TlsPeer peer) {
  Result<Ossl<SSL_CTX>> context = make_context(TLS_client_method());
  if (!context) return context.error();
  auto out = std::make_shared<TlsClientContextImpl>();
  out->settings.context = std::move(*context);
  if (identity != nullptr) {
    const Status used = use_identity(out->settings.context.get(), identity->chain_pem, identity->key_pem);
    if (!used) return error_of(used, "client identity");
  }
  const Status demanded = demand_verification(out->settings, X509_PURPOSE_SSL_SERVER);
  if (!demanded) return demanded.error();
  if (peer == TlsPeer::coordinator) {
    if (const Status offered = offer_slipway(out->settings); !offered) return offered.error();
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::make(std::string chain_pem, const Secret& key_pem,
                                                                 std::string client_ca_pem) {
  Result<Ossl<SSL_CTX>> context = make_context(TLS_server_method());
  if (!context) return context.error();
  auto out = std::make_shared<TlsServerContextImpl>();
  out->settings.context = std::move(*context);
  SSL_CTX* const c = out->settings.context.get();
  const Status used = use_identity(c, chain_pem, key_pem);
  if (!used) return error_of(used, "server identity");
  const Status trusted = trust(c, client_ca_pem, true);
  if (!trusted) return trusted.error();
  SSL_CTX_set_alpn_select_cb(c, select_protocol, nullptr);
  const Status demanded = demand_verification(out->settings, X509_PURPOSE_SSL_CLIENT);
  if (!demanded) return demanded.error();
  return std::shared_ptr<TlsServerContext>(std::move(out));
}

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::make(std::string ca_pem,
                                                                 const ClientIdentity* identity, TlsPeer peer) {
  Result<std::shared_ptr<TlsClientContextImpl>> made = make_client(identity, peer);
  if (!made) return made.error();
  const Status trusted = trust((*made)->settings.context.get(), ca_pem, false);
  if (!trusted) return trusted.error();
  return std::shared_ptr<TlsClientContext>(std::move(*made));
}

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::make_pinned(std::string ca_sha256_hex) {
  const std::optional<std::string> pin = from_hex(ca_sha256_hex);
  if (!pin || pin->size() != 32) return make_error(Errc::invalid, "the CA pin must be 64 hexadecimal digits");
  Result<std::shared_ptr<TlsClientContextImpl>> made = make_client(nullptr, TlsPeer::coordinator);
  if (!made) return made.error();
  (*made)->settings.pin = *pin;
  return std::shared_ptr<TlsClientContext>(std::move(*made));
}

}  // namespace slipway::http
