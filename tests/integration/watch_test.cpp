// The watch of nodes over real TLS, read with slipwayctl's own reader.
#include <thread>

#include "common/crypto/csr.hpp"
#include "coordinator/app.hpp"
#include "coordinator/ctl/event_reader.hpp"
#include "tests/support/cluster_fixture.hpp"

namespace slipway::test {
namespace {

// Reads events in the background of one Clients object until told to stop.
class Watcher {
 public:
  Watcher(ClusterFixture& cluster, const std::string& target) : Watcher(cluster, target, cluster.admin()) {}
  Watcher(ClusterFixture& cluster, const std::string& target, Caller who)
      : cluster_(cluster), reader_([this](const ctl::Event& event) {
          events.push_back(event);
          return Status{};
        }) {
    http::Request request = request_of(http::Method::get, target);
    // A watch may be under way when the test ends: its client lives as long as the coroutine that uses it.
    const auto caller = std::make_shared<Caller>(std::move(who));
    cluster.clients.start(caller->client.fetch(
                              std::move(request), [this](std::string_view part) { return reader_.feed(part); }, std::chrono::seconds(60)),
                          [this, caller](Result<http::Response> reply) { ended = reply ? reply->status : -1; });
  }
  // The next event that has not been looked at.
  ctl::Event next() {
    cluster_.clients.run_until([this] { return at_ < events.size() || ended != 0; });
    if (at_ >= events.size()) FAIL("the watch ended with " << ended);
    return events[at_++];
  }
  std::string next_text() {
    const ctl::Event event = next();
    if (event.name == "synced") return event.name;
    const auto node = proto::decode<proto::NodeView>(event.data);
    REQUIRE(node);
    return event.name + " " + node->name + (node->phase.empty() ? "" : " " + node->phase);
  }

  std::vector<ctl::Event> events;
  int ended = 0;

 private:
  ClusterFixture& cluster_;
  ctl::EventReader reader_;
  std::size_t at_ = 0;
};

SimulatedAgent join(ClusterFixture& cluster, const std::string& name, int host) {
  SimulatedAgent agent(name, host);
  Caller caller = cluster.anonymous();
  agent.accept(caller.send(agent.join_message(cluster.new_token())));
  return agent;
}

void report(ClusterFixture& cluster, const SimulatedAgent& agent, const std::string& phase) {
  proto::NodeStatusReport status;
  status.phase = phase;
  Caller caller = agent.caller(cluster);
  CHECK(caller.post("/v1/agent/status", proto::encode(status)).status == 204);
}

}  // namespace

TEST_CASE("a watch tells of nodes that come, change and go", "[watch]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent first = join(cluster, "a", 11);
  Watcher watcher(cluster, "/v1/nodes?watch=true");
  CHECK(watcher.next_text() == "added a Joining");
  CHECK(watcher.next_text() == "synced");
  const SimulatedAgent second = join(cluster, "b", 12);
  CHECK(watcher.next_text() == "added b Joining");
  report(cluster, first, "Running");
  CHECK(watcher.next_text() == "modified a Running");
  report(cluster, first, "Running");  // nothing new
  report(cluster, second, "Degraded");
  CHECK(watcher.next_text() == "modified b Degraded");
  CHECK(cluster.admin().remove("/v1/nodes/a").status == 204);
  CHECK(watcher.next_text() == "removed a");
  cluster.stop();
  cluster.clients.run_until([&watcher] { return watcher.ended != 0; });
  CHECK(watcher.ended == 200);  // an orderly end, not a cut
}

TEST_CASE("a filtered watch takes what comes to match and drops what no longer does", "[watch]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent a = join(cluster, "a", 11);
  const SimulatedAgent b = join(cluster, "b", 12);
  report(cluster, b, "Running");
  Watcher watcher(cluster, "/v1/nodes?watch=true&phase=Running&labelSelector=slipway%2Frole%3Dnode");
  CHECK(watcher.next_text() == "added b Running");
  CHECK(watcher.next_text() == "synced");
  report(cluster, a, "Running");
  CHECK(watcher.next_text() == "added a Running");
  report(cluster, b, "Degraded");
  CHECK(watcher.next_text() == "removed b");
  CHECK(cluster.admin().get("/v1/nodes?watch=perhaps").status == 400);
  CHECK(cluster.admin().get("/v1/nodes?labelSelector=%2C").status == 400);
  const auto page = as<proto::NodeList>(cluster.admin().get("/v1/nodes?phase=Running"));
  REQUIRE(page.items.size() == 1);
  CHECK(page.items[0].name == "a");
  CHECK(page.items[0].labels.at("kubernetes.io/hostname") == "a");
}

TEST_CASE("a watch ends with the right of its operator, the others' go on", "[watch][access]") {
  ClusterFixture cluster;
  cluster.start();
  const auto key = PrivateKey::generate_p256();
  const proto::OperatorRequest request{make_csr(*key).value(), "vera", "viewer"};
  const auto vera = as<proto::OperatorReply>(cluster.admin().post("/v1/operators", proto::encode(request)));
  const auto identity = cluster.tls(vera.certificate, key->to_pem().value());
  Watcher hers(cluster, "/v1/nodes?watch=true", Caller(cluster.clients, cluster.app->port(), identity));
  Watcher mine(cluster, "/v1/nodes?watch=true");
  CHECK(hers.next_text() == "synced");
  CHECK(mine.next_text() == "synced");
  CHECK(cluster.admin().remove("/v1/operators/vera").status == 204);
  cluster.clients.run_until([&hers] { return hers.ended != 0; });
  CHECK(hers.ended == -1);  // cut, not an orderly end
  join(cluster, "a", 11);
  CHECK(mine.next_text() == "added a Joining");
  CHECK(hers.events.size() == 1);
}

TEST_CASE("the sixty-fifth watch is refused, and one that ends makes room", "[watch]") {
  ClusterFixture cluster;
  cluster.start();
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < 64; ++i) {
    watchers.push_back(std::make_unique<Watcher>(cluster, "/v1/nodes?watch=true"));
    CHECK(watchers.back()->next_text() == "synced");
  }
  CHECK(cluster.admin().get("/v1/nodes?watch=true").status == 429);
  CHECK(cluster.admin().get("/v1/nodes").status == 200);
}

}  // namespace slipway::test
