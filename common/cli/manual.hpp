#pragma once
// Manual pages and shell completion from the one place that knows a program's commands: its CLI11 description. Pure.
#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace slipway::cli {

using Pairs = std::vector<std::pair<std::string, std::string>>;

// What a manual page says beyond the commands.
struct ManualFrame {
  int section = 8;
  std::string version;
  std::string purpose;                   // one line, without a full stop: for NAME
  std::vector<std::string> description;  // paragraphs
  Pairs exit_codes;                      // "0", "ok"
  Pairs files;
  Pairs environment;
  std::vector<std::string> see_also;     // "slipway-agent(8)"
};

// roff with the man macros (groff_man(7)). Commands in the group "" are left out: they are for packagers.
std::string manual_page(const CLI::App& app, const ManualFrame& frame);

// A script for bash, zsh or fish that completes commands and options; empty for another shell.
std::string completion(const CLI::App& app, const std::string& shell);

}  // namespace slipway::cli
