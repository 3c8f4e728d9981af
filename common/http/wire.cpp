#include "common/http/wire.hpp"

#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/status.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace slipway::http {

namespace beast = boost::beast;

namespace {

// Without a line end in that many bytes a chunk header is no chunk header.
constexpr std::size_t k_max_unparsed = 64 * 1024;
// "0\r\n\r\n": with less to come no chunked body ends.
constexpr std::size_t k_least_chunk_header = 5;

struct Parsed {
  Method method = Method::get;
  std::string method_text;
  std::string target;
  int status = 0;
  int version = 11;
  Headers headers;
  std::string body;
};

Method method_of(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::get;
    case beast::http::verb::head:
      return Method::head;
    case beast::http::verb::post:
      return Method::post;
    case beast::http::verb::put:
      return Method::put;
    case beast::http::verb::patch:
      return Method::patch;
    case beast::http::verb::delete_:
      return Method::del;
    default:
      return Method::other;
  }
}

// Collects what Beast recognises. Trailers are dropped: they came after the admission.
template <bool is_request>
class Collector final : public beast::http::basic_parser<is_request> {
 public:
  using Base = beast::http::basic_parser<is_request>;
  using Text = beast::string_view;
  using Code = beast::error_code;

  explicit Collector(std::size_t header_limit) {
    this->header_limit(static_cast<std::uint32_t>(header_limit));
    this->body_limit(boost::none);  // ours depend on the admission
  }
  Parsed parsed;
  bool in_chunk_header = false;  // stopped there for want of bytes

 private:
  void on_request_impl(beast::http::verb verb, Text method, Text target, int version, Code&) override {
    parsed.method = method_of(verb);
    parsed.method_text = std::string(method.data(), method.size());
    parsed.target = std::string(target.data(), target.size());
    parsed.version = version;
  }
  void on_response_impl(int code, Text, int version, Code&) override {
    parsed.status = code;
    parsed.version = version;
  }
  void on_field_impl(beast::http::field, Text name, Text value, Code&) override {
    if (header_complete_) return;
    const std::string key(name.data(), name.size());
    std::string text(value.data(), value.size());
    const std::string* const before = parsed.headers.find(key);
    parsed.headers.set(key, before != nullptr ? *before + ", " + text : std::move(text));
  }
  void on_header_impl(Code&) override { header_complete_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
  std::size_t on_body_impl(Text body, Code&) override {
    parsed.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, Text, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, Text body, Code&) override {
    parsed.body.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(Code&) override {}

  bool header_complete_ = false;
};

template <bool is_request>
Status feed_parser(Collector<is_request>& parser, std::string& buffer) {
  while (!buffer.empty() && !parser.is_done()) {
    const bool header_was_done = parser.is_header_done();
    if (header_was_done && !parser.eager()) return {};
    // Beast 1.81 asserts that it is not asked again about half of the last chunk's header with less than that.
    if (parser.in_chunk_header && buffer.size() < k_least_chunk_header) return {};
    beast::error_code ec;
    const std::size_t used = parser.put(boost::asio::const_buffer(buffer.data(), buffer.size()), ec);
    buffer.erase(0, used);
    parser.in_chunk_header = ec == beast::http::error::need_more && header_was_done;
    if (ec == beast::http::error::need_more) {
      if (used == 0 && buffer.size() > k_max_unparsed)
        return make_error(Errc::invalid, "a chunk header without end");
      if (used == 0 || buffer.empty()) return {};
      continue;
    }
    if (ec == beast::http::error::header_limit) return make_error(Errc::exhausted, "the header is too large");
    if (ec) return make_error(Errc::invalid, "malformed HTTP: " + ec.message());
    if (used == 0 && parser.is_header_done() == header_was_done) return {};
  }
  return {};
}

}  // namespace

struct MessageReader::Impl {
  Impl(MessageKind kind, std::size_t header_limit) {
    if (kind == MessageKind::request) {
      request.emplace(header_limit);
    } else {
      response.emplace(header_limit);
      response->skip(kind == MessageKind::response_to_head);
    }
  }
  // The reader is one or the other; both have the same members.
  template <class F>
  auto with(F&& f) {
    return request ? f(*request) : f(*response);
  }
  Parsed& parsed() { return request ? request->parsed : response->parsed; }

  std::optional<Collector<true>> request;
  std::optional<Collector<false>> response;
};

MessageReader::MessageReader(MessageKind kind, std::size_t header_limit)
    : impl_(std::make_unique<Impl>(kind, header_limit)) {}
MessageReader::~MessageReader() = default;

Status MessageReader::feed(std::string& buffer) {
  return impl_->with([&](auto& parser) { return feed_parser(parser, buffer); });
}

Status MessageReader::feed_end() {
  beast::error_code ec;
  impl_->with([&](auto& parser) {
    if (!parser.got_some()) ec = beast::http::error::end_of_stream;  // Beast asserts that something came
    else if (!parser.is_done()) parser.put_eof(ec);
  });
  if (ec || !done())
    return make_error(Errc::unavailable, "the other end closed the connection in the middle of a message");
  return {};
}

void MessageReader::read_body() {
  impl_->with([](auto& parser) { parser.eager(true); });
}

bool MessageReader::header_done() const {
  return impl_->with([](auto& parser) { return parser.is_header_done(); });
}
bool MessageReader::done() const {
  return impl_->with([](auto& parser) { return parser.is_done(); });
}
bool MessageReader::keep_alive() const {
  return impl_->with([](auto& parser) { return parser.keep_alive(); });
}
bool MessageReader::chunked() const {
  return impl_->with([](auto& parser) { return parser.chunked(); });
}
std::optional<std::uint64_t> MessageReader::content_length() const {
  const boost::optional<std::uint64_t> length =
      impl_->with([](auto& parser) { return parser.content_length(); });
  if (!length) return std::nullopt;
  return *length;
}
std::string_view MessageReader::method_text() const {
  return impl_->parsed().method_text;
}
Method MessageReader::method() const {
  return impl_->parsed().method;
}
const std::string& MessageReader::target() const {
  return impl_->parsed().target;
}
int MessageReader::status() const {
  return impl_->parsed().status;
}
int MessageReader::version() const {
  return impl_->parsed().version;
}
Headers& MessageReader::headers() {
  return impl_->parsed().headers;
}
std::string MessageReader::take_body() {
  return std::exchange(impl_->parsed().body, {});
}

namespace {

bool is_token(std::string_view name) {
  if (name.empty()) return false;
  for (const char c : name) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alnum && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) return false;
  }
  return true;
}

bool is_field_value(std::string_view value) {
  for (const char c : value) {
    const auto u = static_cast<unsigned char>(c);
    if ((u < 0x20 && u != '\t') || u == 0x7f) return false;
  }
  return true;
}

void append_headers(std::string& out, const Headers& headers) {
  for (const auto& [name, value] : headers.all()) {
    if (!is_token(name) || !is_field_value(value)) continue;
    out.append(name).append(": ").append(value).append("\r\n");
  }
}

// Formatted once a second and thread: a heartbeat costs little more than this.
const std::string& http_date() {
  thread_local std::time_t last = 0;
  thread_local std::string shown;
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  if (now == last && !shown.empty()) return shown;
  last = now;
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  // Only the C locale's names: nothing in a daemon calls setlocale().
  const std::size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return shown.assign(text.data(), size);
}

std::string reason_of(int status) {
  // Beast has the names of RFC 7231; these two are other ones since RFC 9110.
  if (status == 413) return "Content Too Large";
  if (status == 422) return "Unprocessable Content";
  const auto reason = beast::http::obsolete_reason(beast::http::int_to_status(static_cast<unsigned>(status)));
  return std::string(reason.data(), reason.size());
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace

std::string response_head(const Response& response, std::optional<std::uint64_t> length, bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " " + reason_of(response.status) + "\r\n";
  out.append("Date: ").append(http_date()).append("\r\n");
  append_headers(out, response.headers);
  if (length) out.append("Content-Length: ").append(std::to_string(*length)).append("\r\n");
  if (!keep_alive) out.append("Connection: close\r\n");
  return out + "\r\n";
}

std::string chunk_of(std::string_view part) {
  std::array<char, 20> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", part.size());
  return std::string(size.data()).append(part).append("\r\n");
}

std::string request_head(const Request& request, std::string_view host, std::uint64_t length,
                         bool expect_continue) {
  std::string out(to_string(request.method));
  out.append(" ").append(request.target).append(" HTTP/1.1\r\nHost: ").append(host).append("\r\n");
  append_headers(out, request.headers);
  const bool bodiless = length == 0 && (request.method == Method::get || request.method == Method::head ||
                                        request.method == Method::del);
  if (!bodiless) out.append("Content-Length: ").append(std::to_string(length)).append("\r\n");
  if (expect_continue) out.append("Expect: 100-continue\r\n");
  return out + "\r\n";
}

Response problem(int status, std::string_view code, std::string_view detail) {
  Response out;
  out.status = status;
  out.headers.set("Content-Type", "application/problem+json");
  out.body = "{\"type\":\"about:blank\",\"title\":" + json_string(reason_of(status)) +
             ",\"status\":" + std::to_string(status) + ",\"code\":" + json_string(code) +
             ",\"detail\":" + json_string(detail) + "}";
  return out;
}

}  // namespace slipway::http
