#pragma once
// The ArtifactSource port in memory: serves bytes by digest, resuming as a source must; may stop short.
// tests/contract/artifact_source_contract.cpp holds it to the port.
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/ports/artifact_source.hpp"
#include "common/async/notifier.hpp"

namespace slipway::test {

class FakeArtifactSource final : public ArtifactSource {
 public:
  std::map<std::string, std::string> bytes;  // by digest
  std::size_t stop_after = SIZE_MAX;         // bytes of each answer; then the connection is lost
  bool stall = false;                        // it is not lost then: nothing comes any more
  std::size_t sent = 0;
  std::vector<std::uint64_t> offsets;  // where each answer began

  boost::asio::awaitable<Status> fetch(ArtifactRef artifact, std::string to_path) override;

 private:
  Notifier nothing_comes_;
};

}  // namespace slipway::test
