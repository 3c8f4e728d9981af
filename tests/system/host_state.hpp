#pragma once
// What a host has, as lists that can be compared: before an installation, after a reset, after a purge.
#include <set>
#include <string>
#include <vector>

#include "cluster.hpp"

namespace lab {

using Lines = std::set<std::string>;

// Without the empty ones.
Lines lines_of(const std::string& text);
// Those of `some` that `others` has not, in order.
std::vector<std::string> not_in(const Lines& some, const Lines& others);

// Everything on the host's file systems, with type, mode, owner, size and target, and the content of files
// below /etc ("SHA-256  PATH"). Left out is what systemd, its journal, dpkg and a boot write by themselves.
Lines files_of(const Cluster& cluster, const std::string& host);
// The path that a line of files_of() is about.
std::string path_of(const std::string& line);

// dpkg -P of all these at once.
void purge(const Cluster& cluster, const std::string& host, const Words& packages);
// What the host has more than `before`, notes of dpkg and systemd about Slipway's packages included.
std::vector<std::string> left_by_purge(const Cluster& cluster, const std::string& host, const Lines& before);

}  // namespace lab
