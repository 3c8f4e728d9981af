#include "coordinator/signer/threads.hpp"

#include "coordinator/signer/channel.hpp"

namespace slipway::signer {

namespace {

constexpr Seconds k_patience{60};

}  // namespace

Result<std::unique_ptr<SignerThreads>> SignerThreads::start(std::size_t signatures) {
  auto made = std::unique_ptr<SignerThreads>(new SignerThreads);
  made->link_.name = "the signer";
  for (std::size_t i = 0; i < signatures + 1; ++i) {
    auto pair = make_channel(k_patience);
    if (!pair) return pair.error();
    if (i == 0)
      made->link_.changes = std::move(pair->coordinator);
    else
      made->link_.signatures.push_back(std::move(pair->coordinator));
    made->serve_on(std::move(pair->signer));
  }
  return made;
}

void SignerThreads::serve_on(UniqueFd fd) {
  threads_.emplace_back([this, mine = std::move(fd)] { static_cast<void>(serve(mine.get(), server_)); });
}

SignerThreads::~SignerThreads() {
  link_ = {};
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace slipway::signer
