#include "common/crypto/chain_verify.hpp"

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>

#include "common/crypto/ossl.hpp"

namespace slipway {

namespace {

using X509Ptr = std::unique_ptr<X509, ossl::Deleter<X509_free>>;
using StorePtr = std::unique_ptr<X509_STORE, ossl::Deleter<X509_STORE_free>>;
using StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, ossl::Deleter<X509_STORE_CTX_free>>;

void free_stack(STACK_OF(X509) * stack) {
  sk_X509_free(stack);  // its elements are borrowed
}
using StackPtr = std::unique_ptr<STACK_OF(X509), ossl::Deleter<free_stack>>;

X509Ptr parse(const Certificate& certificate) {
  const unsigned char* at = ossl::octets(certificate.der());
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(certificate.der().size())));
}

int purpose_of(ChainPurpose purpose) {
  switch (purpose) {
    case ChainPurpose::server:
      return X509_PURPOSE_SSL_SERVER;
    case ChainPurpose::client:
      return X509_PURPOSE_SSL_CLIENT;
    case ChainPurpose::any:
      break;
  }
  return 0;
}

Error refused(const X509_STORE_CTX* context, const Certificate& leaf, const std::vector<Certificate>& between,
              const Certificate& root) {
  const int depth = X509_STORE_CTX_get_error_depth(context);
  const auto index = static_cast<std::size_t>(depth < 0 ? 0 : depth);
  const Certificate& at = index == 0 ? leaf : index <= between.size() ? between[index - 1] : root;
  return make_error(Errc::invalid, std::string(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context))) + " (at \"" +
                                       at.subject() + "\")");
}

}  // namespace

Status verify_chain(const Certificate& leaf, const std::vector<Certificate>& between, const Certificate& root,
                    ChainPurpose purpose, WallTime at) {
  const X509Ptr first = parse(leaf), last = parse(root);
  const StorePtr store(X509_STORE_new());
  const StackPtr untrusted(sk_X509_new_null());
  std::vector<X509Ptr> kept;
  for (const Certificate& certificate : between) kept.push_back(parse(certificate));
  const StoreCtxPtr context(X509_STORE_CTX_new());
  bool ok = first && last && store && untrusted && context && X509_STORE_add_cert(store.get(), last.get()) == 1;
  for (const X509Ptr& certificate : kept) ok = ok && certificate && sk_X509_push(untrusted.get(), certificate.get()) > 0;
  ok = ok && X509_STORE_CTX_init(context.get(), store.get(), first.get(), untrusted.get()) == 1;
  if (!ok) return ossl::take_error(Errc::invalid, "preparing the verification of a certificate chain");
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
  // The root may be an intermediate of somebody else: it is trusted as it stands.
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CHECK_SS_SIGNATURE);
  X509_VERIFY_PARAM_set_time(parameters, std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count());
  if (const int number = purpose_of(purpose); number != 0) X509_STORE_CTX_set_purpose(context.get(), number);
  if (X509_verify_cert(context.get()) == 1) return {};
  return refused(context.get(), leaf, between, root);
}

}  // namespace slipway
