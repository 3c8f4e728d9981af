#pragma once
// Runs a short-lived program with an argument vector, never through a shell, and collects what it says.
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

struct ProgramOutput {
  int exit_code = 0;  // 128 + signal when killed
  std::string out;    // at most `most` bytes, the rest is dropped; so is err
  std::string err;
};

// Blocks until the program ends, at most `limit`; then it and what it started are killed and the result is
// Errc::timeout. When `stop` (an eventfd or the like, borrowed; -1: none) becomes readable the same happens
// with Errc::canceled. argv[0] is an absolute path. The environment is a fixed small one (messages in
// English), the folder is the caller's. A non-zero exit is an output, not an error. Any thread.
Result<ProgramOutput> run_program(const std::vector<std::string>& argv, const std::string& input,
                                  std::chrono::milliseconds limit, std::size_t most = std::size_t{1} << 20,
                                  int stop = -1);

// The first executable `name` in `folders`; empty when there is none.
std::string find_program(const std::vector<std::string>& folders, const std::string& name);

}  // namespace slipway
