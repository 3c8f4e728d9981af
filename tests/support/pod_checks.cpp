#include "tests/support/pod_checks.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>
#include <optional>

namespace slipway::test {

bool no_root() {
  if (!is_root()) WARN("SKIPPED: needs root (network namespaces)");
  return !is_root();
}

NetworkDesired backend(NetworkBackend kind, bool cross_subnet) {
  NetworkDesired settings;
  settings.backend = kind;
  settings.cross_subnet = cross_subnet;
  settings.mac_salt = 0x5a;
  return settings;
}

void check_whole(PodLab& lab, std::size_t bytes) {
  for (std::size_t i = 0; i < lab.size(); ++i) CHECK(lab.planned(lab.node(i)) == Lines{});
  CHECK(lab.broken() == Lines{});
  CHECK(lab.broken(bytes) == Lines{});
}

std::string marks(long direct, long tunnel, long ends, long hops) {
  return "routes " + std::to_string(direct + tunnel + 2) + ", neighbours " + std::to_string(tunnel) +
         ", entries " + std::to_string(ends) + (hops == 0 ? "" : ", link hops " + std::to_string(hops));
}

bool has_news(PodLab& lab, Network& network) {
  boost::asio::cancellation_signal signal;
  std::optional<Result<NetworkNews>> ended;
  const auto done = [&ended](std::exception_ptr, Result<NetworkNews> news) { ended = std::move(news); };
  boost::asio::co_spawn(lab.io.executor(), network.changed(),
                        boost::asio::bind_cancellation_slot(signal.slot(), done));
  lab.io.poll();
  if (ended) return true;
  signal.emit(boost::asio::cancellation_type::terminal);
  lab.io.poll();
  return false;
}

void suffer(PodLab& lab, const Harm& harm) {
  INFO(harm.what);
  LabNode& node = lab.node(0);
  while (has_news(lab, *node.kernel)) {
  }
  const std::string before = lab.marked(node);
  node.ns.within([&harm] {
    for (const std::string& command : harm.commands) run_words(command);
  });
  if (harm.told) CHECK(has_news(lab, *node.kernel));
  const auto start = std::chrono::steady_clock::now();
  const Lines steps = lab.pass(node);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
  std::cout << harm.what << ": " << steps.size() << " steps, " << took << " ms\n";
  CHECK(lab.planned(node) == Lines{});
  CHECK(lab.broken() == Lines{});
  CHECK(lab.marked(node) == before);
}

}  // namespace slipway::test
