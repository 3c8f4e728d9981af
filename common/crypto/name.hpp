#pragma once
// Distinguished names: read into attributes, shown as text that is safe in logs.
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

struct NameAttribute {
  std::string oid;     // DER content octets
  std::string value;   // as stored
  bool plain = false;  // a UTF8String, PrintableString or IA5String without control characters
};

// `name_der` is one RDNSequence. Multi-valued RDNs are refused: they make "the" common name a matter of
// opinion.
Result<std::vector<NameAttribute>> read_name(std::string_view name_der);

// "O=system:nodes,CN=system:node:a"; control, non-ASCII and separator characters as \xNN.
std::string name_text(const std::vector<NameAttribute>& name);

// O (left out when empty), then CN, as UTF8String.
std::string write_name(std::string_view organization, std::string_view common_name);

}  // namespace slipway
