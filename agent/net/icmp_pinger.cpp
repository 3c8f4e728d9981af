#include "agent/net/icmp_pinger.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "agent/net/icmp.hpp"
#include "common/async/notifier.hpp"
#include "common/async/spawn.hpp"
#include "common/core/unique_fd.hpp"

// linux/icmp.h has it, and clashes with netinet/ip_icmp.h.
#ifndef ICMP_FILTER
#define ICMP_FILTER 1
#endif

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_batch = 32;  // that are sent at once; their answers come at once, too
constexpr Millis k_between_batches{5};
constexpr std::size_t k_most_sends = 65'536;  // a sequence number each
constexpr int k_buffer = 1 << 20;             // bytes
constexpr std::size_t k_longest_packet = 65'536;

Status set_option(int fd, int level, int name, const void* value, socklen_t size) {
  if (::setsockopt(fd, level, name, value, size) != 0)
    return from_errno("set up a socket for echo requests", errno);
  return {};
}

// Don't cut, whatever the kernel believes of the way: what it learned a while ago is what is asked here.
Status set_up_v4(int fd) {
  const int probe = IP_PMTUDISC_PROBE;
  if (const Status set = set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe); !set) return set;
  const std::uint32_t dropped = ~(1U << ICMP_ECHOREPLY | 1U << ICMP_DEST_UNREACH | 1U << ICMP_TIME_EXCEEDED);
  return set_option(fd, SOL_RAW, ICMP_FILTER, &dropped, sizeof dropped);
}

Status set_up_v6(int fd) {
  const int probe = IPV6_PMTUDISC_PROBE;
  const int on = 1;
  if (const Status set = set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof probe); !set)
    return set;
  if (const Status set = set_option(fd, IPPROTO_IPV6, IPV6_DONTFRAG, &on, sizeof on); !set) return set;
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  for (const int type : {ICMP6_ECHO_REPLY, ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED})
    ICMP6_FILTER_SETPASS(type, &filter);
  return set_option(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
}

Result<UniqueFd> open_socket(bool v4) {
  UniqueFd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                       v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6)));
  if (!fd) return from_errno("open a socket for echo requests", errno);
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &k_buffer, sizeof k_buffer);
  const Status ready = v4 ? set_up_v4(fd.get()) : set_up_v6(fd.get());
  if (!ready) return ready.error();
  return fd;
}

// A datagram to `ping.to` that comes from `ping.from`, whichever interface it leaves by.
class Envelope {
 public:
  Envelope(const Ping& ping, std::string& bytes) {
    part_ = {bytes.data(), bytes.size()};
    message_.msg_iov = &part_;
    message_.msg_iovlen = 1;
    message_.msg_control = control_.data();
    ping.to.is_v4() ? address_v4(ping) : address_v6(ping);
  }
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;
  const msghdr* get() const { return &message_; }

 private:
  template <class Address, class Info>
  void finish(const Address& to, const Info& from, int level, int type) {
    std::memcpy(&name_, &to, sizeof to);
    message_.msg_name = &name_;
    message_.msg_namelen = sizeof to;
    message_.msg_controllen = CMSG_SPACE(sizeof from);
    cmsghdr* head = CMSG_FIRSTHDR(&message_);
    head->cmsg_level = level;
    head->cmsg_type = type;
    head->cmsg_len = CMSG_LEN(sizeof from);
    std::memcpy(CMSG_DATA(head), &from, sizeof from);
  }
  void address_v4(const Ping& ping) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, ping.to.bytes().data(), sizeof to.sin_addr);
    in_pktinfo from{};
    std::memcpy(&from.ipi_spec_dst, ping.from.bytes().data(), sizeof from.ipi_spec_dst);
    finish(to, from, IPPROTO_IP, IP_PKTINFO);
  }
  void address_v6(const Ping& ping) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    std::memcpy(&to.sin6_addr, ping.to.bytes().data(), sizeof to.sin6_addr);
    in6_pktinfo from{};
    std::memcpy(&from.ipi6_addr, ping.from.bytes().data(), sizeof from.ipi6_addr);
    finish(to, from, IPPROTO_IPV6, IPV6_PKTINFO);
  }

  alignas(cmsghdr) std::array<char, 64> control_{};
  sockaddr_storage name_{};
  iovec part_{};
  msghdr message_{};
};

// What the kernel said when it was to be sent; empty: nothing that tells of the way.
std::optional<PingResult> result_of_errno(int number) {
  switch (number) {
    case EMSGSIZE:
      return PingResult::too_big;
    case ENETUNREACH:
    case EINVAL:  // a black hole
    case EADDRNOTAVAIL:
      return PingResult::no_route;
    case EHOSTUNREACH:
    case EHOSTDOWN:
      return PingResult::unreachable;
    case EPERM:
    case EACCES:
      return PingResult::refused;
    default:
      return std::nullopt;
  }
}

PingOutcome outcome_of(const net::IcmpMessage& message) {
  switch (message.kind) {
    case net::IcmpKind::reply:
      return {PingResult::answered, 0};
    case net::IcmpKind::refused:
      return {PingResult::refused, 0};
    case net::IcmpKind::too_big:
      return {PingResult::too_big, message.mtu};
    case net::IcmpKind::unreachable:
    case net::IcmpKind::expired:
      break;
  }
  return {PingResult::unreachable, 0};
}

// One call of ping(): shared by it and by the readers of both sockets.
class Run {
 public:
  Run(asio::any_io_executor executor, std::vector<Ping> pings)
      : pings_(std::move(pings)), outcomes_(pings_.size()), v4_(executor), v6_(executor) {}

  Status open();
  void close();
  // All without an answer, from `at` on, until a batch is full. True: there is nothing more to send.
  bool send_batch(std::size_t& at);
  // Takes all that has come.
  void drain(bool v4);
  asio::posix::stream_descriptor& socket(bool v4) { return v4 ? v4_ : v6_; }
  bool done() const { return left_ == 0; }
  Notifier& answered() { return answered_; }
  std::vector<PingOutcome> take() { return std::move(outcomes_); }

 private:
  Status open_family(bool v4);
  void send(std::size_t index);
  void note(const net::IcmpMessage& message);

  std::vector<Ping> pings_;
  std::vector<PingOutcome> outcomes_;
  std::vector<std::size_t> sent_;  // sequence number -> which of them
  std::size_t left_ = pings_.size();
  std::uint16_t identifier_ = 0;
  asio::posix::stream_descriptor v4_, v6_;
  Notifier answered_;
  std::string buffer_;
};

Status Run::open() {
  if (::getrandom(&identifier_, sizeof identifier_, 0) != sizeof identifier_)
    return from_errno("random bytes", errno);
  buffer_.resize(k_longest_packet);
  for (const bool v4 : {true, false}) {
    const bool needed =
        std::any_of(pings_.begin(), pings_.end(), [v4](const Ping& ping) { return ping.to.is_v4() == v4; });
    if (!needed) continue;
    if (const Status opened = open_family(v4); !opened) return opened;
  }
  return {};
}

Status Run::open_family(bool v4) {
  auto fd = open_socket(v4);
  if (!fd) return fd.error();
  boost::system::error_code ec;
  socket(v4).assign(fd->get(), ec);
  if (ec) return make_error(Errc::internal, "watching a socket for echo requests: " + ec.message());
  (void)fd->release();
  return {};
}

void Run::close() {
  boost::system::error_code ec;
  v4_.close(ec);
  v6_.close(ec);
}

bool Run::send_batch(std::size_t& at) {
  for (std::size_t batch = 0; at < pings_.size() && batch < k_batch; ++at) {
    if (outcomes_[at].result == PingResult::answered) continue;
    send(at);
    ++batch;
  }
  return at == pings_.size();
}

void Run::send(std::size_t index) {
  const Ping& ping = pings_[index];
  if (sent_.size() >= k_most_sends) return;
  const auto sequence = static_cast<std::uint16_t>(sent_.size());
  sent_.push_back(index);
  const bool v4 = ping.to.is_v4();
  std::string bytes =
      net::encode_echo(v4, identifier_, sequence, ping.bytes != 0 ? ping.bytes : net::k_small_echo);
  const Envelope envelope(ping, bytes);
  if (::sendmsg(socket(v4).native_handle(), envelope.get(), 0) >= 0) return;
  if (const auto told = result_of_errno(errno)) outcomes_[index] = {*told, 0};
}

void Run::drain(bool v4) {
  for (;;) {
    const ssize_t got = ::recv(socket(v4).native_handle(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return;
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
    const auto message = v4 ? net::decode_icmp_v4(bytes) : net::decode_icmp_v6(bytes);
    if (message && message->identifier == identifier_ && message->sequence < sent_.size()) note(*message);
  }
}

// An answer counts whatever was said before it, and nothing that is said after it.
void Run::note(const net::IcmpMessage& message) {
  PingOutcome& outcome = outcomes_[sent_[message.sequence]];
  if (outcome.result == PingResult::answered) return;
  outcome = outcome_of(message);
  if (outcome.result != PingResult::answered) return;
  --left_;
  if (left_ == 0) answered_.notify();
}

// However the call ends, its readers end.
struct Closing {
  std::shared_ptr<Run> run;
  ~Closing() { run->close(); }
};

asio::awaitable<Status> read_answers(std::shared_ptr<Run> run, bool v4) {
  while (run->socket(v4).is_open()) {
    const auto waited = co_await run->socket(v4).async_wait(asio::posix::stream_descriptor::wait_read,
                                                            asio::as_tuple(asio::use_awaitable));
    if (std::get<0>(waited)) break;  // closed: the call is over
    run->drain(v4);
  }
  co_return Status{};
}

asio::awaitable<Status> send_all(std::shared_ptr<Run> run) {
  std::size_t at = 0;
  while (!run->send_batch(at)) {
    asio::awaitable<bool> pausing = run->answered().wait(k_between_batches);
    co_await std::move(pausing);
  }
  co_return Status{};
}

}  // namespace

IcmpPinger::IcmpPinger(asio::any_io_executor executor, Patience patience)
    : executor_(std::move(executor)), patience_(std::move(patience)) {}

asio::awaitable<Result<std::vector<PingOutcome>>> IcmpPinger::ping(std::vector<Ping> pings) {
  if (pings.size() * patience_.size() > k_most_sends)
    co_return make_error(Errc::invalid, "too many echo requests at once");
  const auto run = std::make_shared<Run>(executor_, std::move(pings));
  const Closing closing{run};
  if (const Status opened = run->open(); !opened) co_return opened.error();
  for (const bool v4 : {true, false})
    if (run->socket(v4).is_open()) spawn_detached(executor_, "echo replies", read_answers(run, v4));
  for (const Millis patience : patience_) {
    asio::awaitable<Status> sending = send_all(run);
    const Status sent = co_await std::move(sending);
    if (!sent) co_return sent.error();
    if (run->done()) break;
    asio::awaitable<bool> waiting = run->answered().wait(patience);
    co_await std::move(waiting);
    if (run->done()) break;
  }
  co_return run->take();
}

}  // namespace slipway
