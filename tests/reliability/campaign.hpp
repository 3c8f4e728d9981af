#pragma once
// One cluster that is killed again and again: its nodes, the ledger of what they were told, and the judge.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <fstream>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/bench/cluster_dir.hpp"
#include "tests/bench/server_process.hpp"
#include "tests/support/crash_checker.hpp"

namespace slipway::test {

struct Mix {
  int joins = 70, renewals = 15, removals = 15;  // percent
};

class Campaign {
 public:
  Campaign(const std::string& bin, const std::string& parent, std::uint64_t seed);
  ~Campaign();

  // A life: starts the coordinator with `command` (empty: as it is run), serves requests until it dies, and sees to that it does.
  // False: it ended before it listened.
  bool start(std::vector<std::string> command = {});
  // The coordinator and its signer.
  std::vector<pid_t> pids() const { return server_->family(); }
  bool running() { return server_->running(); }
  bool down() const { return down_; }  // something went unanswered in this life
  void give_up() { down_ = true; }     // as found by somebody else
  // Sends requests, `clients` at a time, and kills after `millis`; 0 or more from the first answer on. Negative: not at all, `requests`
  // are sent and that is all.
  void load(std::size_t clients, int millis, std::size_t requests = SIZE_MAX);
  // Asks again, with the same keys, for all that went unanswered.
  void answer_all(std::size_t clients);
  // Each member gets a new certificate for `usage`. False: the coordinator died over it.
  bool renew_all(const std::string& usage);
  void kill();

  // Holds the store as it lies there against the ledger: what is wrong.
  std::vector<std::string> findings();
  // The same, printed. True: nothing is wrong.
  bool check(const std::string& when);
  // True: each planted bug was caught by its rule.
  bool check_the_checker();

  // What the checker is shown, for other judges.
  Result<StoreImage> image() const;
  const bench::ClusterDir& cluster() const { return cluster_; }
  std::vector<bench::SimNode*> members();  // that have joined and that nobody removes

  std::string data_dir() const { return cluster_.data_dir(); }
  std::vector<std::string> run_command() const { return cluster_.run_command(); }
  void new_token(std::uint64_t uses);
  void set_mix(Mix mix) { mix_ = mix; }
  // When this file is there, a write of the coordinator has failed.
  void watch_for_failure(std::string mark) { failure_mark_ = std::move(mark); }
  std::size_t answered() const { return answered_; }
  std::size_t pending() const { return checker_.on_its_way(); }
  void keep_files() { cluster_.keep(); }
  std::string files() const { return cluster_.path(""); }

 private:
  enum class Stage { joining, member, removing, over };
  struct Member {
    explicit Member(bench::SimNode made) : sim(std::move(made)) {}
    bench::SimNode sim;
    std::string credential, token;
    Stage stage = Stage::joining;
    bool busy = false;
    bool asked = false;  // its join was sent before
  };
  using Task = boost::asio::awaitable<void>;
  using Sending = boost::asio::awaitable<Result<http::Response>>;

  Member* next_work();
  Member* pick_member();
  Task client_loop(boost::asio::any_io_executor executor);
  Task renewals(boost::asio::any_io_executor executor, std::string usage);
  Task killer(boost::asio::any_io_executor executor, int millis);
  boost::asio::awaitable<bool> work(boost::asio::any_io_executor executor, Member* member);
  boost::asio::awaitable<bool> join(boost::asio::any_io_executor executor, Member* member);
  boost::asio::awaitable<bool> renew(boost::asio::any_io_executor executor, Member* member, std::string usage);
  boost::asio::awaitable<bool> remove(boost::asio::any_io_executor executor, Member* member);
  void note(LedgerEvent event, const Member& member, const std::map<std::string, std::string>& pems = {});
  void note_failure();
  void keep_in_ledger(const LedgerEntry& entry);
  std::int64_t now_ms() const;
  int random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  bench::ClusterDir cluster_;
  std::unique_ptr<bench::ServerProcess> server_;
  CrashChecker checker_;
  int ledger_ = -1;
  std::string failure_mark_;
  std::mt19937_64 random_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::list<Member> members_;
  std::vector<Member*> live_;
  std::vector<Member*> unanswered_;
  Mix mix_;
  std::string credential_;
  std::string token_;
  std::size_t made_ = 0;
  std::size_t answered_ = 0;
  std::size_t budget_ = 0;    // requests that load() may still send
  bool only_unanswered_ = false;
  bool down_ = false;         // nothing more is to be had of this life
};

}  // namespace slipway::test
