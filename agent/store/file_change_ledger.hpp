#pragma once
// The change ledger as a file. Layout, below the agent's data directory:
//
// <data dir>/ledger/                 0700
//   changes                          0600  a line for each entry: <16 hex digits of the SHA-256 of the rest>
//   <JSON> kept/<32 hex digits>             0600  copy of a file of somebody else's that was replaced; named
//   after its path
//
// Lines are appended and flushed before the change that they speak of. What a kill leaves of the last one
// speaks of a change that was never begun, and is cut off. Versions: a line without a key has its default;
// kinds that are not known are kept and told.
#include <functional>
#include <memory>
#include <string>

#include "agent/ports/change_ledger.hpp"

namespace slipway {

// What was there of things that are not files: kind, name and wanted are filled in by the caller.
using FormerLook = std::function<Result<Change>(const Intent& intent)>;

class FileChangeLedger : public ChangeLedger {
 public:
  // Makes the folder. `look` is asked for all but files, links, folders and trees. The ledger of a host that
  // has joined already without one is begun from what is there: presumed ours where the name is ours alone,
  // unsure otherwise.
  static Result<std::unique_ptr<FileChangeLedger>> open(const std::string& data_dir, FormerLook look);
  // For a reset: makes nothing. Errc::not_found: there is none.
  static Result<std::unique_ptr<FileChangeLedger>> read(const std::string& data_dir);

  Status intend(const std::vector<Intent>& intents) override;
  const Ledger& ledger() const override { return ledger_; }

  // Lines that could not be read: entries that are lost.
  int damaged() const { return damaged_; }
  // Only these entries from now on: what a reset left.
  Status keep_only(const std::vector<Change>& changes);
  static std::string folder(const std::string& data_dir) { return data_dir + "/ledger"; }
  // Where the copy of a kept file is.
  static std::string copy_path(const std::string& data_dir, const Change& change) {
    return folder(data_dir) + "/kept/" + change.value;
  }

 private:
  FileChangeLedger(std::string data_dir, FormerLook look) : dir_(folder(data_dir)), look_(std::move(look)) {}
  std::string file() const { return dir_ + "/changes"; }
  Status load();
  Status begin(bool adopts);
  Result<std::vector<Change>> look_at(const Intent& intent);
  Result<Change> look_at_path(const Intent& intent);
  Status keep_copy(Change& change);
  Status append(const std::vector<Change>& changes);
  Status rewrite();

  std::string dir_;
  FormerLook look_;
  Ledger ledger_;
  bool adopts_ = false;
  int damaged_ = 0;
  bool torn_ = false;    // the last line is not whole
  std::string foreign_;  // whole lines of a newer version, as they are
};

}  // namespace slipway
