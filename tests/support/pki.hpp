#pragma once
// Throw-away certificates for tests; P-256 keys, made in about a millisecond each.
#include <string>
#include <vector>

namespace slipway::test {

struct TestCert {
  std::string certificate_pem;
  std::string key_pem;
};

struct CertOptions {
  std::string common_name;
  std::string organization;  // empty: none
  std::vector<std::string> dns;
  std::vector<std::string> ips;
  std::vector<std::string> uris = {};
  std::string
      extended_key_usage;  // "serverAuth", "clientAuth", "serverAuth,clientAuth"; empty: no such extension
  bool is_ca = false;
  long not_before = -300;  // seconds from now
  long not_after = 3600;
};

TestCert make_root(const std::string& common_name);
TestCert issue(const TestCert& issuer, const CertOptions& options);
// For 127.0.0.1, ::1 and localhost.
TestCert issue_server(const TestCert& issuer);
TestCert issue_client(const TestCert& issuer, const std::string& common_name);

std::string der_of(const std::string& certificate_pem);
std::string sha256_hex_of(const std::string& certificate_pem);  // of the DER

}  // namespace slipway::test
