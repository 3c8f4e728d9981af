#pragma once
// Join tokens: "id.secret". The id is public, of the secret only its SHA-256 is kept. Pure: random bytes and hashes come in.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway {

enum class NodeRole { node, master };
std::string_view to_string(NodeRole role);  // "node", "master"
std::optional<NodeRole> node_role_from_string(std::string_view text);

inline constexpr std::size_t k_token_id_size = 6;
inline constexpr std::string_view k_token_id_alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
inline constexpr std::size_t k_token_secret_bytes = 20;  // 160 bits, 32 letters in base32
inline constexpr Seconds k_max_token_ttl{7 * 86400};
inline constexpr Seconds k_min_token_ttl{60};
inline constexpr std::uint64_t k_max_token_uses = 100'000;

struct JoinToken {
  std::string id;
  std::string secret_sha256;  // hex of the SHA-256 of the secret's text
  NodeRole role = NodeRole::node;
  std::string node;  // only for this name or names of this pattern ("web-*"); empty: any
  std::uint64_t uses = 0;
  std::uint64_t max_uses = 1;
  WallTime created_at{};
  WallTime expires_at{};
  std::string pool = {};           // where nodes that it admits get their block; empty: the cluster's own range
  std::vector<Cidr> sources = {};  // where nodes must come from; empty: anywhere
  std::uint64_t pinned_ca = 1;     // number of the fabric CA whose digest the token's text carries
  bool operator==(const JoinToken&) const = default;
};

struct TokenSpec {
  Seconds ttl{86400};
  std::uint64_t max_uses = 1;
  NodeRole role = NodeRole::node;
  std::string node;
  std::string pool = {};
  std::vector<Cidr> sources = {};
};

inline constexpr std::size_t k_max_token_sources = 16;

// The secret's text of exactly k_token_secret_bytes random bytes.
std::string token_secret_text(std::string_view random_bytes);
// Errc::invalid names what is wrong with the wish. `secret_sha256`: hex.
Result<JoinToken> make_token(const TokenSpec& spec, std::string id, std::string secret_sha256, WallTime now);

// "id.secret" in its two parts; the views point into `text`. Absent when it is not one by its form.
struct TokenParts {
  std::string_view id;
  std::string_view secret;
};
std::optional<TokenParts> split_token(std::string_view text);

// What a caller shows, with the secret hashed already.
struct PresentedToken {
  std::string id;
  std::string secret_sha256;
  bool operator==(const PresentedToken&) const = default;
};

enum class TokenVerdict { valid, unknown, wrong_secret, expired, used_up, wrong_node, wrong_role, wrong_source };
// For logs and operators, never for the caller.
std::string_view to_string(TokenVerdict verdict);  // "used up"
std::string_view cure_of(TokenVerdict verdict);
// The caller is no guesser: it has the secret, good for this join or not.
bool knows_secret(TokenVerdict verdict);

// What a token is shown for.
struct TokenUse {
  std::string_view node_name;
  NodeRole role = NodeRole::node;
  IpAddress from;  // where it connects from; by loopback, on the coordinator's own host, the node's address
};

// `token` may be null (unknown id): the comparison is made all the same, so that time tells nothing.
TokenVerdict check_token(const JoinToken* token, const PresentedToken& presented, const TokenUse& use, WallTime now);

// "valid", "expired", "used-up": TokenView.state.
std::string_view token_state(const JoinToken& token, WallTime now);

}  // namespace slipway
