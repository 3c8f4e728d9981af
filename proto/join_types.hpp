#pragma once
// How a host becomes a node, stays one, and who let it in: plain structs of the wire (proto/fields.hpp).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/report_types.hpp"

namespace slipway::proto {

struct JoinRequest {
  std::string token;  // "id.secret"; empty when the identity key is known already
  std::string node_name;
  std::string role = "node";
  std::string address;  // the node's own address on the node network
  NodeFacts facts;
  std::map<std::string, std::string> csrs;  // usage -> PEM
};
struct JoinReply {
  std::string cluster_name;
  std::string cluster_id;
  std::string node_name;
  std::string node_uid;
  std::uint64_t generation = 0;
  std::string role;
  std::string address;
  std::string pod_cidr;
  std::map<std::string, std::string> certificates;  // usage -> PEM
  std::map<std::string, std::string> ca_bundles;    // CA kind -> PEM
  double renew_at = 0.667;
};
struct RenewRequest {
  std::map<std::string, std::string> csrs;
  // Where the node is now, when that is not its registered address any more: it moves. Since 0.2, absent: it stays.
  std::optional<std::string> address = {};
};
struct RenewReply {
  std::map<std::string, std::string> certificates;
  std::map<std::string, std::string> ca_bundles;
  std::optional<std::string> address = {};  // as registered now, when the request named one; absent from coordinators that know no moves
};
// What masters share: travels over mutual TLS to agents of masters only.
struct MasterSecrets {
  std::string service_account_key;  // PEM, PKCS#8
};
struct JoinAttempt {
  std::string time;
  std::string node_name;
  std::string address;
  std::string token_id;
  bool accepted = false;
  std::string reason;       // the true one; the caller got a uniform refusal
  std::string stage = {};   // how far it came: request, limits, csr, address, token, name, place, block, approval, ...
  std::string cure = {};    // what an operator can do; empty when accepted
  std::uint64_t count = 1;  // the same attempt again and again is one entry with the time of the last
};
struct JoinAttemptList {
  std::vector<JoinAttempt> items;
  std::string next = {};  // pass as ?continue=; so are those of all lists
};
// A host with a valid token that an operator has to decide on (admission: manual), or has decided on.
struct PendingNodeView {
  std::string name;
  std::string role;
  std::string address;
  std::string fingerprint;  // SHA-256 of the public key (SPKI) of its agent
  std::string state;        // waiting, approved, denied
  std::string since;
  std::string token_id;
  std::string pool;
  NodeFacts facts;          // the host's own word
  std::string decided_at;   // empty: not yet
  std::string decided_by;
  std::string reason;       // of a denial
};
struct PendingNodeList {
  std::vector<PendingNodeView> items;
  std::string next = {};
};
struct ApproveRequest {
  std::string fingerprint;  // only the host with this key (or a beginning of at least 8 digits); empty: who waits
};
struct DenyRequest {
  std::string reason;  // told to the host
};
struct ReplaceRequest {
  std::string ttl = "24h";  // of the token for the host that takes the node's place
};

}  // namespace slipway::proto
