// What it costs and how long it takes until every agent knows of a change. The coordinator is the real program on one core; the agents, which wait
// in long polls over real TLS as the product's do, are this program on another. Needs root, and a descriptor for each agent.
//   sudo feed_bench --bin build/release/bin [--nodes 5000] [--changes 20] [--whole-changes 3] [--server-cpu 0] [--load-cpu 1] [--io-threads 0]
//        [--dir /var/tmp]
// A change is a join and a removal in turns, each after a quiet time. Measured for each, from the request that changes
// something: CPU time of the coordinator for each waiting agent until all have the news, and until all have acknowledged them; and the time until
// an agent has them, and until the coordinator has heard from the last one that it has applied them. First with changes, then, in the same run, with whole documents, as agents
// of before there were changes get them.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>

#include "cluster_dir.hpp"
#include "common/core/text.hpp"
#include "proto/codec.hpp"
#include "server_process.hpp"

namespace asio = boost::asio;
using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace {

struct Options {
  std::string bin = "build/release/bin";
  std::string dir = "/var/tmp";  // where the cluster's folder is made
  std::size_t nodes = 5000;
  std::size_t changes = 20;
  std::size_t whole_changes = 3;
  int server_cpu = 0;
  int load_cpu = 1;
  int io_threads = 0;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--bin") options.bin = value;
    else if (name == "--dir") options.dir = value;
    else if (name == "--nodes") options.nodes = parse_u64(value, 50'000).value_or(1);
    else if (name == "--changes") options.changes = parse_u64(value, 1000).value_or(1);
    else if (name == "--whole-changes") options.whole_changes = parse_u64(value, 1000).value_or(1);
    else if (name == "--server-cpu") options.server_cpu = std::atoi(value.c_str());
    else if (name == "--load-cpu") options.load_cpu = std::atoi(value.c_str());
    else if (name == "--io-threads") options.io_threads = std::atoi(value.c_str());
    else bench::die("unknown option " + name);
  }
  return options;
}

using Sending = asio::awaitable<Result<http::Response>>;

// All agents together, on one thread.
struct Fleet {
  const bench::ClusterDir* cluster = nullptr;
  const Options* options = nullptr;
  bench::ServerProcess* server = nullptr;
  std::vector<bench::SimNode>* nodes = nullptr;
  std::string credential;      // of the host that comes and goes
  std::string epoch;
  std::uint64_t revision = 0;  // that all had in the beginning
  bool whole = false;          // ask for whole documents
  std::size_t connected = 0;
  // Of the change under way.
  std::uint64_t begun_at = 0;  // agents that have more than this revision have heard of it
  SteadyClock::time_point began;
  std::vector<double> heard_ms;
  std::vector<std::size_t> asked_again;  // agents, in the order in which they told that they have it
  std::size_t bytes = 0;
};

const http::Response& expect(const Result<http::Response>& response, int status) {
  if (!response) bench::die("a request failed: " + response.error().message);
  if (response->status != status) bench::die("a request was answered " + std::to_string(response->status) + " " + response->body.substr(0, 300));
  return *response;
}

double since_ms(SteadyClock::time_point start) { return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count(); }

asio::awaitable<void> pause(asio::any_io_executor executor, std::chrono::milliseconds time) {
  asio::steady_timer timer(executor, time);
  boost::system::error_code ec;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
}

// The first number behind this name: a document is a megabyte, and what is measured is the other end.
std::uint64_t number_in(const std::string& json, const std::string& name) {
  const std::size_t at = json.find("\"" + name + "\":");
  if (at == std::string::npos) return 0;
  const std::size_t begin = at + name.size() + 3;
  return parse_u64(std::string_view(json).substr(begin, json.find_first_not_of("0123456789", begin) - begin)).value_or(0);
}

http::Request sync_request(const Fleet& fleet, std::uint64_t revision, int wait_seconds) {
  const std::string has = std::to_string(revision);
  http::Request request = bench::json_request(
      http::Method::get, "/v1/agent/sync?epoch=" + fleet.epoch + "&revision=" + has + "&applied=" + has + "&wait=" + std::to_string(wait_seconds), "");
  if (!fleet.whole) request.headers.set("Accept", std::string(proto::k_delta_type) + ", application/json");
  return request;
}

// Until the program ends.
asio::awaitable<void> follow(asio::any_io_executor executor, Fleet* fleet, std::size_t number) {
  const bench::SimNode& node = (*fleet->nodes)[number];
  // Not all at once: a handshake has its deadline.
  while (fleet->connected + 32 < number) {
    asio::awaitable<void> pausing = pause(executor, std::chrono::milliseconds(10));
    co_await std::move(pausing);
  }
  http::Client client(executor, fleet->cluster->endpoint(node.address), node.tls(fleet->cluster->ca_pem()));
  std::uint64_t revision = fleet->revision;
  Sending greeting = client.send(sync_request(*fleet, revision, 0), std::chrono::seconds(60));
  const Result<http::Response> greeted = co_await std::move(greeting);
  expect(greeted, 204);
  ++fleet->connected;
  for (;;) {
    if (revision > fleet->begun_at) fleet->asked_again.push_back(number);
    Sending asking = client.send(sync_request(*fleet, revision, 60), std::chrono::seconds(90));
    const Result<http::Response> answer = co_await std::move(asking);
    if (answer && answer->status == 204) continue;
    const http::Response& news = expect(answer, 200);
    if (revision <= fleet->begun_at) fleet->heard_ms.push_back(since_ms(fleet->began));
    fleet->bytes += news.body.size();
    revision = number_in(news.body, fleet->whole ? "revision" : "to");
    const std::uint64_t pace = fleet->whole ? 0 : number_in(news.body, "paceMs");
    asio::awaitable<void> pausing = pause(executor, std::chrono::milliseconds(pace));
    co_await std::move(pausing);
  }
}

// One request on a kept connection of the operator, or of a host that joins.
struct Operator {
  asio::any_io_executor executor;
  Fleet* fleet;
  http::Client client;

  Operator(asio::any_io_executor on, Fleet* all)
      : executor(on), fleet(all), client(on, all->cluster->endpoint(bench::sim_address(0)), all->cluster->admin_tls()) {}
};

asio::awaitable<http::Response> ask(Operator* who, http::Method method, std::string target) {
  Sending sending = who->client.send(bench::json_request(method, std::move(target), ""), std::chrono::seconds(30));
  const Result<http::Response> response = co_await std::move(sending);
  if (!response) bench::die("a request failed: " + response.error().message);
  co_return *response;
}

// All have asked again, so what is left is that the coordinator has read the last one's question.
asio::awaitable<void> await_last(Operator* who, std::string name, std::uint64_t revision) {
  for (;;) {
    asio::awaitable<http::Response> asking = ask(who, http::Method::get, "/v1/nodes/" + name);
    const http::Response response = co_await std::move(asking);
    const auto view = bench::must(proto::decode<proto::NodeView>(response.body), "a node");
    if (view.applied_revision > revision) co_return;
    asio::awaitable<void> pausing = pause(who->executor, std::chrono::milliseconds(2));
    co_await std::move(pausing);
  }
}

struct Measured {
  std::vector<double> told_us;  // CPU for each agent until all have heard, one a change; their next questions come later, by the pace
  std::vector<double> cpu_us;   // until all have acknowledged
  std::vector<double> heard_ms;
  std::vector<double> all_heard_ms;
  std::vector<double> all_acknowledged_ms;
  std::size_t bytes = 0;
};

// The host that comes and goes.
struct Guest {
  bench::SimNode node;
  bool is_there = false;
  std::string credential;
};

asio::awaitable<void> change(Operator* who, Guest* guest) {
  if (guest->is_there) {
    asio::awaitable<http::Response> removing = ask(who, http::Method::del, "/v1/nodes/" + guest->node.name);
    const http::Response removed = co_await std::move(removing);
    if (removed.status != 204) bench::die("a removal was answered " + std::to_string(removed.status) + " " + removed.body);
  } else {
    http::Client client(who->executor, who->fleet->cluster->endpoint(guest->node.address), who->fleet->cluster->anonymous_tls());
    Sending joining = client.send(guest->node.join_request(guest->credential), std::chrono::seconds(30));
    const Result<http::Response> joined = co_await std::move(joining);
    expect(joined, 200);
  }
  guest->is_there = !guest->is_there;
}

asio::awaitable<void> measure_one(Operator* who, Guest* guest, Measured* measured) {
  Fleet* fleet = who->fleet;
  const std::size_t agents = fleet->nodes->size();
  asio::awaitable<void> resting = pause(who->executor, std::chrono::milliseconds(1'500));
  co_await std::move(resting);
  asio::awaitable<http::Response> looking = ask(who, http::Method::get, "/v1/nodes/" + (*fleet->nodes)[0].name);
  const http::Response seen = co_await std::move(looking);
  fleet->begun_at = bench::must(proto::decode<proto::NodeView>(seen.body), "a node").applied_revision;
  fleet->heard_ms.clear();
  fleet->asked_again.clear();
  const std::size_t bytes = fleet->bytes;
  const double cpu = fleet->server->usage().cpu_seconds;
  fleet->began = SteadyClock::now();
  asio::awaitable<void> changing = change(who, guest);
  co_await std::move(changing);
  while (fleet->heard_ms.size() < agents) {
    asio::awaitable<void> pausing = pause(who->executor, std::chrono::milliseconds(1));
    co_await std::move(pausing);
  }
  measured->told_us.push_back((fleet->server->usage().cpu_seconds - cpu) / static_cast<double>(agents) * 1e6);
  while (fleet->asked_again.size() < agents) {
    asio::awaitable<void> pausing = pause(who->executor, std::chrono::milliseconds(1));
    co_await std::move(pausing);
  }
  asio::awaitable<void> waiting = await_last(who, (*fleet->nodes)[fleet->asked_again.back()].name, fleet->begun_at);
  co_await std::move(waiting);
  measured->all_acknowledged_ms.push_back(since_ms(fleet->began));
  measured->cpu_us.push_back((fleet->server->usage().cpu_seconds - cpu) / static_cast<double>(agents) * 1e6);
  measured->all_heard_ms.push_back(*std::max_element(fleet->heard_ms.begin(), fleet->heard_ms.end()));
  measured->heard_ms.insert(measured->heard_ms.end(), fleet->heard_ms.begin(), fleet->heard_ms.end());
  measured->bytes += fleet->bytes - bytes;
}

std::string range(const std::vector<double>& values) {
  char text[96];
  std::snprintf(text, sizeof text, "%.1f (%.1f to %.1f)", bench::percentile(values, 0.5), *std::min_element(values.begin(), values.end()),
                *std::max_element(values.begin(), values.end()));
  return text;
}

void report(const char* what, const Measured& measured, std::size_t agents) {
  const std::size_t changes = measured.cpu_us.size();
  std::printf("feed, %s: %zu agents, %zu changes, server %s us to tell an agent, %s us until it has acknowledged, %zu bytes each; heard p50 %.0f ms, p99 %.0f ms; by all %s ms, "
              "acknowledged by all %s ms (p99 %.0f); load %.2f\n",
              what, agents, changes, range(measured.told_us).c_str(), range(measured.cpu_us).c_str(), measured.bytes / std::max<std::size_t>(1, agents * changes),
              bench::percentile(measured.heard_ms, 0.5), bench::percentile(measured.heard_ms, 0.99), range(measured.all_heard_ms).c_str(),
              range(measured.all_acknowledged_ms).c_str(), bench::percentile(measured.all_acknowledged_ms, 0.99), bench::load_average());
  std::fflush(stdout);
}

asio::awaitable<void> measure(asio::any_io_executor executor, Fleet* fleet) {
  while (fleet->connected < fleet->nodes->size()) {
    asio::awaitable<void> pausing = pause(executor, std::chrono::milliseconds(10));
    co_await std::move(pausing);
  }
  std::printf("feed: %zu agents wait, coordinator %.1f MiB\n", fleet->connected, static_cast<double>(fleet->server->usage().rss_kib) / 1024);
  Operator who(executor, fleet);
  Guest guest{bench::SimNode("guest", bench::sim_address(fleet->nodes->size() + 1)), false, fleet->credential};
  for (const bool whole : {false, true}) {
    // The first of each kind is not counted: agents that wait have asked for the other.
    fleet->whole = whole;
    Measured warm_up;
    asio::awaitable<void> warming = measure_one(&who, &guest, &warm_up);
    co_await std::move(warming);
    Measured measured;
    const std::size_t changes = whole ? fleet->options->whole_changes : fleet->options->changes;
    for (std::size_t i = 0; i < changes; ++i) {
      asio::awaitable<void> measuring = measure_one(&who, &guest, &measured);
      co_await std::move(measuring);
    }
    if (changes > 0) report(whole ? "whole documents" : "changes", measured, fleet->nodes->size());
  }
  fleet->server->kill_now();
  std::_Exit(0);
}

// What each agent begins with: the newest desired state.
void learn_position(Fleet& fleet) {
  const bench::SimNode& node = (*fleet.nodes)[0];
  const auto reply = bench::send_now(fleet.cluster->endpoint(node.address), node.tls(fleet.cluster->ca_pem()), bench::json_request(http::Method::get, "/v1/agent/sync", ""));
  const auto desired = bench::must(proto::decode<proto::DesiredState>(expect(reply, 200).body), "the desired state");
  fleet.epoch = desired.epoch;
  fleet.revision = fleet.begun_at = desired.revision;
}

void check_descriptors(std::size_t agents) {
  constexpr std::size_t k_beside = 256;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= agents + k_beside) return;
  bench::die("too few file descriptors: " + std::to_string(agents) + " agents need " + std::to_string(agents + k_beside) + ", the limit is " +
             std::to_string(limit.rlim_cur) + "; raise it (ulimit -n, LimitNOFILE=) or take fewer with --nodes");
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  bench::raise_descriptor_limit();
  check_descriptors(options.nodes);
  bench::enter_own_network(bench::k_address);
  const bench::ClusterDir cluster(options.bin, options.dir, options.io_threads);
  bench::ServerProcess server(cluster.run_command(), options.server_cpu, cluster.path("log"));
  if (!server.wait_until_listening(bench::k_address, cluster.port())) bench::die("the coordinator has ended");
  bench::pin_this_thread(options.load_cpu);
  std::vector<bench::SimNode> nodes;
  for (std::size_t i = 0; i < options.nodes; ++i) nodes.emplace_back("bench-" + std::to_string(i), bench::sim_address(i));
  bench::join_all(cluster, nodes, 32);
  Fleet fleet;
  fleet.cluster = &cluster;
  fleet.options = &options;
  fleet.server = &server;
  fleet.nodes = &nodes;
  fleet.credential = cluster.new_token(options.changes + options.whole_changes + 2);
  // The last joins are told within a second.
  ::usleep(1'500'000);
  learn_position(fleet);
  bench::run_together([&](asio::any_io_executor executor) {
    std::vector<asio::awaitable<void>> jobs;
    for (std::size_t i = 0; i < nodes.size(); ++i) jobs.push_back(follow(executor, &fleet, i));
    jobs.push_back(measure(executor, &fleet));
    return jobs;
  });
  return 0;
}
