#pragma once
// Port: the keys of the certificate authorities, and which of them sign.
#include <cstdint>
#include <string>
#include <vector>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "coordinator/domain/ca_rotation.hpp"

namespace slipway {

// Calls block (files, scrypt) unless said otherwise; one at a time, on any thread.
class CaKeys {
 public:
  virtual ~CaKeys() = default;

  // A new CA of this kind, durable with its key when this returns. Its number is above `after` and was never used.
  virtual Result<CaFacts> make(CaKind kind, std::uint64_t after, const ProfileCluster& cluster, WallTime now) = 0;
  // The same from files that an operator has put into the import folder. Errc::invalid says what does not fit.
  virtual Result<CaFacts> import(CaKind kind, std::uint64_t after, const ProfileCluster& cluster, const Lifetimes& lifetimes,
                                 WallTime now) = 0;
  // The text of the bundle that holds these CAs, ascending. Does not block.
  virtual Result<std::string> bundle_pem(CaKind kind, const std::vector<std::uint64_t>& numbers) = 0;
  // From now on the signer signs by this line. Blocks for a message to the signer's process and back at most; any thread.
  virtual Status use(const CaLine& line) = 0;
  // Deletes the key; the certificate stays for the record. One that is not there is no error.
  virtual Status destroy_key(CaKind kind, std::uint64_t number) = 0;
};

}  // namespace slipway
