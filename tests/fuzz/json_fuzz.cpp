// Every type of the wire and of our files. The first line of an input names the type (any other text: one of them all the same); what is
// decoded must come back the same from its own encoding, and a strict reader must know every field that we write.
#include <algorithm>
#include <array>
#include <string>

#include "proto/codec.hpp"
#include "proto/fields.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace slipway::proto {
namespace {

using fuzz::hold;

template <class T>
void check(std::string_view json) {
  const Result<T> value = decode<T>(json);
  const Result<T> strict = decode_strict<T>(json);
  hold(!strict || value, "what the strict reader takes, the other takes");
  if (!value) return;
  const std::string text = encode(*value);
  hold(!strict || encode(*strict) == text, "both readers read the same");
  const Result<T> again = decode<T>(text);
  hold(again.has_value(), "what we write can be read");
  hold(encode(*again) == text, "what is read again is the same");
  hold(decode_strict<T>(text).has_value(), "the strict reader knows what we write");
}

struct Type {
  std::string_view name;
  void (*check)(std::string_view json);
};
#define SLIPWAY_FUZZ_TYPE(T) Type{#T, &check<T>},
constexpr std::array k_types = {SLIPWAY_WIRE_TYPES(SLIPWAY_FUZZ_TYPE) SLIPWAY_FILE_TYPES(SLIPWAY_FUZZ_TYPE)};
#undef SLIPWAY_FUZZ_TYPE

const Type& type_of(std::string_view line) {
  std::size_t sum = 0;
  for (const char c : line) sum = sum * 31 + static_cast<unsigned char>(c);
  for (const Type& type : k_types) {
    if (type.name == line) return type;
  }
  return k_types[sum % k_types.size()];
}

}  // namespace
}  // namespace slipway::proto

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = slipway::fuzz::text_of(data, size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  slipway::proto::type_of(text.substr(0, end)).check(text.substr(std::min(end + 1, text.size())));
  return 0;
}
