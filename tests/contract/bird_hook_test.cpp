// The example hook for BIRD, with a real BIRD that is the router between two nodes: pods reach each other by the routes that it was told of.
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "coordinator/routes/program_hook.hpp"
#include "coordinator/service/route_sync.hpp"
#include "slipway_test_paths.hpp"
#include "tests/support/fake_route_hook.hpp"
#include "tests/support/io_test.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/side_netns.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

constexpr char k_bird[] = "/usr/sbin/bird";

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

// The router, with a BIRD that exports the hook's routes to its kernel.
class Router {
 public:
  Router() {
    std::ofstream(routes()) << "";
    std::ofstream(dir_ / "bird.conf") << "router id 10.77.0.1;\nprotocol device {}\nprotocol kernel { ipv4 { export all; }; scan time 1; }\n"
                                      << "protocol static slipway {\n  ipv4;\n  include \"" << routes() << "\";\n}\n";
    ns.run("sysctl -qw net.ipv4.ip_forward=1");
  }
  ~Router() {
    if (bird_ <= 0) return;
    ::kill(bird_, SIGTERM);
    ::waitpid(bird_, nullptr, 0);
  }
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Its links are there.
  void start() {
    const std::string config = dir_ / "bird.conf", control = socket();
    const char* argv[] = {k_bird, "-f", "-c", config.c_str(), "-s", control.c_str(), nullptr};
    const int started = ns.within([&] { return ::posix_spawn(&bird_, k_bird, nullptr, nullptr, const_cast<char**>(argv), environ); });
    REQUIRE(started == 0);
    until([&] { return std::filesystem::exists(socket()); });
  }
  std::string routes() const { return dir_ / "slipway.conf"; }
  std::string socket() const { return dir_ / "bird.ctl"; }
  std::string kernel_routes() const { return ns.run("ip route show proto bird"); }

  // BIRD works by itself: what it was told is in the kernel a moment later.
  template <class Done>
  void until(const Done& done) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    REQUIRE(done());
  }

  SideNamespace ns;

 private:
  TempDir dir_;
  pid_t bird_ = 0;
};

// A node on a link of its own to the router, and the address of its pod.
struct RoutedNode {
  SideNamespace ns;
  IpAddress pod;

  RoutedNode(const Router& router, const std::string& link, const std::string& network, const char* pod_address) : pod(ip(pod_address)) {
    router.ns.run("ip link add " + link + " type veth peer name eth0 netns " + ns.place());
    router.ns.run("ip address add " + network + ".1/24 dev " + link);
    router.ns.run("ip link set " + link + " up");
    ns.run("ip address add " + network + ".11/24 dev eth0");
    ns.run("ip link set eth0 up");
    ns.run("ip route add default via " + network + ".1");
    ns.run("ip address add " + pod.to_string() + "/32 dev lo");
  }
};

bool reaches(const RoutedNode& from, const RoutedNode& to) {
  auto sender = from.ns.within([&] { return std::make_unique<Datagrams>(from.pod); });
  auto receiver = to.ns.within([&] { return std::make_unique<Datagrams>(to.pod); });
  sender->send(to.pod, receiver->port());
  return receiver->source(300) == from.pod.to_string();
}

}  // namespace

TEST_CASE("pods reach each other by routes that the example hook has given to a real BIRD", "[route-hook][bird]") {
  if (!is_root() || ::access(k_bird, X_OK) != 0) {
    WARN("SKIPPED: needs root and bird2");
    return;
  }
  Router router;
  const RoutedNode one(router, "n1", "10.77.0", "10.10.1.2"), two(router, "n2", "10.78.0", "10.10.2.2");
  router.start();
  ProgramHookSettings settings;
  settings.command = {std::string(SLIPWAY_SOURCE_DIR) + "/packaging/examples/routes-hook/bird", router.routes(), router.socket()};
  settings.concurrency = 1;
  settings.cluster_name = "demo";
  const auto hook = *ProgramHook::make(std::move(settings));
  IoTest io;
  ManualClock clock;
  MemoryRouteNotes notes;
  std::vector<OutsideRoute> wanted = {{*Cidr::parse("10.10.1.0/24"), ip("10.77.0.11"), "one"}, {*Cidr::parse("10.10.2.0/24"), ip("10.78.0.11"), "two"}};
  RouteSync sync(RouteSyncDeps{io.executor(), clock, *hook, notes, [&wanted] { return wanted; }, 1, Millis(60'000), 7});
  REQUIRE_FALSE(reaches(one, two));

  const Status set = io.run(sync.pass());
  INFO((set ? std::string() : set.error().message));
  REQUIRE(set);
  CHECK(sync.trouble().empty());
  router.until([&] { return reaches(one, two) && reaches(two, one); });

  // A route of the router's own administrator stays whatever becomes of the nodes.
  router.ns.run("ip route add 10.10.200.0/24 via 10.77.0.11");
  wanted.pop_back();
  REQUIRE(io.run(sync.pass()));
  router.until([&] { return router.kernel_routes().find("10.10.2.0/24") == std::string::npos; });
  CHECK(router.kernel_routes().find("10.10.1.0/24") != std::string::npos);
  CHECK_FALSE(reaches(one, two));
  CHECK(router.ns.run("ip route show 10.10.200.0/24").find("10.77.0.11") != std::string::npos);
}
