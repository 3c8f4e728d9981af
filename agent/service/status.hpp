#pragma once
// What the agent tells of its node: to the coordinator, and to `slipway-agent status` on the host.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/domain/restart_policy.hpp"
#include "agent/ports/coordinator_api.hpp"
#include "agent/ports/process_supervisor.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/clock.hpp"
#include "proto/file_types.hpp"
#include "proto/report_types.hpp"

namespace slipway {

// Pure.
proto::NodeStatusReport build_report(const AgentState& state);
proto::AgentLocalStatus build_local_status(const AgentState& state, WallTime now);
// What stands in the way now, each with its cure. When each began is state.troubles' to say.
std::vector<proto::LocalError> standing_errors(const AgentState& state);

// State thread. Trouble here never disturbs anything else.
class StatusReporter {
 public:
  struct Deps {
    CoordinatorApi& coordinator;
    ProcessSupervisor& supervisor;
    Clock& clock;
    AgentState& state;
    std::function<Status(const proto::AgentLocalStatus& status)>
        write_local;                                            // a small file in memory (/run)
    std::function<void(const std::string& line)> tell_systemd;  // for `systemctl status`
    // /proc/PID/environ. Reading it costs a hundredth of what asking systemd does; absent: systemd is asked each time.
    std::function<Result<std::string>(std::int32_t pid)> environment_of = {};
    // The host's own routes as they are now, for the facts; absent: as at the start.
    std::function<Result<std::vector<std::string>>()> host_routes = {};
    std::function<std::string()> coordinator_name = {};  // of the one that answered last; absent: not told
  };
  explicit StatusReporter(Deps deps);

  // Looks at the units, writes the local file, reports. An error is the coordinator's: the rest is done
  // regardless.
  boost::asio::awaitable<Status> tick();
  // Every ten seconds and soon after state.report.
  boost::asio::awaitable<Status> run();

 private:
  boost::asio::awaitable<Status> watch_units();
  boost::asio::awaitable<Result<UnitStatus>> look_at(std::string name);
  void look_at_routes();
  Status write_file(const proto::AgentLocalStatus& local);

  struct SameProcess {
    std::string invocation;
    SteadyTime seen{};
  };
  struct WrittenFile {
    proto::AgentLocalStatus content;  // without its times
    SteadyTime at{};
  };

  Deps deps_;
  std::map<std::string, CrashWatch> watches_;
  std::string last_phase_;
  proto::NodeStatusReport last_sent_;
  std::optional<SteadyTime> sent_at_;  // absent: it did not arrive
  bool first_tick_ = true;
  std::optional<SteadyTime> routes_read_;
  std::map<std::string, SameProcess> same_;  // by unit
  std::optional<WrittenFile> written_;
  RepeatedError local_trouble_;
};

}  // namespace slipway
