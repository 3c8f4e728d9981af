#pragma once
// What the files of the command line share. Private to command_line*.cpp: nobody else sees CLI11.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "common/core/time.hpp"
#include "coordinator/ctl/command_line.hpp"

namespace slipway::ctl {

// Adds a subcommand whose options land in a T that becomes the command when it is chosen.
template <class T>
std::pair<CLI::App*, T*> add_command(CLI::App& parent, CommandLine& line, const char* name,
                                     const char* help) {
  CLI::App* sub = parent.add_subcommand(name, help);
  sub->fallthrough();  // global options are taken after the subcommand too
  auto options = std::make_shared<T>();
  sub->callback([&line, options] { line.command = *options; });
  return {sub, options.get()};
}

inline CLI::App* add_group(CLI::App& app, const char* name, const char* help) {
  CLI::App* group = app.add_subcommand(name, help);
  group->require_subcommand(1);
  group->fallthrough();
  return group;
}

inline void add_yes(CLI::App& command, bool& yes) {
  command.add_flag("--yes,-y", yes, "do not ask; needed where nobody can be asked");
}

inline void add_watch(CLI::App& command, bool& watch) {
  command.add_flag("--watch,-w", watch, "look again every two seconds, until it is interrupted");
}

inline void add_wait(CLI::App& command, bool& wait, std::string& timeout, const char* until) {
  command.add_flag("--wait", wait, until);
  command.add_option("--timeout", timeout, "how long to wait, such as 90s, 5m; then the exit code is 6")
      ->check([](const std::string& text) { return parse_duration(text) ? std::string() : "\"" + text + "\" is not a duration such as 90s or 5m"; })
      ->capture_default_str();
}

// command_line_upgrade.cpp
void add_upgrade(CLI::App& app, CommandLine& line);

}  // namespace slipway::ctl
