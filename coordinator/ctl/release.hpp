#pragma once
// What an operator's file holds, and as what it is to be imported. The plan is pure; importing blocks.
#include <string>
#include <vector>

#include "common/archive/unpack.hpp"
#include "common/core/result.hpp"
#include "coordinator/ctl/command_line.hpp"

namespace slipway::ctl {

struct ImportItem {
  std::string component;
  std::string version;
  std::string format = "file";  // file | tar
  std::string member;           // to be extracted first; empty: the whole file
};

struct ImportPlan {
  std::vector<ImportItem> items;
  std::string
      version_member;  // not empty: the version of all items is this member's text, without a leading "v"
};

bool is_archive_name(const std::string& file);
// `members` is empty when the file is no archive. Errc::invalid says what is missing on the command line.
Result<ImportPlan> plan_import(const ArtifactImport& wish, const std::vector<ArchiveMember>& members);
// "v1.20.2\n" to "1.20.2"
Result<std::string> version_from_text(std::string_view text);

}  // namespace slipway::ctl
