#pragma once
// Adapter: SQLite, one file. Write-ahead log, synchronous=FULL: a commit has been fsynced when it returns.
#include <memory>
#include <string>

#include "coordinator/ports/store.hpp"

namespace slipway {

class SqliteStore final : public Store {
 public:
  // Opens `path`, makes it (0600) when it is not there and `create` says so; the folder must be there. Takes over the fence: every
  // store opened on the file before can no longer commit. Errc::not_found, Errc::corrupt (not ours, damaged),
  // Errc::invalid (made by a newer version), Errc::internal (I/O).
  // The log is copied into the database when it has more than `checkpoint_pages` pages of 4 KiB.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, bool create, int checkpoint_pages = 1000);
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  Result<std::vector<KeyValue>> load(std::string_view prefix) override;
  Status scan(std::string_view prefix, const PairSink& sink) override;
  Result<std::optional<std::string>> read(std::string_view key) override;
  Status commit(const Batch& batch) override;

 private:
  struct Impl;
  explicit SqliteStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
