#pragma once
// Adapter: the routes of the network outside through the operator's program (docs/network.md has its contract). One JSON document on its
// standard input, one on its standard output, exit code 0 for success; what it says on standard error is shown to operators.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/async/runtime.hpp"
#include "common/core/problems.hpp"
#include "coordinator/ports/route_hook.hpp"
#include "proto/file_types.hpp"

namespace slipway {

struct ProgramHookSettings {
  std::vector<std::string> command;  // an absolute path and its arguments
  std::chrono::milliseconds timeout = std::chrono::seconds(30);
  std::size_t concurrency = 4;  // threads that wait for the program
  std::string cluster_name;
  std::string cluster_id;
};

// What is wrong with the fields of a hook that is there, below /routesHook. Pure.
Problems hook_problems(const proto::RoutesHook& hook);
// Errc::invalid with all problems.
Result<ProgramHookSettings> hook_settings(const proto::RoutesHook& hook);

// Errc::denied when somebody else than root and the daemon's own user could have written the program. Blocks.
Status check_hook_program(const std::string& path);

class ProgramHook final : public RouteHook {
 public:
  // Errc::exhausted: no descriptor for the stop. Makes its threads.
  static Result<std::unique_ptr<ProgramHook>> make(ProgramHookSettings settings);
  // Ends the calls that run.
  ~ProgramHook() override;

  boost::asio::awaitable<Result<std::vector<FoundRoute>>> list() override;
  boost::asio::awaitable<Status> create(OutsideRoute route) override;
  boost::asio::awaitable<Status> remove(OutsideRoute route) override;
  // Calls that run end with Errc::canceled, and so do later ones. Any thread.
  void stop();

 private:
  struct Shared;
  explicit ProgramHook(std::shared_ptr<Shared> shared);
  boost::asio::awaitable<Status> change(std::string action, OutsideRoute route);

  std::shared_ptr<Shared> shared_;
  std::unique_ptr<Workers> workers_;
};

// For tests. Errc::corrupt: no such document, or more than 100,000 routes, or one that is none.
Result<std::vector<FoundRoute>> parse_routes(const std::string& answer);
// The program's last words, in one line of at most 300 characters.
std::string last_words(const std::string& standard_error);

}  // namespace slipway
