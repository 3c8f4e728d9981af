#include "agent/domain/log_lines.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway {

namespace {

// Bytes of the UTF-8 character at the begin of `text`; 0: there is none (RFC 3629; surrogates and overlong forms are none).
std::size_t character_at(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t size = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
    return 0;
  // C1 controls are controls, too.
  return first == 0xc2 && second < 0xa0 ? 0 : size;
}

std::string escaped(char c) { return "\\x" + to_hex(std::string_view(&c, 1)); }

}  // namespace

std::string clean_log_line(std::string_view line) {
  constexpr std::string_view more = "...";
  std::string out;
  std::size_t fits = 0;  // of `out`, with the dots behind it
  while (!line.empty()) {
    const std::size_t size = character_at(line);
    out += size > 0 ? std::string(line.substr(0, size)) : line[0] == '\t' ? std::string(" ") : escaped(line[0]);
    line.remove_prefix(std::max<std::size_t>(size, 1));
    if (out.size() + more.size() <= k_log_line_bytes) fits = out.size();
    if (out.size() > k_log_line_bytes) return out.substr(0, fits).append(more);
  }
  return out;
}

namespace {

bool is_place_in_go(std::string_view line) { return line.starts_with('\t') && line.find(".go:") != std::string_view::npos; }

// Each function of a stack is two lines, the second one with its place; a line may stand alone where the text was cut.
std::vector<std::string_view> without_go_stacks(const std::vector<std::string_view>& lines) {
  std::vector<std::string_view> kept;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool head = lines[i].starts_with("goroutine ") && lines[i].ends_with("]:");
    const bool function = i + 1 < lines.size() && is_place_in_go(lines[i + 1]);
    if (!head && !function && !is_place_in_go(lines[i])) kept.push_back(lines[i]);
  }
  return kept;
}

bool has_words(const std::vector<std::string_view>& lines) {
  return std::any_of(lines.begin(), lines.end(), [](std::string_view line) { return !trim(line).empty(); });
}

}  // namespace

std::vector<std::string> last_log_lines(std::string_view text, bool cut) {
  std::vector<std::string_view> lines = split(text, '\n');
  if (cut && !lines.empty()) lines.erase(lines.begin());
  if (std::vector<std::string_view> words = without_go_stacks(lines); has_words(words)) lines = std::move(words);
  std::vector<std::string> out;
  for (auto line = lines.rbegin(); line != lines.rend() && out.size() < k_log_lines; ++line) {
    std::string_view plain = *line;
    while (!plain.empty() && (plain.back() == '\r' || plain.back() == ' ')) plain.remove_suffix(1);
    if (!plain.empty()) out.push_back(clean_log_line(plain));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace slipway
