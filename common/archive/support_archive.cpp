#include "common/archive/support_archive.hpp"

#include <utility>

namespace slipway {

Result<SupportArchive> SupportArchive::open(Redactor redact, WallTime now, SupportBounds bounds) {
  auto writer = TarGzWriter::open(now);
  if (!writer) return writer.error();
  SupportArchive archive(std::move(*writer), std::move(redact), bounds);
  archive.manifest_ = "made at " + to_rfc3339(now) + "\n";
  return archive;
}

Status SupportArchive::add(const std::string& name, std::string_view text) {
  if (is_full()) {
    leave_out(name, "the archive is full");
    return {};
  }
  // Redacted as a whole: a cut in the middle of a key would leave a part of it without its first line.
  std::string clean = redact_(text);
  std::string note;
  if (clean.size() > bounds_.member_bytes) {
    note = ", the last " + std::to_string(bounds_.member_bytes) + " bytes of " + std::to_string(clean.size());
    clean.erase(0, clean.size() - bounds_.member_bytes);
    const std::size_t line = clean.find('\n');
    clean.erase(0, line == std::string::npos ? 0 : line + 1);
  }
  total_ += clean.size();
  manifest_ += name + ": " + std::to_string(clean.size()) + " bytes" + note + "\n";
  return writer_.add(name, clean);
}

void SupportArchive::leave_out(const std::string& name, std::string_view why) {
  manifest_ += name + ": left out, " + redact_(why) + "\n";
}

Status SupportArchive::finish() {
  if (Status added = writer_.add("MANIFEST.txt", manifest_); !added) return added;
  return writer_.finish();
}

}  // namespace slipway
