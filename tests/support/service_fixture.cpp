#include "tests/support/service_fixture.hpp"

#include <utility>

#include "common/async/notifier.hpp"

namespace slipway::test {

MortalStore::MortalStore(const std::string& dir) : real_(FileNodeStore::open(dir).value()) {}

Result<std::optional<NodeIdentity>> MortalStore::identity() {
  return read<std::optional<NodeIdentity>>([&] { return real_->identity(); });
}

Status MortalStore::save_identity(const NodeIdentity& value) {
  return write([&] { return real_->save_identity(value); });
}

Result<std::optional<StoredDesired>> MortalStore::desired() {
  return read<std::optional<StoredDesired>>([&] { return real_->desired(); });
}

Status MortalStore::save_desired(const StoredDesired& value) {
  return write([&] { return real_->save_desired(value); });
}

Status MortalStore::append_delta(const std::string& json) {
  return write([&] { return real_->append_delta(json); });
}

Status MortalStore::forget() {
  return write([&] { return real_->forget(); });
}

Result<std::optional<Secret>> MortalStore::pending_key(const std::string& usage) {
  return read<std::optional<Secret>>([&] { return real_->pending_key(usage); });
}

Status MortalStore::save_pending_key(const std::string& usage, const Secret& key) {
  return write([&] { return real_->save_pending_key(usage, key); });
}

Status MortalStore::activate(const std::string& usage, const std::string& chain) {
  return write([&] { return real_->activate(usage, chain); });
}

Result<std::optional<KeyPair>> MortalStore::pair(const std::string& usage) {
  return read<std::optional<KeyPair>>([&] { return real_->pair(usage); });
}

Result<std::optional<std::string>> MortalStore::ca_bundle(const std::string& name) {
  return read<std::optional<std::string>>([&] { return real_->ca_bundle(name); });
}

Status MortalStore::save_ca_bundle(const std::string& name, const std::string& pem) {
  return write([&] { return real_->save_ca_bundle(name, pem); });
}

std::string MortalStore::chain_path(const std::string& usage) const {
  return real_->chain_path(usage);
}

std::string MortalStore::key_path(const std::string& usage) const {
  return real_->key_path(usage);
}

ServiceFixture::ServiceFixture() {
  token_text = coordinator.token();
}

EnrollSettings ServiceFixture::settings() {
  EnrollSettings settings;
  settings.role = coordinator.role;
  settings.node_name = coordinator.node_name;
  settings.token_file = "/etc/slipway/join.token";
  settings.read_token = [this]() -> Result<Secret> {
    ++token_reads;
    if (!token_text) return token_text.error();
    return Secret(*token_text);
  };
  settings.forget_token = [this]() -> Status {
    ++token_deletions;
    if (deleting_token) token_text = make_error(Errc::not_found, "no token");
    return deleting_token;
  };
  settings.node_address = [this] { return IpAddress::parse(coordinator.address); };
  return settings;
}

AgentLife::AgentLife(ServiceFixture& fixture, int writes)
    : world(fixture), store(fixture.dir / "agent"), enroller(fixture.settings(), deps(), 7) {
  store.writes_left = writes;
}

Status AgentLife::attempt() {
  return world.io.run(enroller.attempt());
}

UnitWorld::UnitWorld(std::string unit_dir) : unit_dir_(std::move(unit_dir)) {}

boost::asio::awaitable<Status> UnitWorld::reload() {
  ++reloads;
  for (auto& [name, unit] : units) {
    unit.loaded_text = get_file(unit_dir_ + "/" + name);
    unit.status.load = unit.loaded_text.empty() ? UnitLoad::not_found : UnitLoad::loaded;
  }
  co_return Status{};
}

boost::asio::awaitable<Status> UnitWorld::enable(std::vector<std::string> names) {
  for (const std::string& name : names) unit(name).status.enabled = true;
  co_return Status{};
}

boost::asio::awaitable<Status> UnitWorld::disable(std::vector<std::string> names) {
  for (const std::string& name : names) unit(name).status.enabled = false;
  co_return Status{};
}

boost::asio::awaitable<Status> UnitWorld::start(std::string name) {
  log.push_back("start " + name);
  co_return run(name);
}

boost::asio::awaitable<Status> UnitWorld::restart(std::string name) {
  log.push_back("restart " + name);
  if (stuck.contains(name)) co_return make_error(Errc::timeout, name + " does not stop");
  co_return run(name);
}

boost::asio::awaitable<Status> UnitWorld::stop(std::string name) {
  unit(name).status.active = UnitActivity::inactive;
  unit(name).status.main_pid = 0;
  co_return Status{};
}

boost::asio::awaitable<Result<UnitStatus>> UnitWorld::status(std::string name) {
  Unit& known = unit(name);
  ++asked[name];
  known.status.needs_reload =
      known.status.load == UnitLoad::loaded && get_file(unit_dir_ + "/" + name) != known.loaded_text;
  co_return known.status;
}

Result<std::string> UnitWorld::environment_of(std::int32_t pid) const {
  for (const auto& [name, unit] : units) {
    if (unit.status.main_pid == pid) return unit.environment;
  }
  return make_error(Errc::not_found, "no such process");
}

boost::asio::awaitable<Status> UnitWorld::set_pause(std::string name, std::chrono::seconds pause) {
  log.push_back("pause " + name + " " + std::to_string(pause.count()));
  co_return Status{};
}

boost::asio::awaitable<Result<std::vector<std::string>>> UnitWorld::changed() {
  Notifier never;
  boost::asio::awaitable<bool> waiting = never.wait(std::chrono::hours(24));
  co_await std::move(waiting);
  co_return make_error(Errc::canceled, "canceled");
}

void UnitWorld::kill(const std::string& name) {
  ++unit(name).status.restarts;
  (void)run(name).has_value();
}

std::int32_t UnitWorld::pid(const std::string& name) {
  return unit(name).status.main_pid;
}

UnitWorld::Unit& UnitWorld::unit(const std::string& name) {
  Unit& found = units[name];
  found.status.name = name;
  return found;
}

Status UnitWorld::run(const std::string& name) {
  Unit& started = unit(name);
  if (broken.contains(name)) {
    started.status.active = UnitActivity::failed;
    started.status.result = "exit-code";
    started.status.main_pid = 0;
    return make_error(Errc::internal, name + " failed: exit-code");
  }
  started.status.active = UnitActivity::active;
  started.status.main_pid = ++last_pid;
  started.status.invocation = std::to_string(last_pid);
  started.environment.clear();
  const std::string& text = started.loaded_text;
  const std::string key = "SLIPWAY_INPUTS=";
  const std::size_t at = text.find(key);
  if (at != std::string::npos) started.environment = text.substr(at, text.find_first_of("\"\n", at) - at) + std::string(1, '\0');
  return {};
}

}  // namespace slipway::test
