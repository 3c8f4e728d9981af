// How long one node's kernel takes to be programmed with thousands of peers, in a network namespace of its own:
//   sudo network_bench [--peers 5000] [--rounds 5] [--one-by-one 5000]
// Beside it the way of programs that set one route after the other, each with its own answer and no metric.
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/domain/network_plan.hpp"
#include "agent/net/kernel_network.hpp"
#include "agent/net/rtnetlink.hpp"
#include "tests/support/netns.hpp"

namespace {

using namespace slipway;
using slipway::test::run_words;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "network_bench: %s\n", what.c_str());
  std::exit(1);
}

double now_ms(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

struct Took {
  double wall = 0, cpu = 0;
};

template <class Work>
Took timed(const Work& work) {
  const double wall = now_ms(CLOCK_MONOTONIC), cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);
  work();
  return {now_ms(CLOCK_MONOTONIC) - wall, now_ms(CLOCK_THREAD_CPUTIME_ID) - cpu};
}

class Figure {
 public:
  explicit Figure(std::string name) : name_(std::move(name)) {}
  void add(const Took& took) {
    wall_.push_back(took.wall);
    cpu_.push_back(took.cpu);
  }
  ~Figure() {
    if (wall_.empty()) return;
    std::sort(wall_.begin(), wall_.end());
    std::sort(cpu_.begin(), cpu_.end());
    std::printf("%-52s wall %9.1f ms (%.1f to %.1f)   cpu %9.1f ms\n", name_.c_str(), wall_[wall_.size() / 2], wall_.front(), wall_.back(), cpu_[cpu_.size() / 2]);
  }
  Figure(const Figure&) = delete;
  Figure& operator=(const Figure&) = delete;

 private:
  std::string name_;
  std::vector<double> wall_, cpu_;
};

IpAddress address(std::uint32_t number) { return IpAddress::v4(number); }

constexpr std::uint32_t k_first_node = 0xAC100001U;  // 172.16.0.1/12: as many neighbours as one likes
constexpr std::uint32_t k_pods = 0x0A000000U;        // 10.0.0.0/8 in /24s

std::vector<NetworkPeer> peers(std::size_t count) {
  std::vector<NetworkPeer> out;
  out.reserve(count);
  for (std::uint32_t i = 1; i <= count; ++i) out.push_back({"n" + std::to_string(i), *Cidr::make(address(k_pods + (i << 8)), 24), address(k_first_node + i)});
  return out;
}

NetworkDesired desired(NetworkBackend backend) {
  NetworkDesired wanted;
  wanted.backend = backend;
  wanted.node_address = address(k_first_node);
  wanted.own_cidr = *Cidr::make(address(k_pods), 24);
  wanted.pools = {*Cidr::parse("10.0.0.0/8")};
  return wanted;
}

// One pass: what an agent does when it has been told something. The number of steps.
std::size_t pass(Network& network, const NetworkDesired& wanted) {
  const auto seen = network.observe();
  if (!seen) die(seen.error().message);
  const std::vector<NetworkStep> steps = plan_network(wanted, *seen);
  for (const Status& done : network.apply(steps)) {
    if (!done) die(done.error().message);
  }
  return steps.size();
}

struct Machine {
  test::NetNamespace ns;
  boost::asio::io_context io;
  std::string folder = (std::filesystem::temp_directory_path() / ("network-bench-" + std::to_string(::getpid()))).string();
  std::unique_ptr<KernelNetwork> network;

  Machine() {
    run_words("ip link add u0 type veth peer name u1");
    run_words("ip address add 172.16.0.1/12 dev u0");
    run_words("ip link set u1 up");
    run_words("ip link set u0 up");
    KernelNetworkPaths paths;
    paths.etc = folder;
    auto opened = KernelNetwork::open(io.get_executor(), paths);
    if (!opened) die(opened.error().message);
    network = std::move(*opened);
  }
  ~Machine() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
};

void measure(NetworkBackend backend, const std::string& name, std::size_t count, int rounds) {
  const std::string title = name + ", " + std::to_string(count) + " peers: ";
  Figure all(title + "from none to all, whole pass"), kernel(title + "of it netlink"), idle(title + "pass that finds nothing"), one(title + "pass with one peer more"),
      flap(title + (backend == NetworkBackend::vxlan ? "tunnel deleted, repaired" : "link down and up, repaired"));
  for (int round = 0; round < rounds; ++round) {
    Machine machine;
    NetworkDesired wanted = desired(backend);
    pass(*machine.network, wanted);  // device, tables, files
    wanted.peers = peers(count);
    const auto seen = machine.network->observe();
    if (!seen) die(seen.error().message);
    std::vector<NetworkStep> steps;
    const Took planning = timed([&] { steps = plan_network(wanted, *seen); });
    const Took applying = timed([&] {
      for (const Status& done : machine.network->apply(steps)) {
        if (!done) die(done.error().message);
      }
    });
    kernel.add(applying);
    all.add({planning.wall + applying.wall, planning.cpu + applying.cpu});
    idle.add(timed([&] {
      if (pass(*machine.network, wanted) != 0) die("a second pass had something to do");
    }));
    wanted.peers = peers(count + 1);
    one.add(timed([&] { pass(*machine.network, wanted); }));
    if (backend == NetworkBackend::vxlan) {
      run_words(std::string("ip link delete ") + k_overlay_device);
    } else {
      run_words("ip link set u0 down");
      run_words("ip link set u0 up");
    }
    flap.add(timed([&] { pass(*machine.network, wanted); }));
  }
}

void one_by_one(std::size_t count) {
  Machine machine;
  auto netlink = net::Rtnetlink::open();
  if (!netlink) die(netlink.error().message);
  const auto links = netlink->links();
  if (!links) die(links.error().message);
  const NetworkLink* underlay = nullptr;
  for (const NetworkLink& link : *links) {
    if (link.name == "u0") underlay = &link;
  }
  Figure figure("baseline, " + std::to_string(count) + " routes one by one without a metric");
  figure.add(timed([&] {
    for (const NetworkPeer& peer : peers(count)) {
      MarkedRoute route;
      route.destination = peer.cidr;
      route.gateway = peer.gateway;
      route.link = underlay->index;
      std::vector<Status> done(1);
      netlink->change({PutRoute{route, peer.node}}, 0, 1, 0, done);
      if (!done[0]) die(done[0].error().message);
    }
  }));
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 5000, baseline = 5000;
  int rounds = 5;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const std::size_t value = std::strtoul(argv[i + 1], nullptr, 10);
    if (name == "--peers") count = value;
    else if (name == "--rounds") rounds = static_cast<int>(value);
    else if (name == "--one-by-one") baseline = value;
    else die("usage: network_bench [--peers N] [--rounds N] [--one-by-one N]");
  }
  if (count > 65'000) die("--peers: at most 65000, the /24s of 10.0.0.0/8");
  measure(NetworkBackend::host_gw, "host-gw", count, rounds);
  measure(NetworkBackend::vxlan, "vxlan", count, rounds);
  if (baseline > 0) one_by_one(baseline);
  return 0;
}
