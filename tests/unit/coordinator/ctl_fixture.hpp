#pragma once
// slipwayctl's commands against a coordinator that is a table of answers.
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/ctl/commands.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway::ctl {

inline constexpr WallTime k_now = WallTime(Seconds(1'790'000'000));

class FakeConnection final : public Connection {
 public:
  Result<http::Response> send(http::Request request) override { return answer(std::move(request)); }
  Result<http::Response> upload(http::Request request, const std::string& file,
                                std::function<void(std::uint64_t)> progress) override {
    uploaded[request.target] = test::get_file(file);
    progress(uploaded[request.target].size());
    return answer(std::move(request));
  }
  Result<http::Response> stream(http::Request request, std::function<Status(std::string_view)> sink) override {
    auto response = answer(std::move(request));
    if (!response || response->status != 200) return response;
    // In parts that end anywhere.
    for (const char& c : response->body) {
      const Status taken = sink(std::string_view(&c, 1));
      if (!taken) return taken.error();
    }
    response->body.clear();
    return response;
  }
  void on(const std::string& what, int status, std::string body) {
    answers_[what] = {status, std::move(body)};
  }

  std::vector<http::Request> requests;
  std::map<std::string, std::string> uploaded;
  std::string etag;  // of all answers; empty: none

 private:
  Result<http::Response> answer(http::Request request) {
    const std::string what = std::string(http::to_string(request.method)) + " " + request.target;
    requests.push_back(std::move(request));
    const auto found = answers_.find(what);
    if (found == answers_.end()) return make_error(Errc::internal, "the test has no answer to " + what);
    http::Response response;
    response.status = found->second.first;
    response.body = found->second.second;
    if (!etag.empty()) response.headers.set("ETag", etag);
    return response;
  }
  std::map<std::string, std::pair<int, std::string>> answers_;
};

struct Run {
  int code = 0;
  std::string out;
  std::string err;
};

inline Run run(FakeConnection& connection, Command command, Format format = Format::table) {
  std::ostringstream out;
  std::ostringstream err;
  CommandLine line;
  line.command = std::move(command);
  line.format = format;
  const int code = run_command(line, connection, Console{out, err, false, k_now});
  return {code, out.str(), err.str()};
}

inline std::string problem(Errc code, const std::string& detail) {
  return proto::encode(proto::to_problem(make_error(code, detail)));
}

// A console whose time goes on while it waits; `changes` are made between two looks.
struct Waiting {
  std::ostringstream out;
  std::ostringstream err;
  WallTime time = k_now;
  std::vector<std::function<void()>> changes;
  std::size_t pauses = 0;
  bool screen = false;
  int run(FakeConnection& connection, Command command, Format format = Format::table) {
    CommandLine line;
    line.command = std::move(command);
    line.format = format;
    Console console{out, err, false, k_now, {}, [this] { return time; }, [this](std::chrono::milliseconds rest) {
                      time += std::chrono::floor<Seconds>(rest);
                      if (pauses < changes.size()) changes[pauses]();
                      return ++pauses < 200;
                    }, screen};
    return run_command(line, connection, console);
  }
};

inline proto::NodeView node(const std::string& name) {
  proto::NodeView view;
  view.name = name;
  view.role = "node";
  view.phase = "Running";
  view.address = "10.77.0.11";
  view.pod_cidr = "10.10.1.0/24";
  view.last_contact = to_rfc3339(k_now - Seconds(63));
  return view;
}

inline proto::PoolView pool_view() {
  proto::PoolView pool;
  pool.name = "gpu";
  pool.ranges = {"10.20.0.0/16", "10.21.0.0/16"};
  pool.node_prefix_length = 25;
  pool.name_pattern = "gpu-*";
  pool.capacity = 1024;
  pool.available = 164;
  pool.allocated = 860;
  pool.used_percent = 84.0;
  pool.level = "warning";
  pool.exhausted_at = to_rfc3339(k_now + Seconds(3 * 86400));
  pool.largest_free = 19;
  return pool;
}

inline NodeList everything() {
  NodeList wish;
  wish.all = true;
  return wish;
}

inline void answer_overview(FakeConnection& connection) {
  connection.on("GET /v1/nodes", 200, proto::encode(proto::NodeList{{node("a")}, ""}));
  proto::PendingNodeView waiting;
  waiting.name = "web-1";
  waiting.state = "waiting";
  waiting.fingerprint = std::string(64, 'f');
  waiting.since = to_rfc3339(k_now - Seconds(30));
  waiting.facts.os = "Debian";
  connection.on("GET /v1/pending", 200, proto::encode(proto::PendingNodeList{{waiting}}));
  proto::JoinAttempt refused{to_rfc3339(k_now - Seconds(5)), "n9", "10.77.0.19", "abc123", false, "token expired"};
  refused.stage = "token";
  refused.cure = "make another";
  refused.count = 7;
  proto::JoinAttempt joined{to_rfc3339(k_now), "n1", "10.77.0.12", "abc123", true, ""};
  joined.stage = "joined";
  connection.on("GET /v1/joins", 200, proto::encode(proto::JoinAttemptList{{refused, joined}}));
}

}  // namespace slipway::ctl
