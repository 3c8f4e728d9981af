#pragma once
// Public files from web servers, as files: with redirects, resumption, limits and deadlines. No proxy is asked, whatever the environment says.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/core/result.hpp"
#include "coordinator/ctl/fetch_plan.hpp"

namespace slipway::ctl {

struct WebLimits {
  std::uint64_t file_bytes = std::uint64_t{1} << 30U;  // the largest of what is fetched has about 150 MB
  std::size_t text_bytes = 64 * 1024;                  // of a checksum's file
  std::chrono::milliseconds idle{30'000};              // without a byte
  std::chrono::milliseconds total{3'600'000};          // of all together, from the reader's making
  int tries = 4;                                       // in a row that bring no byte
  std::chrono::milliseconds pause{1'000};              // before the second try; doubles with each
};

// One file after the other, waiting for each. An interrupt (SIGINT, SIGTERM) ends the wait with Errc::canceled, so that temporary files
// are removed.
class WebReader {
 public:
  // `ca_file`: empty, the host's own list; read when the first https address is asked.
  WebReader(std::string ca_file, WebLimits limits);
  ~WebReader();
  WebReader(const WebReader&) = delete;
  WebReader& operator=(const WebReader&) = delete;

  // The checksum's file of an item.
  Result<std::string> checksum_text(const FetchItem& item);
  // The item itself, into a new file at `path`; what is broken off goes on where it stopped. Whether it is right is the caller's to
  // find out. `progress` gets bytes that are there, and of how many (0: not told).
  Status download(const FetchItem& item, const std::string& path, std::function<void(std::uint64_t have, std::uint64_t whole)> progress);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::ctl
