#pragma once
// The ProgramCopier port in memory. Passes the contract of the real one.
#include <map>
#include <string>
#include <vector>

#include "agent/ports/program_copier.hpp"

namespace slipway::test {

class FakeCopier final : public ProgramCopier {
 public:
  Result<std::map<std::string, std::string>> programs(const std::string& component) override {
    const auto found = installed.find(component);
    if (found == installed.end()) return make_error(Errc::not_found, "no " + component);
    return found->second;
  }
  FilesThere look(const std::vector<std::string>& paths) override {
    FilesThere seen;
    for (const std::string& path : paths) {
      const auto found = files.find(path);
      if (found != files.end()) seen.insert(*found);
    }
    return seen;
  }
  Status put(const std::string& component, const PutProgramCopy& step) override {
    const std::string name = step.copy.path.substr(step.copy.path.rfind('/') + 1);
    const auto found = installed.find(component);
    if (found == installed.end() || found->second.count(name) == 0)
      return make_error(Errc::not_found, "no program " + name);
    if (found->second[name] != step.copy.sha256) return make_error(Errc::corrupt, "other bytes");
    const auto now = files.find(step.copy.path);
    const std::string there = now == files.end() ? "" : now->second;
    if (there != step.replaces || (now != files.end() && step.replaces.empty()))
      return make_error(Errc::conflict, "somebody else's");
    files[step.copy.path] = step.copy.sha256;
    return {};
  }
  Status remove(const ProgramCopy& copy) override {
    const auto now = files.find(copy.path);
    if (now != files.end() && now->second == copy.sha256) files.erase(now);
    return {};
  }

  std::map<std::string, std::map<std::string, std::string>> installed;  // component -> program -> SHA-256
  FilesThere files;
};

}  // namespace slipway::test
