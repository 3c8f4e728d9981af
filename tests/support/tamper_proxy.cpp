#include "tests/support/tamper_proxy.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>

#include "common/core/unique_fd.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {

namespace {

constexpr int k_patience_ms = 10'000;
// After the trick both ends may wait for each other, for a byte that is no more: the proxy ends it then. Too early is just another cut.
constexpr int k_patience_after_ms = 60;

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// Byte by byte, each in a packet of its own.
bool send_single(int fd, std::string_view bytes) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (!send_all(fd, bytes.substr(i, 1))) return false;
  }
  return true;
}

// One direction: what comes from one end goes to the other as the trick makes it.
struct Direction {
  int from;
  int to;
  Trick trick;
  std::string& record;
  TrickedStream stream{trick};

  // False: the connection is over.
  bool step() {
    std::array<char, 16 * 1024> data{};
    const ssize_t got = ::recv(from, data.data(), data.size(), 0);
    if (got <= 0) return false;
    const std::string_view piece(data.data(), static_cast<std::size_t>(got));
    record += piece;
    const std::string out = stream.pass(piece);
    const bool sent = trick.kind == Trick::Kind::dribble ? send_single(to, out) : send_all(to, out);
    return sent && !stream.is_cut();
  }
};

void pump(Direction answers, Direction requests) {
  std::array<pollfd, 2> ends{{{answers.from, POLLIN, 0}, {requests.from, POLLIN, 0}}};
  for (;;) {
    const bool played = answers.stream.is_played() || requests.stream.is_played();
    const int ready = ::poll(ends.data(), ends.size(), played ? k_patience_after_ms : k_patience_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return;
    if (ends[0].revents != 0 && !answers.step()) return;
    if (ends[1].revents != 0 && !requests.step()) return;
  }
}

}  // namespace

std::string_view to_string(Trick::Kind kind) {
  switch (kind) {
    case Trick::Kind::none: return "none";
    case Trick::Kind::cut: return "cut";
    case Trick::Kind::flip: return "flip";
    case Trick::Kind::drop: return "drop";
    case Trick::Kind::repeat: return "repeat";
    case Trick::Kind::dribble: return "dribble";
  }
  return "none";
}

std::string TrickedStream::pass(std::string_view piece) {
  std::string out;
  for (const char c : piece) {
    const std::uint64_t at = seen_++;
    if (trick_.kind == Trick::Kind::cut && at >= trick_.at) {
      cut_ = true;
      return out;
    }
    if (trick_.kind == Trick::Kind::drop && at >= trick_.at && at - trick_.at < trick_.length) continue;
    if (trick_.kind == Trick::Kind::repeat && at == trick_.at) out += last_;
    out += trick_.kind == Trick::Kind::flip && at == trick_.at ? static_cast<char>(c ^ (1 << at % 8)) : c;
    if (trick_.kind != Trick::Kind::repeat) continue;
    last_ += c;
    if (last_.size() > trick_.length) last_.erase(0, 1);
  }
  return out;
}

TamperProxy::TamperProxy(std::uint16_t server_port) : server_port_(server_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("tamper proxy: cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

TamperProxy::~TamperProxy() {
  ::shutdown(listener_, SHUT_RDWR);  // wakes accept()
  thread_.join();
  ::close(listener_);
}

void TamperProxy::play(Trick on_answers, Trick on_requests) {
  const std::lock_guard lock(mutex_);
  plan_ = {on_answers, on_requests, {}};
}

void TamperProxy::replay(std::string answers) {
  const std::lock_guard lock(mutex_);
  plan_ = {{}, {}, std::move(answers)};
}

std::vector<TamperProxy::Recorded> TamperProxy::recorded(std::size_t count) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(k_patience_ms);
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (recorded_.size() >= count || std::chrono::steady_clock::now() > end) return recorded_;
    }
    std::this_thread::yield();
  }
}

void TamperProxy::run() {
  for (;;) {
    const UniqueFd client(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    Plan plan;
    {
      const std::lock_guard lock(mutex_);
      plan = plan_;
    }
    Recorded recorded = serve(client.get(), plan);
    const std::lock_guard lock(mutex_);
    recorded_.push_back(std::move(recorded));
  }
}

TamperProxy::Recorded TamperProxy::serve(int client, const Plan& plan) {
  Recorded recorded;
  if (!plan.replayed.empty()) {
    const timeval limit{k_patience_ms / 1000, 0};
    ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    // To the first word of the client, as the server did; then until the client has had enough.
    std::array<char, 16 * 1024> data{};
    ssize_t got = ::recv(client, data.data(), data.size(), 0);
    (void)send_all(client, plan.replayed);
    while (got > 0) {
      recorded.requests.append(data.data(), static_cast<std::size_t>(got));
      got = ::recv(client, data.data(), data.size(), 0);
    }
    return recorded;
  }
  const UniqueFd server(raw_connect(server_port_));
  pump({server.get(), client, plan.on_answers, recorded.answers}, {client, server.get(), plan.on_requests, recorded.requests});
  return recorded;
}

}  // namespace slipway::test
