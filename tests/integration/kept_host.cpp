#include "tests/integration/kept_host.hpp"

#include <filesystem>
#include <set>
#include <stdexcept>

#include "agent/service/reconcile.hpp"
#include "tests/integration/host_below.hpp"
#include "tests/support/fake_network.hpp"
#include "tests/support/service_fixture.hpp"

namespace slipway::test {

namespace asio = boost::asio;

namespace {

asio::awaitable<Result<bool>> install_once(std::set<std::string>* installed, ArtifactRef artifact) {
  co_return installed->insert(artifact.component).second;
}

asio::awaitable<Status> is_well(HealthProbe) { co_return Status{}; }

}  // namespace

struct KeptHost::Impl {
  explicit Impl(Deps with) : deps(std::move(with)) {
    std::filesystem::create_directories(deps.root + "/units");
    ReconcileDeps reconcile{deps.credentials, deps.coordinator, units, network, deps.clock, deps.workers, deps.state,
                            [this](ArtifactRef artifact) { return install_once(&installed, std::move(artifact)); },
                            is_well,
                            [this](std::int32_t pid) { return units.environment_of(pid); },
                            paths_below(deps.root), "systemd", {}, {}};
    reconciler = std::make_unique<Reconciler>(std::move(reconcile), 1);
  }

  Deps deps;
  UnitWorld units{deps.root + "/units"};
  FakeNetwork network{*IpAddress::parse("10.77.0.21"), 16};
  std::set<std::string> installed;
  std::unique_ptr<Reconciler> reconciler;
};

KeptHost::KeptHost(Deps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
KeptHost::~KeptHost() = default;

PassReport KeptHost::pass() { return impl_->deps.io.run(impl_->reconciler->pass()); }

std::map<std::string, std::int32_t> KeptHost::pids() const {
  std::map<std::string, std::int32_t> all;
  for (const auto& [name, unit] : impl_->units.units) all[name] = unit.status.main_pid;
  return all;
}

void KeptHost::stop(const std::string& unit) {
  if (!impl_->deps.io.run(impl_->units.stop(unit))) throw std::runtime_error("cannot stop " + unit);
}

}  // namespace slipway::test
