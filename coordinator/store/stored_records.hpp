#pragma once
// Field lists of stored records, for records.cpp only. Pure.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/json_fields.hpp"

namespace slipway {

// The stored form of each record: text and numbers only. All fields are here since layout 1 but the optional ones, which came
// later: absent they are empty, no, and for a token any source. Certificates are so in stores of layout 1 (certificate_codec.hpp).
namespace stored {

struct Identity {
  std::string id, epoch, created_at;
};
struct Counts {
  std::uint64_t revision = 0, desired_revision = 0;
  bool nodes_imported = false;  // absent: not yet
  std::string clock_floor;      // absent or empty: what the certificates say
  std::uint64_t pod_mtu_limit = 0;  // absent: none
};
struct Node {
  std::string name, uid, role, address, machine_id, pod_cidr, joined_at, token_id, identity, previous_identity, previous_agent_serial;
  std::uint64_t generation = 0;
  std::map<std::string, std::string> certificates;  // usage -> serial
  std::string pool;
  bool replacing = false;
  std::string second_pod_cidr;                      // absent or empty: none
  bool unschedulable = false;
  std::string renew_before;                         // absent or empty: nothing is to be renewed
  // Since 0.3, of few nodes: settings as JSON text; names of what was set on the Node object, a comma between.
  std::optional<std::string> settings, applied_labels, applied_taints;
};
struct Pending {
  std::string name, role, address, machine_id, fingerprint, token_id, pool, since, decision, decided_at, decided_by, reason;
  proto::NodeFacts facts;
};
struct Tombstone {
  std::string name, uid, identity, previous_identity, deleted_at;
  std::uint64_t generation = 0;
};
struct Token {
  std::string id, secret_sha256, role, node, created_at, expires_at;
  std::uint64_t uses = 0, max_uses = 0;
  std::uint64_t pinned_ca = 1;  // absent: made before CAs could be replaced
  std::string pool;
  std::vector<std::string> sources;
};
struct Quarantined {
  std::string prefix, uid, since;
  std::uint64_t generation = 0, revision = 0, order = 0;
};
struct Certificate {
  std::string serial, usage, subject, node_uid, not_before, not_after, sha256, spki_sha256;
  std::uint64_t generation = 0;
  std::uint64_t ca = 1;  // absent: made before CAs could be replaced
};
struct Revocation {
  std::string serial, at;
};
struct Manifest {
  std::string text;
  std::uint64_t number = 0;
};
struct CaFacts {
  std::string sha256, serial, key_id, subject, not_before, not_after;
  std::uint64_t number = 0;
};
struct Ca {
  std::string kind, phase, bundle_sha256, changed_at;
  CaFacts signing;
  std::optional<CaFacts> other;
  std::uint64_t last_number = 0;
};
struct Version {
  std::uint64_t layout = 0;
};
struct AuditEnd {
  std::uint64_t seq = 0;
  std::string hash;
};
struct Pool {
  std::string name, role, name_pattern;
  std::vector<std::string> ranges;
  std::uint64_t order = 0, node_prefix_length = 0;
  bool only_by_name = false, draining = false;
};
struct Hold {
  std::string block, node, note, since;
  bool imported = false;
};
struct Sample {
  std::string at;
  std::uint64_t used = 0;
};
struct History {
  std::string pool;
  std::vector<Sample> samples;
};

template <class V> void fields(V& v, Identity& x) { v("id", x.id); v("epoch", x.epoch); v("createdAt", x.created_at); }
template <class V> void fields(V& v, Counts& x) { v("revision", x.revision); v("desiredRevision", x.desired_revision); v.optional("nodesImported", x.nodes_imported); v.optional("clockFloor", x.clock_floor); v.optional("podMtuLimit", x.pod_mtu_limit); }
template <class V> void fields(V& v, Node& x) {
  v("name", x.name); v("uid", x.uid); v("generation", x.generation); v("role", x.role); v("address", x.address);
  v("machineId", x.machine_id); v("podCIDR", x.pod_cidr); v("joinedAt", x.joined_at); v("tokenId", x.token_id);
  v("identity", x.identity); v("previousIdentity", x.previous_identity); v("previousAgentSerial", x.previous_agent_serial);
  v("certificates", x.certificates); v.optional("pool", x.pool); v.optional("replacing", x.replacing);
  v.optional("secondPodCIDR", x.second_pod_cidr); v.optional("unschedulable", x.unschedulable);
  v.optional("renewBefore", x.renew_before); v.optional("settings", x.settings); v.optional("appliedLabels", x.applied_labels);
  v.optional("appliedTaints", x.applied_taints);
}
template <class V> void fields(V& v, Pending& x) {
  v("name", x.name); v("role", x.role); v("address", x.address); v("machineId", x.machine_id); v("fingerprint", x.fingerprint);
  v("tokenId", x.token_id); v("pool", x.pool); v("facts", x.facts); v("since", x.since); v("decision", x.decision);
  v("decidedAt", x.decided_at); v("decidedBy", x.decided_by); v("reason", x.reason);
}
template <class V> void fields(V& v, Pool& x) {
  v("name", x.name); v("order", x.order); v("ranges", x.ranges); v("nodePrefixLength", x.node_prefix_length); v("role", x.role);
  v("namePattern", x.name_pattern); v("onlyByName", x.only_by_name); v("draining", x.draining);
}
template <class V> void fields(V& v, Hold& x) {
  v("block", x.block); v("node", x.node); v("imported", x.imported); v("note", x.note); v("since", x.since);
}
template <class V> void fields(V& v, Sample& x) { v("at", x.at); v("used", x.used); }
template <class V> void fields(V& v, History& x) { v("pool", x.pool); v("samples", x.samples); }
template <class V> void fields(V& v, Tombstone& x) {
  v("name", x.name); v("uid", x.uid); v("generation", x.generation); v("identity", x.identity);
  v("previousIdentity", x.previous_identity); v("deletedAt", x.deleted_at);
}
template <class V> void fields(V& v, Token& x) {
  v("id", x.id); v("secretSha256", x.secret_sha256); v("role", x.role); v("node", x.node); v("uses", x.uses);
  v("maxUses", x.max_uses); v("createdAt", x.created_at); v("expiresAt", x.expires_at);
  v.optional("pool", x.pool); v.optional("sources", x.sources); v.optional("pinnedCa", x.pinned_ca);
}
template <class V> void fields(V& v, Quarantined& x) {
  v("prefix", x.prefix); v("uid", x.uid); v("generation", x.generation); v("since", x.since); v("revision", x.revision);
  v("order", x.order);
}
template <class V> void fields(V& v, Certificate& x) {
  v("serial", x.serial); v("usage", x.usage); v("subject", x.subject); v("nodeUid", x.node_uid); v("generation", x.generation);
  v("notBefore", x.not_before); v("notAfter", x.not_after); v("sha256", x.sha256); v("spkiSha256", x.spki_sha256);
  v.optional("ca", x.ca);
}
template <class V> void fields(V& v, Manifest& x) { v("text", x.text); v("number", x.number); }
template <class V> void fields(V& v, Revocation& x) { v("serial", x.serial); v("at", x.at); }
template <class V> void fields(V& v, CaFacts& x) {
  v("number", x.number); v("sha256", x.sha256); v("serial", x.serial); v("keyId", x.key_id); v("subject", x.subject); v("notBefore", x.not_before);
  v("notAfter", x.not_after);
}
template <class V> void fields(V& v, Ca& x) {
  v("kind", x.kind); v("phase", x.phase); v("signing", x.signing); v.optional("other", x.other);
  v("bundleSha256", x.bundle_sha256); v("lastNumber", x.last_number); v("changedAt", x.changed_at);
}
template <class V> void fields(V& v, AuditEnd& x) { v("seq", x.seq); v("hash", x.hash); }
template <class V> void fields(V& v, Version& x) { v("layout", x.layout); }

}  // namespace stored

}  // namespace slipway
