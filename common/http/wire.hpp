#pragma once
// Private to common/http: bytes to messages (by Beast's parser) and back.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/http/message.hpp"

namespace slipway::http {

enum class MessageKind { request, response, response_to_head };

// Reads one message; a new reader for the next one.
class MessageReader {
 public:
  MessageReader(MessageKind kind, std::size_t header_limit);
  ~MessageReader();
  MessageReader(const MessageReader&) = delete;
  MessageReader& operator=(const MessageReader&) = delete;

  // Takes what it can from the front of `buffer`: first up to the end of the header only, then on after
  // read_body(). Errc::exhausted: the header is too large. Errc::invalid: not HTTP, or in two ways readable.
  Status feed(std::string& buffer);
  // The other end closed in order: completes a body that ends so, an error for all others.
  Status feed_end();
  void read_body();

  bool header_done() const;
  bool done() const;

  // After header_done().
  std::string_view method_text() const;
  Method method() const;
  const std::string& target() const;
  int status() const;
  int version() const;  // 11 for HTTP/1.1
  bool keep_alive() const;
  bool chunked() const;
  std::optional<std::uint64_t> content_length() const;
  Headers& headers();
  // Body bytes decoded since the last call.
  std::string take_body();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Status line and headers. A header name or value that would break the line structure is left out.
// `length`: of the body, absent for statuses without one.
std::string response_head(const Response& response, std::optional<std::uint64_t> length, bool keep_alive);
// RFC 9112 section 7.1; of an empty part: the last chunk, without trailers.
std::string chunk_of(std::string_view part);
std::string request_head(const Request& request, std::string_view host, std::uint64_t length,
                         bool expect_continue);

// RFC 9457, for errors that arise below the handlers. `detail` is our own text.
Response problem(int status, std::string_view code, std::string_view detail);

}  // namespace slipway::http
