// `plan`: an address plan for a cluster that is to be. No coordinator is asked.
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/domain/address_plan.hpp"
#include "proto/address_plan.hpp"
#include "proto/codec.hpp"

namespace slipway::ctl {

namespace {

Result<PlanWish> read_wish(const Plan& plan) {
  PlanWish wish{plan.nodes, plan.pods, plan.services, plan.growth, plan.tight, {}, {}};
  for (const std::string& text : plan.avoid) {
    const auto range = Cidr::parse(text);
    if (!range) return error_of(range, "--avoid");
    wish.avoid.push_back(*range);
  }
  if (plan.ipv6.empty()) return wish;
  const auto range = Cidr::parse(plan.ipv6);
  if (!range) return error_of(range, "--ipv6");
  wish.ipv6 = *range;
  return wish;
}

// A piece of cluster.yaml; what is no setting stands there as comments.
std::string plan_text(const Plan& wish, const AddressPlan& plan) {
  std::string text;
  for (const std::string& line : plan.arithmetic) text += "# " + line + "\n";
  if (wish.avoid.empty()) text += "# nothing was to be avoided: give the networks of the hosts, and what they reach, with --avoid\n";
  text += "network:\n  podCIDR: " + plan.pod_cidr.to_string() + "\n  nodePrefixLength: " + std::to_string(plan.node_prefix_length) + "\n  serviceCIDR: " +
          plan.service_cidr.to_string() + "\n";
  if (plan.service_reserve != plan.service_cidr) text += "  serviceReserve: " + plan.service_reserve.to_string() + "\n";
  if (plan.ipv6) text += "  pools:\n    - {name: six, ranges: [\"" + plan.ipv6->to_string() + "\"]}\n";
  return text + "kubelet:\n  maxPods: " + std::to_string(wish.pods) + "\n";
}

proto::AddressPlanReport report_of(const Plan& wish, const AddressPlan& plan) {
  proto::AddressPlanReport report;
  report.pod_cidr = plan.pod_cidr.to_string();
  report.node_prefix_length = static_cast<std::uint64_t>(plan.node_prefix_length);
  report.service_cidr = plan.service_cidr.to_string();
  report.service_reserve = plan.service_reserve.to_string();
  if (plan.ipv6) report.ipv6_range = plan.ipv6->to_string();
  report.wanted_nodes = wish.nodes;
  report.max_nodes = plan.max_nodes;
  report.wanted_pods = wish.pods;
  report.addresses_per_node = plan.addresses_per_node;
  report.max_services = plan.max_services;
  report.kubernetes_ip = plan.kubernetes_ip.to_string();
  report.dns_ip = plan.dns_ip.to_string();
  report.arithmetic = plan.arithmetic;
  return report;
}

// What no range can hold is a wish that cannot be: wrong usage, not a failure.
int refuse(Console& console, Error error) {
  if (error.code == Errc::exhausted) error.code = Errc::invalid;
  return fail(console, error);
}

}  // namespace

std::optional<int> run_plan(const CommandLine& line, Console& console) {
  const auto* const plan = std::get_if<Plan>(&line.command);
  if (plan == nullptr) return std::nullopt;
  const auto wish = read_wish(*plan);
  if (!wish) return refuse(console, wish.error());
  const auto made = plan_addresses(*wish);
  if (!made) return refuse(console, made.error());
  const bool document = line.format == Format::json || line.format == Format::yaml;
  console.out << (document ? render_document(proto::encode(report_of(*plan, *made)), line.format) : plan_text(*plan, *made));
  return k_ok;
}

}  // namespace slipway::ctl
