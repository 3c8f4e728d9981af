#pragma once
// Requests and responses in our own words: no Boost here, so that handlers compile without Beast.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/core/ip.hpp"

namespace slipway::http {

enum class Method { get, head, post, put, patch, del, other };
std::string_view to_string(Method method);

// Header names compare without case. Few headers: a flat list.
class Headers {
 public:
  void set(std::string_view name, std::string value);  // replaces
  const std::string* find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

// What the owner of the server made of a connection's other end (Handler::identify).
struct PeerIdentity {
  virtual ~PeerIdentity() = default;
};

// What the TLS layer verified about the other end.
// Copied with every request, so what is large is shared.
struct Peer {
  IpAddress address;
  std::uint16_t port = 0;
  std::shared_ptr<const std::string> certificate = {};  // leaf, DER, verified against the trusted CAs with client purpose; null: none
  std::shared_ptr<const PeerIdentity> identity = {};

  bool has_certificate() const { return certificate != nullptr; }
  std::string_view certificate_der() const { return certificate == nullptr ? std::string_view() : *certificate; }
};

struct Request {
  Method method = Method::get;
  std::string target;   // as received
  std::string path;     // target up to '?', percent-decoded, never with "..", NUL or empty segments
  std::string query;    // raw, without '?'
  Headers headers;
  std::string body;       // when not spooled
  std::string body_file;  // path of the spooled body (owner deletes it); empty when not spooled
  Peer peer;
};

// First value of a query parameter, percent-decoded.
std::optional<std::string> query_parameter(const Request& request, std::string_view name);
// All keys of the query in their order, percent-decoded; also one that stands twice.
std::vector<std::string> query_keys(const Request& request);

// Part of a file to be sent as the body; the server opens it when it sends.
struct FileBody {
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

class BodyStream;  // body_stream.hpp

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
  std::shared_ptr<const std::string> shared_body;  // encoded once for many waiters; wins over body
  std::optional<FileBody> file;                    // wins over both
  std::shared_ptr<BodyStream> stream;              // wins over all; of unknown length, sent in chunks (RFC 9112 7.1)
  bool close = false;                              // end the connection after this response
};

}  // namespace slipway::http
