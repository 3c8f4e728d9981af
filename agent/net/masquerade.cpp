#include "agent/net/masquerade.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway::net {

namespace {

std::string table_name(IpFamily family) {
  return "table " + std::string(nft_word(family)) + " " + k_masquerade_table;
}

void read_elements(std::string_view text, MasqueradeTable& table) {
  for (const std::string_view part : split(text, ',')) {
    const std::string word(trim(part));
    if (word.empty()) continue;
    const bool one = word.find('/') == std::string::npos;  // a single address is printed without its length
    const char* whole = word.find(':') == std::string::npos ? "/32" : "/128";
    const auto cidr = Cidr::parse(one ? word + whole : word);
    if (cidr)
      table.local.push_back(*cidr);
    else
      table.rule_marks.emplace_back();
  }
}

std::string mark_of(std::string_view rule) {
  static constexpr std::string_view key = "comment \"";
  const auto at = rule.find(key);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = rule.substr(at + key.size());
  return std::string(rest.substr(0, rest.find('"')));
}

bool is_expected_block(std::string_view line) {
  for (const IpFamily family : {IpFamily::v4, IpFamily::v6})
    if (line.starts_with(table_name(family) + " ")) return true;
  return line.starts_with("set local ") || line.starts_with("chain postrouting ");
}

}  // namespace

MasqueradeTable parse_masquerade(std::string_view listing) {
  MasqueradeTable table;
  read_elements(block_of(block_of(listing, "set local "), "elements = "), table);
  std::sort(table.local.begin(), table.local.end());
  bool hooked = false;
  for (const std::string_view part : split(block_of(listing, "chain postrouting "), '\n')) {
    const std::string_view line = trim(part);
    if (line.empty()) continue;
    if (line.starts_with("type ")) {
      hooked = line.starts_with("type nat hook postrouting ") &&
               line.find("policy accept") != std::string_view::npos;
    } else {
      table.rule_marks.push_back(mark_of(line));
    }
  }
  bool strange = !hooked;
  for (const std::string_view part : split(listing, '\n')) {
    const std::string_view line = trim(part);
    if (line.ends_with('{') && !line.starts_with("elements = ") && !is_expected_block(line)) strange = true;
  }
  if (strange) table.rule_marks.emplace_back();
  return table;
}

std::string masquerade_commands(const PutMasquerade& wanted) {
  const std::string table = table_name(wanted.family);
  std::string text = table + "\ndelete " + table + "\n" + table + " {\n";
  text += std::string(" set local {\n  type ") + (wanted.family == IpFamily::v4 ? "ipv4_addr" : "ipv6_addr") +
          "\n  flags interval\n";
  std::vector<std::string> blocks;
  for (const Cidr& block : wanted.table.local) blocks.push_back(block.to_string());
  if (!blocks.empty()) text += "  elements = { " + join(blocks, ", ") + " }\n";
  // Before kube-proxy's own source translation at 100.
  text += " }\n chain postrouting {\n  type nat hook postrouting priority 90; policy accept;\n";
  for (std::size_t i = 0; i < wanted.rules.size(); ++i) {
    const std::string mark = i < wanted.table.rule_marks.size() ? wanted.table.rule_marks[i] : "";
    text += "  " + wanted.rules[i] + " comment \"" + mark + "\"\n";
  }
  return text + " }\n}\n";
}

Result<std::optional<MasqueradeTable>> read_masquerade(const Nft& nft, const std::vector<NftTable>& tables, IpFamily family) {
  const NftTable own{nft_word(family), k_masquerade_table};
  if (std::find(tables.begin(), tables.end(), own) == tables.end()) return std::optional<MasqueradeTable>();
  const auto listing = nft.run("list " + table_name(family));
  if (!listing) return error_of(listing, "listing the masquerade table");
  return std::optional(parse_masquerade(*listing));
}

Status put_masquerade(const PutMasquerade& wanted) {
  const std::string doing = "put the masquerade table";
  const auto nft = Nft::open();
  if (!nft) return error_of(nft, doing);
  const auto done = nft->run(masquerade_commands(wanted));
  if (!done) return error_of(done, doing);
  return {};
}

Status remove_masquerade(IpFamily family) {
  return remove_table({nft_word(family), k_masquerade_table});
}

}  // namespace slipway::net
