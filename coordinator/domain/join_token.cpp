#include "coordinator/domain/join_token.hpp"

#include <algorithm>

#include "common/core/secret.hpp"
#include "common/core/text.hpp"
#include "coordinator/domain/name_pattern.hpp"

namespace slipway {

namespace {

// What an unknown id is compared with: no SHA-256 is all zeros.
constexpr std::string_view k_no_hash = "0000000000000000000000000000000000000000000000000000000000000000";

bool is_id(std::string_view text) {
  return text.size() == k_token_id_size && text.find_first_not_of(k_token_id_alphabet) == std::string_view::npos;
}

// Their places are those of a TokenRequest.
Status check_name(const std::string& name) {
  // A pattern is checked as one of the names that it stands for.
  std::string sample = name;
  std::replace(sample.begin(), sample.end(), '*', 'a');
  const bool any_letter = name.find_first_not_of("*.-") != std::string::npos;
  if (is_dns_subdomain(sample) && name.size() <= 63 && any_letter) return {};
  return field_error("/node", ": a node name is made of lower-case letters, digits, hyphens and dots, 63 at most, a pattern has a * as "
                                   "in web-*: \"" + name.substr(0, 64) + "\" is neither");
}

Status check_bounds(const TokenSpec& spec) {
  if (!spec.node.empty()) {
    if (const Status name = check_name(spec.node); !name) return name;
  }
  if (!spec.pool.empty() && !is_dns_label(spec.pool)) {
    return field_error("/pool", ": \"" + spec.pool.substr(0, 64) + "\" is not the name of a pool: lower-case letters, digits and hyphens");
  }
  if (spec.sources.size() > k_max_token_sources) {
    return field_error("/sources", ": a join token names at most " + std::to_string(k_max_token_sources) + " source ranges");
  }
  return {};
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
    return field_error("/ttl", ": a join token lives from " + to_duration_text(k_min_token_ttl) + " to " +
                                         to_duration_text(k_max_token_ttl) + " (7 days), not " + to_duration_text(spec.ttl));
  }
  if (spec.max_uses == 0 || spec.max_uses > k_max_token_uses) {
    return field_error("/maxUses", ": a join token admits 1 to " + std::to_string(k_max_token_uses) + " nodes, not " +
                                         std::to_string(spec.max_uses));
  }
  if (const Status bounds = check_bounds(spec); !bounds) return bounds.error();
  return JoinToken{std::move(id), std::move(secret_sha256), spec.role, spec.node, 0, spec.max_uses, now, now + spec.ttl,
                   spec.pool, spec.sources};
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
    case TokenVerdict::wrong_source: return "for another source range";
  }
  return "unknown";
}

std::string_view cure_of(TokenVerdict verdict) {
  switch (verdict) {
    case TokenVerdict::valid: return "";
    case TokenVerdict::unknown: return "it was mistyped or deleted: slipwayctl token create, and copy the whole of it";
    case TokenVerdict::wrong_secret: return "copy the whole token again; if no host of yours did this, somebody guesses";
    case TokenVerdict::expired: return "slipwayctl token create, with a longer --ttl if need be";
    case TokenVerdict::used_up: return "slipwayctl token create --max-uses N";
    case TokenVerdict::wrong_node: return "set nodeName on the host, or slipwayctl token create --node NAME";
    case TokenVerdict::wrong_role: return "set role on the host, or slipwayctl token create --role ROLE";
    case TokenVerdict::wrong_source: return "join from where the token says, or slipwayctl token create --from CIDR";
  }
  return "";
}

bool knows_secret(TokenVerdict verdict) { return verdict != TokenVerdict::unknown && verdict != TokenVerdict::wrong_secret; }

TokenVerdict check_token(const JoinToken* token, const PresentedToken& presented, const TokenUse& use, WallTime now) {
  const bool same = equal_constant_time(token != nullptr ? std::string_view(token->secret_sha256) : k_no_hash,
                                        presented.secret_sha256);
  if (token == nullptr) return TokenVerdict::unknown;
  if (!same) return TokenVerdict::wrong_secret;
  if (now >= token->expires_at) return TokenVerdict::expired;
  if (token->uses >= token->max_uses) return TokenVerdict::used_up;
  if (!token->node.empty() && !matches_pattern(token->node, use.node_name)) return TokenVerdict::wrong_node;
  if (token->role != use.role) return TokenVerdict::wrong_role;
  const bool from_there = std::any_of(token->sources.begin(), token->sources.end(),
                                      [&use](const Cidr& range) { return range.contains(use.from); });
  if (!token->sources.empty() && !from_there) return TokenVerdict::wrong_source;
  return TokenVerdict::valid;
}

std::string_view token_state(const JoinToken& token, WallTime now) {
  if (token.uses >= token.max_uses) return "used-up";
  return now >= token.expires_at ? "expired" : "valid";
}

}  // namespace slipway
