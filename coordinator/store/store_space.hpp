#pragma once
#include <string>

#include "coordinator/ports/state_store.hpp"

namespace slipway {

// Of a SQLite store with its log; blocks as long as the file system does.
Result<StoreSpace> space_of_store(const std::string& file);

}  // namespace slipway
