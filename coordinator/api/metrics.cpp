#include "coordinator/api/metrics.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <set>
#include <tuple>

#include "slipway_version.hpp"

namespace slipway::api {

namespace {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

class Writer {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    out_ +=
        "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
  }
  void sample(const Labels& labels, std::string value) { sample_of(name_, labels, std::move(value)); }
  // Of a histogram: its series have names of their own.
  void sample_of(const std::string& name, const Labels& labels, std::string value) {
    out_ += name;
    if (!labels.empty()) {
      char before = '{';
      for (const auto& [label, text] : labels) {
        out_ += before + std::string(label) + "=\"" + escaped(text) + "\"";
        before = ',';
      }
      out_ += "}";
    }
    out_ += " " + std::move(value) + "\n";
  }
  void sample(const Labels& labels, std::uint64_t value) { sample(labels, std::to_string(value)); }
  std::string take() { return std::move(out_); }

 private:
  // Label values come from nodes, too: a quote or line feed must not make a sample of its own.
  static std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '\\' || c == '"') out += '\\';
      if (c == '\n')
        out += "\\n";
      else
        out += c;
    }
    return out;
  }
  std::string out_;
  std::string name_;
};

void write_nodes(const MetricsInput& input, Writer& out) {
  std::map<std::string, std::uint64_t> phases;
  for (const auto& node : input.nodes) ++phases[node.phase];
  out.family("slipway_nodes", "gauge", "Live nodes by the phase that their agent reports.");
  for (const auto& [phase, count] : phases) out.sample({{"phase", phase}}, count);
  out.family("slipway_coordinator_last_contact_timestamp_seconds", "gauge", "When the node was heard last.");
  for (const auto& node : input.nodes) {
    const auto time = parse_rfc3339(node.last_contact);
    if (time) out.sample({{"node", node.name}}, std::to_string(time->time_since_epoch().count()));
  }
  out.family("slipway_component_up", "gauge", "1 when the component runs on the node.");
  for (const auto& node : input.nodes) {
    for (const auto& c : node.components)
      out.sample({{"node", node.name}, {"component", c.name}}, c.state == "running" ? 1 : 0);
  }
  out.family("slipway_component_restarts_total", "counter",
             "Restarts of the component since the agent's start.");
  for (const auto& node : input.nodes) {
    for (const auto& c : node.components)
      out.sample({{"node", node.name}, {"component", c.name}}, c.restarts);
  }
  out.family("slipway_component_version_info", "gauge", "Version of the component on the node, as a label.");
  for (const auto& node : input.nodes) {
    for (const auto& c : node.components)
      out.sample({{"node", node.name}, {"component", c.name}, {"version", c.version}}, 1);
  }
}

using PoolNumber = std::uint64_t proto::PoolView::*;

void write_pools(const MetricsInput& input, Writer& out) {
  static constexpr std::array<std::tuple<const char*, const char*, PoolNumber>, 5> k_numbers = {
      {{"slipway_cidr_pool_max_cidrs", "Blocks of the pool's size that its ranges hold.", &proto::PoolView::capacity},
       {"slipway_cidr_pool_available_cidrs", "Such blocks that could be given out now.", &proto::PoolView::available},
       {"slipway_cidr_pool_allocated_cidrs", "Blocks of live nodes.", &proto::PoolView::allocated},
       {"slipway_cidr_pool_reserved_cidrs", "Blocks that are reserved or kept for a node.", &proto::PoolView::reserved},
       {"slipway_cidr_pool_quarantined_cidrs", "Blocks of removed nodes that rest.", &proto::PoolView::quarantined}}};
  for (const auto& [name, help, number] : k_numbers) {
    out.family(name, "gauge", help);
    for (const proto::PoolView& pool : input.pools) out.sample({{"pool", pool.name}}, pool.*number);
  }
  out.family("slipway_cidr_pool_usage_ratio", "gauge", "Part of the pool that is not free.");
  for (const proto::PoolView& pool : input.pools) out.sample({{"pool", pool.name}}, std::to_string(pool.used_percent / 100));
  out.family("slipway_cidr_pool_draining", "gauge", "1 while the pool gives out nothing.");
  for (const proto::PoolView& pool : input.pools) out.sample({{"pool", pool.name}}, std::uint64_t{pool.draining ? 1U : 0U});
  out.family("slipway_cidr_pool_exhaustion_timestamp_seconds", "gauge", "When the pool is full if its use goes on as lately; absent: not in sight.");
  for (const proto::PoolView& pool : input.pools) {
    const auto end = parse_rfc3339(pool.exhausted_at);
    if (end) out.sample({{"pool", pool.name}}, std::to_string(end->time_since_epoch().count()));
  }
}

void write_free_blocks(const MetricsInput& input, Writer& out) {
  out.family("slipway_cidr_pool_free_blocks", "gauge", "Free blocks by their prefix length; a free half of a larger free block is not counted.");
  for (const auto& [pool, lengths] : input.free_blocks) {
    for (const auto& [length, count] : lengths) out.sample({{"pool", pool}, {"prefix_length", std::to_string(length)}}, count);
  }
  out.family("slipway_cidr_pool_largest_free_prefix_length", "gauge", "Prefix length of the largest free block; absent: nothing is free.");
  for (const proto::PoolView& pool : input.pools) {
    if (pool.largest_free != 0) out.sample({{"pool", pool.name}}, pool.largest_free);
  }
}

std::string seconds_text(std::chrono::nanoseconds time) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", std::chrono::duration<double>(time).count());
  return text.data();
}

void write_allocations(const MetricsInput& input, Writer& out) {
  const AllocationTimes& times = input.allocations;
  static const std::string k_name = "slipway_cidr_allocation_duration_seconds";
  out.family(k_name, "histogram", "Time to admit a new node and cut out its block, on the state, without the disk; since the start.");
  for (std::size_t i = 0; i < times.within.size(); ++i) out.sample_of(k_name + "_bucket", {{"le", seconds_text(AllocationTimes::k_bounds[i])}}, std::to_string(times.within[i]));
  out.sample_of(k_name + "_bucket", {{"le", "+Inf"}}, std::to_string(times.count));
  out.sample_of(k_name + "_sum", {}, seconds_text(times.sum));
  out.sample_of(k_name + "_count", {}, std::to_string(times.count));
  out.family("slipway_cidr_rejected_overlaps_total", "counter", "Joins and changes of pools or settings that were refused because the addresses are somebody's, since the start.");
  out.sample({}, input.rejected_overlaps);
  out.family("slipway_cidr_duplicate_claims", "gauge", "Node objects whose podCIDR is another than the ledger gave them, or another's.");
  out.sample({}, input.duplicate_claims);
}

void write_certificates(const MetricsInput& input, Writer& out) {
  out.family("slipway_certificate_expiration_seconds", "gauge",
             "Seconds until the certificate ends; negative afterwards.");
  std::set<std::pair<std::string, std::string>> written;  // one sample for each set of labels
  for (const auto& certificate : input.certificates) {
    const auto end = parse_rfc3339(certificate.not_after);
    if (!end || !written.insert({certificate.node, certificate.usage}).second) continue;
    out.sample({{"node", certificate.node}, {"usage", certificate.usage}},
               std::to_string((*end - input.now).count()));
  }
  out.family("slipway_certificate_renewals_total", "counter",
             "Renewals asked for since the start, by result.");
  for (const auto& [result, count] : input.renewals) out.sample({{"result", result}}, count);
}

void write_feed(const MetricsInput& input, Writer& out) {
  out.family("slipway_desired_revision", "gauge", "Revision of the desired state that agents are told of.");
  out.sample({}, input.desired_revision);
  out.family("slipway_acknowledged_revision", "gauge", "Desired revision that all live nodes have applied; how far it is behind is how long blocks stay in quarantine.");
  out.sample({}, input.acknowledged_revision);
  out.family("slipway_feed_waiting_agents", "gauge", "Agents that wait for news at this moment.");
  out.sample({}, input.waiting_agents);
  out.family("slipway_feed_encoded_total", "counter", "Answers that were encoded since the start, each for all who asked for the same.");
  out.sample({{"kind", "delta"}}, input.feed.deltas);
  out.sample({{"kind", "document"}}, input.feed.documents);
}

}  // namespace

std::string render_metrics(const MetricsInput& input) {
  Writer out;
  out.family("slipway_build_info", "gauge", "Version of the coordinator, as a label.");
  out.sample({{"version", k_version}}, 1);
  out.family("slipway_state_revision", "gauge", "Number of the last change of the state; grows with each.");
  out.sample({}, input.revision);
  out.family("slipway_connections", "gauge", "Open connections.");
  out.sample({}, input.connections);
  out.family("slipway_join_requests_total", "counter",
             "Joins asked for since the start, by result and reason.");
  for (const auto& [key, count] : input.join_requests)
    out.sample({{"result", key.first}, {"reason", key.second}}, count);
  write_feed(input, out);
  write_nodes(input, out);
  write_pools(input, out);
  write_free_blocks(input, out);
  write_allocations(input, out);
  write_certificates(input, out);
  return out.take();
}

}  // namespace slipway::api
