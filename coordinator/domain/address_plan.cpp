#include "coordinator/domain/address_plan.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "coordinator/domain/cluster_ranges.hpp"

namespace slipway {

namespace {

constexpr std::array<std::string_view, 3> k_private = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"};
constexpr int k_reserve_bits = 4;             // services may become sixteen times as many
constexpr int k_node_prefix_ipv6 = 64;
constexpr std::uint64_t k_of_services = 2;    // the kubernetes service and DNS
constexpr std::uint64_t k_most_nodes = std::uint64_t{1} << 24;
constexpr std::uint64_t k_most_growth = 10'000;
constexpr std::uint64_t k_reserved = 3;       // of a node's block: network, bridge, broadcast

std::string slash(int length) { return "/" + std::to_string(length); }
std::uint64_t addresses(int length) { return std::uint64_t{1} << (32 - length); }

// The smallest power of two that is not less, as its exponent.
int bits_for(std::uint64_t count) { return count <= 1 ? 0 : static_cast<int>(std::bit_width(count - 1)); }

std::string counted(std::uint64_t count, const char* what) { return std::to_string(count) + " " + what + (count == 1 ? "" : "s"); }

const Cidr* in_the_way(const Cidr& block, const std::vector<Cidr>& taken) {
  const auto found = std::find_if(taken.begin(), taken.end(), [&block](const Cidr& other) { return other.overlaps(block); });
  return found == taken.end() ? nullptr : &*found;
}

// The lowest block of that size in the range. Steps over what is taken, so that their number counts and not the range's size.
std::optional<Cidr> lowest_free(const Cidr& range, int length, const std::vector<Cidr>& taken) {
  if (length < range.prefix_length()) return std::nullopt;
  const std::uint64_t end = range.base().to_u32() + range.address_count();
  std::uint64_t at = range.base().to_u32();
  while (at + addresses(length) <= end) {
    const auto block = Cidr::make(IpAddress::v4(static_cast<std::uint32_t>(at)), length);
    if (!block) return std::nullopt;
    const Cidr* const other = in_the_way(*block, taken);
    if (other == nullptr) return *block;
    const std::uint64_t behind = std::max(other->base().to_u32() + other->address_count(), at + addresses(length));
    at = (behind + addresses(length) - 1) / addresses(length) * addresses(length);
  }
  return std::nullopt;
}

std::optional<Cidr> free_private(int length, const std::vector<Cidr>& taken) {
  for (const std::string_view range : k_private) {
    if (auto found = lowest_free(*Cidr::parse(range), length, taken)) return found;
  }
  return std::nullopt;
}

// Where a block of the wished size does not fit: how large one could be.
std::string largest_text(const std::vector<Cidr>& taken) {
  for (int length = 8; length <= 32; ++length) {
    if (const auto found = free_private(length, taken)) return "the largest private range that is free is " + found->to_string() + " (" + std::to_string(addresses(length)) + " addresses)";
  }
  return "no private range is free";
}

Status check_wish(const PlanWish& wish) {
  const auto bad = [](std::string text) { return make_error(Errc::invalid, std::move(text)); };
  if (wish.nodes == 0) return bad("a cluster has at least one node");
  if (wish.nodes > k_most_nodes) return bad(counted(wish.nodes, "node") + " are more than a pool can be cut for, " + std::to_string(k_most_nodes));
  if (wish.pods == 0) return bad("a node runs at least one pod");
  if (wish.growth_percent > k_most_growth) return bad("room for " + std::to_string(wish.growth_percent) + " % more nodes is no plan: at most " + std::to_string(k_most_growth));
  if (wish.services == 0) return bad("a cluster has services: at least one beside kubernetes and DNS");
  return {};
}

// Of a node: the smallest block whose addresses do.
Result<int> node_block(const PlanWish& wish) {
  constexpr std::uint64_t k_largest = (std::uint64_t{1} << 24) - k_reserved;
  const std::uint64_t wanted = wish.tight ? wish.pods : wish.pods * 2;
  if (wish.pods > k_largest / 2) return make_error(Errc::invalid, counted(wish.pods, "pod") + " on a node are more than the largest private range has addresses for");
  return prefix_for(wanted);
}

std::string node_line(const PlanWish& wish, int length) {
  return "node block " + slash(length) + ": " + std::to_string(addresses(length)) + " addresses, " + std::to_string(k_reserved) +
         " reserved (network, bridge, broadcast), " + std::to_string(usable_pods(length)) + " for " + counted(wish.pods, "pod") +
         (usable_pods(length) >= 2 * wish.pods ? ": two or more for each, so that a freed address rests before it is used again"
                                               : ": fewer than two for each, freed ones are used again at once");
}

struct PodRange {
  Cidr range;
  int node_length = 24;
};

Result<PodRange> plan_pods(const PlanWish& wish, AddressPlan& plan, const std::vector<Cidr>& taken) {
  const auto node_length = node_block(wish);
  if (!node_length) return node_length.error();
  const std::uint64_t wanted = wish.nodes + (wish.nodes * wish.growth_percent + 99) / 100;
  const int length = *node_length - bits_for(wanted);
  const std::string sum = counted(wish.nodes, "node") + " and " + std::to_string(wish.growth_percent) + " % more are " + std::to_string(wanted) + " blocks of " +
                          slash(*node_length) + ", rounded up to 2^" + std::to_string(bits_for(wanted));
  const auto range = length < 8 ? std::nullopt : free_private(length, taken);
  if (!range) {
    const std::string need = length < 0 ? "more addresses than IPv4 has" : "a " + slash(length) + " (" + std::to_string(addresses(length)) + " addresses)";
    return make_error(Errc::exhausted, "pods do not fit: " + sum + ", take " + need + ", and " + largest_text(taken) +
                                           "; plan fewer nodes, fewer pods on a node or less growth, or node blocks without spare addresses (tight)");
  }
  plan.max_nodes = std::uint64_t{1} << bits_for(wanted);
  plan.arithmetic.push_back("pods: " + cut_text(*range, *node_length));
  plan.arithmetic.push_back(sum);
  plan.arithmetic.push_back(node_line(wish, *node_length));
  return PodRange{*range, *node_length};
}

Status plan_services(const PlanWish& wish, AddressPlan& plan, const std::vector<Cidr>& taken) {
  const std::uint64_t wanted = wish.services > k_most_nodes ? k_most_nodes : wish.services + k_of_services + 2;  // and the first and last address
  const int length = std::min(k_longest_service_prefix, 32 - bits_for(wanted));
  if (length < k_shortest_service_prefix) {
    return make_error(Errc::invalid, counted(wish.services, "service") + " do not fit: kube-apiserver takes ranges up to " + slash(k_shortest_service_prefix) + ", which holds " +
                                         std::to_string(addresses(k_shortest_service_prefix) - 2 - k_of_services) + " beside kubernetes and DNS");
  }
  std::optional<Cidr> room;
  for (int reserve = std::max(k_shortest_service_prefix, length - k_reserve_bits); reserve <= length && !room; ++reserve) room = free_private(reserve, taken);
  if (!room) return make_error(Errc::exhausted, "services do not fit beside the pods: they take a " + slash(length) + ", and " + largest_text(taken));
  plan.service_reserve = *room;
  plan.service_cidr = *Cidr::make(room->base(), length);
  plan.max_services = addresses(length) - 2;
  plan.kubernetes_ip = plan.service_cidr.at(1);
  plan.dns_ip = plan.service_cidr.at(10);
  plan.arithmetic.push_back("services: " + plan.service_cidr.to_string() + " holds " + std::to_string(plan.max_services) + "; kubernetes is " + plan.kubernetes_ip.to_string() +
                            ", DNS " + plan.dns_ip.to_string());
  if (plan.service_reserve != plan.service_cidr)
    plan.arithmetic.push_back("services may grow to " + plan.service_reserve.to_string() + ", which nothing else may use: they can grow on their first address alone");
  return {};
}

Status plan_ipv6(const Cidr& range, AddressPlan& plan) {
  const auto bad = [&range](const std::string& why) { return make_error(Errc::invalid, range.to_string() + " " + why); };
  if (range.is_v4()) return bad("is IPv4: give an IPv6 range");
  if (const auto reserved = reserved_overlap(range)) return bad("overlaps " + *reserved);
  const int bits = bits_for(plan.max_nodes);
  if (range.prefix_length() > k_node_prefix_ipv6 - bits)
    return bad("has no " + std::to_string(plan.max_nodes) + " blocks of /64: take a " + slash(k_node_prefix_ipv6 - bits) + " or wider");
  // No wider than a pool may be cut.
  const int length = std::max(range.prefix_length(), k_node_prefix_ipv6 - 24);
  plan.ipv6 = *Cidr::make(range.base(), length);
  plan.arithmetic.push_back("IPv6: " + plan.ipv6->to_string() + " cut in /64 holds " + std::to_string(std::uint64_t{1} << (k_node_prefix_ipv6 - length)) + " nodes");
  return {};
}

}  // namespace

Result<AddressPlan> plan_addresses(const PlanWish& wish) {
  if (const Status sense = check_wish(wish); !sense) return sense.error();
  AddressPlan plan;
  std::vector<Cidr> taken;
  for (const Cidr& range : wish.avoid) {
    if (range.is_v4()) taken.push_back(range);
    else if (wish.ipv6 && wish.ipv6->overlaps(range)) return make_error(Errc::invalid, wish.ipv6->to_string() + " overlaps " + range.to_string() + ", which is to be avoided");
  }
  // The larger one first: it is the harder to place.
  const auto pods = plan_pods(wish, plan, taken);
  if (!pods) return pods.error();
  plan.pod_cidr = pods->range;
  plan.node_prefix_length = pods->node_length;
  plan.addresses_per_node = usable_pods(pods->node_length);
  taken.push_back(plan.pod_cidr);
  if (const Status services = plan_services(wish, plan, taken); !services) return services.error();
  if (wish.ipv6) {
    if (const Status six = plan_ipv6(*wish.ipv6, plan); !six) return six.error();
  }
  return plan;
}

}  // namespace slipway
