#include "agent/net/forward_rules.hpp"

#include <algorithm>
#include <set>

#include "common/core/text.hpp"
#include "common/process/run_program.hpp"

namespace slipway::net {

namespace {

constexpr std::chrono::seconds k_limit{5};
constexpr char k_lock_seconds[] = "2";  // how long to wait for another user of iptables

std::string program_name(IpFamily family) {
  return family == IpFamily::v4 ? "iptables" : "ip6tables";
}

Error no_program(const std::string& name) {
  return make_error(Errc::not_found, "no " + name + " program: install iptables");
}

std::string jump() {
  return std::string("FORWARD -j ") + k_forward_chain;
}

Result<ProgramOutput> list_chain(const std::string& program, const std::string& chain) {
  return run_program({program, "-w", k_lock_seconds, "-S", chain}, "", k_limit);
}

Error failed(const std::string& program, const ProgramOutput& output) {
  return make_error(Errc::internal, program + " failed with code " + std::to_string(output.exit_code) + ": " +
                                        std::string(trim(output.err)));
}

// One transaction: the lines between "*filter" and "COMMIT".
Status restore(const std::vector<std::string>& folders, IpFamily family, const std::string& lines) {
  const std::string name = program_name(family) + "-restore";
  const std::string program = find_program(folders, name);
  if (program.empty()) return no_program(name);
  const std::string input = "*filter\n" + lines + "COMMIT\n";
  const auto output = run_program({program, "-w", k_lock_seconds, "--noflush"}, input, k_limit);
  if (!output) return output.error();
  if (output->exit_code != 0) return failed(program, *output);
  return {};
}

// The lines that take away every present jump to our chain.
Result<std::string> drop_jumps(const std::vector<std::string>& folders, IpFamily family) {
  const std::string program = find_program(folders, program_name(family));
  if (program.empty()) return no_program(program_name(family));
  const auto forward = list_chain(program, "FORWARD");
  if (!forward) return forward.error();
  if (forward->exit_code != 0) return failed(program, *forward);
  std::string lines;
  for (int i = count_jumps(forward->out); i > 0; --i) lines += "-D " + jump() + "\n";
  return lines;
}

}  // namespace

int count_jumps(std::string_view forward) {
  int count = 0;
  for (const std::string_view line : split(forward, '\n'))
    if (trim(line) == "-A " + jump()) ++count;
  return count;
}

ForwardState parse_forward(std::string_view forward, std::string_view chain) {
  ForwardState state;
  state.tool_present = true;
  bool first = true;
  for (std::string_view line : split(forward, '\n')) {
    line = trim(line);
    if (line == "-P FORWARD DROP") state.policy_drop = true;
    if (!line.starts_with("-A ")) continue;
    if (first) state.jump_first = line == "-A " + jump();
    first = false;
  }
  const std::string append = std::string("-A ") + k_forward_chain + " ";
  std::multiset<std::string> by_source, by_destination;
  bool strange = false;
  for (std::string_view line : split(chain, '\n')) {
    line = trim(line);
    if (line == std::string("-N ") + k_forward_chain) state.chain_present = true;
    if (!line.starts_with("-A ")) continue;
    const auto words = split(line.substr(std::min(line.size(), append.size())), ' ');
    const bool ours =
        line.starts_with(append) && words.size() == 4 && words[2] == "-j" && words[3] == "ACCEPT";
    if (ours && words[0] == "-s")
      by_source.emplace(words[1]);
    else if (ours && words[0] == "-d")
      by_destination.emplace(words[1]);
    else
      strange = true;
  }
  for (const std::string& block : by_source)
    if (auto cidr = Cidr::parse(block))
      state.accepted.push_back(*cidr);
    else
      strange = true;
  std::sort(state.accepted.begin(), state.accepted.end());
  const bool twice = std::adjacent_find(by_source.begin(), by_source.end()) != by_source.end();
  state.chain_exact = state.chain_present && !strange && !twice && by_source == by_destination;
  return state;
}

bool ForwardRules::has_tool(IpFamily family) const {
  return !find_program(folders_, program_name(family)).empty();
}

Result<ForwardState> ForwardRules::observe(IpFamily family, bool table_there) const {
  const std::string program = find_program(folders_, program_name(family));
  ForwardState state;
  state.tool_present = !program.empty();
  if (program.empty() || !table_there) return state;
  const auto forward = list_chain(program, "FORWARD");
  if (!forward) return forward.error();
  if (forward->exit_code != 0) return failed(program, *forward);
  const auto chain = list_chain(program, k_forward_chain);
  if (!chain) return chain.error();
  // Code 1 is "no such chain"; 4 is "somebody else has the lock".
  if (chain->exit_code > 1) return failed(program, *chain);
  return parse_forward(forward->out, chain->exit_code == 0 ? chain->out : "");
}

Status ForwardRules::put(const PutForward& wanted) const {
  const auto old_jumps = drop_jumps(folders_, wanted.family);
  if (!old_jumps) return old_jumps.error();
  const std::string chain = k_forward_chain;
  std::string lines = ":" + chain + " - [0:0]\n";  // makes the chain, or empties it
  for (const Cidr& block : wanted.accepted) {
    lines += "-A " + chain + " -s " + block.to_string() + " -j ACCEPT\n";
    lines += "-A " + chain + " -d " + block.to_string() + " -j ACCEPT\n";
  }
  return restore(folders_, wanted.family, lines + *old_jumps + "-I FORWARD 1 -j " + chain + "\n");
}

Status ForwardRules::remove(IpFamily family) const {
  const auto old_jumps = drop_jumps(folders_, family);
  if (!old_jumps) return old_jumps.error();
  const std::string chain = k_forward_chain;
  return restore(folders_, family, ":" + chain + " - [0:0]\n" + *old_jumps + "-X " + chain + "\n");
}

}  // namespace slipway::net
