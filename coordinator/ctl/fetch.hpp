#pragma once
// `artifact fetch`: published checksums first, then what is missing, and imports only when all of it is there and right.
#include <string>

#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/web_reader.hpp"

namespace slipway::ctl {

// Where what was fetched goes. Blocking.
class FetchTarget {
 public:
  virtual ~FetchTarget() = default;
  // Once, before anything is asked of a site.
  virtual Status open() = 0;
  virtual Result<bool> has(const FetchItem& item, const std::string& sha256) = 0;
  // The folder below which the downloads are made; empty: the usual one. Made when it is not there.
  virtual Result<std::string> work_folder() = 0;
  // `path`: the verified file, under its project's name.
  virtual Status take(const FetchItem& item, const std::string& path) = 0;
  virtual std::string done() const = 0;  // "imported", "saved"
};

// For tests: the same with other limits. `limits.total` is the wish's.
int fetch_to(const ArtifactFetch& wish, Format format, FetchTarget& target, WebLimits limits, Console& console);
int fetch_to_coordinator(const ArtifactFetch& wish, Format format, Connection& connection, WebLimits limits, Console& console);
int fetch_to_folder(const ArtifactFetch& wish, Format format, WebLimits limits, Console& console);

}  // namespace slipway::ctl
