#include "agent/net/nft.hpp"

#include <nftables/libnftables.h>

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway::net {

namespace {

constexpr unsigned int k_plain = NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_STATELESS;

}  // namespace

void Nft::Free::operator()(nft_ctx* context) const {
  ::nft_ctx_free(context);
}

Result<Nft> Nft::open() {
  std::unique_ptr<nft_ctx, Free> context(::nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context)
    return make_error(Errc::unavailable, "nftables cannot be reached: is the kernel built with it?");
  if (::nft_ctx_buffer_output(context.get()) != 0 || ::nft_ctx_buffer_error(context.get()) != 0)
    return make_error(Errc::exhausted, "no memory for nftables");
  return Nft(std::move(context));
}

Result<std::string> Nft::run(const std::string& commands, bool terse) const {
  ::nft_ctx_output_set_flags(context_.get(), terse ? k_plain | NFT_CTX_OUTPUT_TERSE : k_plain);
  if (::nft_run_cmd_from_buffer(context_.get(), commands.c_str()) != 0) {
    const char* text = ::nft_ctx_get_error_buffer(context_.get());
    const std::string_view words = text == nullptr ? "" : text;
    return make_error(Errc::internal, "nftables: " + std::string(trim(words.substr(0, words.find('\n')))));
  }
  const char* text = ::nft_ctx_get_output_buffer(context_.get());
  return std::string(text == nullptr ? "" : text);
}

Result<std::vector<NftTable>> list_tables(const Nft& nft) {
  const auto listing = nft.run("list tables");
  if (!listing) return error_of(listing, "listing packet filter tables");
  return parse_tables(*listing);
}

NftTable table_named(std::string_view name) {
  const std::size_t space = name.find(' ');
  if (space == std::string_view::npos) return {"ip", std::string(name)};
  return {std::string(name.substr(0, space)), std::string(name.substr(space + 1))};
}

Result<bool> has_table(const NftTable& table) {
  const auto nft = Nft::open();
  if (!nft) return error_of(nft, "listing packet filter tables");
  const auto tables = list_tables(*nft);
  if (!tables) return tables.error();
  return std::find(tables->begin(), tables->end(), table) != tables->end();
}

Status remove_table(const NftTable& table) {
  const std::string words = "table " + table.family + " " + table.name;
  const auto nft = Nft::open();
  if (!nft) return error_of(nft, "remove the " + words);
  // Adding it first makes the removal of an absent table succeed.
  const auto done = nft->run(words + "\ndelete " + words + "\n");
  if (!done) return error_of(done, "remove the " + words);
  return {};
}

std::vector<NftTable> parse_tables(std::string_view listing) {
  std::vector<NftTable> tables;
  for (const std::string_view line : split(listing, '\n')) {
    const auto words = split(trim(line), ' ');
    if (words.size() == 3 && words[0] == "table") tables.push_back({std::string(words[1]), std::string(words[2])});
  }
  return tables;
}

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

}  // namespace slipway::net
