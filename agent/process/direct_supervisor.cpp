#include "agent/process/direct_supervisor.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>

#include "agent/domain/unit_order.hpp"
#include "agent/process/direct_unit.hpp"
#include "common/files/atomic_file.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr char k_record_end[] = ".run";
constexpr char k_boot_mark[] = "/started";
constexpr Millis k_news_round{60'000};

std::vector<std::string> names_in(const std::string& dir, std::string_view end) {
  std::vector<std::string> names;
  std::error_code ec;
  for (std::filesystem::directory_iterator it(dir, ec), last; !ec && it != last; it.increment(ec)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(end)) names.push_back(name.substr(0, name.size() - end.size()));
  }
  return names;
}

// Also what comes from a name is a path.
bool is_plain(const std::string& name) {
  return name.ends_with(".service") && name.find('/') == std::string::npos && name.size() < 256;
}

}  // namespace

struct DirectSupervisor::Impl {
  Impl(asio::any_io_executor executor, DirectOptions options)
      : host(std::make_shared<DirectHost>(std::move(executor), std::move(options))) {}

  // Errc::invalid: no name of a service.
  Result<std::shared_ptr<DirectUnit>> unit(const std::string& name);
  Status link(const std::string& name);

  std::shared_ptr<DirectHost> host;
  std::map<std::string, std::shared_ptr<DirectUnit>> units;
};

Result<std::shared_ptr<DirectUnit>> DirectSupervisor::Impl::unit(const std::string& name) {
  if (!is_plain(name)) return make_error(Errc::invalid, "\"" + name + "\" is no name of a service");
  std::shared_ptr<DirectUnit>& found = units[name];
  if (!found) {
    found = std::make_shared<DirectUnit>(host, name);
    found->load();
  }
  return found;
}

Status DirectSupervisor::Impl::link(const std::string& name) {
  const auto found = unit(name);
  if (!found) return found.error();
  if (!(*found)->loaded()) return make_error(Errc::not_found, "enable " + name + ": there is no unit file " + (*found)->file_path());
  if (Status made = make_dirs(host->options.enabled_dir, 0755); !made) return context(made.error(), "enable " + name);
  if (::symlink((*found)->file_path().c_str(), (*found)->link_path().c_str()) != 0 && errno != EEXIST)
    return make_error(Errc::internal, "enable " + name + ": " + std::strerror(errno));
  return sync_dir(host->options.enabled_dir);
}

DirectSupervisor::DirectSupervisor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<DirectSupervisor>> DirectSupervisor::open(asio::any_io_executor executor, DirectOptions options) {
  if (!options.only_ends) {
    if (Status made = make_dirs(options.run_dir, 0755); !made) return context(made.error(), "the supervisor's folder");
    if (Status made = make_dirs(options.log_dir, 0755); !made) return context(made.error(), "the units' logs");
  }
  auto impl = std::make_unique<Impl>(std::move(executor), std::move(options));
  for (const std::string& name : names_in(impl->host->options.run_dir, k_record_end)) {
    const auto unit = impl->unit(name);
    if (unit) (*unit)->adopt();
  }
  return std::unique_ptr<DirectSupervisor>(new DirectSupervisor(std::move(impl)));
}

DirectSupervisor::~DirectSupervisor() {
  impl_->host->closing = true;
  impl_->host->told.notify();
  for (const auto& [name, unit] : impl_->units) unit->close();
}

asio::awaitable<Status> DirectSupervisor::start_enabled() {
  const std::string mark = impl_->host->options.run_dir + k_boot_mark;
  if (::access(mark.c_str(), F_OK) == 0) co_return Status{};
  std::vector<UnitSpec> specs;
  for (const std::string& name : names_in(impl_->host->options.enabled_dir, "")) {
    const auto unit = impl_->unit(name);
    if (unit && (*unit)->loaded()) specs.push_back((*unit)->spec());
  }
  specs = in_start_order(std::move(specs));
  Status first;
  for (const UnitSpec& spec : specs) {
    asio::awaitable<Status> starting = start(spec.name);
    const Status started = co_await std::move(starting);
    if (!started && first) first = started;
  }
  if (Status marked = write_file_atomically(mark, "", 0600); !marked && first) first = marked;
  co_return first;
}

asio::awaitable<Status> DirectSupervisor::reload() {
  for (const auto& [name, unit] : impl_->units) unit->load();
  co_return Status{};
}

asio::awaitable<Status> DirectSupervisor::enable(std::vector<std::string> names) {
  for (const std::string& name : names) {
    if (Status linked = impl_->link(name); !linked) co_return linked;
  }
  co_return Status{};
}

asio::awaitable<Status> DirectSupervisor::disable(std::vector<std::string> names) {
  for (const std::string& name : names) {
    const auto found = impl_->unit(name);
    if (!found) co_return found.error();
    if (Status removed = remove_file((*found)->link_path()); !removed && removed.error().code != Errc::not_found)
      co_return context(removed.error(), "disable " + name);
  }
  co_return Status{};
}

asio::awaitable<Status> DirectSupervisor::start(std::string name) {
  const auto found = impl_->unit(name);
  if (!found) co_return found.error();
  asio::awaitable<Status> starting = (*found)->start();
  co_return co_await std::move(starting);
}

asio::awaitable<Status> DirectSupervisor::restart(std::string name) {
  const auto found = impl_->unit(name);
  if (!found) co_return found.error();
  if (!(*found)->loaded()) co_return make_error(Errc::not_found, "restart " + name + ": there is no " + (*found)->file_path());
  asio::awaitable<Status> stopping = (*found)->stop();
  if (const Status stopped = co_await std::move(stopping); !stopped) co_return stopped;
  asio::awaitable<Status> starting = (*found)->start();
  co_return co_await std::move(starting);
}

asio::awaitable<Status> DirectSupervisor::stop(std::string name) {
  const auto found = impl_->unit(name);
  if (!found) co_return found.error();
  asio::awaitable<Status> stopping = (*found)->stop();
  co_return co_await std::move(stopping);
}

asio::awaitable<Result<UnitStatus>> DirectSupervisor::status(std::string name) {
  const auto found = impl_->unit(name);
  if (!found) co_return found.error();
  co_return (*found)->status();
}

asio::awaitable<Status> DirectSupervisor::set_pause(std::string name, std::chrono::seconds pause) {
  const auto found = impl_->unit(name);
  if (!found) co_return found.error();
  (*found)->set_pause(pause);
  co_return Status{};
}

asio::awaitable<Result<std::vector<std::string>>> DirectSupervisor::changed() {
  const std::shared_ptr<DirectHost> host = impl_->host;
  while (host->news.empty()) {
    if (host->closing) co_return make_error(Errc::unavailable, "the supervisor ends");
    asio::awaitable<bool> waiting = host->told.wait(k_news_round);
    co_await std::move(waiting);
    const asio::cancellation_state cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "waiting for changes of units: canceled");
  }
  const std::vector<std::string> names(host->news.begin(), host->news.end());
  host->news.clear();
  co_return names;
}

}  // namespace slipway
