#pragma once
// One unit of the direct supervisor: its process, and the coroutine that keeps it. Only for direct_supervisor.cpp.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/domain/unit_spec.hpp"
#include "agent/domain/unit_status.hpp"
#include "agent/process/child_cgroup.hpp"
#include "agent/process/child_process.hpp"
#include "agent/process/direct_supervisor.hpp"
#include "common/async/notifier.hpp"

namespace slipway {

// What all units share.
struct DirectHost {
  DirectHost(boost::asio::any_io_executor ex, DirectOptions opts)
      : executor(std::move(ex)), options(std::move(opts)), cgroups(options.cgroup, !options.only_ends) {}
  boost::asio::any_io_executor executor;
  DirectOptions options;
  ChildCgroups cgroups;
  bool closing = false;  // the supervisor has ended: processes go on, nobody acts any more
  std::set<std::string> news;
  Notifier told;
};

class DirectUnit : public std::enable_shared_from_this<DirectUnit> {
 public:
  DirectUnit(std::shared_ptr<DirectHost> host, std::string name);

  void load();   // reads the unit file
  void adopt();  // takes up the run that a record tells of, if any
  void close();  // the supervisor ends
  bool loaded() const { return spec_.has_value(); }
  const UnitSpec& spec() const { return *spec_; }
  UnitStatus status() const;
  void set_pause(std::chrono::seconds pause);
  std::string file_path() const;
  std::string link_path() const;

  boost::asio::awaitable<Status> start();
  boost::asio::awaitable<Status> stop();

 private:
  using Instant = std::chrono::steady_clock::time_point;
  using Descriptor = std::shared_ptr<boost::asio::posix::stream_descriptor>;

  // The coroutine that keeps the unit from a start until it is stopped or does not come back.
  static boost::asio::awaitable<Status> keep(std::shared_ptr<DirectUnit> self);
  static boost::asio::awaitable<Status> watch_exit(std::shared_ptr<DirectUnit> self, Descriptor process);
  static boost::asio::awaitable<Status> watch_notify(std::shared_ptr<DirectUnit> self, Descriptor socket);
  static boost::asio::awaitable<Status> watch_gate(std::shared_ptr<DirectUnit> self, Descriptor gate);

  boost::asio::awaitable<Status> run_once();
  boost::asio::awaitable<Status> attend(bool main);
  boost::asio::awaitable<Status> end_leftovers();
  boost::asio::awaitable<Status> wait_pause();
  boost::asio::awaitable<Status> until_told(Instant until);
  void spawn_keeper();
  bool conditions_met() const;
  bool launch(const std::vector<std::string>& argv, bool main);
  void watch(Child child);
  Status open_notify_socket();
  void read_notify(int socket);
  void begin_stop(const char* why);
  void kill_all(int signal);
  std::vector<pid_t> members() const;
  Instant start_deadline() const;
  void note_end();
  bool comes_back() const;
  void finish();
  void set_state(UnitActivity active, const char* sub);
  void save();
  std::string record_path() const;
  std::string socket_path() const;
  std::string log_path() const;
  std::string failure() const;

  std::shared_ptr<DirectHost> host_;
  std::string name_;
  std::optional<UnitSpec> spec_;
  std::string spec_problem_;
  std::string stamp_;  // of the unit file when it was read
  UnitStatus status_;
  std::chrono::seconds pause_{0};
  bool alive_ = false;     // a keeper runs
  bool stop_ = false;      // it is to end
  bool hurry_ = false;     // no pause before the next start
  bool ready_ = false;     // the start is over
  bool main_ = false;      // the process is the main one
  bool lost_ = false;      // the run ended while nobody looked
  bool skipped_ = false;   // a condition does not hold
  std::uint64_t begun_ = 0;  // runs
  std::string ending_;       // result that a stop of ours stands for; empty: it ended by itself
  std::string trouble_;      // why it could not even be started
  std::uint64_t oom_kills_ = 0;
  std::uint64_t start_time_ = 0;
  std::optional<Child> adopted_;
  std::optional<ChildEnd> exit_;
  Instant ended_{};
  Instant kill_at_ = Instant::max();
  UniqueFd pidfd_;
  Descriptor process_;
  Descriptor notify_;
  Descriptor gate_;
  Notifier event_;
};

}  // namespace slipway
