#pragma once
// Somebody on the way: a TCP proxy between a client and a server on 127.0.0.1 that cuts, flips, drops, repeats and replays. It waits for
// nothing but bytes, so tests with it need no clock.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace slipway::test {

// What is done to one direction of a connection, once. Positions count its bytes from 0.
struct Trick {
  enum class Kind {
    none,
    cut,      // the connection ends before byte `at`
    flip,     // bit `at` % 8 of byte `at` is another
    drop,     // the `length` bytes from `at` on are missing
    repeat,   // the `length` bytes before `at` come once more
    dribble,  // nothing is changed, each byte comes by itself
  };
  Kind kind = Kind::none;
  std::uint64_t at = 0;
  std::size_t length = 16;
};
std::string_view to_string(Trick::Kind kind);

// A trick on a stream that comes in pieces.
class TrickedStream {
 public:
  explicit TrickedStream(Trick trick) : trick_(trick) {}
  // What is handed on of the next piece.
  std::string pass(std::string_view piece);
  bool is_cut() const { return cut_; }
  // Something was changed, or what was to be has passed.
  bool is_played() const { return trick_.kind != Trick::Kind::none && trick_.kind != Trick::Kind::dribble && seen_ > trick_.at; }

 private:
  Trick trick_;
  std::uint64_t seen_ = 0;
  std::string last_;  // the end of what has passed, for repeat
  bool cut_ = false;
};

class TamperProxy {
 public:
  explicit TamperProxy(std::uint16_t server_port);
  ~TamperProxy();
  TamperProxy(const TamperProxy&) = delete;
  TamperProxy& operator=(const TamperProxy&) = delete;

  std::uint16_t port() const { return port_; }
  // For all connections from now on. One connection is served at a time.
  void play(Trick on_answers, Trick on_requests = {});
  void be_honest() { play({}, {}); }
  // From now on the answers of an earlier connection are played, and nobody asks the server.
  void replay(std::string answers);

  struct Recorded {
    std::string requests;  // as the client sent them
    std::string answers;   // as the server sent them
  };
  // Of each connection that has ended, in their order. `count`: waits for so many.
  std::vector<Recorded> recorded(std::size_t count = 0);

 private:
  struct Plan {
    Trick on_answers, on_requests;
    std::string replayed;
  };
  void run();
  Recorded serve(int client, const Plan& plan);

  const std::uint16_t server_port_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  Plan plan_;
  std::vector<Recorded> recorded_;
  std::thread thread_;
};

}  // namespace slipway::test
