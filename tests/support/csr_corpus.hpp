#pragma once
// Requests that must be refused, made with OpenSSL's keys and DER put together by hand: none of our own code.
#include <string>
#include <vector>

namespace slipway::test {

struct HostileCsr {
  std::string name;  // what is wrong with it
  std::string text;  // as it is sent: PEM or what pretends to be
};

// About a hundred; keys are made once, the first call takes a second.
const std::vector<HostileCsr>& hostile_csrs();

// Requests of other software that ask for nothing: P-256, P-384, RSA-2048. The hostile ones are theirs with one change.
const std::vector<std::string>& good_csr_ders();

std::string csr_pem(const std::string& der, const std::string& label = "CERTIFICATE REQUEST");

}  // namespace slipway::test
