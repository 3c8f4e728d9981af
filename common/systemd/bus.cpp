#include "common/systemd/bus.hpp"

#include <fcntl.h>
#include <poll.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <optional>
#include <set>

#include "common/core/unique_fd.hpp"
#include "common/systemd/bus_message.hpp"

namespace slipway::systemd {

namespace asio = boost::asio;

namespace {

struct BusClose {
  // Closes without flushing: flushing could block.
  void operator()(sd_bus* bus) const { ::sd_bus_close_unref(bus); }
};
struct SlotUnref {
  // Also takes its callback out of the bus.
  void operator()(sd_bus_slot* slot) const { ::sd_bus_slot_unref(slot); }
};
using SlotPtr = std::unique_ptr<sd_bus_slot, SlotUnref>;

Error lost() {
  return make_error(Errc::unavailable, "the connection to the bus is lost");
}

// One call that waits. It lives in the waiting coroutine's frame; `slot` is destroyed with it, so that sd-bus
// never calls into a frame that is gone.
struct Pending {
  explicit Pending(const asio::any_io_executor& executor)
      : wake(executor, asio::steady_timer::time_point::max()) {}

  asio::steady_timer wake;
  std::optional<Result<BusValues>> reply;
  SlotPtr slot;

  void finish(Result<BusValues> result) {
    if (reply) return;
    reply.emplace(std::move(result));
    wake.cancel();  // resumes the coroutine from the executor, never from inside sd-bus
  }
};

int on_reply(sd_bus_message* message, void* userdata, sd_bus_error*) {
  static_cast<Pending*>(userdata)->finish(read_reply(message));
  return 1;
}

struct Subscription {
  std::function<void(const BusValues&)> handler;
  SlotPtr slot;
};

int on_signal_message(sd_bus_message* message, void* userdata, sd_bus_error*) {
  const auto values = read_values(message);
  if (values) static_cast<Subscription*>(userdata)->handler(*values);
  return 0;
}

// A failed AddMatch closes the connection otherwise, from inside the library.
int on_match_installed(sd_bus_message*, void*, sd_bus_error*) {
  return 0;
}

}  // namespace

struct Bus::Impl : std::enable_shared_from_this<Bus::Impl> {
  explicit Impl(const asio::any_io_executor& ex) : executor(ex), socket(ex), timer(ex) {}

  void drive();
  void arm();
  void wait_for(asio::posix::stream_descriptor::wait_type what, bool& waiting);
  void arm_timer();
  void close();
  void lose();

  asio::any_io_executor executor;
  std::unique_ptr<sd_bus, BusClose> bus;
  std::vector<std::unique_ptr<Subscription>> subscriptions;  // their slots go before the bus
  asio::posix::stream_descriptor socket;                     // a duplicate: the bus closes its own
  asio::steady_timer timer;
  std::set<Pending*> pending;
  std::function<void()> lost_handler;
  bool reading = false;
  bool writing = false;
};

// Lets sd-bus work until it has nothing to do, then waits for what it asks for.
void Bus::Impl::drive() {
  if (!bus) return;
  const auto keep = shared_from_this();
  int r = 0;
  do {
    r = ::sd_bus_process(bus.get(), nullptr);
  } while (r > 0 && bus);
  if (!bus) return;
  if (r < 0)
    lose();
  else
    arm();
}

void Bus::Impl::wait_for(asio::posix::stream_descriptor::wait_type what, bool& waiting) {
  if (waiting) return;
  waiting = true;
  // `waiting` is a member: valid as long as the weak pointer can be locked.
  socket.async_wait(what, [weak = weak_from_this(), &waiting](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (!self) return;
    waiting = false;
    if (!ec) self->drive();
  });
}

void Bus::Impl::arm_timer() {
  std::uint64_t when = UINT64_MAX;
  if (::sd_bus_get_timeout(bus.get(), &when) < 0 || when == UINT64_MAX) {
    timer.cancel();
    return;
  }
  // sd-bus counts microseconds of CLOCK_MONOTONIC, as libstdc++'s steady clock does; 0 is "at once".
  timer.expires_at(asio::steady_timer::time_point(std::chrono::microseconds(when)));
  timer.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (self && !ec) self->drive();
  });
}

void Bus::Impl::arm() {
  const int events = ::sd_bus_get_events(bus.get());
  if (events < 0) {
    lose();
    return;
  }
  if ((events & POLLIN) != 0) wait_for(asio::posix::stream_descriptor::wait_read, reading);
  if ((events & POLLOUT) != 0) wait_for(asio::posix::stream_descriptor::wait_write, writing);
  arm_timer();
}

void Bus::Impl::close() {
  boost::system::error_code ignored;
  socket.close(ignored);
  timer.cancel();
  for (Pending* one : std::set<Pending*>(pending)) one->finish(lost());
  pending.clear();
  subscriptions.clear();
  bus.reset();
}

void Bus::Impl::lose() {
  close();
  if (const auto handler = std::exchange(lost_handler, nullptr)) handler();
}

namespace {

Result<sd_bus*> start_bus(const std::string& address) {
  sd_bus* raw = nullptr;
  if (address.empty()) {
    const int r = ::sd_bus_open_system(&raw);
    if (r < 0) return make_error(Errc::unavailable, bus_error("connect to the system bus", r).message);
    return raw;
  }
  int r = ::sd_bus_new(&raw);
  if (r >= 0) r = ::sd_bus_set_address(raw, address.c_str());
  if (r >= 0) r = ::sd_bus_set_bus_client(raw, 1);
  if (r >= 0) r = ::sd_bus_start(raw);
  if (r >= 0) return raw;
  ::sd_bus_close_unref(raw);
  return make_error(Errc::unavailable, bus_error("connect to the bus at " + address, r).message);
}

}  // namespace

Bus::Bus(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Bus::~Bus() {
  impl_->close();
}

Result<std::unique_ptr<Bus>> Bus::open(asio::any_io_executor executor, const std::string& address) {
  auto started = start_bus(address);
  if (!started) return started.error();
  auto impl = std::make_shared<Impl>(executor);
  impl->bus.reset(*started);
  UniqueFd copy(::fcntl(::sd_bus_get_fd(impl->bus.get()), F_DUPFD_CLOEXEC, 3));
  if (!copy) return from_errno("watch the bus", errno);
  boost::system::error_code ec;
  impl->socket.assign(copy.get(), ec);
  if (ec) return make_error(Errc::internal, "watch the bus: " + ec.message());
  (void)copy.release();
  impl->drive();
  return std::unique_ptr<Bus>(new Bus(std::move(impl)));
}

asio::awaitable<Result<BusValues>> Bus::call(BusCall call, Millis limit) {
  return call_on(impl_, std::move(call), limit);
}

asio::awaitable<Result<BusValues>> Bus::call_on(std::shared_ptr<Impl> impl, BusCall call, Millis limit) {
  if (!impl->bus) co_return lost();
  const auto message = make_message(impl->bus.get(), call);
  if (!message) co_return message.error();
  Pending pending(impl->executor);
  // Stands after `pending`, so that it ends first.
  struct Registration {
    Impl& impl;
    Pending* pending;
    Registration(Impl& i, Pending* p) : impl(i), pending(p) { impl.pending.insert(pending); }
    ~Registration() { impl.pending.erase(pending); }
  };
  const Registration registration(*impl, &pending);
  sd_bus_slot* slot = nullptr;
  const auto limit_us = static_cast<std::uint64_t>(std::chrono::microseconds(limit).count());
  const int r = ::sd_bus_call_async(impl->bus.get(), &slot, message->get(), on_reply, &pending, limit_us);
  if (r < 0) co_return make_error(Errc::unavailable, bus_error("call " + call.member, r).message);
  pending.slot.reset(slot);
  impl->arm();
  // The connection may have been lost just now: nobody would wake this coroutine then.
  if (!pending.reply) co_await pending.wake.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!pending.reply)
    co_return make_error(Errc::canceled, "waiting for the reply to " + call.member + ": canceled");
  if (!*pending.reply) co_return pending.reply->error();
  co_return std::move(*pending.reply);
}

Status Bus::send(const BusCall& call) {
  if (!impl_->bus) return lost();
  const auto message = make_message(impl_->bus.get(), call);
  if (!message) return message.error();
  int r = ::sd_bus_message_set_expect_reply(message->get(), 0);
  if (r >= 0) r = ::sd_bus_send(impl_->bus.get(), message->get(), nullptr);
  if (r < 0) return make_error(Errc::unavailable, bus_error("send " + call.member, r).message);
  impl_->arm();
  return {};
}

Status Bus::on_signal(const BusMatch& match, std::function<void(const BusValues&)> handler) {
  if (!impl_->bus) return lost();
  auto subscription = std::make_unique<Subscription>();
  subscription->handler = std::move(handler);
  sd_bus_slot* slot = nullptr;
  const int r = ::sd_bus_match_signal_async(impl_->bus.get(), &slot, match.sender.c_str(), match.path.c_str(),
                                            match.interface.c_str(), match.member.c_str(), on_signal_message,
                                            on_match_installed, subscription.get());
  if (r < 0) return make_error(Errc::unavailable, bus_error("subscribe to " + match.member, r).message);
  subscription->slot.reset(slot);
  impl_->subscriptions.push_back(std::move(subscription));
  impl_->arm();
  return {};
}

bool Bus::alive() const {
  return impl_->bus != nullptr;
}

void Bus::on_lost(std::function<void()> handler) {
  impl_->lost_handler = std::move(handler);
}

std::string BusValue::text() const {
  const auto* value = std::get_if<std::string>(&data);
  return value == nullptr ? "" : *value;
}

bool BusValue::flag() const {
  const auto* value = std::get_if<bool>(&data);
  return value != nullptr && *value;
}

std::int64_t BusValue::number() const {
  if (const auto* value = std::get_if<std::int64_t>(&data)) return *value;
  if (const auto* value = std::get_if<std::uint64_t>(&data)) return static_cast<std::int64_t>(*value);
  return 0;
}

std::uint64_t BusValue::count() const {
  if (const auto* value = std::get_if<std::uint64_t>(&data)) return *value;
  const std::int64_t value = number();
  return value < 0 ? 0 : static_cast<std::uint64_t>(value);
}

const BusValue::List& BusValue::list() const {
  static const List none;
  const auto* value = std::get_if<List>(&data);
  return value == nullptr ? none : *value;
}

const BusValue& BusValue::operator[](std::string_view key) const {
  static const BusValue none;
  for (const BusValue& entry : list()) {
    const List& pair = entry.list();
    if (pair.size() != 2) continue;
    const auto* name = std::get_if<std::string>(&pair[0].data);
    if (name != nullptr && *name == key) return pair[1];
  }
  return none;
}

}  // namespace slipway::systemd
