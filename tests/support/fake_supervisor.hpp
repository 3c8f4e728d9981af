#pragma once
// The ProcessSupervisor port in memory. Passes the contract of the real one.
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include "agent/ports/process_supervisor.hpp"
#include "common/async/notifier.hpp"

namespace slipway::test {

class FakeSupervisor final : public ProcessSupervisor {
 public:
  // How the unit behaves when it is started.
  struct Behaviour {
    std::optional<std::int32_t> fails_with;  // exit code
  };

  // A unit file appears on disk; reload() makes it known.
  void install(const std::string& name, Behaviour behaviour) { files_[name] = behaviour; }
  void install(const std::string& name) { install(name, Behaviour()); }
  void uninstall(const std::string& name) { files_.erase(name); }
  // Instead of install(): *.service files of this folder are known after reload().
  std::string unit_folder;

  // The process ends by itself and the supervisor starts it again.
  void crash(const std::string& name, ExitKind kind, std::int32_t exit_status) {
    UnitStatus& unit = units_[name];
    unit.exit_kind = kind;
    unit.exit_status = exit_status;
    unit.result = kind == ExitKind::exited ? "exit-code" : "signal";
    unit.active = UnitActivity::activating;
    unit.sub_state = "auto-restart";
    unit.main_pid = 0;
    if (pauses[name].count() == 0) come_back(unit);
    tell(name);
  }
  // Somebody looks at `name` anew.
  void tell(const std::string& name) {
    news_.insert(name);
    told_.notify();
  }
  std::map<std::string, std::chrono::seconds> pauses;

  UnitStatus& unit(const std::string& name) { return units_[name]; }
  std::vector<std::string> calls;            // "reload", "start kubelet.service", "enable a.service" ...
  std::map<std::string, Error> call_errors;  // by the text in `calls`
  int count(const std::string& call) const {
    return static_cast<int>(std::count(calls.begin(), calls.end(), call));
  }

  boost::asio::awaitable<Status> reload() override {
    if (auto status = record("reload"); !status) co_return status;
    scan_folder();
    for (const auto& [name, behaviour] : files_) {
      UnitStatus& known = units_[name];
      known.name = name;
      known.load = UnitLoad::loaded;
      known.unit_file = "/etc/systemd/system/" + name;
      known.needs_reload = false;
    }
    for (auto& [name, known] : units_)
      if (files_.count(name) == 0) known.load = UnitLoad::not_found;
    co_return Status{};
  }
  boost::asio::awaitable<Status> enable(std::vector<std::string> names) override {
    co_return set_enabled("enable", names, true);
  }
  boost::asio::awaitable<Status> disable(std::vector<std::string> names) override {
    co_return set_enabled("disable", names, false);
  }
  boost::asio::awaitable<Status> start(std::string name) override {
    if (auto status = record("start " + name); !status) co_return status;
    if (!known(name)) co_return missing(name);
    UnitStatus& unit = units_[name];
    if (unit.running()) co_return Status{};
    co_return run(unit);
  }
  boost::asio::awaitable<Status> restart(std::string name) override {
    if (auto status = record("restart " + name); !status) co_return status;
    if (!known(name)) co_return missing(name);
    co_return run(units_[name]);
  }
  boost::asio::awaitable<Status> stop(std::string name) override {
    if (auto status = record("stop " + name); !status) co_return status;
    if (!known(name)) co_return Status{};
    UnitStatus& unit = units_[name];
    unit.active = UnitActivity::inactive;
    unit.sub_state = "dead";
    unit.main_pid = 0;
    co_return Status{};
  }
  boost::asio::awaitable<Result<UnitStatus>> status(std::string name) override {
    const auto error = call_errors.find("status " + name);
    if (error != call_errors.end()) co_return error->second;
    const auto it = units_.find(name);
    if (it != units_.end()) co_return it->second;
    UnitStatus none;
    none.name = name;
    co_return none;
  }
  boost::asio::awaitable<Status> set_pause(std::string name, std::chrono::seconds pause) override {
    if (auto status = record("pause " + name + " " + std::to_string(pause.count())); !status) co_return status;
    pauses[name] = pause;
    if (pause.count() == 0 && units_[name].waiting()) come_back(units_[name]);
    co_return Status{};
  }
  boost::asio::awaitable<Result<std::vector<std::string>>> changed() override {
    while (news_.empty()) {
      boost::asio::awaitable<bool> waiting = told_.wait(Millis(60'000));
      co_await std::move(waiting);
      const boost::asio::cancellation_state cancelled = co_await boost::asio::this_coro::cancellation_state;
      if (cancelled.cancelled() != boost::asio::cancellation_type::none) co_return make_error(Errc::canceled, "canceled");
    }
    const std::vector<std::string> names(news_.begin(), news_.end());
    news_.clear();
    co_return names;
  }

 private:
  Status record(const std::string& call) {
    calls.push_back(call);
    const auto error = call_errors.find(call);
    if (error != call_errors.end()) return error->second;
    return {};
  }
  bool known(const std::string& name) const {
    const auto it = units_.find(name);
    return it != units_.end() && it->second.load == UnitLoad::loaded;
  }
  static Error missing(const std::string& name) {
    return make_error(Errc::not_found, "unit " + name + " not found");
  }

  void scan_folder() {
    if (unit_folder.empty()) return;
    std::map<std::string, Behaviour> found;
    std::error_code ec;
    for (const auto& entry : std::filesystem::directory_iterator(unit_folder, ec)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".service")) found[name] = files_.count(name) != 0 ? files_[name] : Behaviour();
    }
    files_ = found;
  }
  Status set_enabled(const std::string& verb, const std::vector<std::string>& names, bool enabled) {
    for (const std::string& name : names) {
      if (auto status = record(verb + " " + name); !status) return status;
      if (enabled && !known(name)) return missing(name);
      if (known(name)) units_[name].enabled = enabled;
    }
    return {};
  }
  void come_back(UnitStatus& unit) {
    const std::string result = unit.result;
    const std::uint32_t restarts = unit.restarts + 1;
    begin(unit);
    unit.result = result;
    unit.restarts = restarts;
  }
  void begin(UnitStatus& unit) {
    unit.active = UnitActivity::active;
    unit.sub_state = "running";
    unit.result = "success";
    unit.main_pid = ++last_pid_;
    unit.restarts = 0;
    unit.invocation = std::to_string(last_pid_);
    unit.started = WallTime(Seconds(last_pid_));
  }
  Status run(UnitStatus& unit) {
    begin(unit);
    const auto fails_with = files_[unit.name].fails_with;
    if (!fails_with) return {};
    unit.active = UnitActivity::failed;
    unit.sub_state = "failed";
    unit.main_pid = 0;
    unit.result = "exit-code";
    unit.exit_kind = ExitKind::exited;
    unit.exit_status = *fails_with;
    return make_error(Errc::internal,
                      "start " + unit.name + ": it failed: exited with code " + std::to_string(*fails_with));
  }

  std::set<std::string> news_;
  Notifier told_;
  std::map<std::string, Behaviour> files_;
  std::map<std::string, UnitStatus> units_;
  std::int32_t last_pid_ = 1000;
};

}  // namespace slipway::test
