#pragma once
// The HostUndo port on this host, and its view of what was there before the agent: files, processes, control
// groups, mounts, network.
#include <memory>
#include <optional>
#include <string>

#include "agent/host/file_undo.hpp"
#include "agent/net/network_undo.hpp"
#include "agent/ports/host_undo.hpp"

namespace slipway {

struct UndoPaths {
  net::NetworkUndo::Paths network;
  std::string copies;  // of files that were there before; see agent/store/file_change_ledger.hpp
  std::string cgroups = "/sys/fs/cgroup";
  std::string sys = "/sys";
};

// Blocks. One thread at a time, in the network namespace of open().
class KernelUndo final : public HostUndo {
 public:
  static Result<std::unique_ptr<KernelUndo>> open(UndoPaths paths);

  Result<ResetSeen> look(const std::vector<Change>& changes) override;
  Status undo(const ResetStep& step) override;
  // What there is of something that is not a file before it is changed.
  Result<Change> former(const Intent& intent);

 private:
  KernelUndo(UndoPaths paths, net::NetworkUndo network)
      : paths_(std::move(paths)), files_(paths_.copies), network_(std::move(network)) {}
  Result<EntrySeen> look_at(const Change& change);

  UndoPaths paths_;
  FileUndo files_;
  net::NetworkUndo network_;
};

// Opens the ledger of `data_dir`, which is made when it is not there, and notes what is about to be changed.
// For commands: the agent keeps its ledger open.
Status note_changes(const std::string& data_dir, const std::vector<Intent>& intents, const UndoPaths& paths = {});

}  // namespace slipway
