#include "agent/net/masquerade.hpp"

#include <nftables/libnftables.h>

#include <algorithm>
#include <memory>

#include "common/core/text.hpp"

namespace slipway::net {

namespace {

struct FreeContext {
  void operator()(nft_ctx* context) const { ::nft_ctx_free(context); }
};

std::string table_name() {
  return std::string("table ip ") + k_masquerade_table;
}

using Nft = std::unique_ptr<nft_ctx, FreeContext>;

// Half of what a listing costs: it reads the names of marks, tables and labels from /etc.
Result<Nft> open_nft() {
  Nft context(::nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context)
    return make_error(Errc::unavailable, "nftables cannot be reached: is the kernel built with it?");
  ::nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_STATELESS);
  if (::nft_ctx_buffer_output(context.get()) != 0 || ::nft_ctx_buffer_error(context.get()) != 0)
    return make_error(Errc::exhausted, "no memory for nftables");
  return context;
}

// Runs nft commands in one transaction and returns what they print.
Result<std::string> run_nft(const Nft& context, const std::string& commands) {
  if (::nft_run_cmd_from_buffer(context.get(), commands.c_str()) != 0) {
    const char* text = ::nft_ctx_get_error_buffer(context.get());
    const std::string_view words = text == nullptr ? "" : text;
    return make_error(Errc::internal, "nftables: " + std::string(trim(words.substr(0, words.find('\n')))));
  }
  const char* text = ::nft_ctx_get_output_buffer(context.get());
  return std::string(text == nullptr ? "" : text);
}

Status change_nft(const std::string& commands, std::string_view doing) {
  const auto context = open_nft();
  if (!context) return error_of(context, doing);
  const auto done = run_nft(*context, commands);
  if (!done) return error_of(done, doing);
  return {};
}

void read_elements(std::string_view text, MasqueradeTable& table) {
  for (const std::string_view part : split(text, ',')) {
    const std::string word(trim(part));
    if (word.empty()) continue;
    const auto cidr = Cidr::parse(word.find('/') == std::string::npos ? word + "/32" : word);
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

// The text between the braces that follow `name`, which may hold further braces; empty when there is no such
// block.
std::string_view block_of(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return {};
  const auto open = text.find('{', at + name.size());
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) return text.substr(open + 1, i - open - 1);
  }
  return {};
}

bool is_expected_block(std::string_view line) {
  return line.starts_with(table_name() + " ") || line.starts_with("set local ") ||
         line.starts_with("chain postrouting ");
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
  std::string text = table_name() + "\ndelete " + table_name() + "\n" + table_name() + " {\n";
  text += " set local {\n  type ipv4_addr\n  flags interval\n";
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

Result<std::optional<MasqueradeTable>> read_masquerade() {
  const auto context = open_nft();
  if (!context) return error_of(context, "listing packet filter tables");
  const auto tables = run_nft(*context, "list tables ip");
  if (!tables) return error_of(tables, "listing packet filter tables");
  const auto lines = split(*tables, '\n');
  const bool there = std::any_of(lines.begin(), lines.end(),
                                 [](std::string_view line) { return trim(line) == table_name(); });
  if (!there) return std::optional<MasqueradeTable>();
  const auto listing = run_nft(*context, "list " + table_name());
  if (!listing) return error_of(listing, "listing the masquerade table");
  return std::optional(parse_masquerade(*listing));
}

Status put_masquerade(const PutMasquerade& wanted) { return change_nft(masquerade_commands(wanted), "put the masquerade table"); }

Status remove_masquerade() {
  // Adding it first makes the removal of an absent table succeed.
  return change_nft(table_name() + "\ndelete " + table_name() + "\n", "remove the masquerade table");
}

}  // namespace slipway::net
