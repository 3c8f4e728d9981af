#include "coordinator/domain/certificate_ledger.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "common/core/text.hpp"
#include "tests/support/cluster_values.hpp"

namespace slipway {
namespace {

using namespace test;

CertificateRecord record_of(const std::string& serial, const std::string& subject = "node-1", const std::string& uid = "uid-1") {
  CertificateRecord record;
  record.serial = serial;
  record.usage = CertUsage::kube_proxy;
  record.subject = subject;
  record.node_uid = uid;
  record.generation = 3;
  record.not_before = k_start;
  record.not_after = k_start + Seconds(86400);
  record.sha256 = fake_hash("cert " + serial);
  record.spki_sha256 = fake_hash("key " + serial);
  record.ca = 2;
  return record;
}

std::vector<CertificateRecord> all_of(const CertificateLedger& ledger) {
  std::vector<CertificateRecord> records;
  for (const CompactCertificate certificate : ledger) records.push_back(certificate.record());
  return records;
}

std::vector<std::string> serials_of(const CertificateLedger& ledger) {
  std::vector<std::string> serials;
  for (const CompactCertificate certificate : ledger) serials.push_back(certificate.serial_hex());
  return serials;
}

TEST_CASE("the ledger gives back what was put into it, by serial", "[certificates]") {
  CertificateLedger ledger;
  CHECK(ledger.empty());
  CHECK(ledger.begin() == ledger.end());
  CHECK_FALSE(ledger.find("aa"));
  const CertificateRecord record = record_of("aa");
  REQUIRE(ledger.put(record));
  CHECK(ledger.find("aa")->record() == record);
  CHECK_FALSE(ledger.find("ab"));
  CHECK_FALSE(ledger.find("AA"));
  CHECK_FALSE(ledger.find(""));
  CHECK_FALSE(ledger.find("a"));
  CertificateRecord odd = record_of("ff");  // values that no cluster has
  odd.generation = UINT64_MAX;
  odd.ca = UINT64_MAX;
  odd.not_before = WallTime(Seconds(-1));
  odd.not_after = *parse_rfc3339("9999-12-31T23:59:59Z");
  odd.subject = std::string("a\0b", 3);
  odd.node_uid.clear();
  REQUIRE(ledger.put(odd));
  CHECK(ledger.find("ff")->record() == odd);
}

TEST_CASE("certificates stand in the order of their serials' texts", "[certificates]") {
  CertificateLedger ledger;
  const std::vector<std::string> sorted = {"00", "0000", "01", "0100", "010000ff", "0101", "7f", "80", "ff", std::string(40, 'f')};
  std::vector<std::string> shuffled = sorted;
  std::reverse(shuffled.begin(), shuffled.end());
  std::swap(shuffled[2], shuffled[7]);
  for (const std::string& serial : shuffled) REQUIRE(ledger.put(record_of(serial)));
  CHECK(serials_of(ledger) == sorted);
  CHECK(std::is_sorted(sorted.begin(), sorted.end()));
}

TEST_CASE("a certificate that is put again takes the place of the one before", "[certificates]") {
  CertificateLedger ledger;
  REQUIRE(ledger.put(record_of("aa", "alice", "")));
  REQUIRE(ledger.put(record_of("aa", "bob", "")));
  CHECK(ledger.size() == 1);
  CHECK(ledger.find("aa")->subject == "bob");
  CHECK(ledger.holders() == 1);
}

TEST_CASE("what is not hex of the right length is refused and changes nothing", "[certificates]") {
  CertificateLedger ledger;
  const auto refused = [&](const std::function<void(CertificateRecord&)>& change) {
    CertificateRecord record = record_of("aa");
    change(record);
    const Status put = ledger.put(record);
    return !put && put.error().code == Errc::invalid && ledger.empty() && ledger.holders() == 0;
  };
  for (const std::string serial : {"", "a", "AA", "s1", "0x", "aa ", "g0"}) CHECK(refused([&](CertificateRecord& r) { r.serial = serial; }));
  CHECK(refused([](CertificateRecord& r) { r.serial = std::string(42, 'a'); }));
  CHECK(refused([](CertificateRecord& r) { r.sha256.pop_back(); }));
  CHECK(refused([](CertificateRecord& r) { r.sha256[5] = 'X'; }));
  CHECK(refused([](CertificateRecord& r) { r.spki_sha256.clear(); }));
  CHECK(refused([](CertificateRecord& r) { r.spki_sha256 += "00"; }));
  const CertificateRecord good = record_of("aa");
  const auto packed = PackedCertificate::of(good);  // outlives the view
  CompactCertificate compact = packed->view(good);
  compact.sha256.remove_suffix(1);
  CHECK(ledger.put(compact).error().code == Errc::invalid);
  CHECK(ledger.empty());
}

TEST_CASE("each holder's texts stand once and go with the last certificate", "[certificates]") {
  CertificateLedger ledger;
  for (int i = 0; i < 40; ++i) REQUIRE(ledger.put(record_of(to_hex(std::string(1, static_cast<char>(i))), i % 2 == 0 ? "even" : "odd")));
  CHECK(ledger.holders() == 2);
  // The same letters, cut elsewhere, are another holder.
  REQUIRE(ledger.put(record_of("f0", "ab", "c")));
  REQUIRE(ledger.put(record_of("f1", "a", "bc")));
  CHECK(ledger.holders() == 4);
  CHECK(ledger.find("f0")->node_uid == "c");
  ledger.erase("f0");
  ledger.erase("f0");
  ledger.erase("not hex");
  CHECK(ledger.holders() == 3);
  CHECK(ledger.find("f1")->node_uid == "bc");
  for (int i = 0; i < 40; i += 2) ledger.erase(to_hex(std::string(1, static_cast<char>(i))));
  CHECK(ledger.holders() == 2);
  CHECK(ledger.find("01")->subject == "odd");
}

TEST_CASE("ledgers are equal by content, however they came to it, and a copy is another value", "[certificates]") {
  CertificateLedger forward, backward;
  std::vector<CertificateRecord> records;
  for (int i = 0; i < 2000; ++i) {
    const std::string bytes = {static_cast<char>(i >> 8), static_cast<char>(i)};
    records.push_back(record_of(to_hex(bytes), "node-" + std::to_string(i % 7)));
  }
  for (const CertificateRecord& record : records) REQUIRE(forward.put(record));
  std::reverse(records.begin(), records.end());
  REQUIRE(backward.put(record_of("ffffff", "gone")));
  for (const CertificateRecord& record : records) REQUIRE(backward.put(record));
  CHECK_FALSE(forward == backward);
  backward.erase("ffffff");
  CHECK(forward == backward);
  CertificateLedger copy = forward;
  copy.erase("0000");
  CHECK(forward.find("0000"));
  CHECK_FALSE(copy == forward);
  CertificateRecord changed = records.back();
  ++changed.generation;
  REQUIRE(copy.put(changed));
  CHECK_FALSE(copy == forward);
  REQUIRE(copy.put(records.back()));
  CHECK(copy == forward);
}

TEST_CASE("a certificate may be put from a view into the ledger itself", "[certificates]") {
  CertificateLedger ledger;
  for (int i = 0; i < 300; ++i) REQUIRE(ledger.put(record_of(to_hex(std::string{static_cast<char>(i >> 8), static_cast<char>(i)}), std::string(40, 'n') + std::to_string(i))));
  const CertificateLedger before = ledger;
  for (const CompactCertificate certificate : before) REQUIRE(ledger.put(*ledger.find(certificate.serial_hex())));
  CHECK(ledger == before);
  CHECK(ledger.holders() == 300);
}

// Serials of a few lengths that meet often, near each other and at the end.
std::string serial_in(std::mt19937_64& random, std::uint64_t step) {
  std::string bytes = {static_cast<char>(step >> 12), static_cast<char>(random() % 16), static_cast<char>(random())};
  if (random() % 8 == 0) bytes += static_cast<char>(random() % 2);
  if (random() % 50 == 0) bytes = std::string(20, static_cast<char>(random()));
  return to_hex(bytes);
}

TEST_CASE("100,000 random operations agree with a map", "[certificates]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  CertificateLedger ledger;
  std::map<std::string, CertificateRecord> model;
  bool agree = true;
  for (std::uint64_t step = 0; step < 100'000 && agree; ++step) {
    const std::string serial = serial_in(random, step);
    const bool shrinking = step % 20'000 > 14'000;
    if (random() % 10 < (shrinking ? 8U : 3U)) {
      // Mostly one that is there.
      const auto near = model.lower_bound(serial);
      const std::string victim = near == model.end() ? serial : near->first;
      ledger.erase(victim);
      model.erase(victim);
    } else {
      const std::uint64_t who = random() % 300;
      CertificateRecord record = record_of(serial, "node-" + std::to_string(who), who % 9 == 0 ? "" : "uid-" + std::to_string(who));
      record.generation = random() % 3;
      agree = ledger.put(record).has_value();
      model[serial] = record;
    }
    const auto expected = model.find(serial);
    const auto found = ledger.find(serial);
    agree = agree && ledger.size() == model.size() && found.has_value() == (expected != model.end());
    if (found) agree = agree && found->record() == expected->second;
    if (step % 5'000 != 0) continue;
    std::vector<CertificateRecord> expected_all;
    for (const auto& [key, record] : model) expected_all.push_back(record);
    agree = agree && all_of(ledger) == expected_all;
  }
  CHECK(agree);
  while (!model.empty()) {
    ledger.erase(model.begin()->first);
    model.erase(model.begin());
  }
  CHECK(ledger.empty());
  CHECK(ledger.holders() == 0);
  CHECK(ledger == CertificateLedger());
}

TEST_CASE("holders are counted and found again, also when their numbers come round", "[certificates]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  CertificateHolders holders;
  std::map<std::uint64_t, std::pair<std::uint32_t, int>> model;  // which holder: its number and uses
  const auto text = [](std::uint64_t which) { return "node-" + std::to_string(which); };
  bool agree = true;
  for (int step = 0; step < 50'000 && agree; ++step) {
    const std::uint64_t which = random() % 200;
    const std::string subject = text(which);
    const auto known = model.find(which);
    if (random() % 2 == 0) {
      const std::uint32_t number = holders.take({subject, "uid", which, 1});
      agree = known == model.end() || known->second.first == number;
      model[which] = {number, known == model.end() ? 1 : known->second.second + 1};
    } else if (known != model.end()) {
      holders.drop(known->second.first);
      if (--known->second.second == 0) model.erase(known);
    }
    agree = agree && holders.size() == model.size();
    for (const auto& [holder, uses] : model) {
      if (holder % 16 == which % 16) agree = agree && holders.at(uses.first).subject == text(holder) && holders.at(uses.first).generation == holder;
    }
  }
  CHECK(agree);
}

}  // namespace
}  // namespace slipway
