#pragma once
// Adapter: the ProgramCopier port on the disk.
#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/install/paths.hpp"
#include "agent/ports/program_copier.hpp"

namespace slipway {

class FileCopier final : public ProgramCopier {
 public:
  explicit FileCopier(InstallPaths paths) : paths_(std::move(paths)) {}

  Result<std::map<std::string, std::string>> programs(const std::string& component) override;
  FilesThere look(const std::vector<std::string>& paths) override;
  Status put(const std::string& component, const PutProgramCopy& step) override;
  Status remove(const ProgramCopy& copy) override;

 private:
  // By the time of change, which nobody can set; as agent/install/manifest.hpp does it.
  struct Read {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t changed_ns = 0;
    std::string sha256;
  };
  std::string digest_at(const std::string& path, const struct stat& info);

  InstallPaths paths_;
  std::map<std::string, Read> read_;  // by path
};

}  // namespace slipway
