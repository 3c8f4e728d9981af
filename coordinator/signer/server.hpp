#pragma once
// The signer's side: holds the keys, decides again what may be signed, answers requests.
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "common/async/clock.hpp"
#include "common/core/result.hpp"
#include "coordinator/signer/messages.hpp"

namespace slipway::signer {

struct ServerDeps {
  const Clock& clock;  // outlives the server
  // Called once, before any key is opened; `tokens`: there are keys in PKCS#11 tokens. What it refuses is the
  // answer to `open`.
  std::function<Status(bool tokens)> confine = [](bool) { return Status(); };
  // What policy forbids was asked for. The coordinator does not do so: somebody else speaks with its voice,
  // or the two have a fault. Any thread.
  std::function<void(const Error&)> refused = [](const Error&) {};
};

class SignerServer {
 public:
  explicit SignerServer(ServerDeps deps);
  ~SignerServer();
  SignerServer(const SignerServer&) = delete;
  SignerServer& operator=(const SignerServer&) = delete;

  // The answer to whatever bytes. Any thread; does not throw.
  std::string answer(std::string_view request);

 private:
  struct Keys;
  std::string answer_request(std::string_view request);
  Result<std::string> open(std::string_view rest);
  Status check(const std::vector<IssueRequest>& wanted);
  Result<std::string> issue(std::string_view rest);
  Result<std::string> sign_crl(std::string_view rest);
  Result<std::string> follow(std::string_view rest);
  Result<std::string> use(std::string_view rest);
  Result<std::string> change_keys(const Request& request);

  ServerDeps deps_;
  std::mutex opening_;
  std::unique_ptr<Keys> held_;
  std::atomic<Keys*> keys_{nullptr};  // set once
};

// Answers what comes over `fd` until the other end closes it. Errors as of the channel.
Status serve(int fd, SignerServer& server);

}  // namespace slipway::signer
