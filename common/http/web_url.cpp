#include "common/http/web_url.hpp"

#include <algorithm>

#include "common/core/text.hpp"

namespace slipway::http {

namespace {

constexpr std::uint16_t k_http_port = 80;
constexpr std::uint16_t k_https_port = 443;

Error bad_url(std::string_view url, std::string_view why) {
  std::string shown(url.substr(0, std::min<std::size_t>(url.find_first_of("?#"), 200)));
  for (char& c : shown) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return make_error(Errc::invalid, "address " + shown + ": " + std::string(why));
}

// Nothing that could end the request line or mean another place than it shows.
bool is_clean(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '\\' && c != '"' && c != '<' && c != '>'; });
}

bool has_dots(std::string_view path) {
  const auto parts = split(path, '/');
  return std::any_of(parts.begin(), parts.end(), [](std::string_view part) { return part == "." || part == ".."; });
}

// "a/b?c#d" to path and query.
Status take_target(WebUrl& url, std::string_view text, std::string_view whole) {
  text = text.substr(0, text.find('#'));
  const std::size_t mark = std::min(text.find('?'), text.size());
  url.query = std::string(text.substr(mark));
  if (url.query == "?") url.query.clear();
  url.path = std::string(text.substr(0, mark));
  if (url.path.empty()) url.path = "/";
  if (!is_clean(url.path) || !is_clean(url.query)) return bad_url(whole, "must be percent-encoded");
  if (has_dots(url.path)) return bad_url(whole, "must have no \"..\"");
  return {};
}

}  // namespace

std::string WebUrl::shown() const {
  std::string place = authority(endpoint);
  if (endpoint.port == (is_tls ? k_https_port : k_http_port)) place.resize(place.rfind(':'));
  return (is_tls ? "https://" : "http://") + place + path;
}

Result<WebUrl> parse_web_url(std::string_view url) {
  if (url.size() > k_max_url) return bad_url(url, "is longer than 8 KiB");
  WebUrl out;
  std::string_view rest;
  if (lower(url.substr(0, 8)) == "https://") {
    rest = url.substr(8);
  } else if (lower(url.substr(0, 7)) == "http://") {
    out.is_tls = false;
    rest = url.substr(7);
  } else {
    return bad_url(url, "must begin with https:// or http://");
  }
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  if (rest.substr(0, end).find('@') != std::string_view::npos) return bad_url("", "must have no user");
  auto endpoint = parse_authority(rest.substr(0, end), out.is_tls ? k_https_port : k_http_port, url.substr(0, std::min<std::size_t>(url.find_first_of("?#"), 200)));
  if (!endpoint) return endpoint.error();
  out.endpoint = std::move(*endpoint);
  if (const Status taken = take_target(out, rest.substr(end), url); !taken) return taken.error();
  return out;
}

Result<WebUrl> resolve_url(const WebUrl& base, std::string_view reference) {
  if (reference.size() > k_max_url) return bad_url(reference, "is longer than 8 KiB");
  const std::size_t colon = reference.find(':');
  const bool has_scheme = colon != std::string_view::npos && colon < reference.find_first_of("/?#");
  if (has_scheme) return parse_web_url(reference);
  if (reference.starts_with("//")) return parse_web_url((base.is_tls ? "https:" : "http:") + std::string(reference));
  WebUrl out = base;
  std::string target(reference);
  if (reference.empty() || reference.starts_with('?')) {
    target = base.path + target;
  } else if (!reference.starts_with('/')) {  // beside the present file
    target = base.path.substr(0, base.path.rfind('/') + 1) + target;
  }
  if (const Status taken = take_target(out, target, reference); !taken) return taken.error();
  return out;
}

WebUrl url_below(const WebUrl& base, std::string_view below) {
  WebUrl out = base;
  out.query.clear();
  while (out.path.ends_with('/')) out.path.pop_back();
  out.path += "/" + std::string(below);
  return out;
}

}  // namespace slipway::http
