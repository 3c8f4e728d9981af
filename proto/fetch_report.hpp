#pragma once
// What `slipwayctl artifact fetch -o json` prints: coded by the same lists as the API's types, but no part of its contract.
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::proto {

struct FetchedFile {
  std::string component;
  std::string version;
  std::string url;
  std::string checksum_url;
  std::string sha256;      // as published
  std::uint64_t size = 0;  // in bytes; 0: not downloaded this time
  std::string result;      // imported, saved, present (was there already), planned (with --dry-run)
};
struct FetchReport {
  bool dry_run = false;
  std::vector<FetchedFile> files;
};

}  // namespace slipway::proto
