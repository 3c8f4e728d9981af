#pragma once
// Private to common/http: a body on its way into a new file.
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::http {

// The file (mode 0600) goes away with the object unless release() was called.
class SpoolFile {
 public:
  SpoolFile() = default;
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;
  ~SpoolFile();

  Status create(const std::string& directory);
  Status append(std::string_view bytes);  // into the page cache: whoever keeps the file syncs it
  std::string release();                  // closes; the path is the caller's to delete
  void discard();                         // closes and deletes now

 private:
  UniqueFd fd_;
  std::string path_;
};

}  // namespace slipway::http
