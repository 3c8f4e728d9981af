#pragma once
// What the coordinator asks of its signer and what it hears, as values and as bytes (wire.hpp). One request,
// one answer, in turns.
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/secret.hpp"
#include "coordinator/domain/ca_rotation.hpp"
#include "coordinator/ports/signer.hpp"

namespace slipway::signer {

// A list of 250,000 revoked certificates comes to 8 MiB, either way.
inline constexpr std::size_t k_max_frame = 16 * 1024 * 1024;
inline constexpr std::size_t k_max_batch = 32;  // a master's join asks for twelve

enum class Op : std::uint8_t { open, issue, sign_crl, make, import_ca, use, destroy_key, follow };
inline constexpr std::uint8_t k_ops = 8;

// The first request and only once: where the keys are and what they may be used for. Sent before the
// coordinator has any network socket.
struct Open {
  std::string ca_dir;
  std::string import_dir;
  std::string passphrase_file;  // as of find_ca_passphrase()
  std::string credentials_dir;
  std::map<CaKind, CaLine> lines;
  SigningRules rules;
  WallTime clock_floor{};
};

// A CA without its key.
struct KnownCa {
  CaKind kind = CaKind::fabric;
  CaFacts facts;
  std::string pem;
};
struct Opened {
  std::vector<KnownCa> cas;
  std::map<CaKind, CaLine> lines;  // as loaded; of a line only kind, phase and the numbers count
  Secret service_account_key;      // PEM: masters get it from the coordinator
  bool tokens = false;             // some key is in a PKCS#11 token: the wider filter
};

struct CaWish {
  CaKind kind = CaKind::fabric;
  std::uint64_t number = 0;  // make, import: a number above it; destroy_key: this one
};

std::string encode_open(const Open& open);
std::string encode_issue(const std::vector<IssueRequest>& wanted);
std::string encode_crl(const CrlSpec& spec);
std::string encode_wish(Op op, const CaWish& wish);
std::string encode_use(const CaLine& line);
std::string encode_follow(const SigningRules& rules);

// The operation, and what is behind it. Errc::invalid.
struct Request {
  Op op = Op::open;
  std::string_view rest;  // borrows
};
Result<Request> decode_request(std::string_view bytes);
Result<Open> decode_open(std::string_view rest);
Result<std::vector<IssueRequest>> decode_issue(std::string_view rest);
Result<CrlSpec> decode_crl(std::string_view rest);
Result<CaWish> decode_wish(std::string_view rest);
Result<CaLine> decode_use(std::string_view rest);
Result<SigningRules> decode_follow(std::string_view rest);

std::string encode_error(const Error& error);
std::string encode_done();
std::string encode_opened(const Opened& opened);
std::string encode_issued(const std::vector<IssuedCert>& issued);
std::string encode_bytes(std::string_view bytes);
std::string encode_ca(const KnownCa& ca);

// The error that was sent; Errc::corrupt for bytes that are no answer.
Status decode_done(std::string_view bytes);
Result<Opened> decode_opened(std::string_view bytes);
Result<std::vector<IssuedCert>> decode_issued(std::string_view bytes);
Result<std::string> decode_bytes(std::string_view bytes);
Result<KnownCa> decode_ca(std::string_view bytes);

}  // namespace slipway::signer
