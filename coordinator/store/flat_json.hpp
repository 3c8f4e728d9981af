#pragma once
// Reads the JSON that encode_json() writes for records: one object of texts, whole numbers, truths and maps of texts, without escapes and white
// space. A start reads a million of them, and the general reader takes ten times as long. What is not of this form is left to it, with its
// checks and its errors: false is no error, only "not me".
#include <array>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace slipway {

class FlatJson {
 public:
  // `text` outlives the object.
  bool parse(std::string_view text) {
    rest_ = text;
    count_ = at_ = 0;
    return take('{') && members() && take('}') && rest_.empty();
  }

  // Field list visitor (proto/fields.hpp); ok() tells whether every required field was there and of its kind.
  template <class T>
  void operator()(const char* name, T& member) {
    const Member* const found = next(name);
    ok_ = ok_ && found != nullptr && read(*found, member);
  }
  template <class T>
  void optional(const char* name, T& member) {
    const Member* const found = next(name);
    ok_ = ok_ && (found == nullptr || read(*found, member));
  }
  bool ok() const { return ok_; }

 private:
  enum class Kind { text, number, truth, map };
  struct Member {
    std::string_view name, value;  // of a map: what stands between the braces
    Kind kind = Kind::text;
  };
  static constexpr std::size_t k_most = 32;

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Plain ASCII: what is escaped or of more bytes goes to the general reader, which checks it.
  bool text(std::string_view& out) {
    if (!take('"')) return false;
    std::size_t i = 0;
    for (; i < rest_.size() && rest_[i] != '"'; ++i) {
      const auto byte = static_cast<unsigned char>(rest_[i]);
      if (byte < 0x20 || byte > 0x7e || byte == '\\') return false;
    }
    if (i == rest_.size()) return false;
    out = rest_.substr(0, i);
    rest_.remove_prefix(i + 1);
    return true;
  }
  bool number(std::string_view& out) {
    std::size_t i = 0;
    while (i < rest_.size() && rest_[i] >= '0' && rest_[i] <= '9') ++i;
    if (i == 0 || (i > 1 && rest_.front() == '0')) return false;
    out = rest_.substr(0, i);
    rest_.remove_prefix(i);
    return true;
  }
  bool truth(std::string_view& out) {
    for (const std::string_view word : {std::string_view("true"), std::string_view("false")}) {
      if (!rest_.starts_with(word)) continue;
      out = rest_.substr(0, word.size());
      rest_.remove_prefix(word.size());
      return true;
    }
    return false;
  }
  bool map(std::string_view& out) {
    const std::string_view whole = rest_;
    if (!take('{')) return false;
    std::string_view key, value;
    if (!rest_.starts_with('}')) {
      do {
        if (!text(key) || !take(':') || !text(value)) return false;
      } while (take(','));
    }
    if (!take('}')) return false;
    out = whole.substr(1, whole.size() - rest_.size() - 2);
    return true;
  }
  bool value(Member& member) {
    switch (rest_.front()) {
      case '"': return member.kind = Kind::text, text(member.value);
      case '{': return member.kind = Kind::map, map(member.value);
      case 't':
      case 'f': return member.kind = Kind::truth, truth(member.value);
      default: return member.kind = Kind::number, number(member.value);
    }
  }
  bool members() {
    if (rest_.starts_with('}')) return true;
    do {
      if (count_ == k_most) return false;
      Member& member = members_[count_];
      if (!text(member.name) || !take(':') || find(member.name) != nullptr || rest_.empty()) return false;
      if (!value(member)) return false;
      ++count_;
    } while (take(','));
    return true;
  }

  // We write members in the order in which they are read here, so the next one is mostly the one after the last.
  const Member* next(std::string_view name) {
    const Member* const found = at_ < count_ && members_[at_].name == name ? &members_[at_] : find(name);
    if (found != nullptr) at_ = static_cast<std::size_t>(found - members_.data()) + 1;
    return found;
  }
  const Member* find(std::string_view name) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (members_[i].name == name) return &members_[i];
    }
    return nullptr;
  }
  static bool read(const Member& from, std::string& to) {
    to = from.value;
    return from.kind == Kind::text;
  }
  static bool read(const Member& from, std::optional<std::string>& to) { return read(from, to.emplace()); }
  static bool read(const Member& from, bool& to) {
    to = from.value == "true";
    return from.kind == Kind::truth;
  }
  static bool read(const Member& from, std::uint64_t& to) {
    const auto end = from.value.data() + from.value.size();
    const auto result = std::from_chars(from.value.data(), end, to);
    return from.kind == Kind::number && result.ec == std::errc() && result.ptr == end;
  }
  static bool read(const Member& from, std::map<std::string, std::string>& to) {
    if (from.kind != Kind::map) return false;
    to.clear();
    // It was parsed before: texts alternate, key and value.
    FlatJson inner;
    inner.rest_ = from.value;
    std::string_view key, value;
    while (!inner.rest_.empty()) {
      if (!inner.text(key) || !inner.take(':') || !inner.text(value)) return false;
      if (!to.emplace(key, value).second) return false;
      (void)inner.take(',');
    }
    return true;
  }

  std::string_view rest_;
  std::array<Member, k_most> members_;
  std::size_t count_ = 0, at_ = 0;
  bool ok_ = true;
};

}  // namespace slipway
