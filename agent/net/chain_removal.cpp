#include "agent/net/chain_removal.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "common/core/text.hpp"
#include "common/process/run_program.hpp"

namespace slipway::net {

namespace {

constexpr std::chrono::seconds k_limit{20};
constexpr std::size_t k_most = std::size_t{64} << 20;  // ten thousand services are some megabytes
constexpr char k_lock_seconds[] = "5";
constexpr char k_docker[] = "DOCKER";
constexpr char k_docker_user[] = "DOCKER-USER";
constexpr std::string_view k_docker_bridge = "docker0";

struct Rule {
  std::string chain;
  std::string line;  // as it was printed: "-A FORWARD ..."
  std::string target;
  bool on_docker_bridge = false;
};

struct Table {
  std::string name;
  std::set<std::string> built_in, own;  // chains
  std::vector<Rule> rules;
};

Rule rule_of(std::string_view line) {
  Rule rule;
  rule.line = std::string(line);
  const auto words = split(line, ' ');
  if (words.size() > 1) rule.chain = std::string(words[1]);
  for (std::size_t i = 2; i + 1 < words.size(); ++i) {
    if (words[i] == "-j" || words[i] == "-g") rule.target = std::string(words[i + 1]);
    if ((words[i] == "-i" || words[i] == "-o") && words[i + 1] == k_docker_bridge)
      rule.on_docker_bridge = true;
  }
  return rule;
}

std::vector<Table> tables_of(std::string_view saved) {
  std::vector<Table> tables;
  for (std::string_view line : split(saved, '\n')) {
    line = trim(line);
    if (line.starts_with('*')) {
      tables.push_back({std::string(line.substr(1)), {}, {}, {}});
    } else if (tables.empty()) {
      continue;
    } else if (line.starts_with(':')) {
      const auto words = split(line.substr(1), ' ');
      const bool own = words.size() > 1 && words[1] == "-";
      (own ? tables.back().own : tables.back().built_in).insert(std::string(words[0]));
    } else if (line.starts_with("-A ")) {
      tables.back().rules.push_back(rule_of(line));
    }
  }
  return tables;
}

// Why a chain of ours must stay; those that it needs stay, too.
std::map<std::string, std::string> held_chains(const Table& table, const std::set<std::string>& ours) {
  std::map<std::string, std::string> held;
  for (const Rule& rule : table.rules) {
    const bool foreign = table.own.count(rule.chain) != 0 && ours.count(rule.chain) == 0;
    if (foreign && ours.count(rule.target) != 0) held[rule.target] = "chain " + rule.chain + " jumps to it";
    const bool written = rule.chain == k_docker_user && !rule.line.ends_with(" -j RETURN");
    if (written && ours.count(rule.chain) != 0) held[rule.chain] = "it has rules that Docker did not write";
  }
  for (bool more = true; more;) {
    more = false;
    for (const Rule& rule : table.rules) {
      if (held.count(rule.chain) != 0 && ours.count(rule.target) != 0)
        more = held.try_emplace(rule.target, rule.chain + ", which stays, jumps to it").second || more;
    }
  }
  return held;
}

void plan_table(const Table& table, const std::string& prefix, ChainRemoval& out) {
  std::set<std::string> ours;
  for (const std::string& chain : table.own) {
    if (chain.starts_with(prefix)) ours.insert(chain);
  }
  const auto held = held_chains(table, ours);
  for (const auto& [chain, why] : held) {
    ours.erase(chain);
    out.kept.push_back(table.name + " " + chain + ": " + why);
  }
  std::string lines;
  for (const Rule& rule : table.rules) {
    if (table.built_in.count(rule.chain) == 0) continue;
    const bool dockers = prefix == k_docker && rule.on_docker_bridge;
    if (ours.count(rule.target) != 0 || dockers) lines += "-D" + rule.line.substr(2) + "\n";
  }
  // Emptied first: they jump to each other.
  for (const std::string& chain : ours) lines += ":" + chain + " - [0:0]\n";
  for (const std::string& chain : ours) {
    lines += "-X " + chain + "\n";
    out.chains.push_back(table.name + " " + chain);
  }
  if (!lines.empty()) out.script += "*" + table.name + "\n" + lines + "COMMIT\n";
}

Result<std::string> save(const std::string& program) {
  const auto output = run_program({program}, "", k_limit, k_most);
  if (!output) return output.error();
  if (output->exit_code != 0)
    return make_error(Errc::internal, program + " failed with code " + std::to_string(output->exit_code) +
                                          ": " + std::string(trim(output->err)));
  return output->out;
}

constexpr const char* k_families[] = {"iptables", "ip6tables"};

}  // namespace

ChainRemoval plan_chain_removal(std::string_view saved, const std::string& prefix) {
  ChainRemoval out;
  for (const Table& table : tables_of(saved)) plan_table(table, prefix, out);
  return out;
}

Result<std::vector<std::string>> ChainRules::names(const std::string& prefix) const {
  std::vector<std::string> all;
  for (const std::string family : k_families) {
    const std::string program = find_program(folders_, family + "-save");
    if (program.empty()) continue;
    const auto saved = save(program);
    // A kernel without IPv6 has no chains of it.
    if (!saved && family != k_families[0]) continue;
    if (!saved) return saved.error();
    const ChainRemoval plan = plan_chain_removal(*saved, prefix);
    for (const std::string& chain : plan.chains)
      all.push_back(family == "iptables" ? chain : family + " " + chain);
    for (const std::string& chain : plan.kept) all.push_back(chain.substr(0, chain.find(':')));
    // Rules of Docker's about its bridge, when its chains are gone already.
    if (plan.chains.empty() && plan.kept.empty() && !plan.script.empty())
      all.push_back("rules about docker0");
  }
  return all;
}

Status ChainRules::remove(const std::string& prefix) const {
  for (const std::string family : k_families) {
    const std::string program = find_program(folders_, family + "-save");
    if (program.empty()) continue;
    const auto saved = save(program);
    if (!saved && family != k_families[0]) continue;
    if (!saved) return saved.error();
    const ChainRemoval plan = plan_chain_removal(*saved, prefix);
    if (!plan.script.empty()) {
      const std::string restore = find_program(folders_, family + "-restore");
      if (restore.empty())
        return make_error(Errc::not_found, "no " + family + "-restore program: install iptables");
      const auto output = run_program({restore, "-w", k_lock_seconds, "--noflush"}, plan.script, k_limit);
      if (!output) return output.error();
      if (output->exit_code != 0)
        return make_error(Errc::internal, restore + ": " + std::string(trim(output->err)));
    }
    if (!plan.kept.empty()) return make_error(Errc::conflict, join(plan.kept, "; "));
  }
  return {};
}

}  // namespace slipway::net
