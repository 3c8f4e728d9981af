#include "coordinator/domain/join_token.hpp"

#include "common/core/secret.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

// What an unknown id is compared with: no SHA-256 is all zeros.
constexpr std::string_view k_no_hash = "0000000000000000000000000000000000000000000000000000000000000000";

bool is_id(std::string_view text) {
  return text.size() == k_token_id_size && text.find_first_not_of(k_token_id_alphabet) == std::string_view::npos;
}

}  // namespace

std::string_view to_string(NodeRole role) { return role == NodeRole::master ? "master" : "node"; }

std::optional<NodeRole> node_role_from_string(std::string_view text) {
  if (text == "node") return NodeRole::node;
  if (text == "master") return NodeRole::master;
  return std::nullopt;
}

std::string token_secret_text(std::string_view random_bytes) { return to_base32(random_bytes); }

Result<JoinToken> make_token(const TokenSpec& spec, std::string id, std::string secret_sha256, WallTime now) {
  if (!is_id(id)) return make_error(Errc::internal, "a token id must be 6 of [a-z0-9]");
  if (secret_sha256.size() != 64) return make_error(Errc::internal, "a token needs the SHA-256 of its secret");
  if (spec.ttl < k_min_token_ttl || spec.ttl > k_max_token_ttl) {
    return make_error(Errc::invalid, "a join token lives from " + to_duration_text(k_min_token_ttl) + " to " +
                                         to_duration_text(k_max_token_ttl) + " (7 days), not " + to_duration_text(spec.ttl));
  }
  if (spec.max_uses == 0 || spec.max_uses > k_max_token_uses) {
    return make_error(Errc::invalid, "a join token admits 1 to " + std::to_string(k_max_token_uses) + " nodes, not " +
                                         std::to_string(spec.max_uses));
  }
  if (!spec.node.empty() && (!is_dns_subdomain(spec.node) || spec.node.size() > 63)) {
    return make_error(Errc::invalid, "a node name is made of lower-case letters, digits, hyphens and dots, 63 at most: \"" +
                                         spec.node.substr(0, 64) + "\" is none");
  }
  return JoinToken{std::move(id), std::move(secret_sha256), spec.role, spec.node, 0, spec.max_uses, now, now + spec.ttl};
}

std::optional<TokenParts> split_token(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos || text.size() > 128) return std::nullopt;
  const TokenParts parts{text.substr(0, dot), text.substr(dot + 1)};
  if (!is_id(parts.id) || parts.secret.empty()) return std::nullopt;
  return parts;
}

std::string_view to_string(TokenVerdict verdict) {
  switch (verdict) {
    case TokenVerdict::valid: return "valid";
    case TokenVerdict::unknown: return "unknown";
    case TokenVerdict::wrong_secret: return "wrong secret";
    case TokenVerdict::expired: return "expired";
    case TokenVerdict::used_up: return "used up";
    case TokenVerdict::wrong_node: return "for another node";
    case TokenVerdict::wrong_role: return "for another role";
  }
  return "unknown";
}

TokenVerdict check_token(const JoinToken* token, const PresentedToken& presented, std::string_view node_name, NodeRole role,
                         WallTime now) {
  const bool same = equal_constant_time(token != nullptr ? std::string_view(token->secret_sha256) : k_no_hash,
                                        presented.secret_sha256);
  if (token == nullptr) return TokenVerdict::unknown;
  if (!same) return TokenVerdict::wrong_secret;
  if (now >= token->expires_at) return TokenVerdict::expired;
  if (token->uses >= token->max_uses) return TokenVerdict::used_up;
  if (!token->node.empty() && token->node != node_name) return TokenVerdict::wrong_node;
  if (token->role != role) return TokenVerdict::wrong_role;
  return TokenVerdict::valid;
}

std::string_view token_state(const JoinToken& token, WallTime now) {
  if (token.uses >= token.max_uses) return "used-up";
  return now >= token.expires_at ? "expired" : "valid";
}

}  // namespace slipway
