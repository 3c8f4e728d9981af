#include "coordinator/store/certificate_codec.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "common/core/text.hpp"
#include "coordinator/store/records.hpp"
#include "tests/support/cluster_values.hpp"
#include "tests/support/memory_store.hpp"

namespace slipway {
namespace {

using namespace test;
using Catch::Matchers::Contains;

CertificateRecord sample() {
  return {"0123456789abcdef0123456789abcdef01234567", CertUsage::kubelet_client, "node-1", "11111111-1111-4111-8111-111111111111", 300, k_start,
          k_start + Seconds(86400), fake_hash("certificate"), fake_hash("key"), 2};
}

// As layout 1 wrote it.
KeyValue as_json(const CertificateRecord& record) {
  return {"s/certificate/" + record.serial, "{\"generation\":" + std::to_string(record.generation) + ",\"nodeUid\":\"" + record.node_uid + "\",\"notAfter\":\"" +
                                                to_rfc3339(record.not_after) + "\",\"notBefore\":\"" + to_rfc3339(record.not_before) + "\",\"serial\":\"" +
                                                record.serial + "\",\"sha256\":\"" + record.sha256 + "\",\"spkiSha256\":\"" + record.spki_sha256 +
                                                "\",\"subject\":\"" + record.subject + "\",\"usage\":\"" + std::string(to_string(record.usage)) +
                                                "\",\"ca\":" + std::to_string(record.ca) + "}"};
}

std::string corrupt_text(const KeyValue& pair) {
  const auto record = decode_record(pair);
  if (record) return "it is good";
  CHECK(record.error().code == Errc::corrupt);
  CHECK_THAT(record.error().message, Contains(pair.key));
  return record.error().message;
}

TEST_CASE("a certificate's stored bytes are these, for ever", "[certificates][store]") {
  const KeyValue pair = encode_record(sample());
  CHECK(pair.key == "s/certificate/0123456789abcdef0123456789abcdef01234567");
  const std::string expected = "0201" + std::string("000000006ab13b80") + "000000006ab28d00" + fake_hash("certificate") + fake_hash("key") + "ac02" + "02" + "24" +
                               to_hex("11111111-1111-4111-8111-111111111111") + "06" + to_hex("node-1");
  CHECK(to_hex(pair.value) == expected);
  CHECK(std::get<CertificateRecord>(*decode_record(pair)) == sample());
}

TEST_CASE("every usage keeps its number in stores", "[certificates][store]") {
  const std::vector<std::string> names = {"agent", "kubeletClient", "kubeletServing", "kubeProxy", "apiserverServing", "apiserverKubeletClient",
                                          "apiserverEtcdClient", "etcdServer", "etcdPeer", "frontProxyClient", "controllerManager", "scheduler",
                                          "coordinatorServing", "coordinatorKubeClient", "operatorAdmin", "kubeconfigAdmin", "operatorOperator", "operatorViewer",
                                          "coordinatorBootstrap"};
  REQUIRE(names.size() == std::size(k_cert_usages));
  for (std::size_t i = 0; i < names.size(); ++i) {
    CertificateRecord record = sample();
    REQUIRE(cert_usage_from_string(names[i]));
    record.usage = *cert_usage_from_string(names[i]);
    const KeyValue pair = encode_record(record);
    CHECK(pair.value[1] == static_cast<char>(i));
    CHECK(std::get<CertificateRecord>(*decode_record(pair)) == record);
  }
}

TEST_CASE("values at the ends of their ranges are kept", "[certificates][store]") {
  CertificateRecord record = sample();
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 62, std::uint64_t{1} << 63, UINT64_MAX}) {
    record.generation = record.ca = number;
    CHECK(std::get<CertificateRecord>(*decode_record(encode_record(record))) == record);
  }
  record.not_before = WallTime(Seconds(-5));
  record.not_after = WallTime(Seconds(INT64_MAX));
  record.node_uid.clear();
  record.subject = std::string(100'000, 's');
  record.serial = "00";
  CHECK(std::get<CertificateRecord>(*decode_record(encode_record(record))) == record);
}

TEST_CASE("certificates of layout 1 are read", "[certificates][store]") {
  CHECK(std::get<CertificateRecord>(*decode_record(as_json(sample()))) == sample());
  CertificateRecord odd = sample();
  odd.sha256 = "ab";
  CHECK_THAT(corrupt_text(as_json(odd)), Contains("sha256"));
  odd = sample();
  odd.serial = "77-x";
  CHECK_THAT(corrupt_text(as_json(odd)), Contains("serial"));
}

TEST_CASE("a damaged certificate is named and never read beyond its end", "[certificates][store]") {
  const KeyValue good = encode_record(sample());
  for (std::size_t size = 0; size < good.value.size(); ++size) {
    // Memory of its own, so that a sanitizer sees a step too far.
    const std::vector<char> bytes(good.value.begin(), good.value.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(decode_certificate("serial", std::string_view(bytes.data(), bytes.size())));
    corrupt_text({good.key, good.value.substr(0, size)});
  }
  CHECK_THAT(corrupt_text({good.key, good.value + '\0'}), Contains("more bytes than it needs"));
  for (const char marker : {'\0', '\1', '\3', '[', '\x7f', '\xff'}) {
    KeyValue other = good;
    other.value[0] = marker;
    CHECK(corrupt_text(other) != "it is good");
  }
  KeyValue usage = good;
  usage.value[1] = static_cast<char>(std::size(k_cert_usages));  // the first that is none
  CHECK_THAT(corrupt_text(usage), Contains("unknown usage"));
  for (const std::string key : {"s/certificate/", "s/certificate/AA", "s/certificate/0g", "s/certificate/012"}) {
    CHECK_THAT(corrupt_text({key, good.value}), Contains("does not end in a serial"));
  }
  CHECK_THAT(corrupt_text({"s/certificate/" + std::string(42, 'a'), good.value}), Contains("does not end in a serial"));
}

TEST_CASE("numbers in a certificate have one form, lengths stay inside", "[certificates][store]") {
  const std::string head = encode_record(sample()).value.substr(0, 82);
  const auto bad = [&](const std::string& tail_hex) { return !decode_certificate("serial", head + *from_hex(tail_hex)); };
  CHECK_FALSE(bad("01010000"));
  CHECK(bad("8100" "010000"));                   // generation in two bytes where one does
  CHECK(bad("ffffffffffffffffff02" "010000"));   // 65 bits
  CHECK(bad("ffffffffffffffffffff01" "010000"));  // eleven bytes
  CHECK_FALSE(bad("ffffffffffffffffff01" "010000"));
  CHECK(bad("0101" "ffffffffffffffffff01" "00"));  // a uid of 2^64-1 bytes
  CHECK(bad("010100" "05" "61626364"));            // a subject of five bytes, four are there
  CHECK(bad("010100" "03" "61626364"));
}

TEST_CASE("any bytes are decoded or refused", "[certificates][store]") {
  const std::uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const std::string good = encode_record(sample()).value;
  for (int i = 0; i < 20'000; ++i) {
    std::string value = good.substr(0, random() % (good.size() + 1));
    for (std::uint64_t flips = random() % 4; flips > 0 && !value.empty(); --flips) value[random() % value.size()] = static_cast<char>(random());
    if (random() % 4 == 0) value += good.substr(random() % good.size());
    const std::vector<char> bytes(value.begin(), value.end());
    const auto decoded = decode_certificate("serial", std::string_view(bytes.data(), bytes.size()));
    if (!decoded) continue;
    // What is taken is what would be written: nothing in it was overlooked.
    CHECK(encode_certificate(*decoded) == value);
  }
}

TEST_CASE("a store of layout 1 is taken up as it is and becomes layout 2 with the first commit", "[certificates][store]") {
  MemoryStore store;
  CertificateRecord second = sample();
  second.serial = "ff";
  const KeyValue old_record = as_json(sample());
  REQUIRE(store.commit({{{"s/version", "{\"layout\":1}"}, old_record, as_json(second)}, {}}));
  RecordStore records(store);
  const auto before = records.load();
  REQUIRE(before);
  CHECK(before->certificate(sample().serial)->record() == sample());
  CHECK(**store.read("s/version") == "{\"layout\":1}");
  // The kinds stand side by side; nothing is written again that did not change.
  REQUIRE(records.commit({PutRecord{second}}));
  CHECK(**store.read("s/version") == "{\"layout\":2}");
  CHECK(**store.read(old_record.key) == old_record.value);
  CHECK(is_compact_certificate(**store.read("s/certificate/ff")));
  CHECK(*RecordStore(store).load() == *before);
}

TEST_CASE("a damaged certificate stops the load and is named", "[certificates][store]") {
  MemoryStore store;
  KeyValue pair = encode_record(sample());
  pair.value.pop_back();
  REQUIRE(store.commit({{{"s/version", "{\"layout\":2}"}, pair}, {}}));
  const auto loaded = RecordStore(store).load();
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == Errc::corrupt);
  CHECK_THAT(loaded.error().message, Contains(pair.key));
}

}  // namespace
}  // namespace slipway
