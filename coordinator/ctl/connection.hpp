#pragma once
// slipwayctl's line to a coordinator: one request after the other, waiting for each.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/core/result.hpp"
#include "common/http/message.hpp"
#include "proto/codec.hpp"
#include "proto/problem.hpp"
#include "proto/file_types.hpp"

namespace slipway::ctl {

class Connection {
 public:
  virtual ~Connection() = default;
  virtual Result<http::Response> send(http::Request request) = 0;
  // The file is the body; `progress` gets the bytes sent so far.
  virtual Result<http::Response> upload(http::Request request, const std::string& file,
                                        std::function<void(std::uint64_t sent)> progress) = 0;
  // The parts of the body of a 200 go to `sink` as they come, the response has the others. `idle` limits the wait for each.
  virtual Result<http::Response> stream(http::Request request, std::function<Status(std::string_view part)> sink) = 0;
};

Result<std::unique_ptr<Connection>> connect(const proto::AdminCluster& cluster);

http::Request make_request(http::Method method, std::string target, std::string body = {});
// The response when its status is 2xx, else the error that its problem document tells.
Result<http::Response> exchange(Connection& connection, http::Request request);
// "a b/c" to "a%20b%2Fc": names that people typed, as one path segment or query value.
std::string percent_encode(std::string_view text);

// Sends and decodes a JSON answer; `json` (may be null) gets its text for -o json.
template <class T>
Result<T> ask(Connection& connection, http::Request request, std::string* json = nullptr) {
  auto response = exchange(connection, std::move(request));
  if (!response) return response.error();
  auto value = proto::decode<T>(response->body);
  if (!value) return error_of(value, "reading the coordinator's answer");
  if (json != nullptr) *json = response->body;
  return value;
}

// All pages of a list as one. `target` may have a query.
template <class T>
Result<T> ask_all(Connection& connection, const std::string& target) {
  T whole;
  std::string next;
  do {
    const char* const mark = target.find('?') == std::string::npos ? "?" : "&";
    auto page = ask<T>(connection, make_request(http::Method::get, next.empty() ? target : target + mark + "continue=" + percent_encode(next)));
    if (!page) return page.error();
    for (auto& item : page->items) whole.items.push_back(std::move(item));
    next = page->next;
  } while (!next.empty());
  return whole;
}

}  // namespace slipway::ctl
