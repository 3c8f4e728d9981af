#pragma once
// Private to common/http: part of a file as consecutive blocks.
#include <cstdint>
#include <string>

#include "common/core/result.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::http {

class FileReader {
 public:
  // A regular file only. `length` UINT64_MAX: up to its end; else the file must hold offset + length bytes.
  Status open(const std::string& path, std::uint64_t offset, std::uint64_t length);
  std::uint64_t left() const { return left_; }
  // The next 64 KiB or what is left; blocks on the disk for that long.
  Status next(std::string& block);

 private:
  UniqueFd fd_;
  std::string path_;
  std::uint64_t offset_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace slipway::http
