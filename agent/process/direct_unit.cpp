#include "agent/process/direct_unit.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <csignal>

#include "agent/domain/restart_policy.hpp"
#include "agent/domain/unit_parse.hpp"
#include "agent/process/unit_files.hpp"
#include "common/async/spawn.hpp"
#include "common/core/text.hpp"
#include "common/crypto/random.hpp"
#include "common/files/atomic_file.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t k_max_file = 256 * 1024;
constexpr Millis k_look_around{30'000};                // at a log that may have grown

WallTime wall_now() { return std::chrono::floor<Seconds>(std::chrono::system_clock::now()); }

}  // namespace

DirectUnit::DirectUnit(std::shared_ptr<DirectHost> host, std::string name) : host_(std::move(host)), name_(std::move(name)) {
  status_.name = name_;
  status_.sub_state = "dead";
}

std::string DirectUnit::file_path() const { return host_->options.unit_dir + "/" + name_; }
std::string DirectUnit::link_path() const { return host_->options.enabled_dir + "/" + name_; }
std::string DirectUnit::record_path() const { return host_->options.run_dir + "/" + name_ + ".run"; }
std::string DirectUnit::socket_path() const { return host_->options.run_dir + "/" + name_ + ".notify"; }
std::string DirectUnit::log_path() const { return host_->options.log_dir + "/" + name_ + ".log"; }

void DirectUnit::load() {
  stamp_ = file_stamp(file_path());
  spec_.reset();
  spec_problem_.clear();
  const auto text = read_file(file_path(), k_max_file);
  if (!text) {
    if (text.error().code != Errc::not_found) spec_problem_ = text.error().message;
    return;
  }
  auto parsed = parse_unit(name_, *text);
  if (parsed) {
    spec_ = std::move(*parsed);
  } else {
    spec_problem_ = parsed.error().message;
  }
}

UnitStatus DirectUnit::status() const {
  UnitStatus status = status_;
  status.load = spec_ ? UnitLoad::loaded : spec_problem_.empty() ? UnitLoad::not_found : UnitLoad::bad;
  if (status.load != UnitLoad::not_found) status.unit_file = file_path();
  status.needs_reload = file_stamp(file_path()) != stamp_;
  struct stat link {};
  status.enabled = ::lstat(link_path().c_str(), &link) == 0;
  return status;
}

void DirectUnit::set_state(UnitActivity active, const char* sub) {
  status_.active = active;
  status_.sub_state = sub;
  host_->news.insert(name_);
  host_->told.notify();
  event_.notify();
}

void DirectUnit::set_pause(std::chrono::seconds pause) {
  if (pause == pause_) return;
  pause_ = pause;
  if (alive_) save();
  event_.notify();
}

void DirectUnit::save() {
  RunRecord record;
  record.pid = main_ && !exit_ ? status_.main_pid : 0;
  record.start_time = start_time_;
  record.invocation = status_.invocation;
  record.restarts = status_.restarts;
  record.started = status_.started ? status_.started->time_since_epoch().count() : 0;
  record.pause_seconds = pause_.count();
  const Status saved = write_file_atomically(record_path(), to_text(record), 0600);
  if (!saved) log::warning("the record of a unit's run could not be written", {{"unit", name_}, {"error", saved.error()}});
}

void DirectUnit::adopt() {
  const auto text = read_file(record_path(), k_max_file);
  if (!text || !spec_) return;
  const auto record = parse_run_record(*text);
  if (!record) {
    log::warning("a record of a unit's run cannot be used", {{"unit", name_}, {"error", record.error()}});
    return;
  }
  status_.invocation = record->invocation;
  status_.restarts = record->restarts;
  status_.started = WallTime(Seconds(record->started));
  pause_ = std::chrono::seconds(record->pause_seconds);
  start_time_ = record->start_time;
  // It may have said that it is ready while nobody listened, and says so only once.
  ready_ = true;
  adopted_ = find_child(*record);
  lost_ = !adopted_;
  main_ = true;
  if (adopted_) {
    status_.main_pid = record->pid;
    set_state(UnitActivity::active, "running");
  } else {
    set_state(UnitActivity::activating, "auto-restart");
  }
  // Otherwise stop() does: until then the unit is another's.
  if (!host_->options.only_ends) spawn_keeper();
}

void DirectUnit::close() {
  for (const Descriptor& one : {process_, notify_, gate_}) {
    if (one) one->cancel();
  }
  event_.notify();
}

void DirectUnit::spawn_keeper() {
  alive_ = true;
  stop_ = false;
  spawn_detached(host_->executor, "unit " + name_, keep(shared_from_this()));
}

// ---- jobs ---------------------------------------------------------------------------------------------------------

std::string DirectUnit::failure() const {
  if (!trouble_.empty()) return trouble_;
  const std::string why = describe_exit(status_);
  return "it failed" + (why.empty() ? "" : ": " + why) + "; see " + log_path();
}

asio::awaitable<Status> DirectUnit::until_told(Instant until) {
  const auto left = std::chrono::ceil<Millis>(until - steady_clock::now());
  asio::awaitable<bool> waiting = event_.wait(std::clamp(left, Millis(0), k_look_around));
  co_await std::move(waiting);
  const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
  if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "waiting for " + name_ + ": canceled");
  co_return Status{};
}

asio::awaitable<Status> DirectUnit::start() {
  const std::shared_ptr<DirectUnit> self = shared_from_this();
  const Instant deadline = steady_clock::now() + host_->options.job_limit;
  if (!spec_problem_.empty()) co_return make_error(Errc::invalid, spec_problem_);
  if (!spec_) co_return make_error(Errc::not_found, "start " + name_ + ": there is no " + file_path());
  while (alive_ && stop_ && !host_->closing && steady_clock::now() < deadline) {
    asio::awaitable<Status> waiting = until_told(deadline);
    if (const Status told = co_await std::move(waiting); !told) co_return told;
  }
  if (alive_ && status_.running()) co_return Status{};
  std::uint64_t before = begun_;
  if (!alive_) {
    status_.restarts = 0;
    spawn_keeper();
  } else if (status_.waiting()) {
    status_.restarts = 0;
    hurry_ = true;
    event_.notify();
  } else {
    --before;  // on its way already
  }
  for (;;) {
    if (host_->closing) co_return make_error(Errc::unavailable, "start " + name_ + ": the supervisor ends");
    if (begun_ != before && status_.running()) co_return Status{};
    const bool over = begun_ != before && (!alive_ || status_.waiting());
    if (over && status_.active == UnitActivity::inactive) co_return Status{};
    if (over) co_return make_error(Errc::internal, "start " + name_ + ": " + failure());
    if (steady_clock::now() >= deadline) co_return make_error(Errc::timeout, "start " + name_ + ": it did not become ready in time");
    asio::awaitable<Status> waiting = until_told(deadline);
    if (const Status told = co_await std::move(waiting); !told) co_return told;
  }
}

asio::awaitable<Status> DirectUnit::stop() {
  const std::shared_ptr<DirectUnit> self = shared_from_this();
  const Instant deadline = steady_clock::now() + host_->options.job_limit;
  if (!alive_ && (adopted_ || lost_)) spawn_keeper();
  stop_ = alive_;
  event_.notify();
  while (alive_) {
    if (host_->closing) co_return make_error(Errc::unavailable, "stop " + name_ + ": the supervisor ends");
    if (steady_clock::now() >= deadline) co_return make_error(Errc::timeout, "stop " + name_ + ": its processes do not end");
    asio::awaitable<Status> waiting = until_told(deadline);
    if (const Status told = co_await std::move(waiting); !told) co_return told;
  }
  // What failed before counts as stopped now.
  if (status_.active == UnitActivity::failed) set_state(UnitActivity::inactive, "dead");
  co_return Status{};
}

// ---- the keeper ---------------------------------------------------------------------------------------------------

asio::awaitable<Status> DirectUnit::keep(std::shared_ptr<DirectUnit> self) {
  for (;;) {
    asio::awaitable<Status> running = self->run_once();
    co_await std::move(running);
    if (self->host_->closing) co_return Status{};
    self->note_end();
    if (self->stop_ || !self->comes_back()) break;
    asio::awaitable<Status> waiting = self->wait_pause();
    co_await std::move(waiting);
    if (self->host_->closing) co_return Status{};
    if (self->stop_) break;
    self->status_.restarts += self->hurry_ ? 0 : 1;
    self->hurry_ = false;
  }
  self->finish();
  co_return Status{};
}

bool DirectUnit::conditions_met() const {
  return std::all_of(spec_->condition_paths.begin(), spec_->condition_paths.end(),
                     [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; });
}

asio::awaitable<Status> DirectUnit::run_once() {
  exit_.reset();
  ended_ = Instant{};
  ending_.clear();
  trouble_.clear();
  kill_at_ = Instant::max();
  skipped_ = false;
  ++begun_;
  if (std::exchange(lost_, false)) {
    exit_ = ChildEnd{};
    co_return Status{};
  }
  if (adopted_) {
    watch(std::move(*std::exchange(adopted_, std::nullopt)));
    asio::awaitable<Status> attending = attend(true);
    co_return co_await std::move(attending);
  }
  ready_ = false;
  skipped_ = !spec_ || !conditions_met();
  if (skipped_) co_return Status{};
  status_.invocation = to_hex(random_bytes(16));
  const std::vector<std::vector<std::string>> before = spec_->exec_pre;
  for (const std::vector<std::string>& argv : before) {
    if (!spec_ || !launch(argv, false)) co_return Status{};
    asio::awaitable<Status> attending = attend(false);
    co_await std::move(attending);
    if (host_->closing || stop_ || exit_->kind != ExitKind::exited || exit_->status != 0) co_return Status{};
    exit_.reset();
  }
  // Its file may have gone meanwhile.
  if (!spec_ || !launch(spec_->exec, true)) co_return Status{};
  asio::awaitable<Status> attending = attend(true);
  co_return co_await std::move(attending);
}

void DirectUnit::note_end() {
  for (Descriptor* one : {&process_, &notify_, &gate_}) {
    const Descriptor ending = std::exchange(*one, nullptr);
    if (ending) ending->cancel();
  }
  ::unlink(socket_path().c_str());
  pidfd_.reset();
  status_.main_pid = 0;
  status_.ended = wall_now();
  if (ended_ == Instant{}) ended_ = steady_clock::now();
  status_.exit_kind = exit_ ? exit_->kind : ExitKind::none;
  status_.exit_status = exit_ ? exit_->status : 0;
  const bool asked = ending_ == "success";
  if (skipped_ || (asked && status_.exit_kind != ExitKind::dumped)) {
    status_.result = "success";
  } else if (ending_ == "timeout") {
    status_.result = "timeout";
  } else if (!trouble_.empty()) {
    status_.result = "resources";
  } else if (status_.exit_kind == ExitKind::none) {
    status_.result = "lost";
  } else if (status_.exit_kind == ExitKind::exited) {
    status_.result = status_.exit_status == 0 ? "success" : "exit-code";
  } else {
    const bool oom = status_.exit_status == SIGKILL && host_->cgroups.oom_kills(name_) > oom_kills_;
    status_.result = oom ? "oom-kill" : status_.exit_kind == ExitKind::dumped ? "core-dump" : "signal";
  }
}

bool DirectUnit::comes_back() const {
  if (skipped_ || !spec_ || host_->options.only_ends) return false;
  if (spec_->restart.when == RestartWhen::on_failure) return status_.result != "success";
  return spec_->restart.when == RestartWhen::always;
}

asio::awaitable<Status> DirectUnit::wait_pause() {
  save();
  set_state(UnitActivity::activating, "auto-restart");
  for (;;) {
    const Millis pause = spec_ ? std::max<Millis>(spec_->restart.delay, pause_) : Millis(pause_);
    const Instant until = ended_ + pause;
    if (host_->closing || stop_ || hurry_ || steady_clock::now() >= until) co_return Status{};
    asio::awaitable<Status> waiting = until_told(until);
    co_await std::move(waiting);
  }
}

void DirectUnit::finish() {
  const bool well = status_.result == "success" || stop_;
  alive_ = false;
  stop_ = false;
  hurry_ = false;
  ::unlink(record_path().c_str());
  host_->cgroups.remove(name_);
  set_state(well ? UnitActivity::inactive : UnitActivity::failed, well ? "dead" : "failed");
}

}  // namespace slipway
