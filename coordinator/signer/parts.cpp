#include "coordinator/signer/parts.hpp"

#include <iterator>

#include "common/core/text.hpp"

namespace slipway::signer {

namespace {

constexpr std::uint8_t k_kinds = std::size(k_ca_kinds);
constexpr std::uint8_t k_usages = std::size(k_cert_usages);
constexpr std::uint8_t k_classes = 7;  // ValidityClass
constexpr std::uint8_t k_phases = 4;   // CaPhase

// One that was right when it was written; read back, it is parsed anew.
constexpr const char* k_any_serial = "01";

template <class Enum>
std::uint8_t place(Enum value) {
  return static_cast<std::uint8_t>(value);
}

void put_blocks(Writer& to, const std::vector<Cidr>& blocks) {
  put_all(to, blocks, [](Writer& w, const Cidr& block) { put(w, block); });
}
std::vector<Cidr> read_blocks(Reader& from) {
  return read_all(from, k_max_names, read_block);
}

void put_seconds(Writer& to, Seconds seconds) {
  to.i64(seconds.count());
}

}  // namespace

void put(Writer& to, WallTime time) {
  to.i64(time.time_since_epoch().count());
}
void put(Writer& to, CaKind kind) {
  to.u8(place(kind));
}
void put(Writer& to, const std::vector<std::string>& names) {
  put_all(to, names, [](Writer& w, const std::string& name) { w.text(name); });
}
void put(Writer& to, const IpAddress& address) {
  to.text(address.bytes());
}
void put(Writer& to, const Cidr& block) {
  put(to, block.base());
  to.u8(static_cast<std::uint8_t>(block.prefix_length()));
}

void put(Writer& to, const CertSpec& spec) {
  to.u8(place(spec.usage));
  put(to, spec.issuer);
  to.text(spec.organization);
  to.text(spec.common_name);
  to.u8(spec.eku.server_auth ? 1 : 0);
  to.u8(spec.eku.client_auth ? 1 : 0);
  put(to, spec.dns_names);
  put_all(to, spec.ip_addresses, [](Writer& w, const IpAddress& address) { put(w, address); });
  put(to, spec.uris);
  to.u8(place(spec.validity));
}

void put(Writer& to, const CaFacts& facts) {
  to.u64(facts.number);
  for (const std::string* text : {&facts.sha256, &facts.serial, &facts.key_id, &facts.subject})
    to.text(*text);
  put(to, facts.not_before);
  put(to, facts.not_after);
}

void put(Writer& to, const CaLine& line) {
  put(to, line.kind);
  to.u8(place(line.phase));
  put(to, line.signing);
  to.u8(line.other ? 1 : 0);
  if (line.other) put(to, *line.other);
  to.u64(line.last_number);
}

void put(Writer& to, const KnownCa& ca) {
  put(to, ca.kind);
  put(to, ca.facts);
  to.text(ca.pem);
}

void put(Writer& to, const SigningRules& rules) {
  const ProfileCluster& cluster = rules.cluster;
  for (const std::string* text :
       {&cluster.name, &cluster.id, &cluster.dns_domain, &cluster.api_endpoint_host})
    to.text(*text);
  for (const auto* blocks : {&cluster.pod_cidrs, &cluster.service_cidrs, &cluster.node_cidrs})
    put_blocks(to, *blocks);
  put(to, cluster.coordinator_names);
  put(to, cluster.api_extra_names);
  const Lifetimes& l = rules.lifetimes;
  for (const Seconds life :
       {l.node, l.serving, l.control_plane, l.coordinator, l.admin, l.operators, l.bootstrap})
    put_seconds(to, life);
}

void put_lines(Writer& to, const std::map<CaKind, CaLine>& lines) {
  to.u32(static_cast<std::uint32_t>(lines.size()));
  for (const auto& [kind, line] : lines) put(to, line);
}

// Within the years that certificates and people write: what is computed from it later cannot overflow.
WallTime read_time(Reader& from) {
  constexpr std::int64_t k_end = 253'402'300'800;  // the year 10000
  const std::int64_t seconds = from.i64();
  if (seconds < -k_end || seconds > k_end) from.fail();
  return WallTime(Seconds(from.ok() ? seconds : 0));
}
CaKind read_kind(Reader& from) {
  return static_cast<CaKind>(from.below(k_kinds));
}
std::string read_text(Reader& from, std::size_t most) {
  return std::string(from.text(most));
}
std::vector<std::string> read_names(Reader& from) {
  return read_all(from, k_max_names, [](Reader& r) { return read_text(r); });
}

IpAddress read_address(Reader& from) {
  const auto address = IpAddress::from_bytes(from.text(16));
  if (!address) from.fail();
  return address.value_or(IpAddress());
}
Cidr read_block(Reader& from) {
  const IpAddress base = read_address(from);
  const auto block = Cidr::make(base, from.u8());
  if (!block) from.fail();
  return from.ok() ? *block : Cidr();
}

CertSpec read_spec(Reader& from) {
  CertSpec spec;
  spec.usage = static_cast<CertUsage>(from.below(k_usages));
  spec.issuer = read_kind(from);
  spec.organization = read_text(from);
  spec.common_name = read_text(from);
  spec.eku.server_auth = from.flag();
  spec.eku.client_auth = from.flag();
  spec.dns_names = read_names(from);
  spec.ip_addresses = read_all(from, k_max_names, read_address);
  spec.uris = read_names(from);
  spec.validity = static_cast<ValidityClass>(from.below(k_classes));
  return spec;
}

CaFacts read_facts(Reader& from) {
  CaFacts facts;
  facts.number = from.u64();
  for (std::string* text : {&facts.sha256, &facts.serial, &facts.key_id, &facts.subject})
    *text = read_text(from, k_max_path);
  facts.not_before = read_time(from);
  facts.not_after = read_time(from);
  return facts;
}

CaLine read_line(Reader& from) {
  CaLine line;
  line.kind = read_kind(from);
  line.phase = static_cast<CaPhase>(from.below(k_phases));
  line.signing = read_facts(from);
  if (from.flag()) line.other = read_facts(from);
  line.last_number = from.u64();
  return line;
}

KnownCa read_ca(Reader& from) {
  KnownCa ca;
  ca.kind = read_kind(from);
  ca.facts = read_facts(from);
  ca.pem = read_text(from, k_max_pem);
  return ca;
}

SigningRules read_rules(Reader& from) {
  constexpr std::int64_t k_most = 1'000'000'000;
  SigningRules rules;
  ProfileCluster& cluster = rules.cluster;
  for (std::string* text : {&cluster.name, &cluster.id, &cluster.dns_domain, &cluster.api_endpoint_host})
    *text = read_text(from);
  for (auto* blocks : {&cluster.pod_cidrs, &cluster.service_cidrs, &cluster.node_cidrs})
    *blocks = read_blocks(from);
  cluster.coordinator_names = read_names(from);
  cluster.api_extra_names = read_names(from);
  Lifetimes& l = rules.lifetimes;
  for (Seconds* life :
       {&l.node, &l.serving, &l.control_plane, &l.coordinator, &l.admin, &l.operators, &l.bootstrap}) {
    const std::int64_t seconds = from.i64();
    if (seconds < 0 || seconds > k_most) from.fail();
    *life = Seconds(from.ok() ? seconds : 0);
  }
  return rules;
}

std::map<CaKind, CaLine> read_lines(Reader& from) {
  std::map<CaKind, CaLine> lines;
  for (CaLine& line : read_all(from, k_kinds, read_line)) {
    const CaKind kind = line.kind;
    lines.emplace(kind, std::move(line));
  }
  return lines;
}

Serial read_serial(Reader& from) {
  const auto serial = Serial::from_hex(to_hex(from.text(20)));
  if (!serial) from.fail();
  return serial ? *serial : *Serial::from_hex(k_any_serial);
}

}  // namespace slipway::signer
