#pragma once
// The packet filter through libnftables: commands as text, in one kernel transaction each time.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

struct nft_ctx;

namespace slipway::net {

class Nft {
 public:
  // Half of what a listing costs: it reads the names of marks, tables and labels from /etc.
  static Result<Nft> open();

  // What the commands print; numbers instead of names, no counters, no elements of sets when `terse`.
  Result<std::string> run(const std::string& commands, bool terse = false) const;

 private:
  struct Free {
    void operator()(nft_ctx* context) const;
  };
  explicit Nft(std::unique_ptr<nft_ctx, Free> context) : context_(std::move(context)) {}

  std::unique_ptr<nft_ctx, Free> context_;
};

// A table, as "table ip filter" in the listing of all.
struct NftTable {
  std::string family;
  std::string name;
  bool operator==(const NftTable&) const = default;
};
Result<std::vector<NftTable>> list_tables(const Nft& nft);
// Of the change ledger: "ip6 slipway"; without a family it is one of IPv4.
NftTable table_named(std::string_view name);
// Open the packet filter by themselves.
Result<bool> has_table(const NftTable& table);
// Done when there is none. Nothing else may be in the name than letters, digits, "-" and "_".
Status remove_table(const NftTable& table);
// For tests.
std::vector<NftTable> parse_tables(std::string_view listing);

// The text between the braces that follow `name`, which may hold further braces; empty when there is no such block.
std::string_view block_of(std::string_view text, std::string_view name);

}  // namespace slipway::net
