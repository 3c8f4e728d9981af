#include "coordinator/store/certificate_codec.hpp"

#include <algorithm>
#include <array>

namespace slipway {

namespace {

constexpr char k_marker = 0x02;

// In stores for ever: only append.
constexpr CertUsage k_stored_usages[] = {CertUsage::agent,
                                         CertUsage::kubelet_client,
                                         CertUsage::kubelet_serving,
                                         CertUsage::kube_proxy,
                                         CertUsage::apiserver_serving,
                                         CertUsage::apiserver_kubelet_client,
                                         CertUsage::apiserver_etcd_client,
                                         CertUsage::etcd_server,
                                         CertUsage::etcd_peer,
                                         CertUsage::front_proxy_client,
                                         CertUsage::controller_manager,
                                         CertUsage::scheduler,
                                         CertUsage::coordinator_serving,
                                         CertUsage::coordinator_kube_client,
                                         CertUsage::operator_admin,
                                         CertUsage::kubeconfig_admin,
                                         CertUsage::operator_op,
                                         CertUsage::operator_viewer,
                                         CertUsage::coordinator_bootstrap};
static_assert(std::size(k_stored_usages) == std::size(k_cert_usages), "a new usage needs its number in stores");

void put_number(std::string& out, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift);
}

void put_varint(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(0x80 | (number & 0x7f));
  out += static_cast<char>(number);
}

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

// What is not there reads as nothing and ends ok(): never beyond the end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::uint64_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::uint8_t byte() {
    const std::string_view taken = take(1);
    return taken.empty() ? 0 : static_cast<std::uint8_t>(taken.front());
  }
  WallTime time() {
    std::uint64_t number = 0;
    for (const char c : take(8)) number = number << 8 | static_cast<std::uint8_t>(c);
    return WallTime(Seconds(static_cast<std::int64_t>(number)));
  }
  // The shortest form only, and 64 bits: one value, one form.
  std::uint64_t varint() {
    std::uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      const std::uint64_t low = part & 0x7fU;
      number |= low << shift;
      if ((part & 0x80U) != 0) continue;
      if ((low << shift) >> shift != low || (part == 0 && shift > 0)) ok_ = false;
      return number;
    }
    ok_ = false;
    return 0;
  }
  std::string_view text() {
    const std::uint64_t size = varint();
    return ok_ ? take(size) : std::string_view();
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

Error wrong(const char* what) { return make_error(Errc::corrupt, what); }

}  // namespace

bool is_compact_certificate(std::string_view value) { return value.starts_with(k_marker); }

std::string encode_certificate(const CompactCertificate& certificate) {
  std::string out;
  out.reserve(96 + certificate.node_uid.size() + certificate.subject.size());
  const auto* usage = std::find(std::begin(k_stored_usages), std::end(k_stored_usages), certificate.usage);
  out += k_marker;
  out += static_cast<char>(usage - std::begin(k_stored_usages));
  put_number(out, static_cast<std::uint64_t>(certificate.not_before.time_since_epoch().count()));
  put_number(out, static_cast<std::uint64_t>(certificate.not_after.time_since_epoch().count()));
  out += certificate.sha256;
  out += certificate.spki_sha256;
  put_varint(out, certificate.generation);
  put_varint(out, certificate.ca);
  put_text(out, certificate.node_uid);
  put_text(out, certificate.subject);
  return out;
}

Result<CompactCertificate> decode_certificate(std::string_view serial, std::string_view value) {
  if (!is_compact_certificate(value)) return wrong("is of no known form");
  Reader reader(value.substr(1));
  CompactCertificate certificate;
  certificate.serial = serial;
  const std::uint8_t usage = reader.byte();
  if (usage >= std::size(k_stored_usages)) return wrong("has an unknown usage");
  certificate.usage = k_stored_usages[usage];
  certificate.not_before = reader.time();
  certificate.not_after = reader.time();
  certificate.sha256 = reader.take(k_digest_bytes);
  certificate.spki_sha256 = reader.take(k_digest_bytes);
  certificate.generation = reader.varint();
  certificate.ca = reader.varint();
  certificate.node_uid = reader.text();
  certificate.subject = reader.text();
  if (!reader.ok()) return wrong("is cut off, or a length in it is wrong");
  if (!reader.at_end()) return wrong("has more bytes than it needs");
  return certificate;
}

}  // namespace slipway
