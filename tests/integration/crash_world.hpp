#pragma once
// An agent on a host that remembers: its services over the real stores and the real installer below one folder, and ports whose
// every call is an effect at which the process may be killed. What the coordinator, systemd and the kernel know survives in Memory.
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/install/installer.hpp"
#include "agent/service/desired_sync.hpp"
#include "agent/service/reconcile.hpp"
#include "common/crypto/digest.hpp"
#include "tests/support/fake_network.hpp"
#include "tests/support/kill_sweep.hpp"
#include "tests/support/service_fixture.hpp"

namespace slipway::test {

// What is outside the agent's process and folder, as text in memory that a killed process leaves.
struct Memory {
  int token_uses = 1;
  std::set<std::string> agent_keys;
  std::map<std::string, UnitWorld::Unit> units;
  std::int32_t last_pid = 100;
  std::size_t network_steps = 0;  // of the plan for the desired state that were carried out
  std::string address = "10.77.0.13";  // of the node, as the coordinator has it

  std::string text() const;
  static Memory from(const std::string& text);
};

// How far a life goes.
struct Stage {
  const char* name;
  bool only_join;           // the host is not brought about
  int version;              // of the kubelet; also the revision of the desired state
  std::int64_t clock_s;     // since the beginning
  std::size_t identity_keys;  // that the coordinator knows in the end
  const char* address = "10.77.0.13";  // that the host has
  bool one_cni_folder =
      false;  // somebody else's network plugin, and a containerd that knows one folder of programs
};

class CrashWorld {
 public:
  using Save = std::function<void(const Memory& memory)>;
  // `root` is the host. `save` is called after each call of a port.
  CrashWorld(std::string root, std::string role, const Stage& stage, const Memory& memory, Save save);
  ~CrashWorld();

  // From the start of the process until all is as it must be. An error is a test's failure.
  Status live();
  // One more pass.
  PassReport pass();
  Memory memory() const;
  const UnitWorld& units() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::test
