#include "tests/support/crash_checker.hpp"

#include <algorithm>
#include <array>

#include "common/core/text.hpp"

namespace slipway::test {

namespace {

constexpr std::array<std::string_view, 9> k_events = {"join-sent",   "join-acked",   "join-refused", "renew-sent",  "renew-acked",
                                                      "delete-sent", "delete-acked", "crashed",      "write-failed"};

bool is_sent(LedgerEvent event) {
  return event == LedgerEvent::join_sent || event == LedgerEvent::renew_sent || event == LedgerEvent::delete_sent;
}
bool is_acked(LedgerEvent event) {
  return event == LedgerEvent::join_acked || event == LedgerEvent::renew_acked || event == LedgerEvent::delete_acked;
}

std::string named(const std::string& name) { return "node " + name; }

}  // namespace

std::string ledger_line(const LedgerEntry& entry) {
  std::string line(k_events[static_cast<std::size_t>(entry.event)]);
  line += '\t' + std::to_string(entry.at_ms);
  for (const std::string* field : {&entry.node, &entry.token, &entry.identity, &entry.uid, &entry.pod_cidr}) line += '\t' + *field;
  line += '\t';
  for (const auto& [serial, sha256] : entry.certificates) line += serial + '=' + sha256 + ',';
  return line;
}

Result<LedgerEntry> parse_ledger_line(std::string_view line) {
  const auto fields = split(line, '\t');
  if (fields.size() != 8) return make_error(Errc::invalid, "a ledger line has eight fields");
  const auto event = std::find(k_events.begin(), k_events.end(), fields[0]);
  const auto at_ms = parse_u64(fields[1]);
  if (event == k_events.end() || !at_ms) return make_error(Errc::invalid, "a ledger line starts with its event and its time");
  LedgerEntry entry{static_cast<LedgerEvent>(event - k_events.begin()), static_cast<std::int64_t>(*at_ms), std::string(fields[2]),
                    std::string(fields[3]), std::string(fields[4]), std::string(fields[5]), std::string(fields[6]), {}};
  for (const auto& pair : split(fields[7], ',')) {
    const std::size_t sign = pair.find('=');
    if (sign != std::string_view::npos) entry.certificates.emplace(pair.substr(0, sign), pair.substr(sign + 1));
  }
  return entry;
}

void CrashChecker::note_owner(const std::string& block, const std::string& uid, const std::string& identity, std::int64_t at_ms) {
  const auto [place, fresh] = owners_.try_emplace(block, Owner{uid, identity});
  Owner& owner = place->second;
  if (fresh || owner.uid == uid) return;
  const Known& before = by_identity_[owner.identity];
  if (before.uid == owner.uid && !before.delete_sent) {
    fault("I2: block " + block + " was given to " + uid + " while " + named(before.name) + " has it");
  } else if (at_ms - before.delete_sent_ms < quarantine_ms_) {
    fault("I2: block " + block + " of deleted " + named(before.name) + " was given away before its quarantine was over");
  }
  owner = {uid, identity};
}

void CrashChecker::note_acked(Known& known, const LedgerEntry& entry) {
  if (known.acked && (known.uid != entry.uid || known.pod_cidr != entry.pod_cidr)) {
    fault("I3: " + named(known.name) + " was told " + known.uid + " " + known.pod_cidr + ", then " + entry.uid + " " + entry.pod_cidr);
  }
  known.join_pending = false;
  known.acked = true;
  known.uid = entry.uid;
  known.pod_cidr = entry.pod_cidr;
  identity_by_uid_[entry.uid] = entry.identity;
  note_owner(entry.pod_cidr, entry.uid, entry.identity, entry.at_ms);
}

void CrashChecker::note(const LedgerEntry& entry) {
  if (entry.event == LedgerEvent::write_failed) failing_ = true;
  if (entry.event == LedgerEvent::crashed) {
    failing_ = false;
    // What went unanswered is asked again of the next life.
    for (auto& [identity, known] : by_identity_) known.sent_after_failure = false;
  }
  if (entry.event == LedgerEvent::write_failed || entry.event == LedgerEvent::crashed) return;
  Known& known = by_identity_[entry.identity];
  known.identity = entry.identity;
  if (known.name.empty()) known.name = entry.node;
  if (is_sent(entry.event)) known.sent_after_failure = failing_;
  if (is_acked(entry.event) && known.sent_after_failure) fault("I6: " + named(known.name) + " was answered after a write had failed");
  switch (entry.event) {
    case LedgerEvent::join_sent:
      known.token = entry.token;
      known.join_pending = true;
      ++known.asked;
      break;
    case LedgerEvent::join_acked: note_acked(known, entry); break;
    case LedgerEvent::join_refused:
      known.join_pending = false;
      known.refused = true;
      break;
    case LedgerEvent::renew_sent: ++known.asked; break;
    case LedgerEvent::delete_sent:
      known.delete_sent = true;
      known.delete_sent_ms = entry.at_ms;
      break;
    case LedgerEvent::delete_acked: known.deleted = true; break;
    case LedgerEvent::renew_acked:
    case LedgerEvent::crashed:
    case LedgerEvent::write_failed: break;
  }
  for (const auto& [serial, sha256] : entry.certificates) {
    const auto [place, fresh] = acked_certificates_.emplace(serial, sha256);
    if (!fresh && place->second != sha256) fault("I5: serial " + serial + " left in two certificates");
    acked_for_[serial] = entry.uid;
  }
}

std::size_t CrashChecker::on_its_way() const {
  return static_cast<std::size_t>(std::count_if(by_identity_.begin(), by_identity_.end(), [](const auto& pair) {
    return pair.second.join_pending;
  }));
}

// One image against all that is known.
struct CrashChecker::Check {
  Check(CrashChecker& c, const StoreImage& i) : checker(c), image(i) {
    for (const StoreImage::Node& node : image.nodes) by_identity[node.identity] = &node;
    for (const StoreImage::Certificate& certificate : image.certificates) by_serial[certificate.serial] = &certificate;
    for (const StoreImage::Block& block : image.quarantined) quarantined[block.pod_cidr] = block.uid;
  }

  CrashChecker& checker;
  const StoreImage& image;
  std::map<std::string, const StoreImage::Node*> by_identity;
  std::map<std::string, const StoreImage::Certificate*> by_serial;
  std::map<std::string, std::string> quarantined;
  std::vector<std::string> found;

  void say(const std::string& text) { found.push_back(text); }
  void acknowledged(std::int64_t at_ms);
  void deleted(const Known& known, const StoreImage::Node* node, std::int64_t at_ms);
  void unique();
  void leftovers();
  void certificates();
  void tokens();
};

void CrashChecker::Check::deleted(const Known& known, const StoreImage::Node* node, std::int64_t at_ms) {
  if (known.deleted && node != nullptr && node->uid == known.uid) {
    say("I1: " + named(known.name) + " is there again after its removal was acknowledged");
  }
  const bool gone = node == nullptr || node->uid != known.uid;
  const bool resting = at_ms - known.delete_sent_ms < checker.quarantine_ms_;
  if (gone && resting && quarantined.count(known.pod_cidr) == 0) {
    say("I2: block " + known.pod_cidr + " of deleted " + named(known.name) + " is not in quarantine");
  }
}

void CrashChecker::Check::acknowledged(std::int64_t at_ms) {
  for (const auto& [identity, known] : checker.by_identity_) {
    const auto there = by_identity.find(identity);
    const StoreImage::Node* node = there == by_identity.end() ? nullptr : there->second;
    if (node != nullptr && node->name != known.name) say("I3: the key of " + named(known.name) + " stands with " + named(node->name));
    if (known.refused && !known.acked && !known.join_pending && node != nullptr) {
      say("I5: " + named(known.name) + " was refused and is there");
    }
    if (!known.acked) continue;
    if (known.delete_sent) {
      deleted(known, node, at_ms);
    } else if (node == nullptr) {
      say("I1: " + named(known.name) + " was acknowledged and is lost");
    } else if (node->uid != known.uid || node->pod_cidr != known.pod_cidr) {
      say("I1: " + named(known.name) + " was told " + known.uid + " " + known.pod_cidr + ", the store says " + node->uid + " " + node->pod_cidr);
    }
  }
}

void CrashChecker::Check::unique() {
  std::map<Cidr, std::string> taken;
  const auto take = [&](const std::string& block, const std::string& who) {
    const auto cidr = Cidr::parse(block);
    if (!cidr) return say("I2: " + who + " has " + block + ", which is no block");
    // Blocks are disjoint or one holds the other: a neighbour in order tells.
    const auto place = taken.lower_bound(*cidr);
    const bool with_next = place != taken.end() && place->first.overlaps(*cidr);
    const bool with_last = place != taken.begin() && std::prev(place)->first.overlaps(*cidr);
    if (with_next || with_last) say("I2: block " + block + " of " + who + " overlaps that of " + (with_next ? place : std::prev(place))->second);
    taken.emplace(*cidr, who);
  };
  std::set<std::string> names, uids, identities;
  for (const StoreImage::Node& node : image.nodes) {
    take(node.pod_cidr, named(node.name));
    if (!names.insert(node.name).second) say("I3: " + named(node.name) + " is there twice");
    if (!uids.insert(node.uid).second) say("I3: uid " + node.uid + " is there twice");
    if (!identities.insert(node.identity).second) say("I3: the key of " + named(node.name) + " stands with two nodes");
  }
  for (const StoreImage::Block& block : image.quarantined) take(block.pod_cidr, "quarantined " + block.uid);
}

void CrashChecker::Check::leftovers() {
  for (const StoreImage::Node& node : image.nodes) {
    const auto known = checker.by_identity_.find(node.identity);
    if (known == checker.by_identity_.end()) {
      say("I4: nobody asked for " + named(node.name));
    } else if (!known->second.acked && !known->second.join_pending) {
      say("I4: " + named(node.name) + " holds " + node.pod_cidr + " and no request for it is on its way");
    }
  }
  for (const StoreImage::Block& block : image.quarantined) {
    const auto identity = checker.identity_by_uid_.find(block.uid);
    const bool asked = identity != checker.identity_by_uid_.end() && checker.by_identity_[identity->second].delete_sent;
    if (!asked) say("I4: block " + block.pod_cidr + " is in quarantine and nobody deleted its node");
  }
}

void CrashChecker::Check::certificates() {
  for (const auto& [serial, sha256] : checker.acked_certificates_) {
    const auto there = by_serial.find(serial);
    if (there == by_serial.end()) {
      say("I5: certificate " + serial + " left and is not recorded");
    } else if (there->second->sha256 != sha256 || there->second->node_uid != checker.acked_for_[serial]) {
      say("I5: certificate " + serial + " is recorded as another one");
    }
  }
  std::set<std::string> serials, live;
  for (const StoreImage::Node& node : image.nodes) {
    live.insert(node.uid);
    for (const std::string& serial : node.serials) {
      if (by_serial.count(serial) == 0) say("I5: " + named(node.name) + " has certificate " + serial + ", which is not recorded");
    }
  }
  for (const StoreImage::Certificate& certificate : image.certificates) {
    if (!serials.insert(certificate.serial).second) say("I5: certificate " + certificate.serial + " is recorded twice");
    if (certificate.text_sha256 != certificate.sha256) say("I5: certificate " + certificate.serial + " is recorded without its text");
    const bool somebodys = certificate.node_uid.empty() || live.count(certificate.node_uid) != 0 ||
                           checker.identity_by_uid_.count(certificate.node_uid) != 0;
    if (!somebodys) say("I5: certificate " + certificate.serial + " is of " + certificate.node_uid + ", which nobody knows");
  }
}

void CrashChecker::Check::tokens() {
  std::map<std::string, std::uint64_t> admitted;
  std::set<std::string> stored;
  for (const StoreImage::Node& node : image.nodes) {
    ++admitted[node.token];
    stored.insert(node.uid);
  }
  for (const auto& [identity, known] : checker.by_identity_) {
    if (known.acked && stored.count(known.uid) == 0) ++admitted[known.token];
  }
  for (const StoreImage::Token& token : image.tokens) {
    const std::uint64_t count = admitted[token.id];
    const std::string text = "I5: token " + token.id + " may be used " + std::to_string(token.max_uses) + " times, counts " +
                             std::to_string(token.uses) + " and admitted " + std::to_string(count);
    if (token.uses > token.max_uses || count != token.uses) say(text);
  }
}

std::vector<std::string> CrashChecker::check(const StoreImage& image, std::int64_t at_ms) {
  Check check(*this, image);
  check.acknowledged(at_ms);
  check.unique();
  check.leftovers();
  check.certificates();
  check.tokens();
  for (const StoreImage::Node& node : image.nodes) note_owner(node.pod_cidr, node.uid, node.identity, at_ms);
  check.found.insert(check.found.begin(), faults_.begin(), faults_.end());
  faults_.clear();
  return check.found;
}

}  // namespace slipway::test
