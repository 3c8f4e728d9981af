#include "common/crypto/name.hpp"

#include <algorithm>
#include <array>

#include "common/core/text.hpp"
#include "common/crypto/der.hpp"
#include "common/crypto/oid.hpp"

namespace slipway {

namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

bool is_plain(const der::Item& value) {
  if (value.tag != der::k_utf8_string && value.tag != der::k_printable_string &&
      value.tag != der::k_ia5_string)
    return false;
  return std::none_of(value.content.begin(), value.content.end(), is_control);
}

std::string attribute_label(std::string_view oid) {
  using namespace std::string_view_literals;
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> k_labels = {{
      {oid::k_common_name, "CN"sv},
      {oid::k_organization, "O"sv},
      {"\x55\x04\x05"sv, "serialNumber"sv},
      {"\x55\x04\x06"sv, "C"sv},
      {"\x55\x04\x07"sv, "L"sv},
      {"\x55\x04\x08"sv, "ST"sv},
      {"\x55\x04\x0b"sv, "OU"sv},
      {"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"sv, "emailAddress"sv},
      {"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"sv, "DC"sv},
  }};
  for (const auto& [bytes, label] : k_labels) {
    if (bytes == oid) return std::string(label);
  }
  return der::oid_text(oid);
}

void append_escaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    const auto octet = static_cast<unsigned char>(c);
    const bool keep =
        octet >= 0x20 && octet < 0x7f && std::string_view(",+=\"\\<>;#").find(c) == std::string_view::npos;
    if (keep) {
      out.push_back(c);
    } else {
      out += "\\x" + to_hex(std::string_view(&c, 1));
    }
  }
}

}  // namespace

Result<std::vector<NameAttribute>> read_name(std::string_view name_der) {
  const auto broken = make_error(Errc::invalid, "a distinguished name is not valid DER");
  const auto name = der::only(name_der, der::k_sequence);
  if (!name) return broken;
  std::vector<NameAttribute> attributes;
  der::Reader rdns(name->content);
  while (!rdns.at_end()) {
    const auto rdn = rdns.next(der::k_set);
    if (!rdn) return broken;
    der::Reader members(rdn->content);
    const auto pair = members.next(der::k_sequence);
    if (!pair) return broken;
    if (!members.at_end()) return make_error(Errc::invalid, "a distinguished name has a multi-valued part");
    der::Reader parts(pair->content);
    const auto type = parts.next(der::k_oid);
    const auto value = parts.next();
    if (!type || !value || !parts.at_end()) return broken;
    attributes.push_back({std::string(type->content), std::string(value->content), is_plain(*value)});
  }
  return attributes;
}

std::string name_text(const std::vector<NameAttribute>& name) {
  std::string text;
  for (const auto& attribute : name) {
    if (!text.empty()) text += ",";
    text += attribute_label(attribute.oid) + "=";
    append_escaped(text, attribute.value);
  }
  return text;
}

std::string write_name(std::string_view organization, std::string_view common_name) {
  const auto rdn = [](std::string_view oid, std::string_view value) {
    const auto type = der::item(der::k_oid, oid);
    const auto text = der::item(der::k_utf8_string, value);
    return der::item(der::k_set, der::item(der::k_sequence, {type, text}));
  };
  const auto first = organization.empty() ? std::string() : rdn(oid::k_organization, organization);
  const auto second = common_name.empty() ? std::string() : rdn(oid::k_common_name, common_name);
  return der::item(der::k_sequence, {first, second});
}

}  // namespace slipway
