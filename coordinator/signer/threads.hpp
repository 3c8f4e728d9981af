#pragma once
// The signer on threads of this process: the same messages and decisions without the wall around them. For
// tests of what is above it, whose process has threads already and so cannot fork.
#include <thread>
#include <vector>

#include "common/async/system_clock.hpp"
#include "coordinator/signer/client.hpp"
#include "coordinator/signer/server.hpp"

namespace slipway::signer {

class SignerThreads {
 public:
  static Result<std::unique_ptr<SignerThreads>> start(std::size_t signatures);
  SignerThreads(const SignerThreads&) = delete;
  SignerThreads& operator=(const SignerThreads&) = delete;
  ~SignerThreads();  // waits until the other ends of the channels are closed

  SignerLink take_link() { return std::move(link_); }

 private:
  SignerThreads() = default;
  void serve_on(UniqueFd fd);
  SystemClock clock_;
  SignerServer server_{ServerDeps{clock_}};
  SignerLink link_;
  std::vector<std::thread> threads_;
};

}  // namespace slipway::signer
