#pragma once
// Holds what clients were told against what a store says after a crash. Pure: no clock, no file, no product type, so that a fault of
// the product is not shared by its judge. The rules (docs/reliability.md):
//   I1 durable     what was acknowledged is there, the same, after any crash
//   I2 unique      a pod block belongs to one node; never to another before its release and a quarantine
//   I3 idempotent  one identity key, one node, one block, however often it was asked
//   I4 no leak     what nobody was told of is at most what was on its way at the crash
//   I5 recorded    every certificate that left is recorded with its text; no token admits more than it may
//   I6 fail closed after a failed write nothing that was sent later is acknowledged, until the process has ended
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/ip.hpp"
#include "common/core/result.hpp"

namespace slipway::test {

enum class LedgerEvent { join_sent, join_acked, join_refused, renew_sent, renew_acked, delete_sent, delete_acked, crashed, write_failed };

// One line of the client's ledger. Which fields mean something depends on the event; the others are empty.
struct LedgerEntry {
  LedgerEvent event = LedgerEvent::crashed;
  std::int64_t at_ms = 0;  // one clock for all entries, never back
  std::string node;
  std::string token;     // id
  std::string identity;  // SHA-256 of the agent's public key: the same for a retried request
  std::string uid;
  std::string pod_cidr;
  std::map<std::string, std::string> certificates;  // serial -> SHA-256 of the DER

  bool operator==(const LedgerEntry&) const = default;
};

// One line, fields separated by tabs, without the newline.
std::string ledger_line(const LedgerEntry& entry);
Result<LedgerEntry> parse_ledger_line(std::string_view line);

// What a store holds, in plain values. Lists, not maps: a broken store may say a thing twice.
struct StoreImage {
  struct Node {
    std::string name, uid, pod_cidr, token, identity;
    std::vector<std::string> serials;  // of its current certificates
  };
  struct Token {
    std::string id;
    std::uint64_t uses = 0, max_uses = 0;
  };
  struct Certificate {
    std::string serial, node_uid;  // uid empty: not a node's
    std::string sha256;
    std::string text_sha256;       // of the text that is kept; empty: there is none
  };
  struct Block {
    std::string pod_cidr, uid;  // in quarantine, of whom
  };
  struct Ca {
    std::string kind, phase;
    std::uint64_t signing = 0, other = 0;  // numbers; 0: none. For RotationChecker
  };
  std::vector<Node> nodes;
  std::vector<Token> tokens;
  std::vector<Certificate> certificates;
  std::vector<Block> quarantined;
  std::vector<Ca> cas;
};

class CrashChecker {
 public:
  explicit CrashChecker(std::int64_t quarantine_ms) : quarantine_ms_(quarantine_ms) {}

  // In the order of the ledger. What an entry by itself breaks (two answers to one key) is told by the next check().
  void note(const LedgerEntry& entry);
  // The store as a crash left it, or as a restart found it, `at_ms` on the ledger's clock. What was on its way when the last crash was
  // noted may be in it or not. Violations as "I1: ...", empty: none.
  std::vector<std::string> check(const StoreImage& image, std::int64_t at_ms);
  // As check(), when nothing is on its way and everything that was has been answered.
  std::size_t on_its_way() const;

 private:
  struct Known {
    std::string name, identity, token, uid, pod_cidr;
    bool join_pending = false, acked = false, refused = false;
    bool delete_sent = false, deleted = false;
    bool sent_after_failure = false;
    std::int64_t delete_sent_ms = 0;
    std::uint64_t asked = 0;  // joins and renewals
  };
  struct Owner {
    std::string uid;
    std::string identity;
  };
  struct Check;

  void note_acked(Known& known, const LedgerEntry& entry);
  void note_owner(const std::string& block, const std::string& uid, const std::string& identity, std::int64_t at_ms);
  void fault(const std::string& text) { faults_.push_back(text); }

  std::int64_t quarantine_ms_;
  std::map<std::string, Known> by_identity_;
  std::map<std::string, std::string> identity_by_uid_;  // of acknowledged ones
  std::map<std::string, Owner> owners_;                 // pod block -> last owner seen
  std::map<std::string, std::string> acked_certificates_;  // serial -> SHA-256
  std::map<std::string, std::string> acked_for_;           // serial -> uid
  std::vector<std::string> faults_;
  bool failing_ = false;  // a write has failed in this life
};

}  // namespace slipway::test
