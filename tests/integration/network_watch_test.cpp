// From the kernel's word about a link to the work that it asks for.
#include <catch2/catch.hpp>

#include "agent/net/kernel_network.hpp"
#include "agent/service/network_watch.hpp"
#include "tests/support/cancelable.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/netns.hpp"
#include "tests/support/network_news.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

bool skip_without_root() {
  if (is_root()) return false;
  WARN("SKIPPED: needs root (a network namespace)");
  return true;
}

// A host whose agent has heard all that there was to hear.
struct WatchedHost {
  explicit WatchedHost(bool with_link) {
    if (with_link) make_link();
    KernelNetworkPaths paths;
    paths.etc = etc.path();
    network = KernelNetwork::open(io.executor(), paths).value();
    forget_news(io, *network);
    watch = std::make_unique<NetworkWatch>(*network, clock, state);
  }
  static void make_link() {
    run_words("ip link add eth0 type veth peer name wire");
    run_words("ip link set wire up");
    run_words("ip link set eth0 up");
    run_words("ip address add 10.77.0.11/24 dev eth0");
  }
  void after(Millis time) {
    clock.advance(time);
    io.poll();
  }

  const NetNamespace alone;
  TempDir etc;
  IoTest io;
  ManualClock clock;
  AgentState state;
  std::unique_ptr<KernelNetwork> network;
  std::unique_ptr<NetworkWatch> watch;
};

}  // namespace

TEST_CASE("a link that goes down and up is looked at at once, and a pass follows", "[agent][network][watch]") {
  if (skip_without_root()) return;
  WatchedHost host(true);
  Cancelable<void> listening(host.io, host.watch->listen());
  Cancelable<void> gathering(host.io, host.watch->gather());
  for (const char* change : {"ip link set eth0 down", "ip link set eth0 up", "ip address del 10.77.0.11/24 dev eth0"}) {
    INFO(change);
    run_words(change);
    poll_until(host.io, [&host] { return host.state.network_news.take(); });
    CHECK_FALSE(host.state.reconcile.is_set());
    host.after(Millis(199));
    CHECK_FALSE(host.state.reconcile.is_set());
    host.after(Millis(1));
    CHECK(host.state.reconcile.take());
    CHECK(host.state.address_news.take());
    // The kernel tells of a carrier when it comes to it.
    while (host.state.network_news.take()) {
      host.after(Millis(200));
      host.state.reconcile.take();
    }
  }
  CHECK(listening.cancel().error().code == Errc::canceled);
  CHECK(gathering.cancel().error().code == Errc::canceled);
}

TEST_CASE("rules are looked at when no more of them come", "[agent][network][watch]") {
  if (skip_without_root()) return;
  WatchedHost host(false);
  Cancelable<void> listening(host.io, host.watch->listen());
  Cancelable<void> gathering(host.io, host.watch->gather());
  run_words("nft add table inet firewalld");
  poll_until(host.io, [&host] { return host.clock.sleeper_count() == 1; });
  CHECK_FALSE(host.state.network_news.is_set());
  host.after(Millis(200));
  CHECK(host.state.network_news.is_set());
  CHECK(host.state.reconcile.is_set());
  (void)listening.cancel();
  (void)gathering.cancel();
}
