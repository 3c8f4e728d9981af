#pragma once
// Values of a small cluster, for tests of the coordinator's core.
#include <string>
#include <vector>

#include "common/core/text.hpp"
#include "coordinator/domain/operations.hpp"

namespace slipway::test {

inline constexpr WallTime k_start = WallTime(Seconds(1'790'000'000));

inline proto::ClusterSpec demo_spec() {
  proto::ClusterSpec spec;
  spec.metadata.name = "demo";
  spec.api_server.endpoint = "https://10.77.0.10:6443";
  spec.coordinator.addresses = {"10.77.0.10"};
  spec.network.pod_cidr = "10.10.0.0/16";
  spec.network.service_cidr = "10.0.0.0/16";
  spec.network.node_cidrs = {"10.77.0.0/16"};
  spec.versions = {"1.20.2", "3.4.23", "20.10.24", "1.1.1"};
  return spec;
}

inline InitCluster demo_init(const proto::ClusterSpec& spec = demo_spec()) {
  return {spec, {"11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", k_start}};
}

inline std::string fake_hash(const std::string& text) {
  std::string hex;
  for (std::size_t i = 0; hex.size() < 64; ++i) hex += "0123456789abcdef"[(static_cast<unsigned char>(text[i % text.size()]) + i) % 16];
  return hex;
}

// A serial that differs for each text, and shows how it begins.
inline std::string fake_serial(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  std::string bytes = text.substr(0, 12);
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(hash >> shift);
  return to_hex(bytes);
}

inline JoinToken demo_token(const std::string& id = "abc123", std::uint64_t uses = 1, NodeRole role = NodeRole::node) {
  return {id, fake_hash("secret of " + id), role, "", 0, uses, k_start, k_start + Seconds(86400), "", {}};
}

// A join of `name` with keys named after `key`.
inline AdmissionRequest demo_request(const std::string& name, int host, const std::string& key, const std::string& token_id = "abc123") {
  AdmissionRequest request;
  request.node_name = name;
  request.address = IpAddress::v4(0x0a4d0000U + static_cast<std::uint32_t>(host));
  request.machine_id = "machine of " + name;
  if (!token_id.empty()) request.token = PresentedToken{token_id, fake_hash("secret of " + token_id)};
  for (const CertUsage usage : usages_of_node()) request.spkis[usage] = fake_hash(key + std::string(to_string(usage)));
  request.maturity = {k_start + Seconds(100), Seconds(600), 0};
  return request;
}

// Their serials: fake_serial("TAG-USAGE").
inline std::vector<IssuedCertificate> demo_certificates(const AdmissionRequest& request, const std::string& uid,
                                                        std::uint64_t generation, const std::string& serial_tag) {
  std::vector<IssuedCertificate> certificates;
  for (const auto& [usage, spki] : request.spkis) {
    const std::string shown = serial_tag + "-" + std::string(to_string(usage));
    certificates.push_back({{fake_serial(shown), usage, request.node_name, uid, generation, request.maturity.now - Seconds(300),
                             request.maturity.now + Seconds(86400), fake_hash("cert" + shown), spki},
                            "PEM of " + shown});
  }
  return certificates;
}

// The operation that a coordinator would submit for the request, given what admit() says.
inline AdmitNode demo_admit(const State& state, const AdmissionRequest& request, const std::string& new_uid, const std::string& serial_tag) {
  const AdmissionVerdict verdict = admit(state, request);
  AdmitNode op{request, AdmissionKind::new_node, new_uid, 1, {}};
  if (verdict.result) {
    op.kind = verdict.result->kind;
    op.generation = verdict.result->generation;
    if (!verdict.result->uid.empty()) op.uid = verdict.result->uid;
  }
  if (op.kind != AdmissionKind::same_certificates) op.certificates = demo_certificates(request, op.uid, op.generation, serial_tag);
  return op;
}

}  // namespace slipway::test
