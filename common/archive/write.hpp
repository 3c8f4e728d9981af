#pragma once
// A tar.gz that comes into being piece by piece: nothing of it is kept. Members are files of mode 0600.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/core/time.hpp"

struct archive;

namespace slipway {

class TarGzWriter {
 public:
  static Result<TarGzWriter> open(WallTime now);  // of all members
  TarGzWriter(TarGzWriter&&) noexcept;
  TarGzWriter& operator=(TarGzWriter&&) noexcept;
  ~TarGzWriter();

  Status add(const std::string& name, std::string_view content);
  Status finish();  // the last call but take()
  // What has been packed since the last call.
  std::string take();

 private:
  struct Impl;
  explicit TarGzWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway
