#include "coordinator/ca/convert_keys.hpp"

#include <utility>

#include "common/files/tree.hpp"
#include "coordinator/ca/ca_files.hpp"

namespace slipway {

namespace {

Result<PrivateKey> open_with_any(const std::string& path, const KeyConversion& conversion) {
  std::vector<const Secret*> tries = conversion.opens;
  if (conversion.closes != nullptr) tries.push_back(conversion.closes);
  Result<PrivateKey> key = read_key(path, nullptr);
  for (const Secret* passphrase : tries) {
    if (key) break;
    key = read_key(path, passphrase);
  }
  return key;
}

}  // namespace

Result<std::size_t> convert_keys(const std::string& dir, const KeyConversion& conversion) {
  const auto names = list_dir(dir);
  if (!names) return names.error();
  std::vector<std::pair<std::string, PrivateKey>> keys;
  for (const std::string& name : *names) {
    if (!name.ends_with(".key")) continue;
    auto key = open_with_any(dir + "/" + name, conversion);
    if (!key) return key.error();
    keys.emplace_back(dir + "/" + name, std::move(*key));
  }
  for (const auto& [path, key] : keys) {
    if (auto written = write_key(path, key, conversion.closes, {}); !written) return written.error();
  }
  return keys.size();
}

}  // namespace slipway
