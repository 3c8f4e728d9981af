#include "coordinator/service/route_sync.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "common/async/spawn.hpp"
#include "common/log/log.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr Millis k_first_retry{1'000};
constexpr Millis k_longest_retry{300'000};

std::string text_of(const OutsideRoute& route) { return route.destination.to_string() + " via " + route.next_hop.to_string(); }

RouteTrouble trouble_of(const RouteConflict& conflict) {
  return {conflict.wanted.node, "route " + text_of(conflict.wanted) + " cannot be set: " + conflict.there.destination.to_string() + " leads to " +
                                    conflict.there.next_hop.to_string() + " there, and that is not ours"};
}

}  // namespace

RouteSync::RouteSync(RouteSyncDeps deps) : deps_(std::move(deps)) {}

void RouteSync::nodes_changed() {
  changed_ = true;
  news_.notify();
}

std::vector<RouteTrouble> RouteSync::trouble() const {
  std::vector<RouteTrouble> all = conflicts_;
  for (const auto& [destination, retry] : retries_) all.push_back(retry.trouble);
  return all;
}

// What is no more to do needs no more pauses.
void RouteSync::forget_old_retries(const RoutePlan& plan) {
  std::set<Cidr> open;
  for (const OutsideRoute& route : plan.set) open.insert(route.destination);
  for (const OutsideRoute& route : plan.remove) open.insert(route.destination);
  std::erase_if(retries_, [&open](const auto& retry) { return open.count(retry.first) == 0; });
}

std::deque<RouteSync::Job> RouteSync::due_jobs(const RoutePlan& plan) {
  const SteadyTime now = deps_.clock.steady();
  std::deque<Job> jobs;
  const auto add = [this, now, &jobs](const OutsideRoute& route, bool remove) {
    const auto retry = retries_.find(route.destination);
    if (retry == retries_.end() || retry->second.not_before <= now) jobs.push_back({route, remove});
  };
  for (const OutsideRoute& route : plan.remove) add(route, true);
  for (const OutsideRoute& route : plan.set) add(route, false);
  return jobs;
}

asio::awaitable<Status> RouteSync::pass() {
  if (!loaded_) {
    asio::awaitable<Result<std::vector<OwnRoute>>> loading = deps_.notes.load();
    auto loaded = co_await std::move(loading);
    if (!loaded) co_return context(loaded.error(), "reading which routes are ours");
    own_ = std::move(*loaded);
    loaded_ = true;
  }
  asio::awaitable<Result<std::vector<FoundRoute>>> listing = deps_.hook.list();
  const auto found = co_await std::move(listing);
  if (!found) co_return context(found.error(), "listing the routes outside");
  const std::vector<OutsideRoute> wanted = deps_.wanted();
  const RoutePlan plan = plan_outside(wanted, own_, *found);
  conflicts_.clear();
  for (const RouteConflict& conflict : plan.conflicts) conflicts_.push_back(trouble_of(conflict));
  routes_ = wanted.size() - plan.conflicts.size() - plan.set.size();
  forget_old_retries(plan);
  std::vector<OwnRoute> noted = noted_before(own_, plan);
  if (noted != own_) {
    asio::awaitable<Status> saving = deps_.notes.save(noted);
    const Status saved = co_await std::move(saving);
    if (!saved) co_return context(saved.error(), "noting which routes are ours");
    own_ = std::move(noted);
  }
  asio::awaitable<Status> doing = carry_out(due_jobs(plan));
  co_return co_await std::move(doing);
}

asio::awaitable<Status> RouteSync::carry_out(std::deque<Job> jobs) {
  if (jobs.empty()) co_return Status{};
  const std::vector<OwnRoute> before = own_;
  {
    TaskGroup group(deps_.executor);
    const std::size_t at_once = std::min(jobs.size(), std::max<std::size_t>(deps_.concurrency, 1));
    for (std::size_t i = 0; i < at_once; ++i) group.spawn("route hook", work_off(&jobs));
    asio::awaitable<Status> waiting = group.wait();
    const Status worked = co_await std::move(waiting);
    if (!worked) co_return worked;
  }
  if (own_ == before) co_return Status{};
  asio::awaitable<Status> saving = deps_.notes.save(own_);
  const Status saved = co_await std::move(saving);
  co_return saved ? Status{} : Status(context(saved.error(), "noting which routes are ours"));
}

asio::awaitable<Status> RouteSync::work_off(std::deque<Job>* jobs) {
  while (!jobs->empty()) {
    const Job job = std::move(jobs->front());
    jobs->pop_front();
    asio::awaitable<Status> calling = call(job);
    const Status done = co_await std::move(calling);
    if (!done && done.error().code == Errc::canceled) co_return done;
    settle(job, done);
  }
  co_return Status{};
}

asio::awaitable<Status> RouteSync::call(Job job) {
  asio::awaitable<Status> calling = job.remove ? deps_.hook.remove(job.route) : deps_.hook.create(job.route);
  co_return co_await std::move(calling);
}

void RouteSync::settle(const Job& job, const Status& done) {
  if (done) {
    log::info(job.remove ? "route outside removed" : "route outside set", {{"route", text_of(job.route)}, {"node", job.route.node}});
    retries_.erase(job.route.destination);
    if (job.remove) {
      note_removed(own_, job.route.destination);
    } else {
      note_set(own_, job.route);
      ++routes_;
    }
    return;
  }
  const auto [retry, first] = retries_.try_emplace(
      job.route.destination, Retry{Backoff(k_first_retry, k_longest_retry, deps_.seed + retries_.size()), {}, {}});
  retry->second.not_before = deps_.clock.steady() + retry->second.backoff.next();
  retry->second.trouble = {job.route.node, std::string("route ") + text_of(job.route) + (job.remove ? " was not removed: " : " was not set: ") + done.error().message};
  if (first) log::warning("the routes hook failed, it is tried again", {{"route", text_of(job.route)}, {"error", done.error()}});
}

Millis RouteSync::until_next() const {
  Millis wait = deps_.period;
  const SteadyTime now = deps_.clock.steady();
  for (const auto& [destination, retry] : retries_) {
    const auto left = std::chrono::ceil<Millis>(retry.not_before - now);
    wait = std::clamp(left, Millis(0), wait);
  }
  return wait;
}

asio::awaitable<Status> RouteSync::run() {
  Backoff backoff(k_first_retry, k_longest_retry, deps_.seed);
  for (;;) {
    changed_ = false;
    asio::awaitable<Status> passing = pass();
    const Status passed = co_await std::move(passing);
    if (!passed && passed.error().code == Errc::canceled) co_return passed;
    if (passed) backoff.reset();
    else if (message_ != passed.error().message) log::warning("the routes outside are not looked after", {{"error", passed.error()}});
    message_ = passed ? std::string() : passed.error().message;
    if (!passed) {
      // News do not shorten the pause after a failure.
      asio::awaitable<Status> pausing = deps_.clock.sleep_for(backoff.next());
      const Status paused = co_await std::move(pausing);
      if (!paused) co_return paused;
      continue;
    }
    if (changed_) continue;  // meanwhile: a storm of joins is met by one pass after the other
    asio::awaitable<bool> waiting = news_.wait(until_next());
    (void)co_await std::move(waiting);
  }
}

}  // namespace slipway
