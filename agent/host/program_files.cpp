#include "agent/host/program_files.hpp"

#include "common/files/tree.hpp"

namespace slipway {

std::vector<std::string> program_files(const std::string& install_root) {
  std::vector<std::string> files;
  const auto components = list_dir(install_root);
  if (!components) return files;
  for (const std::string& component : *components) {
    const std::string folder = install_root + "/" + component;
    const auto version = read_link(folder + "/current");
    const auto names = version ? list_dir(folder + "/" + *version)
                               : Result<std::vector<std::string>>(std::vector<std::string>());
    files.push_back(folder + "/current");
    if (!names) continue;
    for (const std::string& name : *names) files.push_back(folder + "/" + *version + "/" + name);
  }
  return files;
}

}  // namespace slipway
