#include "coordinator/domain/pool_record.hpp"

#include <algorithm>
#include <array>

#include "common/core/text.hpp"
#include "coordinator/domain/block_tree.hpp"
#include "coordinator/domain/name_pattern.hpp"

namespace slipway {

namespace {

struct Reserved {
  const char* block;
  const char* what;
};
// IANA special-purpose registries: what no node may be given.
constexpr std::array<Reserved, 9> k_reserved = {{{"0.0.0.0/8", "unspecified addresses"},
                                                 {"127.0.0.0/8", "loopback"},
                                                 {"169.254.0.0/16", "link-local"},
                                                 {"224.0.0.0/4", "multicast"},
                                                 {"240.0.0.0/4", "reserved by IANA"},
                                                 {"::/16", "unspecified, loopback and IPv4-mapped addresses"},
                                                 {"2001:db8::/32", "for documentation only"},
                                                 {"fe80::/10", "link-local"},
                                                 {"ff00::/8", "multicast"}}};


void check_range(const PoolRecord& pool, const Cidr& range, const std::string& field, Problems& problems) {
  if (range.is_v4() != is_v4(pool)) {
    problems.add(field, range.to_string() + " is of another family than " + pool.ranges.front().to_string() + ": make a pool for each");
    return;
  }
  if (const auto reserved = reserved_overlap(range)) {
    problems.add(field, range.to_string() + " overlaps " + *reserved + ": choose another range");
  }
  if (const auto cut = BlockTree::make(range, pool.node_prefix_length); !cut) problems.add(field, cut.error().message);
}

// Where range `i` of the pool stands. With one that was there before only the size of its blocks can be wrong now.
std::string place_of(const PoolRecord& pool, std::size_t i, const std::string& field, const std::vector<Cidr>* asked) {
  const std::vector<Cidr>& written = asked == nullptr ? pool.ranges : *asked;
  const auto found = std::find(written.begin(), written.end(), pool.ranges[i]);
  if (found == written.end()) return field + "/nodePrefixLength";
  return field + "/ranges/" + std::to_string(found - written.begin());
}

}  // namespace

bool is_v4(const PoolRecord& pool) { return pool.ranges.empty() || pool.ranges.front().is_v4(); }

bool selects(const PoolSelector& selector, std::string_view node_name, NodeRole role) {
  if (selector.role && *selector.role != role) return false;
  return selector.name_pattern.empty() || matches_pattern(selector.name_pattern, node_name);
}

int specificity(const PoolSelector& selector) { return (selector.role ? 1 : 0) + (selector.name_pattern.empty() ? 0 : 2); }

std::optional<std::string> reserved_overlap(const Cidr& block) {
  for (const Reserved& reserved : k_reserved) {
    if (Cidr::parse(reserved.block)->overlaps(block)) return std::string(reserved.block) + " (" + reserved.what + ")";
  }
  return std::nullopt;
}

Problems pool_problems(const PoolRecord& pool, const std::string& field, const std::vector<Cidr>* asked) {
  Problems problems;
  if (!is_dns_label(pool.name)) {
    problems.add(field + "/name", "\"" + pool.name.substr(0, 64) + "\" is not a pool name: lower-case letters, digits and hyphens, no hyphen at the ends");
  }
  if (pool.ranges.empty()) {
    problems.add(field + "/ranges", "is empty: name at least one range, as in 10.20.0.0/16");
    return problems;
  }
  const int limit = is_v4(pool) ? k_longest_ipv4_block : k_longest_ipv6_block;
  if (pool.node_prefix_length > limit || pool.node_prefix_length < 1) {
    problems.add(field + "/nodePrefixLength", std::to_string(pool.node_prefix_length) + " is out of bounds: up to " + std::to_string(limit) +
                       ", a block with 5 pods");
    return problems;
  }
  const std::string& pattern = pool.selector.name_pattern;
  if (pattern.size() > 253 || pattern.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.*?") != std::string::npos) {
    problems.add(field + "/namePattern", "\"" + pattern.substr(0, 64) + "\" is no pattern of node names: lower-case letters, digits, '-', '.', '*' and '?'");
  }
  for (std::size_t i = 0; i < pool.ranges.size(); ++i) {
    const std::string at = place_of(pool, i, field, asked);
    check_range(pool, pool.ranges[i], at, problems);
    for (std::size_t j = 0; j < i; ++j) {
      if (pool.ranges[i].overlaps(pool.ranges[j])) problems.add(at, pool.ranges[i].to_string() + " overlaps " + pool.ranges[j].to_string() + " of the same pool");
    }
  }
  return problems;
}

std::optional<PoolRecord> read_pool(const proto::PoolSettings& settings, const std::string& field, Problems& all) {
  PoolRecord pool;
  Problems problems;
  pool.name = settings.name;
  if (settings.name == k_default_pool) problems.add(field + "/name", "default is the pool that network.podCIDR describes: choose another name");
  for (std::size_t i = 0; i < settings.ranges.size(); ++i) {
    const auto range = Cidr::parse(settings.ranges[i]);
    if (range) pool.ranges.push_back(*range);
    else problems.add(field + "/ranges/" + std::to_string(i), range.error().message);
  }
  if (!settings.role.empty()) {
    pool.selector.role = node_role_from_string(settings.role);
    if (!pool.selector.role) problems.add(field + "/role", "\"" + settings.role.substr(0, 64) + "\" is neither node nor master");
  }
  pool.selector.name_pattern = settings.name_pattern;
  pool.selector.only_by_name = settings.only_by_name;
  const std::uint64_t usual = is_v4(pool) ? 24 : 64;
  pool.node_prefix_length = static_cast<int>(std::min<std::uint64_t>(settings.node_prefix_length == 0 ? usual : settings.node_prefix_length, 129));
  if (problems.none()) problems = pool_problems(pool, field);
  if (problems.none()) return pool;
  all.add(problems);
  return std::nullopt;
}

std::uint64_t usable_pods(const PoolRecord& pool) {
  const int host_bits = (is_v4(pool) ? 32 : 128) - pool.node_prefix_length;
  const std::uint64_t addresses = host_bits >= 63 ? UINT64_MAX : std::uint64_t{1} << host_bits;
  return addresses < 3 ? 0 : addresses - 3;
}

std::vector<OccupiedRange> host_routes_of(const std::vector<std::string>& routes, const std::string& node, bool connected_only) {
  std::vector<OccupiedRange> occupied;
  for (const std::string& route : routes) {
    const auto words = split(route, ' ');
    if (words.size() != 3 || words[2].empty() || words[2].size() > 15) continue;
    const bool connected = words[1] == "dev";
    if (!connected && (connected_only || words[1] != "via")) continue;
    const auto block = Cidr::parse(words[0]);
    if (!block || block->prefix_length() == 0) continue;
    const bool plain = std::all_of(words[2].begin(), words[2].end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (plain) occupied.push_back({*block, (connected ? "" : "a route via ") + std::string(words[2]) + " of node " + node, !connected});
  }
  return occupied;
}

std::vector<std::string> overlap_problems(const std::vector<Cidr>& ranges, const std::vector<OccupiedRange>& occupied) {
  std::vector<std::string> problems;
  for (const Cidr& range : ranges) {
    for (const OccupiedRange& other : occupied) {
      if (!range.overlaps(other.block)) continue;
      problems.push_back(range.to_string() + " overlaps " + other.block.to_string() + " of " + other.owner + ": choose another range");
    }
  }
  return problems;
}

bool tells_overlap(const Error& error) {
  return error.cause == Cause::range_overlap || error.cause == Cause::block_taken;
}

}  // namespace slipway
