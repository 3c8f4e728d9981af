#pragma once
// Undoes a change ledger. Everything here may be killed at any point and begun again: what is done already is
// found done.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "agent/ports/host_undo.hpp"
#include "agent/ports/process_supervisor.hpp"

namespace slipway {

struct ResetDeps {
  HostUndo& host;
  ProcessSupervisor& supervisor;
  // Told of each step before it is carried out. Empty: nobody listens.
  std::function<void(const ResetStep& step)> begins = {};
};

struct ResetOutcome {
  std::vector<std::string> done;  // in words
  std::vector<Leftover> leftovers;
  std::vector<Change> left;  // entries of these
};

// What a reset would do; reads only.
boost::asio::awaitable<Result<ResetPlan>> look_and_plan(ResetDeps deps, std::vector<Change> changes);

// Does it. A step that fails stops no other: what it leaves is a leftover with its reason. Errors: the host
// could not be looked at.
boost::asio::awaitable<Result<ResetOutcome>> reset_host(ResetDeps deps, std::vector<Change> changes);

}  // namespace slipway
