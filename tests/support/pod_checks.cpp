#include "tests/support/pod_checks.hpp"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>

#include "tests/support/ping_stream.hpp"

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

LabPods usual_pods() {
  if (have_cni_plugins()) return LabPods::by_plugins;
  WARN("SKIPPED: pods by the CNI plugins, which containernetworking-plugins brings; they are attached by hand");
  return LabPods::by_hand;
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

namespace {

// Pods that talk meanwhile: of the node that suffers to others, and of others among themselves.
class Talk {
 public:
  explicit Talk(PodLab& lab) {
    for (std::size_t to = 1; to < std::min<std::size_t>(lab.size(), 3); ++to) {
      listen(lab.node(0), lab.node(to), true);
      if (lab.dual()) listen(lab.node(0), lab.node(to), false);
    }
    own_ = streams_.size();
    if (lab.size() > 2) listen(lab.node(1), lab.node(2), true);
  }
  // What was lost, stream by stream.
  std::string end() {
    Lines words;
    for (const auto& stream : streams_) stream->end_sending();  // all wait at once
    for (const auto& stream : streams_) {
      stream->stop();
      words.push_back(stream->in_words());
    }
    return join(words, ", ");
  }
  long lost_by_others() const {
    long lost = 0;
    for (std::size_t i = own_; i < streams_.size(); ++i) lost += streams_[i]->lost();
    return lost;
  }

 private:
  void listen(LabNode& from, LabNode& to, bool v4) {
    const std::string name = from.name() + ">" + to.name() + (v4 ? " v4" : " v6");
    streams_.push_back(std::make_unique<PingStream>(name, from.pod, to.pod_address(v4)));
  }
  std::vector<std::unique_ptr<PingStream>> streams_;
  std::size_t own_ = 0;
};

void run_all(const LabNode& node, const Lines& commands) {
  node.ns.within([&commands] {
    for (const std::string& command : commands) run_words(command);
  });
}

// What the finding says about a chain of somebody else's.
void follow_cure(PodLab& lab, LabNode& node) {
  CHECK_FALSE(lab.reaches(node, lab.node(1), true));
  Lines commands;
  for (const NetworkFinding& finding : network_findings(node.desired, lab.observe(node))) {
    const auto cure = finding.message.find("nft insert rule");
    if (finding.kind != NetworkFindingKind::foreign_refusal || cure == std::string::npos) continue;
    for (const std::string_view command : split(std::string_view(finding.message).substr(cure), ';'))
      commands.emplace_back(trim(command));
  }
  CHECK_FALSE(commands.empty());
  run_all(node, commands);
}

}  // namespace

std::vector<Harm> filter_harms() {
  return {
      {"FORWARD emptied, with the policy DROP",
       {"iptables -F FORWARD", "iptables -P FORWARD DROP", "ip6tables -F FORWARD", "ip6tables -P FORWARD DROP"}},
      {"our chain emptied and a jump before ours",
       {"iptables -F SLIPWAY-FORWARD", "iptables -N OTHER", "iptables -I FORWARD 1 -j OTHER", "ip6tables -F SLIPWAY-FORWARD"}},
      {"the masquerade tables deleted", {"nft delete table ip slipway", "nft delete table ip6 slipway"}},
      {"a chain of somebody else's that refuses",
       {"nft add table inet guard",
        "nft add chain inet guard forward { type filter hook forward priority 10 ; policy accept ; }",
        "nft add rule inet guard forward reject with icmpx type admin-prohibited"},
       false,
       true},
      {"the whole ruleset flushed", {"nft flush ruleset"}},
  };
}

void suffer(PodLab& lab, const Harm& harm) {
  INFO(harm.what);
  LabNode& node = lab.node(0);
  while (has_news(lab, *node.kernel)) {
  }
  const std::string before = lab.marked(node);
  const std::string rules_before = lab.marked_rules(node);
  Talk talk(lab);
  run_all(node, harm.commands);
  if (harm.told) CHECK(has_news(lab, *node.kernel));
  const auto start = std::chrono::steady_clock::now();
  const Lines steps = lab.pass(node);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
  if (harm.by_cure) follow_cure(lab, node);
  CHECK(lab.planned(node) == Lines{});
  CHECK(lab.broken() == Lines{});
  const std::string lost = talk.end();
  std::cout << harm.what << ": " << steps.size() << " steps, " << took << " ms; packets lost: " << lost << "\n";
  CHECK(talk.lost_by_others() == 0);
  CHECK(lab.marked(node) == before);
  CHECK(lab.marked_rules(node) == rules_before);
}

}  // namespace slipway::test
