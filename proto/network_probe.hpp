#pragma once
// A probe of the network between nodes and between pods: what travels between coordinator, agents and people.
// All since 0.4.
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::proto {

// The header that tells an agent of a probe it is to take part in, with the probe's id. Sent with answers to
// syncAgent, and only to those who ask with `probe`: agents that know nothing of it go on waiting for news of
// the desired state.
inline constexpr const char* k_probe_header = "Slipway-Network-Probe";

// ---- agents
// --------------------------------------------------------------------------------------------------------
// Where an agent's pods can be pinged.
struct ProbeOffer {
  std::string probe;                      // id
  std::vector<std::string> bridges = {};  // addresses of the pods' bridge, at most one of a family
  std::vector<std::string> pods = {};     // that answer on their own host, at most two of a family
  std::string note = {};                  // why there are none; empty: there are
  bool operator==(const ProbeOffer&) const = default;
};
struct ProbeTarget {
  std::string node;
  std::vector<std::string> addresses = {};  // the node's own
  std::vector<std::string> bridges = {};
  std::vector<std::string> pods = {};
  bool operator==(const ProbeTarget&) const = default;
};
struct ProbeTargets {
  std::string probe;
  std::vector<ProbeTarget> targets;
};
// What got no answer. Pods of a node are one: only when none of them answers.
struct ProbeLoss {
  std::string node;  // the target's
  std::string what;  // node, bridge, pod
  std::string address;
  std::uint64_t bytes = 0;  // of the IP packet, which was not to be cut; 0: small
  std::string result;       // silent, no-route, unreachable, refused, too-big
  std::uint64_t mtu = 0;    // of too-big, as far as it was told; 0: it was not
  bool operator==(const ProbeLoss&) const = default;
};
struct ProbeReport {
  std::string probe;
  std::uint64_t pings = 0;  // addresses and sizes that were tried
  std::vector<ProbeLoss> losses = {};
  std::string note = {};  // why less was tried than was asked; empty: all was
  bool operator==(const ProbeReport&) const = default;
};

// ---- people
// --------------------------------------------------------------------------------------------------------
struct NetworkPair {
  std::string from;
  std::string to;
  std::string what;  // node: its own address. pod: its pods. mtu: small packets pass, those of the pods' full
                     // size do not
  std::string family;       // IPv4, IPv6
  std::string address;      // that was pinged
  std::uint64_t bytes = 0;  // of the IP packet; 0: small
  std::string result;       // as in ProbeLoss
  std::string cause;        // the likely one
  std::string cure;
  bool operator==(const NetworkPair&) const = default;
};
// A node whose agent brought no results.
struct SilentNode {
  std::string node;
  std::string reason;
  std::string cure;
  bool operator==(const SilentNode&) const = default;
};
struct NetworkProbe {
  std::string id;
  std::string state;  // gathering, probing, done
  std::string started_at;
  bool ok = false;  // done, somebody took part and no pair failed
  std::uint64_t nodes = 0;
  std::uint64_t reported = 0;  // nodes whose results are in
  std::uint64_t pairs = 0;     // (from, to) that were tried
  std::uint64_t pings = 0;
  std::uint64_t failing = 0;             // entries of `failed`, also of those left out
  bool sampled = false;                  // each node tried some of the others, not all
  std::vector<NetworkPair> failed = {};  // when done; the first thousand
  std::vector<SilentNode> silent = {};   // when done; the first thousand
  std::vector<std::string> notes = {};   // what was not tried, and why
};

}  // namespace slipway::proto
