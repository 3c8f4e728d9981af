// Our own reader of DER, of certificates, and the rules on their bytes. DER has one encoding: what is read, written again, is the same.
#include <string>

#include "common/crypto/certificate.hpp"
#include "common/crypto/der.hpp"
#include "coordinator/ca/der_rules.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace slipway {
namespace {

using fuzz::hold;

constexpr int k_deepest = 32;
constexpr WallTime k_first_time{Seconds(-631'152'000)};  // 1950-01-01

void check_value(const der::Item& item) {
  const auto number = item.tag == der::k_integer ? der::positive_integer(item) : std::nullopt;
  hold(!number || der::unsigned_integer(*number) == item.whole, "an integer has one encoding");
  const auto bits = item.tag == der::k_bit_string ? der::whole_bits(item) : std::nullopt;
  hold(!bits || der::bit_string(*bits) == item.whole, "bits have one encoding");
  // Which of the two forms a time has is a rule of certificates (der_rules); the years that UTCTime cannot say are none that we write.
  const auto time = der::read_time(item);
  if (time && *time >= k_first_time) {
    const std::string written = der::time(*time);
    const auto read = der::Reader(written).next();
    hold(read && der::read_time(*read) == time, "a time is read as it is written");
  }
  hold(item.tag != der::k_oid || !der::oid_text(item.content).empty(), "an OID has a text");
}

void walk(std::string_view bytes, int depth) {
  der::Reader reader(bytes);
  while (const auto item = reader.next()) {
    hold(der::item(item->tag, item->content) == item->whole, "an item has one encoding");
    check_value(*item);
    if (depth < k_deepest) walk(item->content, depth + 1);
  }
}

void check_certificate(std::string_view bytes) {
  const Result<Certificate> certificate = Certificate::from_der(bytes);
  const DerIssuer issuer{{WallTime(Seconds(0)), WallTime(Seconds(4'000'000'000))}, certificate ? certificate->authority_key_id() : std::string_view()};
  for (const std::size_t usages : {std::size_t{0}, std::size_t{1}}) {
    const Status kept = check_der_rules(bytes, usages, issuer);
    hold(!kept || certificate, "what keeps the rules is a certificate");
  }
  if (!certificate) return;
  hold(certificate->der() == bytes, "a certificate keeps its bytes");
  const Result<Certificate> again = Certificate::from_pem(certificate->pem());
  hold(again && again->der() == bytes, "its text is the same certificate");
}

}  // namespace
}  // namespace slipway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = slipway::fuzz::text_of(data, size);
  slipway::walk(bytes, 0);
  slipway::check_certificate(bytes);
  static_cast<void>(slipway::Certificate::chain_from_pem(bytes));
  return 0;
}
