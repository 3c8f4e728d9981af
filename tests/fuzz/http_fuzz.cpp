// Requests as the server reads them. However the bytes are cut into reads, the same messages must come out: else two hops see two requests.
#include <string>
#include <vector>

#include "common/http/message.hpp"
#include "common/http/target.hpp"
#include "common/http/wire.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace slipway {
namespace {

using namespace slipway::fuzz;
using http::MessageKind;
using http::MessageReader;

constexpr std::size_t k_header_limit = 1024;
constexpr std::size_t k_most_messages = 8;

struct Seen {
  std::vector<std::string> messages;  // complete ones, spelled out
  bool refused = false;
  bool operator==(const Seen&) const = default;
};

std::string spelled(MessageReader& reader, const std::string& body) {
  std::string out = std::string(reader.method_text()) + " " + reader.target() + " " + std::to_string(reader.status()) + "\n";
  for (const auto& [name, value] : reader.headers().all()) out += name + ": " + value + "\n";
  return out + body;
}

void check_target(const std::string& text) {
  const Result<http::Target> target = http::parse_target(text);
  if (!target) return;
  hold(target->path.starts_with('/'), "a path begins with a slash");
  hold((target->path + "/").find("/../") == std::string::npos && (target->path + "/").find("/./") == std::string::npos, "no dot segments");
  hold(target->path.find("//") == std::string::npos, "no empty segments");
  hold(target->path.find('\0') == std::string::npos, "no NUL in a path");
}

// One connection's bytes in reads of `step`.
Seen read_all(MessageKind kind, std::string_view bytes, std::size_t step) {
  Seen seen;
  std::string buffer;
  while (seen.messages.size() < k_most_messages) {
    MessageReader reader(kind, k_header_limit);
    std::string body;
    bool in_body = false;
    for (;;) {
      if (const Status fed = reader.feed(buffer); !fed) {
        seen.refused = true;
        return seen;
      }
      if (in_body) body += reader.take_body();
      if (reader.header_done() && !in_body) {
        check_target(reader.target());
        in_body = true;
        reader.read_body();
        continue;
      }
      if (reader.done() || bytes.empty()) break;
      const std::string_view part = bytes.substr(0, step);
      buffer += part;
      bytes.remove_prefix(part.size());
    }
    if (!reader.done()) {
      seen.refused = !reader.feed_end().has_value();
      return seen;
    }
    body += reader.take_body();
    seen.messages.push_back(spelled(reader, body));
    if (bytes.empty() && buffer.empty()) return seen;
  }
  return seen;
}

}  // namespace
}  // namespace slipway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipway;
  const std::string_view text = fuzz::text_of(data, size);
  for (const http::MessageKind kind : {http::MessageKind::request, http::MessageKind::response}) {
    const Seen at_once = read_all(kind, text, std::string_view::npos);
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}}) {
      const Seen in_parts = read_all(kind, text, step);
      fuzz::hold(in_parts.messages == at_once.messages, "the same messages however the bytes come");
      fuzz::hold(in_parts.refused == at_once.refused, "refused however the bytes come");
    }
  }
  return 0;
}
