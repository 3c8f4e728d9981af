#include "agent/net/host_ports.hpp"

#include <algorithm>
#include <chrono>

#include "agent/net/iptables_variants.hpp"
#include "common/core/text.hpp"
#include "common/process/run_program.hpp"

namespace slipway::net {

namespace {

constexpr char k_chain[] = "CNI-HOSTPORT-DNAT";  // portmap's, with a rule for each pod
constexpr char k_lock_seconds[] = "2";           // how long to wait for another user of iptables
constexpr std::chrono::seconds k_limit{5};

// Empty where there is no such chain. A table that is not there would be made by the question.
Result<std::string> list_host_ports(IpFamily family, const std::string& program, const std::vector<NftTable>& tables) {
  if (!has_table(family, "nat", tables)) return std::string();
  const auto output = run_program({program, "-w", k_lock_seconds, "-t", "nat", "-S", k_chain}, "", k_limit);
  if (!output) return output.error();
  // Code 1 is "no such chain"; 4 is "somebody else has the lock".
  if (output->exit_code > 1)
    return make_error(Errc::unavailable, program + " failed with code " + std::to_string(output->exit_code) + ": " +
                                             std::string(trim(output->err)));
  return output->exit_code == 0 ? output->out : std::string();
}

}  // namespace

bool has_host_ports(std::string_view chain, std::string_view container) {
  const std::string append = std::string("-A ") + k_chain + " ";
  const auto lines = split(chain, '\n');
  return std::any_of(lines.begin(), lines.end(), [&](std::string_view line) {
    return line.starts_with(append) && line.find(container) != std::string_view::npos;
  });
}

Result<std::vector<std::string>> lost_host_ports(const std::vector<HostPortPod>& pods, const std::vector<NftTable>& tables,
                                                 const std::vector<std::string>& folders) {
  std::vector<std::string> lost;
  for (const IpFamily family : k_families) {
    const auto has_address = [family](const HostPortPod& pod) { return pod.addresses[family]; };
    const std::string program = find_program(folders, family == IpFamily::v4 ? "iptables" : "ip6tables");
    if (program.empty() || std::none_of(pods.begin(), pods.end(), has_address)) continue;
    const auto chain = list_host_ports(family, program, tables);
    if (!chain) return chain.error();
    for (const HostPortPod& pod : pods)
      if (has_address(pod) && !has_host_ports(*chain, pod.container)) lost.push_back(pod.name);
  }
  std::sort(lost.begin(), lost.end());
  lost.erase(std::unique(lost.begin(), lost.end()), lost.end());
  return lost;
}

}  // namespace slipway::net
