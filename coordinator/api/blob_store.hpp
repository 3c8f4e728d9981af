#pragma once
// Content by digest: <dataDir>/artifacts/sha256/<hex>, with uploads under way in <dataDir>/spool.
// Everything here blocks: on a worker. Thread safe: each call stands on the file system alone.
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway::api {

bool is_sha256_hex(std::string_view text);

struct Blob {
  std::string sha256;
  std::uint64_t size = 0;
};

class BlobStore {
 public:
  // Makes the folders and empties the spool: what lies there belongs to a process that is no more.
  static Result<BlobStore> open(const std::string& data_dir);

  const std::string& spool_dir() const { return spool_dir_; }
  std::string path_of(const std::string& sha256) const { return blob_dir_ + "/" + sha256; }

  // Takes the file `spooled` over when its content has this digest: fsynced and renamed, durable when it
  // returns. Errc::corrupt otherwise. On an error `spooled` is still there and its owner's to delete.
  Status take(const std::string& spooled, const std::string& sha256) const;
  // Errc::not_found when there is no such blob.
  Result<std::uint64_t> size_of(const std::string& sha256) const;
  // Counts as uploaded now: whoever is about to name the blob keeps collect() off it. Errc::not_found.
  Status touch(const std::string& sha256) const;
  // Removes blobs that are not in `keep` and were neither uploaded nor touched since `older_than`; what was removed, or with
  // `dry_run` would be. Who reads one meanwhile reads it to its end.
  Result<std::vector<Blob>> collect(const std::set<std::string>& keep, WallTime older_than, bool dry_run) const;

 private:
  BlobStore(std::string blob_dir, std::string spool_dir)
      : blob_dir_(std::move(blob_dir)), spool_dir_(std::move(spool_dir)) {}
  std::string blob_dir_;
  std::string spool_dir_;
};

}  // namespace slipway::api
