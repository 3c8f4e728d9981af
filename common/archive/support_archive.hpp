#pragma once
// An archive for support while it is packed: every text goes through the redactor, is cut to its bound and
// noted in a manifest.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/archive/write.hpp"
#include "common/core/redact.hpp"
#include "common/core/result.hpp"
#include "common/core/time.hpp"

namespace slipway {

struct SupportBounds {
  std::size_t member_bytes = std::size_t{1} << 20;  // the end of what is longer is kept
  std::size_t total_bytes = std::size_t{24} << 20;  // before it is packed
};

class SupportArchive {
 public:
  static Result<SupportArchive> open(Redactor redact, WallTime now, SupportBounds bounds = {});

  Status add(const std::string& name, std::string_view text);
  void leave_out(const std::string& name, std::string_view why);
  bool is_full() const { return total_ >= bounds_.total_bytes; }
  // Adds MANIFEST.txt: each member with its size and what was cut or left out. The last call but take().
  Status finish();
  // What has been packed since the last call.
  std::string take() { return writer_.take(); }

 private:
  SupportArchive(TarGzWriter writer, Redactor redact, SupportBounds bounds)
      : writer_(std::move(writer)), redact_(std::move(redact)), bounds_(bounds) {}

  TarGzWriter writer_;
  Redactor redact_;
  SupportBounds bounds_;
  std::size_t total_ = 0;
  std::string manifest_;
};

}  // namespace slipway
