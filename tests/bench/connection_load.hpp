#pragma once
// Connections that are made, used once and closed, as by nodes that come back after hours. The same load for
// the coordinator and for others' servers, so that only the servers differ.
#include <memory>
#include <string>
#include <vector>

#include "common/http/client.hpp"

namespace bench {

struct ConnectionLoad {
  // Taken in turn by the connections; both of one size.
  std::vector<slipway::http::Endpoint> endpoints;
  std::vector<std::shared_ptr<slipway::http::TlsClientContext>> contexts;
  std::vector<slipway::http::Request> requests;  // sent on each connection, one after the other
  std::string expected;                          // stands in each answer
  std::size_t connections = 0;                   // how many to make
  std::vector<double> latencies_ms;              // result: from connecting to the last answer
};

// Returns the seconds of wall time; ends the program when a request fails.
double run_connections(ConnectionLoad& load, std::size_t concurrency);

}  // namespace bench
