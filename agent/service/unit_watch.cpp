#include "agent/service/unit_watch.hpp"

#include <algorithm>
#include <utility>

#include "agent/service/rounds.hpp"
#include "common/log/log.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr Millis k_spacing{200};
constexpr Millis k_round{10'000};
constexpr Millis k_held_round{3'000};  // what was taken away is back within

// Which end of a process a status tells of; empty: of none that is worth telling.
std::string end_in(const UnitStatus& status) {
  const bool ended = status.exit_kind != ExitKind::none || status.result == "lost" || status.result == "resources";
  if (!ended || (status.result == "success" && !status.waiting())) return "";
  const std::int64_t at = status.ended ? status.ended->time_since_epoch().count() : 0;
  return std::to_string(at) + " " + std::to_string(status.restarts) + (status.waiting() ? " waiting" : "");
}

// Times and counts are told with the next report; these are news.
bool is_news(const UnitStatus& before, const UnitStatus& now) {
  return before.active != now.active || before.sub_state != now.sub_state || before.restarts != now.restarts ||
         before.main_pid != now.main_pid;
}

}  // namespace

bool UnitWatch::is_component(const std::string& name) const {
  if (!deps_.state.last_pass) return false;
  const auto& components = deps_.state.last_pass->components;
  return std::any_of(components.begin(), components.end(), [&name](const ComponentOutcome& c) { return c.unit == name; });
}

bool UnitWatch::held_any() const {
  return std::any_of(watched_.begin(), watched_.end(), [](const auto& watched) { return watched.second.pause.count() > 0; });
}

asio::awaitable<Status> UnitWatch::look(std::string name) {
  if (!is_component(name)) co_return Status{};
  asio::awaitable<Result<UnitStatus>> asking = deps_.supervisor.status(name);
  const Result<UnitStatus> status = co_await std::move(asking);
  if (!status) co_return status.error();
  const auto before = deps_.state.units.find(name);
  const bool news = before == deps_.state.units.end() || is_news(before->second, *status);
  deps_.state.units[name] = *status;
  const auto pause = watched_[name].backoff.observe(*status, deps_.clock.steady(), deps_.clock.wall());
  asio::awaitable<Status> holding = hold_back(name, pause);
  const Status held = co_await std::move(holding);
  const std::string end = end_in(*status);
  if (!end.empty() && std::exchange(watched_[name].last_end, end) != end) {
    asio::awaitable<Status> reading = read_log(name);
    if (const Status read = co_await std::move(reading); !read) co_return read;
  }
  if (news) deps_.state.report.set();
  // Drift: somebody stopped it. One that failed is the supervisor's to start again.
  if (news && status->active == UnitActivity::inactive) deps_.state.reconcile.set();
  co_return held;
}

asio::awaitable<Status> UnitWatch::hold_back(std::string name, std::chrono::seconds pause) {
  // A pause is told again and again: somebody may have taken it away.
  if (watched_[name].known && watched_[name].pause == pause && pause.count() == 0) co_return Status{};
  asio::awaitable<Status> setting = deps_.supervisor.set_pause(name, pause);
  if (const Status set = co_await std::move(setting); !set) co_return set;
  Watched& watched = watched_[name];
  const bool told = std::exchange(watched.known, true);
  const auto before = std::exchange(watched.pause, pause);
  deps_.state.notes[name].pause = pause;
  if (!told || pause != before) deps_.state.report.set();
  if (pause > before) {
    const auto unit = deps_.state.units.find(name);
    const std::string why = unit == deps_.state.units.end() ? "" : describe_exit(unit->second);
    log::warning("a component ends again and again; its next start waits", {{"unit", name}, {"seconds", pause.count()}, {"why", why}});
  } else if (told && pause < before) {
    log::info("a component runs well again", {{"unit", name}});
  }
  co_return Status{};
}

// Its last words are for people: that they cannot be had stops nothing.
asio::awaitable<Status> UnitWatch::read_log(std::string name) {
  using Lines = std::vector<std::string>;
  UnitLog* log = &deps_.log;
  std::function<Result<Lines>()> read = [log, name] { return log->last_lines(name); };
  asio::awaitable<Result<Lines>> reading = offload<Lines>(deps_.workers, std::move(read));
  Result<Lines> lines = co_await std::move(reading);
  if (!lines && lines.error().code == Errc::canceled) co_return lines.error();
  if (lines) {
    deps_.state.notes[name].last_lines = std::move(*lines);
    deps_.state.report.set();
  } else if (trouble_.worth_logging(lines.error().message, deps_.clock.steady())) {
    log::warning("the last lines of a component's log cannot be read", {{"unit", name}, {"error", lines.error()}});
  }
  co_return Status{};
}

asio::awaitable<Status> UnitWatch::run() {
  for (;;) {
    asio::awaitable<Result<std::vector<std::string>>> changing = deps_.supervisor.changed();
    const Result<std::vector<std::string>> names = co_await std::move(changing);
    if (!names && names.error().code == Errc::canceled) co_return names.error();
    Status looked;
    if (names) {
      for (const std::string& name : *names) {
        asio::awaitable<Status> looking = look(name);
        const Status one = co_await std::move(looking);
        if (!one && one.error().code == Errc::canceled) co_return one.error();
        if (!one) looked = one;
      }
    } else {
      looked = names.error();
    }
    if (!looked && trouble_.worth_logging(looked.error().message, deps_.clock.steady()))
      log::warning("units cannot be watched", {{"error", looked.error()}});
    asio::awaitable<Status> sleeping = deps_.clock.sleep_for(names ? k_spacing : k_round);
    if (const Status slept = co_await std::move(sleeping); !slept) co_return slept.error();
  }
}

asio::awaitable<Status> UnitWatch::run_rounds() {
  for (;;) {
    asio::awaitable<Status> sleeping = deps_.clock.sleep_for(until_round(deps_.clock.steady(), held_any() ? k_held_round : k_round));
    if (const Status slept = co_await std::move(sleeping); !slept) co_return slept.error();
    std::vector<std::string> names;
    for (const auto& [name, unit] : deps_.state.units) {
      const auto watched = watched_.find(name);
      if (watched == watched_.end() || !watched->second.known || watched->second.pause.count() > 0) names.push_back(name);
    }
    for (const std::string& name : names) {
      asio::awaitable<Status> looking = look(name);
      const Status looked = co_await std::move(looking);
      if (!looked && looked.error().code == Errc::canceled) co_return looked.error();
    }
  }
}

}  // namespace slipway
