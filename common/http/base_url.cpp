#include "common/http/base_url.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway::http {

namespace {

constexpr std::uint16_t k_https_port = 443;

bool is_plain_path(std::string_view path) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("._~%/+-").find(c) != std::string_view::npos;
  };
  if (!std::all_of(path.begin(), path.end(), plain)) return false;
  const auto parts = split(path, '/');
  return std::none_of(parts.begin(), parts.end(), [](std::string_view part) { return part == "." || part == ".."; });
}

}  // namespace

Result<BaseUrl> parse_https_base(std::string_view url) {
  const std::size_t host = std::min(url.find("//"), url.size());
  const std::size_t slash = host == url.size() ? url.size() : std::min(url.find('/', host + 2), url.size());
  auto endpoint = parse_https_url(url.substr(0, slash), k_https_port);
  if (!endpoint) return endpoint.error();
  std::string_view path = url.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (!is_plain_path(path)) return make_error(Errc::invalid, "address " + std::string(url.substr(0, 200)) + ": the path must be plain and percent-encoded, without query or \"..\"");
  return BaseUrl{std::move(*endpoint), std::string(path)};
}

}  // namespace slipway::http
