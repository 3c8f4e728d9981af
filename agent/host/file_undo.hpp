#pragma once
// What a reset looks at and undoes on the disk. Blocks.
#include <string>
#include <vector>

#include "agent/domain/reset_plan.hpp"

namespace slipway {

class FileUndo {
 public:
  // Copies of files that were there before lie in `copies`.
  explicit FileUndo(std::string copies) : copies_(std::move(copies)) {}
  static bool handles(ChangeKind kind);
  EntrySeen look(const Change& change) const;
  // Trees and folders: nothing below a mount point is touched, of whatever file system.
  Status undo(const ResetStep& step) const;

 private:
  bool same_as_copy(const Change& change) const;
  Status restore(const Change& change) const;

  std::string copies_;
};

}  // namespace slipway
