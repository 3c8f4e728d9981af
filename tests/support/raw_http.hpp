#pragma once
// A web server without TLS, made with plain blocking sockets and independent of the code under test: it may break every rule.
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

namespace slipway::test {

// On a free port. One connection after the other, one request each.
class RawHttpServer {
 public:
  // What is sent for a request's head, before the connection ends; called on the server's thread.
  explicit RawHttpServer(std::function<std::string(const std::string& request)> answer, const std::string& address = "127.0.0.1");
  ~RawHttpServer();
  RawHttpServer(const RawHttpServer&) = delete;
  RawHttpServer& operator=(const RawHttpServer&) = delete;

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void run();
  void serve(int fd);
  std::function<std::string(const std::string&)> answer_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

}  // namespace slipway::test
