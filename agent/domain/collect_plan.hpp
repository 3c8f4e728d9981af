#pragma once
// Which installed programs and downloads nobody needs any more. Pure.
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/core/time.hpp"

namespace slipway {

// Folders and links of one component, by their names alone: nothing of them was read.
struct StoredComponent {
  std::set<std::string> versions;    // whole or not
  std::set<std::string> unfinished;  // temporary names: left by a kill
  std::string current;               // where the link leads; empty: to no folder
  std::string previous;              // likewise
};

// A file in the cache.
struct StoredPart {
  std::string name;    // "<sha256>.part"
  WallTime written{};  // last
};

struct StoredPrograms {
  std::map<std::string, StoredComponent> components;
  std::vector<StoredPart> parts;
};

struct ProgramsInUse {
  std::set<std::pair<std::string, std::string>> running;  // component and folder from which a process executes
  std::set<std::string> wanted;                           // digests of what is to be installed
};

// A download that nobody wants any more is kept so long after its last byte: a rollout may be taken back and come again.
inline constexpr Seconds k_unwanted_part_life{86400};

enum class Garbage { version, unfinished, part };

struct CollectStep {
  Garbage kind = Garbage::version;
  std::string component;  // empty of a part
  std::string name;

  bool operator==(const CollectStep&) const = default;
};

// Versions older than the previous one, what a kill has left, and old parts. Never what is executed: the processes of pods outlive the runtime
// that started them. Of a component whose `current` leads nowhere no version goes: it has to be put in order first. A second pass on the
// result plans nothing.
std::vector<CollectStep> plan_collection(const StoredPrograms& stored, const ProgramsInUse& use, WallTime now);

}  // namespace slipway
