#include "agent/domain/program_copies.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace slipway {

namespace {

constexpr std::size_t k_digest_digits = 64;

bool is_digest(std::string_view text) {
  return text.size() == k_digest_digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Those that the reset would take away.
std::vector<ProgramCopy> copies_in(const std::vector<Change>& noted) {
  std::vector<ProgramCopy> copies;
  for (const Change& change : noted) {
    const bool ours = change.former == Former::absent || change.former == Former::presumed;
    auto copy = change.kind == ChangeKind::copy && ours ? program_copy_of(change.name) : std::nullopt;
    if (copy) copies.push_back(std::move(*copy));
  }
  return copies;
}

std::string path_in(const ProgramCopies& wanted, const std::string& name) {
  return wanted.folder + "/" + name;
}

std::set<std::string> wanted_paths(const std::optional<ProgramCopies>& wanted,
                                   const std::map<std::string, std::string>& programs) {
  std::set<std::string> paths;
  if (!wanted) return paths;
  for (const auto& [name, digest] : programs) paths.insert(path_in(*wanted, name));
  return paths;
}

}  // namespace

std::string entry_name(const ProgramCopy& copy) {
  return copy.path + " " + copy.sha256;
}

std::optional<ProgramCopy> program_copy_of(const std::string& entry_name) {
  const std::size_t space = entry_name.rfind(' ');
  if (space == std::string::npos || space == 0 || !is_digest(std::string_view(entry_name).substr(space + 1)))
    return std::nullopt;
  return ProgramCopy{entry_name.substr(0, space), entry_name.substr(space + 1)};
}

std::vector<std::string> paths_of_copies(const std::optional<ProgramCopies>& wanted,
                                         const std::map<std::string, std::string>& programs,
                                         const std::vector<Change>& noted) {
  std::set<std::string> paths = wanted_paths(wanted, programs);
  for (ProgramCopy& copy : copies_in(noted)) paths.insert(std::move(copy.path));
  return {paths.begin(), paths.end()};
}

std::vector<PutProgramCopy> plan_copies(const ProgramCopies& wanted,
                                        const std::map<std::string, std::string>& programs,
                                        const FilesThere& there, const std::vector<Change>& noted) {
  const std::vector<ProgramCopy> ours = copies_in(noted);
  std::vector<PutProgramCopy> steps;
  for (const auto& [name, digest] : programs) {
    const std::string path = path_in(wanted, name);
    const auto now = there.find(path);
    if (now == there.end()) {
      steps.push_back({{path, digest}, ""});
    } else if (now->second != digest &&
               std::find(ours.begin(), ours.end(), ProgramCopy{path, now->second}) != ours.end()) {
      steps.push_back({{path, digest}, now->second});
    }
  }
  return steps;
}

std::vector<ProgramCopy> plan_copy_removal(const std::optional<ProgramCopies>& wanted,
                                           const std::map<std::string, std::string>& programs,
                                           const FilesThere& there, const std::vector<Change>& noted) {
  const std::set<std::string> kept = wanted_paths(wanted, programs);
  std::vector<ProgramCopy> steps;
  for (const ProgramCopy& copy : copies_in(noted)) {
    const auto now = there.find(copy.path);
    if (kept.count(copy.path) == 0 && now != there.end() && now->second == copy.sha256) steps.push_back(copy);
  }
  return steps;
}

std::vector<Intent> copy_intents(const ProgramCopies& wanted, const std::vector<PutProgramCopy>& steps) {
  if (steps.empty()) return {};
  std::vector<Intent> intents = {{ChangeKind::dir, wanted.folder}};
  // By its bytes it can be nobody else's: what is there of the name was looked at.
  for (const PutProgramCopy& step : steps)
    intents.push_back({ChangeKind::copy, entry_name(step.copy), "", true});
  return intents;
}

bool knows_copies(const std::vector<Change>& noted) {
  return !copies_in(noted).empty();
}

}  // namespace slipway
