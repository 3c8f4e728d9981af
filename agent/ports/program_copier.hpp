#pragma once
// Port: installed programs, and their copies in folders of others.
#include <map>
#include <string>
#include <vector>

#include "agent/domain/program_copies.hpp"
#include "common/core/result.hpp"

namespace slipway {

// Calls block (offload()); from one thread at a time.
class ProgramCopier {
 public:
  virtual ~ProgramCopier() = default;
  // Those beside each other in the folder of the component's version in use: name to SHA-256.
  // Errc::not_found: none is installed.
  virtual Result<std::map<std::string, std::string>> programs(const std::string& component) = 0;
  // A file is read again only when somebody wrote to it.
  virtual FilesThere look(const std::vector<std::string>& paths) = 0;
  // Whole or not at all; the folder is made where there is none. Errc::conflict: something else is there now,
  // and stays. Errc::corrupt: the installed program has other bytes.
  virtual Status put(const std::string& component, const PutProgramCopy& step) = 0;
  // Something else there, or nothing: nothing is done, and that is success.
  virtual Status remove(const ProgramCopy& copy) = 0;
};

}  // namespace slipway
