#include <catch2/catch.hpp>

#include "common/core/redact.hpp"
#include "common/core/text.hpp"

using namespace slipway;

namespace {

const std::string k_token_secret = "abcdefghijklmnopqrstuvwxyz234567";
const std::string k_token = "slipway1" + std::string(64, 'a') + "::abc123." + k_token_secret;

// 48 bytes that begin as a PKCS#8 key does.
const std::string k_der =
    std::string("\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16) +
    std::string(32, 'k');

}  // namespace

TEST_CASE("what is a secret by its look goes", "[redact]") {
  const Redactor redact;
  struct Case {
    std::string text, secret;
  };
  const std::string pem =
      "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIGtra2tr\na2tra2tr\n-----END PRIVATE KEY-----\n";
  const std::vector<Case> cases = {
      {"before " + pem + " after", "MC4CAQ"},
      {"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIGtra2tr\nand no end", "MHcCAQ"},
      {R"({"pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKC\n-----END RSA PRIVATE KEY-----\n"})",
       "MIIEpA"},
      {"key in one line: " + to_base64(k_der) + ".", to_base64(k_der)},
      {"client-key-data: " + to_base64(pem), to_base64(pem).substr(0, 40)},
      {"data " + to_base64(pem) + " end", to_base64(pem).substr(0, 40)},
      {"join with " + k_token + " now", k_token_secret},
      {"abc123." + k_token_secret, k_token_secret},
      {"the secret is " + k_token_secret + "!", k_token_secret},
      {"Authorization: Bearer abcDEF123.xyz", "abcDEF123"},
      {"sent bearer tok_1234567890 twice", "tok_1234567890"},
      {"got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl back", "c2lnbmF0dXJl"},
      {R"({"password": "hunter2 and more", "user": "me"})", "hunter2"},
      {R"({\"password\": \"hunter2\"})", "hunter2"},
      {"db_password=hunter2&x=1", "hunter2"},
      {"--password hunter2 --verbose", "hunter2"},
      {"registry-secret: 'hunter2'", "hunter2"},
      {"apiKey = hunter2", "hunter2"},
      {"proxy http://user:hunter2@proxy.example:3128/", "hunter2"},
  };
  for (const Case& one : cases) {
    INFO(one.text);
    const std::string out = redact(one.text);
    INFO(out);
    CHECK(out.find(one.secret) == std::string::npos);
    CHECK(out.find("[redacted]") != std::string::npos);
  }
  CHECK(redact("before " + pem + " after").ends_with(" after"));
  CHECK(redact(R"({"password": "hunter2 and more", "user": "me"})") ==
        R"({"password": "[redacted]", "user": "me"})");
}

TEST_CASE("what is none stays", "[redact]") {
  const Redactor redact;
  const std::vector<std::string> texts = {
      "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUU6K0q3\n-----END CERTIFICATE-----\n",
      R"({"tokenFile": "/etc/slipway/join.token", "tokenId": "abc123", "nodeTTL": "24h"})",
      "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      "container 4c4c4544004235108052b4c04f4a3732 started",
      "--service-account-signing-key-file=/etc/kubernetes/pki/sa.key --tls-private-key-file /x/key.pem",
      "Mar 1 kubelet[812]: E0301 pod_workers.go:191] Error syncing pod 6b7a9f4e-5f0e-4d0c-9d38-1c2f3a4b5c6d",
      "https://10.77.0.10:6443/healthz?timeout=5s",
      "10.10.3.0/24 via 10.77.0.13 dev eth0 proto 77",
      "token abc123 expired 3h ago"};
  for (const std::string& text : texts) CHECK(redact(text) == text);
}

TEST_CASE("a text made to take long takes no longer than others", "[redact]") {
  const Redactor redact;
  constexpr std::size_t k_size = std::size_t{4} << 20;
  for (const std::string& part : {std::string("a.b-"), std::string("M/"), std::string("LS0tLS1/"),
                                  std::string("-----BEGIN "), std::string("://a:b"), std::string("token"),
                                  std::string("password=\""), std::string("slipway1"), std::string("x")}) {
    INFO(part);
    std::string text;
    while (text.size() < k_size) text += part;
    CHECK(redact(text).size() <= text.size() * 4);
  }
}

TEST_CASE("what is known goes in every form", "[redact]") {
  const std::string scalar = "\x01\x02 sixteen bytes!!" + std::string(14, '\xfe');
  std::vector<Secret> known;
  add_forms(known, scalar);
  known.emplace_back("short");
  known.emplace_back("a secret of our own");
  const Redactor redact(std::move(known));
  std::string upper = to_hex(scalar);
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'f' ? c - 32 : c);
  for (const std::string& form :
       {to_hex(scalar), upper, to_base64(scalar).substr(0, 43), std::string("a secret of our own")}) {
    CHECK(redact("x " + form + " y") == "x [redacted] y");
    CHECK(redact("00" + form + "ff").find(form) == std::string::npos);
  }
  CHECK(redact("a short word") == "a short word");
}
