#pragma once
// Port: the state's records in a store, in the coordinator's words. Every call blocks: on a worker. Thread safe.
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "coordinator/domain/state.hpp"

namespace slipway {

class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual Result<State> load() = 0;
  // In order; one atomic durable batch. Errors as Store::commit().
  virtual Status commit(const std::vector<Change>& changes) = 0;
  // Errc::not_found when there is none with this serial.
  virtual Result<std::string> certificate_pem(const std::string& serial) = 0;
};

}  // namespace slipway
