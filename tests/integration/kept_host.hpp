#pragma once
// What an agent keeps up on its host: the reconciler over folders of a test and units in memory. Apart from the tests that hold a coordinator: both sides have names that
// are the same.
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "agent/ports/coordinator_api.hpp"
#include "agent/ports/node_store.hpp"
#include "agent/service/agent_state.hpp"
#include "common/async/runtime.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"

namespace slipway::test {

class KeptHost {
 public:
  struct Deps {
    std::string root;  // a folder that is the host's
    CredentialStore& credentials;
    CoordinatorApi& coordinator;
    ManualClock& clock;
    Workers& workers;
    AgentState& state;
    IoTest& io;
  };
  // The node's address is 10.77.0.21.
  explicit KeptHost(Deps deps);
  ~KeptHost();

  PassReport pass();
  std::map<std::string, std::int32_t> pids() const;  // by unit
  void stop(const std::string& unit);                // by somebody

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::test
