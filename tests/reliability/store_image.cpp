#include "tests/reliability/store_image.hpp"

#include <filesystem>
#include <functional>

#include "common/crypto/digest.hpp"
#include "common/crypto/pem.hpp"
#include "coordinator/config.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"

namespace slipway::test {

namespace {

namespace fs = std::filesystem;

StoreImage image_of(const State& state, const std::vector<KeyValue>& texts) {
  StoreImage image;
  std::map<std::string, std::string> text_sha256;
  for (const KeyValue& pair : texts) {
    const auto der = pem_decode_one(pair.value, "CERTIFICATE");
    text_sha256[pair.key.substr(2)] = der ? sha256_hex(*der) : "not a certificate";
  }
  for (const auto& [name, node] : state.nodes()) {
    StoreImage::Node out{name, node.uid, node.pod_cidr.to_string(), node.token_id, node.identity.hex(), {}};
    for (const auto& [usage, serial] : node.certificates) out.serials.push_back(serial.hex());
    image.nodes.push_back(std::move(out));
  }
  for (const auto& [id, token] : state.tokens()) image.tokens.push_back({id, token.uses, token.max_uses});
  for (const auto& [kind, line] : state.cas()) {
    image.cas.push_back({std::string(to_string(kind)), std::string(to_string(line.phase)), line.signing.number, line.other ? line.other->number : 0});
  }
  for (const CompactCertificate certificate : state.certificates()) {
    const CertificateRecord record = certificate.record();
    const auto text = text_sha256.find(record.serial);
    image.certificates.push_back({record.serial, record.node_uid, record.sha256, text == text_sha256.end() ? "" : text->second});
  }
  return image;
}

// Blocks in quarantine are inside the pool: taken from the records as they are stored.
Status add_quarantined(StoreImage& image, const std::vector<KeyValue>& pairs) {
  for (const KeyValue& pair : pairs) {
    const auto record = decode_record(pair);
    if (!record) return record.error();
    const auto& block = std::get<QuarantinedBlock>(*record);
    image.quarantined.push_back({block.prefix.to_string(), block.owner.uid});
  }
  return {};
}

Result<StoreImage> read_copy(const std::string& copy_dir) {
  const auto sqlite = SqliteStore::open(state_file(copy_dir), false);
  if (!sqlite) return sqlite.error();
  RecordStore records(**sqlite);
  const auto state = records.load();
  if (!state) return state.error();
  const auto texts = (*sqlite)->load("p/");
  if (!texts) return texts.error();
  const auto blocks = (*sqlite)->load(store_key(RecordKind::quarantined, ""));
  if (!blocks) return blocks.error();
  StoreImage image = image_of(*state, *texts);
  const Status added = add_quarantined(image, *blocks);
  if (!added) return added.error();
  return image;
}

using Edit = std::function<void(const State&, std::vector<Change>&)>;

const Node& newest(const State& state) {
  const Node* found = &state.nodes().begin()->second;
  for (const auto& [name, node] : state.nodes()) {
    if (node.joined_at >= found->joined_at) found = &node;
  }
  return *found;
}

Node with_block(const Node& node, const Cidr& block) {
  Node out = node;
  out.pod_cidr = block;
  return out;
}

// Campaigns remove nodes, so there is one.
EraseRecord end_of_quarantine(const State& state) {
  return {RecordKind::quarantined, state.ledger().quarantine().front().prefix.to_string()};
}

const Edit k_edits[] = {
    [](const State& state, std::vector<Change>& changes) { changes.push_back(EraseRecord{RecordKind::node, newest(state).name}); },
    [](const State& state, std::vector<Change>& changes) {
      changes.push_back(PutRecord{with_block(newest(state), Cidr::parse("11.255.255.0/24").value())});
    },
    [](const State& state, std::vector<Change>& changes) {
      changes.push_back(EraseRecord{RecordKind::certificate, newest(state).certificates.begin()->second.hex()});
    },
    [](const State& state, std::vector<Change>& changes) {
      changes.push_back(EraseRecord{RecordKind::pem, newest(state).certificates.begin()->second.hex()});
    },
    [](const State& state, std::vector<Change>& changes) {
      CertificateRecord stray = state.certificates().find(newest(state).certificates.begin()->second)->record();
      stray.serial = "5747a11e57";
      stray.node_uid = "00000000-0000-4000-8000-000000000000";
      changes.push_back(PutRecord{stray});
    },
    [](const State& state, std::vector<Change>& changes) {
      JoinToken token = *state.token(newest(state).token_id);
      --token.uses;
      changes.push_back(PutRecord{token});
    },
    [](const State& state, std::vector<Change>& changes) {
      Node ghost = with_block(newest(state), Cidr::parse("11.255.254.0/24").value());
      ghost.name += "-again";
      ghost.uid = "00000000-0000-4000-8000-000000000001";
      ghost.address = ghost.address.plus(1'000'000);
      ghost.machine_id.clear();
      changes.push_back(PutRecord{ghost});
    },
    [](const State& state, std::vector<Change>& changes) {
      Node stranger = with_block(newest(state), Cidr::parse("11.255.253.0/24").value());
      stranger.name += "-unasked";
      stranger.uid = "00000000-0000-4000-8000-000000000002";
      stranger.address = stranger.address.plus(1'000'001);
      stranger.machine_id.clear();
      stranger.identity = KeyDigest(std::string(64, '7'));
      stranger.previous_identity = {};
      changes.push_back(PutRecord{stranger});
    },
    [](const State& state, std::vector<Change>& changes) { changes.push_back(end_of_quarantine(state)); },
    [](const State& state, std::vector<Change>& changes) {
      changes.push_back(end_of_quarantine(state));
      changes.push_back(PutRecord{with_block(newest(state), state.ledger().quarantine().front().prefix)});
    },
};

}  // namespace

const std::vector<PlantedBug>& planted_bugs() {
  static const std::vector<PlantedBug> bugs = {{"an acknowledged node is lost", "I1"},
                                               {"an acknowledged block is another one", "I1"},
                                               {"a certificate that left is not recorded", "I5"},
                                               {"a certificate's text is lost", "I5"},
                                               {"a certificate of nobody", "I5"},
                                               {"a token use is forgotten", "I5"},
                                               {"one key has two nodes", "I3"},
                                               {"a node that nobody asked for", "I4"},
                                               {"a released block has no quarantine", "I2"},
                                               {"a released block is given out again", "I2"}};
  return bugs;
}

Result<StoreImage> read_store(const std::string& data_dir, const std::string& copy_dir) {
  std::error_code ec;
  fs::remove_all(copy_dir, ec);
  fs::create_directories(copy_dir, ec);
  const std::string file = state_file(data_dir);
  // The -shm file is left out: it is an index of the log and made anew.
  for (const std::string suffix : {"", "-wal"}) {
    if (fs::exists(file + suffix)) fs::copy_file(file + suffix, state_file(copy_dir) + suffix, ec);
    if (ec) return make_error(Errc::internal, "copying " + file + suffix + ": " + ec.message());
  }
  return read_copy(copy_dir);
}

Result<StoreImage> plant(std::size_t bug, const std::string& copy_dir) {
  {
    const auto sqlite = SqliteStore::open(state_file(copy_dir), false);
    if (!sqlite) return sqlite.error();
    RecordStore records(**sqlite);
    const auto state = records.load();
    if (!state) return state.error();
    if (state->nodes().empty() || state->ledger().quarantine().empty()) {
      return make_error(Errc::not_found, "planting needs a live node and a removed one");
    }
    std::vector<Change> changes;
    k_edits[bug](*state, changes);
    const Status broken = records.commit(changes);
    if (!broken) return broken.error();
  }
  return read_copy(copy_dir);
}

}  // namespace slipway::test
