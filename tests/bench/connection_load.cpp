#include "connection_load.hpp"

#include <chrono>

#include "cluster_dir.hpp"

namespace bench {

namespace asio = boost::asio;
using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace {

asio::awaitable<void> connect_loop(asio::any_io_executor executor, ConnectionLoad* load, std::size_t* next) {
  while (*next < load->connections) {
    const std::size_t mine = (*next)++ % load->endpoints.size();
    const auto start = SteadyClock::now();
    http::Client client(executor, load->endpoints[mine], load->contexts[mine]);
    for (const http::Request& request : load->requests) {
      http::Request copy = request;
      asio::awaitable<Result<http::Response>> sending =
          client.send(std::move(copy), std::chrono::seconds(30));
      const Result<http::Response> response = co_await std::move(sending);
      if (!response) die("a request failed: " + response.error().message);
      if (response->status != 200 || response->body.find(load->expected) == std::string::npos) {
        die("a request was answered " + std::to_string(response->status) + " " + response->body);
      }
    }
    load->latencies_ms.push_back(
        std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count());
  }
}

}  // namespace

double run_connections(ConnectionLoad& load, std::size_t concurrency) {
  std::size_t next = 0;
  return run_together([&](asio::any_io_executor executor) {
    std::vector<asio::awaitable<void>> jobs;
    for (std::size_t i = 0; i < concurrency; ++i) jobs.push_back(connect_loop(executor, &load, &next));
    return jobs;
  });
}

}  // namespace bench
