#include "coordinator/routes/program_hook.hpp"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <utility>

#include "common/core/text.hpp"
#include "common/core/time.hpp"
#include "common/core/unique_fd.hpp"
#include "common/process/run_program.hpp"
#include "proto/codec.hpp"
#include "proto/config_reference.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_max_answer = std::size_t{16} << 20;  // 100,000 routes are some 7 MiB
constexpr std::size_t k_max_routes = 100'000;
constexpr std::size_t k_max_words = 300;
constexpr Seconds k_longest_call{300};

}  // namespace

struct ProgramHook::Shared {
  ProgramHookSettings settings;
  UniqueFd stop;

  // On a worker.
  Result<std::string> call(const proto::HookRequest& request) const {
    const std::string& program = settings.command.front();
    if (const Status safe = check_hook_program(program); !safe) return safe.error();
    const auto output = run_program(settings.command, proto::encode(request) + "\n", settings.timeout, k_max_answer, stop.get());
    if (!output) return context(output.error(), "routes hook, " + request.action);
    if (output->exit_code == 0) return output->out;
    const std::string words = last_words(output->err);
    return make_error(Errc::unavailable, "routes hook " + program + ", " + request.action + ": exit code " + std::to_string(output->exit_code) +
                                             (words.empty() ? std::string(", and it says nothing on standard error") : ": " + words));
  }

  proto::HookRequest request(const std::string& action) const {
    proto::HookRequest made;
    made.action = action;
    made.cluster_name = settings.cluster_name;
    made.cluster_id = settings.cluster_id;
    return made;
  }
};

Problems hook_problems(const proto::RoutesHook& hook) {
  Problems problems;
  if (hook.command.empty() || !hook.command.front().starts_with('/')) problems.add("/routesHook/command", "must begin with the absolute path of a program");
  const auto timeout = parse_duration(hook.timeout);
  if (!timeout || *timeout < Seconds(1) || *timeout > k_longest_call) problems.add("/routesHook/timeout", "must be 1s to 5m");
  const auto calls = proto::note_of(proto::coordinator_notes(), "routesHook.concurrency");
  if (auto problem = proto::bounds_problem(calls, hook.concurrency)) problems.add("/routesHook/concurrency", *problem);
  const auto period = parse_duration(hook.period);
  if (!period || *period < Seconds(1) || *period > Seconds(86400)) problems.add("/routesHook/period", "must be 1s to 24h");
  return problems;
}

Result<ProgramHookSettings> hook_settings(const proto::RoutesHook& hook) {
  const Problems problems = hook_problems(hook);
  if (!problems.none()) return problems.error(Errc::invalid);
  ProgramHookSettings settings;
  settings.command = hook.command;
  settings.timeout = *parse_duration(hook.timeout);
  settings.concurrency = static_cast<std::size_t>(hook.concurrency);
  return settings;
}

Status check_hook_program(const std::string& path) {
  struct stat seen {};
  if (::stat(path.c_str(), &seen) != 0) return from_errno("routes hook " + path, errno);
  if (!S_ISREG(seen.st_mode)) return make_error(Errc::denied, "routes hook " + path + " is no file");
  const bool own = seen.st_uid == 0 || seen.st_uid == ::geteuid();
  if (own && (seen.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return make_error(Errc::denied, "routes hook " + path + " can be written by others, who would run with the coordinator's rights: chown root and chmod go-w it");
}

std::string last_words(const std::string& standard_error) {
  std::string_view text = trim(standard_error);
  const auto line = text.rfind('\n');
  if (line != std::string_view::npos) text = trim(text.substr(line + 1));
  std::string words(text.substr(0, k_max_words));
  std::replace_if(words.begin(), words.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return words;
}

Result<std::vector<FoundRoute>> parse_routes(const std::string& answer) {
  const auto decoded = proto::decode<proto::HookAnswer>(answer);
  if (!decoded) return make_error(Errc::corrupt, "the routes hook's answer to list: " + decoded.error().message);
  if (decoded->routes.size() > k_max_routes) return make_error(Errc::corrupt, "the routes hook's answer to list has more than 100000 routes");
  std::vector<FoundRoute> routes;
  routes.reserve(decoded->routes.size());
  for (const proto::HookFound& route : decoded->routes) {
    const auto destination = Cidr::parse(route.destination);
    if (!destination) return context(destination.error(), "the routes hook's answer to list: destination");
    // Those that lead into a gateway, a tunnel or nowhere have no address for a next hop: in the way of ours all the same.
    const auto next_hop = IpAddress::parse(route.next_hop);
    routes.push_back({*destination, next_hop ? *next_hop : IpAddress()});
  }
  return routes;
}

ProgramHook::ProgramHook(std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)), workers_(std::make_unique<Workers>(static_cast<int>(shared_->settings.concurrency))) {}

ProgramHook::~ProgramHook() { stop(); }

Result<std::unique_ptr<ProgramHook>> ProgramHook::make(ProgramHookSettings settings) {
  auto shared = std::make_shared<Shared>();
  shared->settings = std::move(settings);
  shared->stop.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shared->stop) return from_errno("make an event for stopping the routes hook", errno);
  return std::unique_ptr<ProgramHook>(new ProgramHook(std::move(shared)));
}

void ProgramHook::stop() {
  // Nobody reads it: it stays readable.
  (void)::eventfd_write(shared_->stop.get(), 1);
}

asio::awaitable<Result<std::vector<FoundRoute>>> ProgramHook::list() {
  using Routes = std::vector<FoundRoute>;
  const std::shared_ptr<Shared> shared = shared_;
  std::function<Result<Routes>()> job = [shared]() -> Result<Routes> {
    const auto answer = shared->call(shared->request("list"));
    if (!answer) return answer.error();
    return parse_routes(*answer);
  };
  asio::awaitable<Result<Routes>> listing = offload<Routes>(*workers_, std::move(job));
  co_return co_await std::move(listing);
}

asio::awaitable<Status> ProgramHook::create(OutsideRoute route) { return change("create", std::move(route)); }

asio::awaitable<Status> ProgramHook::remove(OutsideRoute route) { return change("delete", std::move(route)); }

asio::awaitable<Status> ProgramHook::change(std::string action, OutsideRoute route) {
  const std::shared_ptr<Shared> shared = shared_;
  std::function<Result<bool>()> job = [shared, action, route]() -> Result<bool> {
    proto::HookRequest request = shared->request(action);
    request.route = proto::HookRoute{route.destination.to_string(), route.next_hop.to_string(), route.node,
                                     outside_name(shared->settings.cluster_name, route.destination)};
    for (const IpAddress& hop : route.replaces) request.route->replaces.push_back(hop.to_string());
    const auto answer = shared->call(request);
    if (!answer) return answer.error();
    return true;
  };
  asio::awaitable<Result<bool>> changing = offload<bool>(*workers_, std::move(job));
  const Result<bool> done = co_await std::move(changing);
  co_return done ? Status{} : Status(done.error());
}

}  // namespace slipway
