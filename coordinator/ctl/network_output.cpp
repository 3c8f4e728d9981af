// What a probe of the network found.
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

std::string counts_text(const proto::NetworkProbe& probe) {
  std::string text = std::to_string(probe.reported) + " of " + std::to_string(probe.nodes) +
                     (probe.nodes == 1 ? " node" : " nodes") + " took part";
  if (probe.state != "done") return text + " so far: " + printable(probe.state) + "\n";
  if (probe.reported == 0) return text + ": nothing is known of the network\n";
  if (probe.nodes == 1) return text + ": there is no pair\n";
  text += ", " + std::to_string(probe.pairs) + " pairs, " + std::to_string(probe.pings) + " pings";
  if (probe.failing > 0) return text + ": " + std::to_string(probe.failing) + " failed\n";
  return text + (probe.pings > 0 ? ": all answered\n" : "\n");
}

Table pair_table(const proto::NetworkProbe& probe, bool wide) {
  Table table{{"FROM", "TO", "WHAT", "LIKELY CAUSE", "CURE"}, {}};
  if (wide) table.header.insert(table.header.begin() + 3, {"ADDRESS", "BYTES", "RESULT"});
  for (const proto::NetworkPair& pair : probe.failed) {
    std::vector<std::string> row{pair.from, pair.to, pair.what + " " + pair.family, pair.cause, pair.cure};
    if (wide)
      row.insert(row.begin() + 3,
                 {pair.address, pair.bytes > 0 ? std::to_string(pair.bytes) : "small", pair.result});
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

std::string network_text(const proto::NetworkProbe& probe, bool wide) {
  std::string out = counts_text(probe);
  if (!probe.failed.empty()) out += "\n" + render(pair_table(probe, wide));
  if (probe.failing > probe.failed.size())
    out += "and " + std::to_string(probe.failing - probe.failed.size()) + " more\n";
  if (!probe.silent.empty()) {
    Table table{{"TOOK NO PART", "WHY", "CURE"}, {}};
    for (const proto::SilentNode& node : probe.silent)
      table.rows.push_back({node.node, node.reason, node.cure});
    out += "\n" + render(table);
  }
  if (probe.sampled || !probe.notes.empty()) out += "\n";
  if (probe.sampled)
    out +=
        "note: each node pinged some of the others, not all: in a cluster of this size a link may have been "
        "left out\n";
  for (const std::string& note : probe.notes) out += "note: " + printable(note) + "\n";
  return out;
}

}  // namespace slipway::ctl
