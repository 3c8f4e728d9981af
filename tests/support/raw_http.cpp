#include "tests/support/raw_http.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace slipway::test {

namespace {

// The head of a request, up to its empty line; empty when the other end went away.
std::string read_head(int fd) {
  std::string head;
  std::array<char, 4096> data{};
  while (head.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = ::recv(fd, data.data(), data.size(), 0);
    if (n <= 0) return {};
    head.append(data.data(), static_cast<std::size_t>(n));
  }
  return head;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

RawHttpServer::RawHttpServer(std::function<std::string(const std::string&)> answer, const std::string& where) : answer_(std::move(answer)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  if (::inet_pton(AF_INET, where.c_str(), &address.sin_addr) != 1 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("raw HTTP: cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

RawHttpServer::~RawHttpServer() {
  ::shutdown(listener_, SHUT_RDWR);  // wakes accept()
  thread_.join();
  ::close(listener_);
}

void RawHttpServer::run() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    const timeval limit{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    serve(fd);
    ::close(fd);
  }
}

void RawHttpServer::serve(int fd) {
  const std::string head = read_head(fd);
  if (head.empty()) return;
  send_all(fd, answer_(head));
  // An orderly end: a reset could overtake what was sent.
  ::shutdown(fd, SHUT_WR);
  std::array<char, 4096> rest{};
  while (::recv(fd, rest.data(), rest.size(), 0) > 0) {
  }
}

}  // namespace slipway::test
