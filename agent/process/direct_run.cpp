// The unit's process from its start to its end: launching, readiness, watching, stopping.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "agent/process/direct_unit.hpp"
#include "agent/process/unit_files.hpp"
#include "common/async/spawn.hpp"
#include "common/core/text.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds k_default_timeout{90};  // systemd's, for start and stop
constexpr Millis k_leftover_round{50};  // what just ended may be listed for a moment
constexpr Millis k_collect_round{10};
constexpr int k_collect_tries = 100;

using Wait = asio::posix::stream_descriptor;

}  // namespace

// False: it could not be started, and exit_ says so.
bool DirectUnit::launch(const std::vector<std::string>& argv, bool main) {
  set_state(UnitActivity::activating, main ? "start" : "start-pre");
  bound_log(log_path(), host_->options.log_limit);
  ChildPlan plan{*spec_, argv, status_.invocation, "", log_path(), host_->cgroups.make(*spec_)};
  Status prepared;
  if (main && spec_->type == UnitType::notify) {
    prepared = open_notify_socket();
    plan.notify_socket = socket_path();
  }
  oom_kills_ = host_->cgroups.oom_kills(name_);
  Result<Child> child = prepared ? fork_child(plan) : Result<Child>(prepared.error());
  if (child) {
    main_ = main;
    status_.main_pid = child->pid;
    status_.started = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
    start_time_ = child->start_time;
    ready_ = main && spec_->type == UnitType::simple;
    save();
    const Status gone = let_go(*child);
    if (!gone) child = gone.error();
  }
  if (!child) {
    trouble_ = child.error().message;
    exit_ = ChildEnd{};
    return false;
  }
  watch(std::move(*child));
  return true;
}

void DirectUnit::watch(Child child) {
  const auto descriptor = [this](int fd) { return std::make_shared<asio::posix::stream_descriptor>(host_->executor, ::dup(fd)); };
  pidfd_ = std::move(child.pidfd);
  process_ = descriptor(pidfd_.get());
  spawn_detached(host_->executor, "process of " + name_, watch_exit(shared_from_this(), process_));
  if (!main_ || ready_) return;
  if (spec_->type == UnitType::exec && child.gate) {
    gate_ = descriptor(child.gate.get());
    spawn_detached(host_->executor, "gate of " + name_, watch_gate(shared_from_this(), gate_));
  }
  if (spec_->type != UnitType::notify) return;
  spawn_detached(host_->executor, "readiness of " + name_, watch_notify(shared_from_this(), notify_));
}

asio::awaitable<Status> DirectUnit::watch_exit(std::shared_ptr<DirectUnit> self, Descriptor process) {
  boost::system::error_code ec;
  co_await process->async_wait(Wait::wait_read, asio::redirect_error(asio::use_awaitable, ec));
  std::optional<ChildEnd> end;
  for (int i = 0; i < k_collect_tries && !self->host_->closing && self->process_ == process; ++i) {
    end = collect(process->native_handle());
    if (end) break;
    // Another's child: its parent has not collected it yet.
    asio::steady_timer timer(self->host_->executor, k_collect_round);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
  if (self->host_->closing || self->process_ != process) co_return Status{};
  self->exit_ = end.value_or(ChildEnd{});
  self->event_.notify();
  co_return Status{};
}

asio::awaitable<Status> DirectUnit::watch_gate(std::shared_ptr<DirectUnit> self, Descriptor gate) {
  boost::system::error_code ec;
  co_await gate->async_wait(Wait::wait_read, asio::redirect_error(asio::use_awaitable, ec));
  if (ec || self->gate_ != gate) co_return Status{};
  // It closes also when the program could not be executed; the end follows at once.
  asio::steady_timer timer(self->host_->executor, k_collect_round);
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (self->gate_ != gate || self->exit_) co_return Status{};
  self->ready_ = true;
  self->event_.notify();
  co_return Status{};
}

// ---- readiness by message (sd_notify(3)) --------------------------------------------------------------------------

Status DirectUnit::open_notify_socket() {
  const std::string path = socket_path();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return make_error(Errc::invalid, path + " is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  ::unlink(path.c_str());
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  const bool made = socket && ::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0 &&
                    ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    ::chmod(path.c_str(), 0666) == 0;
  if (!made) return make_error(Errc::internal, "making " + path + ": " + std::strerror(errno));
  notify_ = std::make_shared<asio::posix::stream_descriptor>(host_->executor, socket.release());
  return {};
}

// Only the main process speaks for the unit, as with systemd's NotifyAccess=main.
void DirectUnit::read_notify(int socket) {
  std::array<char, 4096> text{};
  alignas(cmsghdr) std::array<char, 256> control{};
  for (;;) {
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return;
    pid_t sender = 0;
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
      ucred who{};
      if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_CREDENTIALS) continue;
      std::memcpy(&who, CMSG_DATA(head), sizeof who);
      sender = who.pid;
    }
    if (sender != status_.main_pid) continue;
    const auto lines = split(std::string_view(text.data(), static_cast<std::size_t>(size)), '\n');
    if (std::find(lines.begin(), lines.end(), "READY=1") != lines.end()) ready_ = true;
  }
}

asio::awaitable<Status> DirectUnit::watch_notify(std::shared_ptr<DirectUnit> self, Descriptor socket) {
  while (self->notify_ == socket && !self->host_->closing) {
    boost::system::error_code ec;
    co_await socket->async_wait(Wait::wait_read, asio::redirect_error(asio::use_awaitable, ec));
    if (ec || self->notify_ != socket || self->host_->closing) co_return Status{};
    self->read_notify(socket->native_handle());
    self->event_.notify();
  }
  co_return Status{};
}

// ---- from a start to an end ---------------------------------------------------------------------------------------

DirectUnit::Instant DirectUnit::start_deadline() const {
  const auto limit = spec_->timeout_start.value_or(spec_->type == UnitType::oneshot ? std::chrono::seconds(0) : k_default_timeout);
  return limit.count() == 0 ? Instant::max() : steady_clock::now() + limit;
}

void DirectUnit::begin_stop(const char* why) {
  ending_ = why;
  const auto limit = spec_ ? spec_->timeout_stop.value_or(k_default_timeout) : k_default_timeout;
  kill_at_ = limit.count() == 0 ? Instant::max() : steady_clock::now() + limit;
  set_state(UnitActivity::deactivating, "stop-sigterm");
  send_signal(pidfd_.get(), SIGTERM);
  if (!spec_ || spec_->kill_mode == KillMode::control_group) kill_all(SIGTERM);
}

asio::awaitable<Status> DirectUnit::attend(bool main) {
  const Instant deadline = start_deadline();
  bool starting = true;
  while (!exit_) {
    if (host_->closing) co_return Status{};
    const Instant now = steady_clock::now();
    if (starting && main && ready_) {
      starting = false;
      save();
      set_state(UnitActivity::active, "running");
    }
    if (ending_.empty() && stop_) begin_stop("success");
    if (ending_.empty() && starting && now >= deadline) begin_stop("timeout");
    if (now >= kill_at_) {
      kill_at_ = Instant::max();
      ending_ = "timeout";
      send_signal(pidfd_.get(), SIGKILL);
      if (!spec_ || spec_->kill_mode != KillMode::process) kill_all(SIGKILL);
    }
    bound_log(log_path(), host_->options.log_limit);
    asio::awaitable<Status> waiting = until_told(std::min(starting ? deadline : Instant::max(), kill_at_));
    co_await std::move(waiting);
  }
  ended_ = steady_clock::now();
  if (!main) co_return Status{};
  asio::awaitable<Status> ending = end_leftovers();
  co_return co_await std::move(ending);
}

std::vector<pid_t> DirectUnit::members() const {
  return host_->cgroups.tracks() ? host_->cgroups.members(name_) : marked_processes(status_.invocation);
}

void DirectUnit::kill_all(int signal) {
  for (const pid_t pid : members()) ::kill(pid, signal);
}

// What the main process left behind, by the kill mode.
asio::awaitable<Status> DirectUnit::end_leftovers() {
  const KillMode mode = spec_ ? spec_->kill_mode : KillMode::process;
  if (mode == KillMode::process) co_return Status{};
  if (mode == KillMode::mixed) kill_all(SIGKILL);
  if (mode == KillMode::control_group && ending_.empty()) kill_all(SIGTERM);
  const auto limit = spec_->timeout_stop.value_or(k_default_timeout);
  const Instant last = std::min(kill_at_, limit.count() == 0 ? Instant::max() : steady_clock::now() + limit);
  bool killed = false;
  Millis round{1};
  while (!host_->closing && !members().empty()) {
    if (!killed && steady_clock::now() >= last) {
      killed = true;
      kill_all(SIGKILL);
    }
    asio::awaitable<Status> waiting = until_told(steady_clock::now() + round);
    co_await std::move(waiting);
    round = std::min(2 * round, k_leftover_round);
  }
  co_return Status{};
}

}  // namespace slipway
