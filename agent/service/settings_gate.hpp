#pragma once
// With which settings the node's components are brought about: the wanted ones, or those that they had while
// a restart for the wanted ones has to wait for its turn or did not work. Needs no coordinator for what is no
// change of settings: a first install, a repair, a renewal.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/domain/host_settings.hpp"
#include "agent/ports/coordinator_api.hpp"
#include "agent/render/component.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "proto/file_types.hpp"

namespace slipway {

struct SettingsGateDeps {
  // The last settings that came up, as they were saved. All three: empty, and nothing is kept over a restart
  // or read from the host.
  std::function<Result<std::optional<std::string>>()> load = {};
  std::function<Status(const std::string& json)> save = {};
  std::function<HostSettings(int minor)> host = {};
};

// What a pass is to bring about.
struct SettingsChoice {
  std::vector<ComponentFiles> components;
  std::set<std::string> held;  // components that stay with the settings they have, and with their version
  std::vector<proto::ComponentRef> kept;  // versions and artifacts for those
  std::vector<std::string> problems;
  std::vector<std::string> paths;  // to be watched
};

// What a pass has come to.
struct SettingsResult {
  std::vector<ComponentFiles> components;
  std::vector<bool> good;  // files in place, and the unit runs with them
  bool clean = false;
};

// State thread.
class SettingsGate {
 public:
  using Probe = std::function<boost::asio::awaitable<Status>(HealthProbe probe)>;
  SettingsGate(SettingsGateDeps deps, CoordinatorApi& coordinator, Clock& clock, Workers& workers,
               AgentState& state, Probe probe);

  // `base`: with the cluster and pod ranges as desired. Errors: the wanted settings cannot be rendered and
  // there are no others.
  boost::asio::awaitable<Result<SettingsChoice>> choose(NodeContext base, proto::DesiredState desired,
                                                        std::string uid);
  // After the pass. Errors: what was reached could not be saved.
  boost::asio::awaitable<Status> conclude(SettingsResult result);
  // When to look again before the usual time.
  std::optional<Millis> next_look() const;

 private:
  struct Attempt {
    std::vector<ComponentFiles> target;  // the components that change
    bool leave = false;                  // the coordinator's, to be given back
    SteadyTime asked{};
    std::optional<SteadyTime> began;  // first look at what it came to: fetching new versions may take long
    std::optional<SteadyTime> well_since;
    std::vector<std::int32_t> pids;  // of those that are well
    std::string trouble;
  };
  enum class Turn { now, later };

  boost::asio::awaitable<Status> load_once();
  boost::asio::awaitable<HostSettings> read_host(int minor);
  boost::asio::awaitable<Turn> turn_for(std::vector<ComponentFiles> target, std::string lacking);
  boost::asio::awaitable<Turn> ask_for(std::vector<ComponentFiles> target);
  boost::asio::awaitable<void> give_back();
  boost::asio::awaitable<Status> look_at_attempt(const SettingsResult& result);
  boost::asio::awaitable<std::string> trouble_of(ComponentFiles component, bool good);
  boost::asio::awaitable<Status> keep();
  void fail();
  bool is_up(const std::vector<ComponentFiles>& target) const;
  void tell(std::string state, std::string message);

  SettingsGateDeps deps_;
  CoordinatorApi& coordinator_;
  Clock& clock_;
  Workers& workers_;
  AgentState& state_;
  Probe probe_;
  bool loaded_ = false;
  std::optional<proto::AppliedSettings> applied_;  // what came up last
  std::string saved_;                              // as it stands in the store
  proto::AppliedSettings wanted_;
  bool changes_ = false;  // in this pass a component's settings are other than the applied ones
  std::optional<Attempt> attempt_;
  std::vector<ComponentFiles> failed_;  // a target that did not come up; empty: none
  std::string failure_;
  Millis retry_{0};
};

}  // namespace slipway
