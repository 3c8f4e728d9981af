#pragma once
// Copies of programs in others' folders: their part of a reconcile pass. State thread.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/ports/program_copier.hpp"
#include "common/async/runtime.hpp"

namespace slipway {

struct CopyDeps {
  ProgramCopier* copier = nullptr;  // null: nobody copies
  // What the change ledger has.
  std::function<std::vector<Change>()> noted = {};
  // Notes what is about to be changed, durably.
  std::function<boost::asio::awaitable<Status>(std::vector<Intent>)> note = {};
  Workers* workers = nullptr;
};

struct CopyOutcome {
  std::vector<std::string> changes;
  std::vector<std::string> problems;
  std::vector<std::string> paths;  // to be watched
};

// Before the programs that look for them are started. A copy that fails stops no other.
boost::asio::awaitable<CopyOutcome> put_copies(CopyDeps deps, ProgramCopies wanted);

// When nobody looks for them any more: what is not `wanted` goes.
boost::asio::awaitable<CopyOutcome> remove_copies(CopyDeps deps, std::optional<ProgramCopies> wanted);

}  // namespace slipway
