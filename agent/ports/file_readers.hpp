#pragma once
// Port: the programs of the host that read our drop-ins.
#include <boost/asio/awaitable.hpp>

#include "agent/domain/host_dropins.hpp"
#include "common/core/result.hpp"

namespace slipway {

// State thread.
class FileReaders {
 public:
  virtual ~FileReaders() = default;
  // Has it read its files again. false: it does not run, and is not started, or it is too old to be asked;
  // then it reads them at its next start.
  virtual boost::asio::awaitable<Result<bool>> reread(FileReader reader) = 0;
};

}  // namespace slipway
