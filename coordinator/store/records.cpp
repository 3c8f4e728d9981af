#include "coordinator/store/records.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "common/core/text.hpp"
#include "coordinator/store/certificate_codec.hpp"
#include "coordinator/store/flat_json.hpp"
#include "coordinator/store/stored_records.hpp"

namespace slipway {

namespace {

constexpr std::string_view k_version_key = "s/version";
constexpr std::string_view k_audit_key = "a/head";
constexpr std::string_view k_state_prefix = "s/";

// In the order of RecordKind.
constexpr std::array<std::string_view, 17> k_prefixes = {"s/cluster/identity", "s/counters",    "s/cluster/spec", "s/node/",
                                                         "s/tombstone/",       "s/token/",      "s/quarantine/",  "s/certificate/",
                                                         "p/",                 "s/artifact/",  "s/pending/",     "s/pool/",
                                                         "s/hold/",            "s/pool-history/", "s/ca/",         "s/revocation/",
                                                         "s/artifact-manifest"};

struct Encoder {
  std::string operator()(const ClusterIdentity& x) const {
    return proto::encode_json(stored::Identity{x.id, x.epoch, to_rfc3339(x.created_at)});
  }
  std::string operator()(const Counters& x) const {
    return proto::encode_json(stored::Counts{x.revision, x.desired_revision, x.nodes_imported,
                                             x.clock_floor == WallTime{} ? std::string() : to_rfc3339(x.clock_floor), x.pod_mtu_limit});
  }
  std::string operator()(const proto::ClusterSpec& x) const { return proto::encode_json(x); }
  std::string operator()(const Node& x) const {
    stored::Node out{x.name, x.uid, std::string(to_string(x.role)), x.address.to_string(), x.machine_id, x.pod_cidr.to_string(),
                     to_rfc3339(x.joined_at), x.token_id, x.identity.hex(), x.previous_identity.hex(), x.previous_agent_serial.hex(), x.generation, {},
                     x.pool, x.replacing, x.second_pod_cidr ? x.second_pod_cidr->to_string() : std::string(), x.unschedulable,
                     x.renew_before == WallTime{} ? std::string() : to_rfc3339(x.renew_before), {}, {}, {}};
    const NodeExtras& extras = x.extras.get();
    if (extras.settings != proto::NodeSettings{}) out.settings = proto::encode_json(extras.settings);
    if (!extras.applied_labels.empty()) out.applied_labels = join(extras.applied_labels, ",");
    if (!extras.applied_taints.empty()) out.applied_taints = join(extras.applied_taints, ",");
    for (const auto& [usage, serial] : x.certificates) out.certificates.emplace(to_string(usage), serial.hex());
    return proto::encode_json(out);
  }
  std::string operator()(const Tombstone& x) const {
    return proto::encode_json(
        stored::Tombstone{x.name, x.uid, x.identity, x.previous_identity, to_rfc3339(x.deleted_at), x.generation});
  }
  std::string operator()(const JoinToken& x) const {
    stored::Token out{x.id, x.secret_sha256, std::string(to_string(x.role)), x.node, to_rfc3339(x.created_at), to_rfc3339(x.expires_at),
                      x.uses, x.max_uses, x.pinned_ca, x.pool, {}};
    for (const Cidr& source : x.sources) out.sources.push_back(source.to_string());
    return proto::encode_json(out);
  }
  std::string operator()(const QuarantinedBlock& x) const {
    return proto::encode_json(stored::Quarantined{x.prefix.to_string(), x.owner.uid, to_rfc3339(x.since), x.owner.generation,
                                                  x.revision, x.order});
  }
  std::string operator()(const CertificateRecord& x) const {
    // Operations refuse texts that do not pack. Should one come through, its words must not be lost.
    if (const auto packed = PackedCertificate::of(x)) return encode_certificate(packed->view(x));
    return proto::encode_json(stored::Certificate{x.serial, std::string(to_string(x.usage)), x.subject, x.node_uid,
                                                  to_rfc3339(x.not_before), to_rfc3339(x.not_after), x.sha256, x.spki_sha256,
                                                  x.generation, x.ca});
  }
  std::string operator()(const CertificatePem& x) const { return x.pem; }
  std::string operator()(const proto::Artifact& x) const { return proto::encode_json(x); }
  std::string operator()(const PendingNode& x) const {
    return proto::encode_json(stored::Pending{x.name, std::string(to_string(x.role)), x.address.to_string(), x.machine_id, x.fingerprint,
                                              x.token_id, x.pool, to_rfc3339(x.since), std::string(to_string(x.decision)),
                                              x.decided_at == WallTime{} ? std::string() : to_rfc3339(x.decided_at), x.decided_by,
                                              x.reason, x.facts});
  }
  std::string operator()(const PoolRecord& x) const {
    stored::Pool out{x.name, x.selector.role ? std::string(to_string(*x.selector.role)) : std::string(), x.selector.name_pattern, {}, x.order,
                     static_cast<std::uint64_t>(x.node_prefix_length), x.selector.only_by_name, x.draining};
    for (const Cidr& range : x.ranges) out.ranges.push_back(range.to_string());
    return proto::encode_json(out);
  }
  std::string operator()(const BlockHold& x) const {
    return proto::encode_json(stored::Hold{x.block.to_string(), x.node, x.note, to_rfc3339(x.since), x.imported});
  }
  std::string operator()(const PoolHistory& x) const {
    stored::History out{x.pool, {}};
    for (const PoolSample& sample : x.samples) out.samples.push_back({to_rfc3339(sample.at), sample.used});
    return proto::encode_json(out);
  }
  std::string operator()(const Revocation& x) const { return proto::encode_json(stored::Revocation{x.serial, to_rfc3339(x.at)}); }
  static stored::CaFacts facts(const CaFacts& x) {
    return {x.sha256, x.serial, x.key_id, x.subject, to_rfc3339(x.not_before), to_rfc3339(x.not_after), x.number};
  }
  std::string operator()(const ArtifactManifestRecord& x) const { return proto::encode_json(stored::Manifest{x.text, x.number}); }
  std::string operator()(const CaLine& x) const {
    stored::Ca out{std::string(to_string(x.kind)), std::string(to_string(x.phase)), x.bundle_sha256, to_rfc3339(x.changed_at),
                   facts(x.signing), {}, x.last_number};
    if (x.other) out.other = facts(*x.other);
    return proto::encode_json(out);
  }
};

// Collects the first part of a record that is not what it should be.
struct Parts {
  std::string wrong;

  void fail(const char* field) {
    if (wrong.empty()) wrong = field;
  }
  WallTime time(const char* field, const std::string& text) {
    const auto value = parse_rfc3339(text);
    if (!value) fail(field);
    return value.value_or(WallTime{});
  }
  Cidr cidr(const char* field, const std::string& text) {
    const auto value = Cidr::parse(text);
    if (!value) fail(field);
    return value ? *value : Cidr{};
  }
  IpAddress address(const char* field, const std::string& text) {
    const auto value = IpAddress::parse(text);
    if (!value) fail(field);
    return value ? *value : IpAddress{};
  }
  // None stays none.
  template <class Packed> Packed hex(const char* field, const std::string& text) {
    const Packed packed{std::string_view(text)};
    if (packed.empty() && !text.empty()) fail(field);
    return packed;
  }
  NodeRole role(const char* field, const std::string& text) {
    const auto value = node_role_from_string(text);
    if (!value) fail(field);
    return value.value_or(NodeRole::node);
  }
  NodeExtras extras(const stored::Node& x) {
    NodeExtras extras;
    if (x.settings) {
      auto settings = proto::decode_json_text<proto::NodeSettings>(*x.settings);
      if (!settings) fail("settings");
      else extras.settings = std::move(*settings);
    }
    for (const auto& [text, names] : {std::pair(&x.applied_labels, &extras.applied_labels), std::pair(&x.applied_taints, &extras.applied_taints)}) {
      if (!*text) continue;
      for (const std::string_view name : split(**text, ',')) names->emplace_back(name);
    }
    return extras;
  }
  CertUsage usage(const char* field, const std::string& text) {
    const auto value = cert_usage_from_string(text);
    if (!value) fail(field);
    return value.value_or(CertUsage::agent);
  }
};

Record convert(Parts& parts, const stored::Identity& x) { return ClusterIdentity{x.id, x.epoch, parts.time("createdAt", x.created_at)}; }
Record convert(Parts& parts, const stored::Counts& x) {
  return Counters{x.revision, x.desired_revision, x.nodes_imported, x.clock_floor.empty() ? WallTime{} : parts.time("clockFloor", x.clock_floor),
                  static_cast<std::uint32_t>(x.pod_mtu_limit)};
}
Record convert(Parts&, const proto::ClusterSpec& x) { return x; }
Record convert(Parts&, const proto::Artifact& x) { return x; }
Record convert(Parts& parts, const stored::Node& x) {
  Node node;
  node.name = x.name;
  node.uid = x.uid;
  node.generation = x.generation;
  node.role = parts.role("role", x.role);
  node.address = parts.address("address", x.address);
  node.machine_id = x.machine_id;
  node.pod_cidr = parts.cidr("podCIDR", x.pod_cidr);
  if (!x.second_pod_cidr.empty()) node.second_pod_cidr = parts.cidr("secondPodCIDR", x.second_pod_cidr);
  node.joined_at = parts.time("joinedAt", x.joined_at);
  node.token_id = x.token_id;
  node.identity = parts.hex<KeyDigest>("identity", x.identity);
  node.previous_identity = parts.hex<KeyDigest>("previousIdentity", x.previous_identity);
  node.previous_agent_serial = parts.hex<PackedSerial>("previousAgentSerial", x.previous_agent_serial);
  for (const auto& [usage, serial] : x.certificates) node.certificates.set(parts.usage("certificates", usage), parts.hex<PackedSerial>("certificates", serial));
  node.pool = x.pool;
  node.replacing = x.replacing;
  node.unschedulable = x.unschedulable;
  if (!x.renew_before.empty()) node.renew_before = parts.time("renewBefore", x.renew_before);
  node.extras.set(parts.extras(x));
  return node;
}
Record convert(Parts& parts, const stored::Pending& x) {
  PendingNode node;
  node.name = x.name;
  node.role = parts.role("role", x.role);
  node.address = parts.address("address", x.address);
  node.machine_id = x.machine_id;
  node.fingerprint = x.fingerprint;
  node.token_id = x.token_id;
  node.pool = x.pool;
  node.facts = x.facts;
  node.since = parts.time("since", x.since);
  const auto decision = pending_decision_from_string(x.decision);
  if (!decision) parts.fail("decision");
  node.decision = decision.value_or(PendingNode::Decision::denied);
  if (!x.decided_at.empty()) node.decided_at = parts.time("decidedAt", x.decided_at);
  node.decided_by = x.decided_by;
  node.reason = x.reason;
  return node;
}
Record convert(Parts& parts, const stored::Tombstone& x) {
  return Tombstone{x.name, x.uid, x.generation, x.identity, x.previous_identity, parts.time("deletedAt", x.deleted_at)};
}
Record convert(Parts& parts, const stored::Token& x) {
  JoinToken token{x.id,   x.secret_sha256, parts.role("role", x.role),           x.node,
                  x.uses, x.max_uses,      parts.time("createdAt", x.created_at), parts.time("expiresAt", x.expires_at)};
  token.pool = x.pool;
  for (const std::string& source : x.sources) token.sources.push_back(parts.cidr("sources", source));
  token.pinned_ca = x.pinned_ca;
  return token;
}
Record convert(Parts& parts, const stored::Quarantined& x) {
  return QuarantinedBlock{parts.cidr("prefix", x.prefix), {x.uid, x.generation}, parts.time("since", x.since), x.revision, x.order};
}
Record convert(Parts& parts, const stored::Certificate& x) {
  CertificateRecord record{x.serial, parts.usage("usage", x.usage), x.subject, x.node_uid, x.generation,
                           parts.time("notBefore", x.not_before), parts.time("notAfter", x.not_after), x.sha256, x.spki_sha256,
                           x.ca};
  if (!PackedCertificate::of(record)) parts.fail("serial, sha256 or spkiSha256");
  return record;
}
CaFacts facts_of(Parts& parts, const stored::CaFacts& x) {
  return {x.number, x.sha256, x.serial, x.key_id, x.subject, parts.time("notBefore", x.not_before), parts.time("notAfter", x.not_after)};
}
Record convert(Parts& parts, const stored::Ca& x) {
  CaLine line;
  const auto kind = ca_kind_from_string(x.kind);
  const auto phase = ca_phase_from_string(x.phase);
  if (!kind) parts.fail("kind");
  if (!phase) parts.fail("phase");
  line.kind = kind.value_or(CaKind::fabric);
  line.phase = phase.value_or(CaPhase::stable);
  line.signing = facts_of(parts, x.signing);
  if (x.other) line.other = facts_of(parts, *x.other);
  line.bundle_sha256 = x.bundle_sha256;
  line.last_number = x.last_number;
  line.changed_at = parts.time("changedAt", x.changed_at);
  if (line.other.has_value() == (line.phase == CaPhase::stable)) parts.fail("other");
  return line;
}

Record convert(Parts&, const stored::Manifest& x) { return ArtifactManifestRecord{x.number, x.text}; }
Record convert(Parts& parts, const stored::Revocation& x) { return Revocation{x.serial, parts.time("at", x.at)}; }
Record convert(Parts& parts, const stored::Pool& x) {
  PoolRecord pool{x.name, x.order, {}, static_cast<int>(std::min<std::uint64_t>(x.node_prefix_length, 128)), {}, x.draining};
  for (const std::string& range : x.ranges) pool.ranges.push_back(parts.cidr("ranges", range));
  if (pool.ranges.empty()) parts.fail("ranges");
  if (!x.role.empty()) pool.selector.role = parts.role("role", x.role);
  pool.selector.name_pattern = x.name_pattern;
  pool.selector.only_by_name = x.only_by_name;
  return pool;
}
Record convert(Parts& parts, const stored::Hold& x) {
  return BlockHold{parts.cidr("block", x.block), x.node, x.imported, x.note, parts.time("since", x.since)};
}
Record convert(Parts& parts, const stored::History& x) {
  PoolHistory history{x.pool, {}};
  for (const stored::Sample& sample : x.samples) history.samples.push_back({parts.time("samples", sample.at), sample.used});
  return history;
}

Error corrupt(const std::string& key, const std::string& what) {
  return make_error(Errc::corrupt, "stored record " + key + ": " + what + "; restore a backup");
}

// The kinds of which there are many. Others have fields that FlatJson does not know, or are few.
template <class T>
constexpr bool k_is_flat = std::is_same_v<T, stored::Certificate> || std::is_same_v<T, stored::Node> ||
                           std::is_same_v<T, stored::Tombstone> || std::is_same_v<T, stored::Quarantined>;

template <class T> Result<T> decode_value(std::string_view text) {
  if constexpr (k_is_flat<T>) {
    FlatJson flat;
    T value{};
    if (flat.parse(text)) {
      fields(flat, value);
      if (flat.ok()) return value;
    }
  }
  return proto::decode_json_text<T>(text);
}

template <class T> Result<Record> decode_as(std::string_view key, std::string_view text) {
  const auto value = decode_value<T>(text);
  if (!value) return corrupt(std::string(key), value.error().message);
  Parts parts;
  Record record = convert(parts, *value);
  if (!parts.wrong.empty()) return corrupt(std::string(key), parts.wrong + " is not valid");
  if (store_key(kind_of(record), key_of(record)) != key) return corrupt(std::string(key), "stands under another record's key");
  return record;
}

std::optional<RecordKind> kind_of_key(std::string_view key) {
  for (std::size_t i = 0; i < k_prefixes.size(); ++i) {
    const bool whole = !k_prefixes[i].ends_with('/');
    if (whole ? key == k_prefixes[i] : key.starts_with(k_prefixes[i])) return static_cast<RecordKind>(i);
  }
  return std::nullopt;
}

Result<CompactCertificate> decode_compact(const PackedSerial& serial, std::string_view key, std::string_view value) {
  if (serial.bytes().empty()) return corrupt(std::string(key), "its key does not end in a serial");
  const auto certificate = decode_certificate(serial.bytes(), value);
  if (!certificate) return corrupt(std::string(key), certificate.error().message);
  return certificate;
}

std::string_view serial_in(std::string_view key) { return key.substr(k_prefixes[static_cast<std::size_t>(RecordKind::certificate)].size()); }

Result<Record> decode_certificate_pair(std::string_view key, std::string_view value) {
  if (!is_compact_certificate(value)) return decode_as<stored::Certificate>(key, value);
  const PackedSerial serial(serial_in(key));
  const auto certificate = decode_compact(serial, key, value);
  if (!certificate) return certificate.error();
  return Record(certificate->record());
}

Result<Record> decode_pair(std::string_view key, std::string_view value) {
  const auto kind = kind_of_key(key);
  if (!kind) return corrupt(std::string(key), "is of no known kind");
  switch (*kind) {
    case RecordKind::identity: return decode_as<stored::Identity>(key, value);
    case RecordKind::counters: return decode_as<stored::Counts>(key, value);
    case RecordKind::spec: return decode_as<proto::ClusterSpec>(key, value);
    case RecordKind::node: return decode_as<stored::Node>(key, value);
    case RecordKind::tombstone: return decode_as<stored::Tombstone>(key, value);
    case RecordKind::token: return decode_as<stored::Token>(key, value);
    case RecordKind::quarantined: return decode_as<stored::Quarantined>(key, value);
    case RecordKind::certificate: return decode_certificate_pair(key, value);
    case RecordKind::pem: return Record(CertificatePem{std::string(key.substr(2)), std::string(value)});
    case RecordKind::artifact: return decode_as<proto::Artifact>(key, value);
    case RecordKind::pending: return decode_as<stored::Pending>(key, value);
    case RecordKind::pool: return decode_as<stored::Pool>(key, value);
    case RecordKind::hold: return decode_as<stored::Hold>(key, value);
    case RecordKind::history: return decode_as<stored::History>(key, value);
    case RecordKind::ca: return decode_as<stored::Ca>(key, value);
    case RecordKind::revocation: return decode_as<stored::Revocation>(key, value);
    case RecordKind::manifest: return decode_as<stored::Manifest>(key, value);
  }
  return corrupt(std::string(key), "is of no known kind");
}

// Absent: there is no layout record.
Result<std::optional<std::uint64_t>> read_layout(Store& store) {
  const auto text = store.read(k_version_key);
  if (!text) return text.error();
  if (!*text) return std::optional<std::uint64_t>();
  const auto version = proto::decode_json_text<stored::Version>(**text);
  if (!version) return corrupt(std::string(k_version_key), version.error().message);
  return std::optional<std::uint64_t>(version->layout);
}

Status give_pair(RecordSink& sink, std::string_view key, std::string_view value) {
  if (key.starts_with(k_prefixes[static_cast<std::size_t>(RecordKind::certificate)]) && is_compact_certificate(value)) {
    const PackedSerial serial(serial_in(key));
    const auto certificate = decode_compact(serial, key, value);
    if (!certificate) return certificate.error();
    return sink.certificate(*certificate);
  }
  const auto record = decode_pair(key, value);
  if (!record) return record.error();
  return sink.record(*record);
}

// The specification and the pools come before what lies in them, kept blocks before nodes. `known`: its layout is.
Status read_all(Store& store, bool known, RecordSink& sink) {
  const std::string spec_key = store_key(RecordKind::spec, "");
  const auto spec = store.read(spec_key);
  if (!spec) return spec.error();
  const auto give = [&sink, known](std::string_view key, std::string_view value) -> Status {
    if (!known) return corrupt(std::string(k_version_key), "is missing");
    return give_pair(sink, key, value);
  };
  if (*spec) {
    if (const auto given = give(spec_key, **spec); !given) return given;
  }
  const std::string pools = store_key(RecordKind::pool, "");
  const std::string holds = store_key(RecordKind::hold, "");
  for (const std::string& prefix : {pools, holds}) {
    if (const auto scanned = store.scan(prefix, give); !scanned) return scanned;
  }
  return store.scan(k_state_prefix, [&](std::string_view key, std::string_view value) -> Status {
    const bool read_before = key == k_version_key || key == spec_key || key.starts_with(pools) || key.starts_with(holds);
    return read_before ? Status() : give(key, value);
  });
}

}  // namespace

std::string store_key(RecordKind kind, const std::string& key) { return std::string(k_prefixes[static_cast<std::size_t>(kind)]) + key; }

KeyValue encode_record(const Record& record) { return {store_key(kind_of(record), key_of(record)), std::visit(Encoder{}, record)}; }

Result<Record> decode_record(const KeyValue& pair) { return decode_pair(pair.key, pair.value); }

Batch to_batch(const std::vector<Change>& changes) {
  std::map<std::string, const Record*> last;  // null: erased
  for (const Change& change : changes) {
    if (const auto* put = std::get_if<PutRecord>(&change)) {
      last[store_key(kind_of(put->record), key_of(put->record))] = &put->record;
    } else {
      const auto& erased = std::get<EraseRecord>(change);
      last[store_key(erased.kind, erased.key)] = nullptr;
    }
  }
  Batch batch;
  for (const auto& [key, record] : last) {
    if (record == nullptr) {
      batch.erases.push_back(key);
    } else {
      batch.puts.push_back(encode_record(*record));
    }
  }
  return batch;
}

Result<State> RecordStore::load() {
  const auto layout = read_layout(store_);
  if (!layout) return layout.error();
  if (*layout && **layout > k_layout_version) {
    return make_error(Errc::invalid, "the store has layout " + std::to_string(**layout) + ", made by a newer version; this one knows " +
                                         std::to_string(k_layout_version) + ": install the newer version again");
  }
  Store& store = store_;
  const bool known = layout->has_value();
  auto state = State::from_source([&store, known](RecordSink& sink) { return read_all(store, known, sink); });
  if (state) version_written_ = known && **layout == k_layout_version;
  return state;
}

Status RecordStore::commit(const std::vector<Change>& changes) { return commit_batch(to_batch(changes)); }

Status RecordStore::commit_audited(const std::vector<Change>& changes, const AuditHead& head) {
  Batch batch = to_batch(changes);
  batch.puts.push_back({std::string(k_audit_key), proto::encode_json(stored::AuditEnd{head.seq, head.hash})});
  return commit_batch(std::move(batch));
}

Result<AuditHead> RecordStore::audit_head() {
  const auto value = store_.read(k_audit_key);
  if (!value) return value.error();
  if (!*value) return AuditHead{};
  const auto end = proto::decode_json_text<stored::AuditEnd>(**value);
  if (!end) return corrupt(std::string(k_audit_key), end.error().message);
  return AuditHead{end->seq, end->hash};
}

Status RecordStore::commit_batch(Batch batch) {
  const bool first = !version_written_;
  if (first) batch.puts.push_back({std::string(k_version_key), proto::encode_json(stored::Version{k_layout_version})});
  const auto committed = store_.commit(batch);
  if (committed) version_written_ = true;
  return committed;
}

Result<std::string> RecordStore::certificate_pem(const std::string& serial) {
  auto value = store_.read(store_key(RecordKind::pem, serial));
  if (!value) return value.error();
  if (!*value) return make_error(Errc::not_found, "the store has no certificate with serial " + serial);
  return std::move(**value);
}

}  // namespace slipway
