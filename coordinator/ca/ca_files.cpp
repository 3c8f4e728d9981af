#include "coordinator/ca/ca_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/core/text.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_file = 16384;

// A key that stays where it is: the file says how to reach it.
Result<Secret> read_uri(const std::string& path) {
  if (const auto owned = check_owner(path); !owned) return owned.error();
  const auto uri = read_secret_file(path, k_max_file);
  if (!uri) return uri.error();
  return Secret(std::string(trim(uri->reveal())));
}

std::string numbered(std::uint64_t number) {
  return number == 1 ? std::string() : "-" + std::to_string(number);
}

}  // namespace

std::string ca_file(const std::string& dir, CaKind kind, std::uint64_t number, std::string_view suffix) {
  return dir + "/" + std::string(to_string(kind)) + "-ca" + numbered(number) + "." + std::string(suffix);
}

// read_secret_file() checks who may read; this checks who could have written.
Status check_owner(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return from_errno("look at " + path, errno);
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return make_error(Errc::denied, path + " belongs to user id " + std::to_string(info.st_uid) +
                                        ", not to " + std::to_string(::geteuid()) + "; run: chown " +
                                        std::to_string(::geteuid()) + " " + path);
  }
  if ((info.st_mode & 022) != 0) {
    return make_error(Errc::denied,
                      path + " can be written by others than its owner; run: chmod go-w " + path);
  }
  return {};
}

Result<PrivateKey> read_key(const std::string& path, const Secret* passphrase) {
  if (const auto owned = check_owner(path); !owned) return owned.error();
  const auto pem = read_secret_file(path, k_max_file);
  if (!pem) return pem.error();
  if (!PrivateKey::is_encrypted_pem(pem->reveal())) {
    auto key = PrivateKey::from_pem(*pem);
    if (!key) return error_of(key, path);
    return key;
  }
  if (passphrase == nullptr) {
    return make_error(Errc::denied,
                      path + " is encrypted and there is no passphrase: give the service the credential ca-passphrase "
                             "(LoadCredential= or LoadCredentialEncrypted= in its unit), or name a file of mode 0600 by "
                             "caPassphraseFile in coordinator.yaml or --ca-passphrase-file");
  }
  auto key = PrivateKey::from_encrypted_pem(pem->reveal(), *passphrase);
  if (!key && key.error().code == Errc::denied) {
    return make_error(Errc::denied, path + ": the passphrase does not open it: is it the one of another cluster, or from before it "
                                           "was changed?");
  }
  if (!key) return error_of(key, path);
  return key;
}

Status write_key(const std::string& path, const PrivateKey& key, const Secret* passphrase, std::optional<FileOwner> owner) {
  if (passphrase != nullptr) {
    const auto sealed = key.to_encrypted_pem(*passphrase);
    return sealed ? write_file_atomically(path, *sealed, 0600, owner) : Status(sealed.error());
  }
  const auto plain = key.to_pem();
  return plain ? write_file_atomically(path, plain->reveal(), 0600, owner) : Status(plain.error());
}

Result<std::vector<Certificate>> read_ca_chain(const std::string& path) {
  if (const auto owned = check_owner(path); !owned) return owned.error();
  const auto text = read_file(path, k_max_file);
  if (!text) return text.error();
  auto chain = Certificate::chain_from_pem(*text);
  if (!chain) return error_of(chain, path);
  return chain;
}

CertificateAuthority assemble_ca(std::uint64_t number, const std::vector<Certificate>& chain, PrivateKey key) {
  CertificateAuthority ca{chain.front(), std::move(key), chain.front().pem(), number, {}, {}, {}};
  for (std::size_t i = 1; i < chain.size(); ++i) {
    ca.issuers_pem += chain[i].pem();
    const bool root = chain[i].subject_der() == chain[i].issuer_der();
    if (!root) ca.sent_pem += chain[i].pem();
  }
  const bool intermediate = ca.certificate.subject_der() != ca.certificate.issuer_der();
  if (intermediate) ca.sent_pem = ca.pem + ca.sent_pem;
  return ca;
}

Result<CertificateAuthority> read_ca(const std::string& dir, CaKind kind, std::uint64_t number, const Secret* passphrase) {
  const std::string path = ca_file(dir, kind, number, "crt");
  const auto chain = read_ca_chain(path);
  if (!chain) return chain.error();
  const Certificate& certificate = chain->front();
  const std::string uri_path = ca_file(dir, kind, number, "uri");
  Secret uri;
  if (path_exists(uri_path)) {
    auto text = read_uri(uri_path);
    if (!text) return text.error();
    uri = std::move(*text);
  }
  auto key = uri.empty() ? read_key(ca_file(dir, kind, number, "key"), passphrase) : PrivateKey::from_uri(uri);
  if (!key) return uri.empty() ? key.error() : context(key.error(), uri_path);
  if (!certificate.matches(*key)) return make_error(Errc::corrupt, path + " is not the certificate of the key beside it");
  if (!certificate.is_ca() || !certificate.has_key_usage(KeyUsage::key_cert_sign)) {
    return make_error(Errc::corrupt, path + " is not a certificate authority's certificate");
  }
  CertificateAuthority ca = assemble_ca(number, *chain, std::move(*key));
  ca.key_uri = std::move(uri);
  return ca;
}

Status write_ca(const std::string& dir, CaKind kind, const CertificateAuthority& ca, const Secret* passphrase,
                std::optional<FileOwner> owner) {
  auto kept = ca.key_uri.empty() ? write_key(ca_file(dir, kind, ca.number, "key"), ca.key, passphrase, owner)
                                 : write_file_atomically(ca_file(dir, kind, ca.number, "uri"), ca.key_uri.reveal(), 0600, owner);
  if (!kept) return kept;
  return write_file_atomically(ca_file(dir, kind, ca.number, "crt"), ca.pem + ca.issuers_pem, 0644, owner);
}

}  // namespace slipway
