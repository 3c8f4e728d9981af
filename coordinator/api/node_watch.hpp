#pragma once
// A watch of nodes as server-sent events (WHATWG HTML, "Server-sent events"): first every node as "added" and one "synced",
// then each change. A watch that ends is begun again from the start: it needs no memory of ours in between.
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "common/http/body_stream.hpp"
#include "coordinator/api/node_filter.hpp"
#include "coordinator/api/principal.hpp"
#include "coordinator/domain/state.hpp"

namespace slipway::api {

class Handlers;

// Events: "added", "modified", "removed" with the NodeView as data (of a removed one only name and uid), "synced" without.
// A node that no longer matches the filter is "removed". Changes within a quarter of a second come as one.
class NodeWatch final : public http::BodyStream {
 public:
  // `handlers` outlives the server that has the watch. Counts in handlers' watches from here to the destructor.
  // `who` is asked for again at each part: one who no longer counts gets no more of it.
  NodeWatch(Handlers& handlers, NodeFilter filter, std::shared_ptr<const Principal> who, IpAddress from);
  ~NodeWatch() override;
  NodeWatch(const NodeWatch&) = delete;
  NodeWatch& operator=(const NodeWatch&) = delete;

  boost::asio::awaitable<Result<std::string>> next() override;

 private:
  struct Known {
    std::string uid;
    bool shown = false;  // matched the filter: the other end knows of it
  };
  // What the state thread works on; it may outlive the watch by one job.
  struct Seen {
    NodeFilter filter;
    std::shared_ptr<const Principal> who;
    IpAddress from;
    std::map<std::string, Known> nodes;  // by name
    std::uint64_t desired_revision = 0;
    std::uint64_t board_changes = 0;
    bool synced = false;
  };
  static boost::asio::awaitable<Result<std::string>> next_on_state(Handlers* handlers, std::shared_ptr<Seen> seen);
  static std::string collect(Handlers& handlers, Seen& seen);
  static std::string collect_node(Handlers& handlers, Seen& seen, const Node& node);
  static std::string drop_missing(const State& state, Seen& seen);

  Handlers& handlers_;
  std::shared_ptr<Seen> seen_;
};

}  // namespace slipway::api
