#pragma once
// Archives that mean harm, or are broken, or are only odd: what becomes of each.
#include <map>
#include <string>
#include <vector>

#include "common/archive/unpack.hpp"

namespace slipway::test {

struct HostileArchive {
  std::string name;
  std::string bytes;
  std::string refused;                        // words of the reason; empty: it unpacks
  std::map<std::string, std::string> leaves;  // then exactly this, by path: a file's content, "-> TARGET" of a link, "/" of a folder
  UnpackLimits limits = {};
};

std::vector<HostileArchive> hostile_archives();

// One archive with every way of naming members (ustar, pax, GNU), links, a folder and a sparse file: harmless, to be cut and bent.
std::string varied_archive();
// How many bytes of it stand before the blocks that end it.
std::size_t varied_archive_end();

}  // namespace slipway::test
