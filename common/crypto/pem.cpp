#include "common/crypto/pem.hpp"

#include <utility>

#include "common/core/text.hpp"

namespace slipway {

namespace {

Error refuse(std::string_view label, std::string_view why) {
  return make_error(Errc::invalid, "not one PEM block \"" + std::string(label) + "\": " + std::string(why));
}

Result<std::string> decode_body(std::string_view body, std::string_view label) {
  std::string joined;
  joined.reserve(body.size());
  for (const auto line : split(body, '\n')) {
    if (line.find(':') != std::string_view::npos) return refuse(label, "headers are not accepted");
    joined += trim(line);
  }
  auto bytes = from_base64(joined);
  if (!bytes || bytes->empty()) return refuse(label, "the text between the lines is not base64");
  return std::move(*bytes);
}

}  // namespace

std::string pem_encode(std::string_view label, std::string_view der) {
  const std::string text = to_base64(der);
  std::string pem = "-----BEGIN " + std::string(label) + "-----\n";
  pem.reserve(text.size() + text.size() / 64 + 2 * pem.size() + 8);
  for (std::size_t at = 0; at < text.size(); at += 64) {
    pem.append(text, at, 64);
    pem.push_back('\n');
  }
  return pem + "-----END " + std::string(label) + "-----\n";
}

Result<std::vector<std::string>> pem_decode(std::string_view text, std::string_view label) {
  const std::string begin = "-----BEGIN " + std::string(label) + "-----";
  const std::string end = "-----END " + std::string(label) + "-----";
  std::vector<std::string> blocks;
  for (text = trim(text); !text.empty(); text = trim(text)) {
    if (!text.starts_with(begin)) {
      const bool other = text.starts_with("-----BEGIN ");
      return refuse(label, other ? "there is a block of another kind" : "there is text outside the block");
    }
    text.remove_prefix(begin.size());
    const auto stop = text.find(end);
    if (stop == std::string_view::npos) return refuse(label, "its END line is missing");
    auto bytes = decode_body(text.substr(0, stop), label);
    if (!bytes) return bytes.error();
    blocks.push_back(std::move(*bytes));
    text.remove_prefix(stop + end.size());
  }
  if (blocks.empty()) return refuse(label, "it is empty");
  return blocks;
}

Result<std::string> pem_decode_one(std::string_view text, std::string_view label) {
  auto blocks = pem_decode(text, label);
  if (!blocks) return blocks.error();
  if (blocks->size() != 1) return refuse(label, "there are " + std::to_string(blocks->size()));
  return std::move(blocks->front());
}

}  // namespace slipway
