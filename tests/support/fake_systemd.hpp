#pragma once
// org.freedesktop.systemd1 on a private bus, as far as the supervisor's adapter speaks to it: for the
// protocol, not for processes. Own thread.
#include <poll.h>
#include <sys/eventfd.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "common/core/unique_fd.hpp"

namespace slipway::test {

class FakeSystemd {
 public:
  struct Unit {
    bool known = false;  // reload() has seen the file
    bool on_disk = true;
    bool enabled = false;
    bool hangs = false;  // its jobs never end
    int fails_with = 0;
    std::string active = "inactive";
    std::string sub = "dead";
    std::string result = "success";
    std::uint32_t pid = 0;
    std::uint32_t restarts = 0;
    int exit_code = 0;
    int exit_status = 0;
    std::uint8_t invocation = 0;
    std::uint64_t started = 0;
  };

  explicit FakeSystemd(std::string address) : address_(std::move(address)), stop_(::eventfd(0, EFD_CLOEXEC)) {
    open();
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeSystemd() {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof one);
    thread_.join();
    ::sd_bus_close_unref(bus_);
  }
  FakeSystemd(const FakeSystemd&) = delete;
  FakeSystemd& operator=(const FakeSystemd&) = delete;

  void install(const std::string& name, Unit unit) {
    const std::lock_guard lock(mutex_);
    units_[name] = std::move(unit);
  }
  // As systemd: it tells of the end, waits, starts the process anew, and then knows nothing of the end any more.
  void crash(const std::string& name, int code, int status) {
    const std::lock_guard lock(mutex_);
    Unit& unit = units_[name];
    unit.active = "activating";
    unit.sub = "auto-restart";
    unit.pid = 0;
    unit.exit_code = code;
    unit.exit_status = status;
    unit.result = "signal";
    emit_end(name, unit);
    if (!is_held(name)) come_back(unit);
  }
  std::string run_dir;  // drop-ins with pauses
  int reloads() {
    const std::lock_guard lock(mutex_);
    return reloads_;
  }

 private:
  static constexpr char k_root[] = "/org/freedesktop/systemd1";
  static constexpr char k_manager[] = "org.freedesktop.systemd1.Manager";
  static constexpr char k_unit_prefix[] = "/org/freedesktop/systemd1/unit";

  static void check(int r, const char* what) {
    if (r < 0) throw std::runtime_error(std::string("fake systemd: ") + what);
  }

  void open() {
    check(::sd_bus_new(&bus_), "new");
    check(::sd_bus_set_address(bus_, address_.c_str()), "address");
    check(::sd_bus_set_bus_client(bus_, 1), "client");
    check(::sd_bus_start(bus_), "start");
    // One filter instead of tables of methods: everything is answered in answer().
    check(::sd_bus_add_filter(bus_, nullptr, on_message, this), "filter");
    check(::sd_bus_request_name(bus_, "org.freedesktop.systemd1", 0), "name");
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
    const int r = static_cast<FakeSystemd*>(userdata)->answer(message);
    return r < 0 ? ::sd_bus_reply_method_errno(message, r, nullptr) : 1;
  }

  int answer(sd_bus_message* m) {
    const std::string member = ::sd_bus_message_get_member(m);
    if (member == "GetAll") return get_all(m);
    if (member == "Subscribe") {
      subscribed_ = true;
      return ::sd_bus_reply_method_return(m, "");
    }
    if (member == "Reload") return reload(m);
    if (member == "EnableUnitFiles" || member == "DisableUnitFiles")
      return links(m, member == "EnableUnitFiles");
    const char* text = nullptr;
    const int r = ::sd_bus_message_read(m, "s", &text);
    if (r < 0) return r;
    const std::string name = text;
    if (member == "LoadUnit") return ::sd_bus_reply_method_return(m, "o", path_of(name).c_str());
    if (!is_known(name)) {
      const std::string words = "Unit " + name + (member == "StopUnit" ? " not loaded." : " not found.");
      return ::sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.NoSuchUnit", "%s", words.c_str());
    }
    if (member == "ResetFailedUnit") return ::sd_bus_reply_method_return(m, "");
    return job(m, member, name);
  }

  bool is_known(const std::string& name) const {
    const auto it = units_.find(name);
    return it != units_.end() && it->second.known;
  }

  int reload(sd_bus_message* m) {
    ++reloads_;
    for (auto& [name, unit] : units_) {
      unit.known = unit.on_disk;
      if (unit.sub == "auto-restart" && !is_held(name)) come_back(unit);
    }
    return ::sd_bus_reply_method_return(m, "");
  }

  int links(sd_bus_message* m, bool enable) {
    char** names = nullptr;
    int r = ::sd_bus_message_read_strv(m, &names);
    if (r < 0) return r;
    bool missing = false;
    bool changed = false;
    for (char** name = names; name != nullptr && *name != nullptr; ++name) {
      const auto it = units_.find(*name);
      missing = missing || it == units_.end();
      if (it == units_.end()) continue;
      changed = changed || it->second.enabled != enable;
      it->second.enabled = enable;
    }
    for (char** name = names; name != nullptr && *name != nullptr; ++name) ::free(*name);
    ::free(names);
    if (missing)
      return ::sd_bus_reply_method_errorf(m, "org.freedesktop.systemd1.NoSuchUnit",
                                          "Unit file does not exist.");
    const char* type = enable ? "ba(sss)" : "a(sss)";
    if (enable) return ::sd_bus_reply_method_return(m, type, 1, changed ? 1 : 0, "symlink", "/a", "/b");
    return ::sd_bus_reply_method_return(m, type, changed ? 1 : 0, "unlink", "/a", "");
  }

  bool is_held(const std::string& name) const {
    return !run_dir.empty() && ::access((run_dir + "/" + name + ".d/50-slipway-backoff.conf").c_str(), F_OK) == 0;
  }

  void come_back(Unit& unit) {
    const std::uint32_t restarts = unit.restarts + 1;
    begin(unit);
    unit.restarts = restarts;
    unit.exit_code = 0;
    unit.exit_status = 0;
  }

  void emit_end(const std::string& name, const Unit& unit) {
    if (!subscribed_) return;
    (void)::sd_bus_emit_signal(bus_, path_of(name).c_str(), "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as",
                               "org.freedesktop.systemd1.Service", 3, "ExecMainCode", "i", unit.exit_code, "ExecMainStatus", "i",
                               unit.exit_status, "Result", "s", unit.result.c_str(), 0);
    (void)::sd_bus_flush(bus_);
  }

  void begin(Unit& unit) {
    unit.active = "active";
    unit.sub = "running";
    unit.result = "success";
    unit.pid = ++last_pid_;
    unit.restarts = 0;
    unit.invocation = static_cast<std::uint8_t>(last_pid_);
    unit.started = 1'700'000'000'000'000U + last_pid_;
  }

  int job(sd_bus_message* m, const std::string& member, const std::string& name) {
    Unit& unit = units_[name];
    const std::uint32_t id = ++last_job_;
    const std::string path = std::string(k_root) + "/job/" + std::to_string(id);
    std::string result = "done";
    // As the real one: such a job is done when the restart is.
    if (unit.sub == "auto-restart" && member == "StartUnit") return ::sd_bus_reply_method_return(m, "o", path.c_str());
    if (!unit.hangs && member == "StopUnit") {
      unit.active = "inactive";
      unit.sub = "dead";
      unit.pid = 0;
    } else if (!unit.hangs && unit.fails_with != 0) {
      unit.active = "failed";
      unit.sub = "failed";
      unit.result = "exit-code";
      unit.exit_code = 1;
      unit.exit_status = unit.fails_with;
      result = "failed";
    } else if (!unit.hangs && (member == "RestartUnit" || unit.active != "active")) {
      begin(unit);
    }
    // The end before the answer now and then: both orders happen.
    const bool end_first = id % 2 == 0;
    if (!unit.hangs && end_first) emit_removed(id, path, name, result);
    const int r = ::sd_bus_reply_method_return(m, "o", path.c_str());
    if (!unit.hangs && !end_first) emit_removed(id, path, name, result);
    return r;
  }

  void emit_removed(std::uint32_t id, const std::string& path, const std::string& name,
                    const std::string& result) {
    if (!subscribed_) return;
    (void)::sd_bus_emit_signal(bus_, k_root, k_manager, "JobRemoved", "uoss", id, path.c_str(), name.c_str(),
                               result.c_str());
  }

  std::string path_of(const std::string& name) {
    char* path = nullptr;
    check(::sd_bus_path_encode(k_unit_prefix, name.c_str(), &path), "path");
    std::string out = path;
    ::free(path);
    return out;
  }

  static int put_text(sd_bus_message* m, const char* key, const std::string& value) {
    return ::sd_bus_message_append(m, "{sv}", key, "s", value.c_str());
  }

  int get_all(sd_bus_message* m) {
    const char* interface = nullptr;
    int r = ::sd_bus_message_read(m, "s", &interface);
    if (r < 0) return r;
    char* decoded = nullptr;
    r = ::sd_bus_path_decode(::sd_bus_message_get_path(m), k_unit_prefix, &decoded);
    if (r <= 0) return -2;
    const std::string name = decoded;
    ::free(decoded);
    sd_bus_message* reply = nullptr;
    r = ::sd_bus_message_new_method_return(m, &reply);
    if (r >= 0) r = ::sd_bus_message_open_container(reply, 'a', "{sv}");
    const bool unit_part = std::string(interface).ends_with(".Unit");
    if (r >= 0)
      r = unit_part ? put_unit(reply, name) : put_service(reply, is_known(name) ? units_[name] : Unit());
    if (r >= 0) r = ::sd_bus_message_close_container(reply);
    if (r >= 0) r = ::sd_bus_send(bus_, reply, nullptr);
    ::sd_bus_message_unref(reply);
    return r;
  }

  int put_unit(sd_bus_message* m, const std::string& name) {
    const bool known = is_known(name);
    const Unit unit = known ? units_[name] : Unit();
    int r = put_text(m, "LoadState", known ? "loaded" : "not-found");
    if (r >= 0) r = put_text(m, "ActiveState", unit.active);
    if (r >= 0) r = put_text(m, "SubState", unit.sub);
    if (r >= 0) r = put_text(m, "UnitFileState", known ? (unit.enabled ? "enabled" : "disabled") : "");
    if (r >= 0) r = put_text(m, "FragmentPath", known ? "/etc/systemd/system/" + name : "");
    if (r >= 0) r = ::sd_bus_message_append(m, "{sv}", "NeedDaemonReload", "b", 0);
    if (r >= 0) r = ::sd_bus_message_append(m, "{sv}", "InvocationID", "ay", 2, 0xab, unit.invocation);
    if (r >= 0)
      r = ::sd_bus_message_append(m, "{sv}", "Conditions", "a(sbbsi)", 1, "ConditionPathExists", 0, 0, "/x",
                                  1);
    return r;
  }

  static int put_service(sd_bus_message* m, const Unit& unit) {
    int r = ::sd_bus_message_append(m, "{sv}", "MainPID", "u", unit.pid);
    if (r >= 0) r = ::sd_bus_message_append(m, "{sv}", "NRestarts", "u", unit.restarts);
    if (r >= 0) r = ::sd_bus_message_append(m, "{sv}", "ExecMainCode", "i", unit.exit_code);
    if (r >= 0) r = ::sd_bus_message_append(m, "{sv}", "ExecMainStatus", "i", unit.exit_status);
    if (r >= 0) r = put_text(m, "Result", unit.result);
    if (r >= 0) r = ::sd_bus_message_append(m, "{sv}", "ExecMainStartTimestamp", "t", unit.started);
    if (r >= 0) r = ::sd_bus_message_append(m, "{sv}", "ExecMainExitTimestamp", "t", std::uint64_t{0});
    return r;
  }

  std::string address_;
  UniqueFd stop_;
  sd_bus* bus_ = nullptr;
  std::mutex mutex_;  // the test's thread looks and changes between messages
  std::map<std::string, Unit> units_;
  bool subscribed_ = false;
  std::uint32_t last_job_ = 0;
  std::uint32_t last_pid_ = 100;
  int reloads_ = 0;
  std::thread thread_;
};

}  // namespace slipway::test
