#pragma once
// Copies of installed programs in a folder that others put theirs into, too: what is to be copied, replaced
// and removed. Pure. Nothing of somebody else's is written over: only a name that is free is taken, and only
// a file that has the very bytes of a copy that the change ledger speaks of is replaced or removed.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/change_ledger.hpp"
#include "agent/domain/wanted_copies.hpp"

namespace slipway {

// A copy that is, or was, ours.
struct ProgramCopy {
  std::string path;
  std::string sha256;  // 64 lower case digits
  bool operator==(const ProgramCopy&) const = default;
};

// Its name in the change ledger, where each version has an entry of its own: "/opt/cni/bin/bridge <sha256>".
std::string entry_name(const ProgramCopy& copy);
// Empty: no such name.
std::optional<ProgramCopy> program_copy_of(const std::string& entry_name);

// By path: the SHA-256 of what lies there; empty: nothing that could be one of ours (a folder, a link).
// Missing: nothing.
using FilesThere = std::map<std::string, std::string>;

struct PutProgramCopy {
  ProgramCopy copy;
  std::string replaces;  // SHA-256 of the copy of ours that lies there; empty: nothing does
  bool operator==(const PutProgramCopy&) const = default;
};

// The paths that plan_copies() and plan_copy_removal() have to know about. `programs`: of the wanted
// component, name to SHA-256.
std::vector<std::string> paths_of_copies(const std::optional<ProgramCopies>& wanted,
                                         const std::map<std::string, std::string>& programs,
                                         const std::vector<Change>& noted);

// Empty when converged. `noted`: the change ledger.
std::vector<PutProgramCopy> plan_copies(const ProgramCopies& wanted,
                                        const std::map<std::string, std::string>& programs,
                                        const FilesThere& there, const std::vector<Change>& noted);

// Copies of ours that lie there and that nobody wants: all of them when nothing is wanted.
std::vector<ProgramCopy> plan_copy_removal(const std::optional<ProgramCopies>& wanted,
                                           const std::map<std::string, std::string>& programs,
                                           const FilesThere& there, const std::vector<Change>& noted);

// What the ledger is to know before.
std::vector<Intent> copy_intents(const ProgramCopies& wanted, const std::vector<PutProgramCopy>& steps);

// Whether the ledger speaks of copies at all.
bool knows_copies(const std::vector<Change>& noted);

}  // namespace slipway
