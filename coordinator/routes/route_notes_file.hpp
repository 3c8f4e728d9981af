#pragma once
// Adapter: our notes of the routes outside, in a file of the data directory.
#include <string>

#include "common/async/runtime.hpp"
#include "coordinator/ports/route_hook.hpp"

namespace slipway {

// A file that cannot be read is an error, not an empty list: routes of nodes that are gone would stay for ever.
class RouteNotesFile final : public RouteNotes {
 public:
  RouteNotesFile(Workers& workers, std::string path) : workers_(workers), path_(std::move(path)) {}

  boost::asio::awaitable<Result<std::vector<OwnRoute>>> load() override;
  boost::asio::awaitable<Status> save(std::vector<OwnRoute> routes) override;

 private:
  Workers& workers_;
  const std::string path_;
};

}  // namespace slipway
