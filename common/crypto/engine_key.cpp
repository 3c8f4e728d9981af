// The one file that touches OpenSSL's engines: deprecated in 3.0, but Debian 12 has no PKCS#11 provider.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/engine.h>
#include <openssl/err.h>

#include <mutex>
#include <string>

#include "common/crypto/ossl.hpp"

// Fedora and CentOS Stream are taking engines out of OpenSSL 3, under the same soname: a program that insists
// on the functions would not even start there. Where they are missing these are null.
#pragma weak ENGINE_by_id
#pragma weak ENGINE_ctrl_cmd_string
#pragma weak ENGINE_free
#pragma weak ENGINE_init
#pragma weak ENGINE_load_private_key

namespace slipway::ossl {

namespace {

constexpr std::string_view k_scheme = "pkcs11:";
constexpr std::string_view k_module = "module-path=";

struct Uri {
  std::string key;     // as the engine takes it
  std::string module;  // empty: the engine's default (p11-kit)
};

// The engine does not know module-path (RFC 7512 2.4): it is told by a command.
Uri split_module(std::string_view text) {
  const auto query = text.find('?');
  Uri uri{std::string(text.substr(0, query)), {}};
  if (query == std::string_view::npos) return uri;
  std::string_view rest = text.substr(query + 1);
  char mark = '?';
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const std::string_view part = rest.substr(0, end);
    if (part.starts_with(k_module)) {
      uri.module = part.substr(k_module.size());
    } else {
      uri.key += mark + std::string(part);
      mark = '&';
    }
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return uri;
}

// Loaded once and kept: keys refer to it. Its errors may quote the URI, and so a PIN: they are dropped.
Result<ENGINE*> engine(const std::string& module) {
  static std::mutex mutex;
  static ENGINE* loaded = nullptr;
  static std::string loaded_module;
  const std::lock_guard lock(mutex);
  if (loaded != nullptr) {
    if (module.empty() || module == loaded_module) return loaded;
    return make_error(Errc::invalid,
                      "two PKCS#11 modules (" + loaded_module + ", " + module + ") cannot be used at once");
  }
  if (ENGINE_by_id == nullptr) {
    return make_error(Errc::unavailable,
                      "this host's OpenSSL was built without engines, which keys in PKCS#11 tokens need; "
                      "keep the keys in files");
  }
  ENGINE* const found = ENGINE_by_id("pkcs11");
  if (found == nullptr) {
    ERR_clear_error();
    return make_error(Errc::unavailable, "OpenSSL has no engine pkcs11; install libengine-pkcs11-openssl");
  }
  // It would write URIs to standard error, PIN and all.
  const bool quiet = ENGINE_ctrl_cmd_string(found, "QUIET", nullptr, 0) == 1;
  const bool ready =
      quiet && (module.empty() || ENGINE_ctrl_cmd_string(found, "MODULE_PATH", module.c_str(), 0) == 1) &&
      ENGINE_init(found) == 1;
  ERR_clear_error();
  if (!ready) {
    ENGINE_free(found);
    return make_error(
        Errc::unavailable,
        "the PKCS#11 module " + (module.empty() ? std::string("of p11-kit") : module) + " cannot be used");
  }
  loaded = found;
  loaded_module = module;
  return loaded;
}

}  // namespace

Result<PkeyPtr> load_engine_key(const Secret& text) {
  if (!text.reveal().starts_with(k_scheme))
    return make_error(Errc::invalid, "a key's URI starts with pkcs11:");
  const Uri uri = split_module(text.reveal());
  const auto loaded = engine(uri.module);
  if (!loaded) return loaded.error();
  PkeyPtr key(ENGINE_load_private_key(*loaded, uri.key.c_str(), nullptr, nullptr));
  ERR_clear_error();
  if (!key) {
    return make_error(Errc::unavailable,
                      "the PKCS#11 token does not give the key: is it there, are token and object named as "
                      "in the URI, is the PIN right?");
  }
  return key;
}

}  // namespace slipway::ossl
