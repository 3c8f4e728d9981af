#pragma once
// org.freedesktop.NetworkManager and org.freedesktop.network1 on a private bus, as far as they can be told to
// read their files again: for the protocol. Own thread.
#include <poll.h>
#include <sys/eventfd.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "common/core/unique_fd.hpp"

namespace slipway::test {

class FakeNetworkManagers {
 public:
  enum class Answer { done, denied, unknown_method };

  FakeNetworkManagers(const std::string& address, const std::set<std::string>& names)
      : stop_(::eventfd(0, EFD_CLOEXEC)) {
    check(::sd_bus_new(&bus_), "new");
    check(::sd_bus_set_address(bus_, address.c_str()), "address");
    check(::sd_bus_set_bus_client(bus_, 1), "client");
    check(::sd_bus_start(bus_), "start");
    check(::sd_bus_add_filter(bus_, nullptr, on_message, this), "filter");
    for (const std::string& name : names) check(::sd_bus_request_name(bus_, name.c_str(), 0), "name");
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeNetworkManagers() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
    ::sd_bus_close_unref(bus_);
  }
  FakeNetworkManagers(const FakeNetworkManagers&) = delete;
  FakeNetworkManagers& operator=(const FakeNetworkManagers&) = delete;

  void answer_with(Answer answer) {
    const std::lock_guard lock(mutex_);
    answer_ = answer;
  }
  // Of "<interface>.Reload" with these flags ("" for none).
  int reloads(const std::string& interface, const std::string& flags) {
    const std::lock_guard lock(mutex_);
    return reloads_[interface + " " + flags];
  }

 private:
  static void check(int r, const char* what) {
    if (r < 0) throw std::runtime_error(std::string("fake network managers: ") + what);
  }

  void serve() {
    for (;;) {
      int r = 0;
      {
        const std::lock_guard lock(mutex_);
        r = ::sd_bus_process(bus_, nullptr);
      }
      if (r < 0) break;
      if (r > 0) continue;
      pollfd fds[2] = {{::sd_bus_get_fd(bus_), static_cast<short>(::sd_bus_get_events(bus_)), 0},
                       {stop_.get(), POLLIN, 0}};
      ::poll(fds, 2, -1);
      if ((fds[1].revents & POLLIN) != 0) break;
    }
  }

  static int on_message(sd_bus_message* message, void* userdata, sd_bus_error*) {
    std::uint8_t type = 0;
    ::sd_bus_message_get_type(message, &type);
    if (type != SD_BUS_MESSAGE_METHOD_CALL) return 0;
    const int r = static_cast<FakeNetworkManagers*>(userdata)->answer(message);
    return r < 0 ? ::sd_bus_reply_method_errno(message, r, nullptr) : 1;
  }

  // As the real ones: the one wants flags, the other nothing, each at its own path.
  int answer(sd_bus_message* m) {
    const std::string interface = ::sd_bus_message_get_interface(m), path = ::sd_bus_message_get_path(m);
    const bool manager =
        interface == "org.freedesktop.NetworkManager" && path == "/org/freedesktop/NetworkManager";
    const bool networkd =
        interface == "org.freedesktop.network1.Manager" && path == "/org/freedesktop/network1";
    const bool signature = std::string(::sd_bus_message_get_signature(m, 1)) == (manager ? "u" : "");
    if ((!manager && !networkd) || !signature || std::string(::sd_bus_message_get_member(m)) != "Reload" ||
        answer_ == Answer::unknown_method)
      return ::sd_bus_reply_method_errorf(m, "org.freedesktop.DBus.Error.UnknownMethod", "%s",
                                          "no such method");
    if (answer_ == Answer::denied)
      return ::sd_bus_reply_method_errorf(m, "org.freedesktop.DBus.Error.AccessDenied", "%s", "not allowed");
    std::uint32_t flags = 0;
    if (manager) check(::sd_bus_message_read(m, "u", &flags), "flags");
    ++reloads_[interface + " " + (manager ? std::to_string(flags) : "")];
    return ::sd_bus_reply_method_return(m, "");
  }

  UniqueFd stop_;
  sd_bus* bus_ = nullptr;
  std::mutex mutex_;  // the test's thread looks and changes between messages
  Answer answer_ = Answer::done;
  std::map<std::string, int> reloads_;
  std::thread thread_;
};

}  // namespace slipway::test
