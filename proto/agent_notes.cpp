// agent.yaml and coordinator.yaml, field by field.
#include "proto/config_reference.hpp"

namespace slipway::proto {

namespace {

// clang-format off
constexpr FieldNote k_agent[] = {
    {"coordinators", "`https://ADDRESS:7443`, tried in turn; at least one", "required"},
    {"tokenFile", "absolute path; read until the first success, then deleted; where there is no such file, a systemd credential named `slipway.token` is taken, which stays: it is for you to take out of the unit or the image"},
    {"role", "the token must admit it", {}, "node master"},
    {"nodeName", "the Node's name; a DNS name of at most 52 characters", "the host's name"},
    {"nodeAddress", "the node's own address: connections to the coordinator come from it", "the address on the way to the coordinator"},
    {"dataDir", "absolute path: identity, keys, certificates, last desired state (0700)"},
    {"logLevel", "the least that goes to the journal", {}, "debug info warning error"},
    {"cgroupDriver", "for the runtime and kubelet alike", "what the host can do", "systemd cgroupfs"},
    {"localGroup", "members may ask the agent over its socket (`slipway-agent status`, `health`, `preflight`)", "only root"},
    {"artifactSigners", "Ed25519 public keys in base64: whose signature programs need on this host, whatever the coordinator says ([artifacts](artifacts.md))", "the cluster's, pinned at first sight"},
    {"artifactThreshold", "how many of `artifactSigners`"},
    {"artifactMirrors", "`https://HOST[:PORT][/PATH]`, asked for programs before the coordinator", "the cluster's"},
    {"artifactMirrorCAFile", "absolute path: PEM that the mirrors' certificates end in", "the cluster's, or the host's list"},
};

constexpr FieldNote k_coordinator[] = {
    {"listen", "address and port; an IPv6 address between brackets"},
    {"dataDir", "absolute path: store, CA keys, artifacts (0700, user `slipway`)"},
    {"ioThreads", "threads for TLS, HTTP and signing", "number of cores; with one core none of their own", {}, 0, 256},
    {"logLevel", "the least that goes to the journal", {}, "debug info warning error"},
    {"caPassphraseFile", "file (0600) with the passphrase of the CA keys ([certificate authorities](certificate-authorities.md))", "the systemd credential `ca-passphrase`, if there is one"},
    {"quarantineMinAge", "how long a block of pod addresses rests at least when its node is gone ([pools](pools.md#quarantine)), up to 30d; `0s`: only until all agents have dropped it"},
    {"limits.connections", "connections at once. An agent keeps one; with more nodes than about nine tenths of this, raise it", {}, {}, 1, 1'000'000},
    {"limits.knownConnections", "of these, how many are kept for known addresses: nodes', and where a certificate was shown lately; less than `connections`. To be safe from a flood, as many as there are nodes", "a quarter of `connections`"},
    {"limits.anonymousConnections", "connections without a certificate: joins", {}, {}, 1, 1'000'000},
    {"limits.connectionsPerAddress", "from one address: hosts behind one router share it", {}, {}, 1, 1'000'000},
    {"routesHook.command", "with `network.backend: routes`: the program that sets the nodes' routes outside, an absolute path, and its arguments ([the pod network](network.md#routes)); required where `routesHook` is there", "none"},
    {"routesHook.timeout", "of one call, 1s to 5m"},
    {"routesHook.concurrency", "calls at once", {}, {}, 1, 32},
    {"routesHook.period", "between two looks at what is there, 1s to 24h"},
};
// clang-format on

}  // namespace

std::span<const FieldNote> agent_notes() { return k_agent; }
std::span<const FieldNote> coordinator_notes() { return k_coordinator; }

}  // namespace slipway::proto
