#include "coordinator/ca/der_rules.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "common/crypto/der.hpp"
#include "common/crypto/oid.hpp"

namespace slipway {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t k_min_serial = 8,
                      k_max_serial = 20;  // octets of content: 64 bits at least, RFC 5280 4.1.2.2 at most
constexpr std::size_t k_key_id = 20;

Error broken(std::string_view rule) {
  return make_error(Errc::internal,
                    "the certificate just signed breaks a rule and was discarded: " + std::string(rule));
}

bool is_constructed(std::uint8_t tag) {
  return (tag & 0x20) != 0;
}

// The item written again by the writer's rules. Empty when it cannot be read.
std::string written_again(const der::Item& item) {
  if (!is_constructed(item.tag)) return der::item(item.tag, item.content);
  std::string content;
  der::Reader parts(item.content);
  while (!parts.at_end()) {
    const auto part = parts.next();
    if (!part) return {};
    content += written_again(*part);
  }
  return der::item(item.tag, content);
}

struct Extension {
  std::string_view oid, value;
  bool critical = false;
};

struct Parts {
  der::Item version, serial, algorithm, issuer, validity, subject, spki;
  std::vector<Extension> extensions;
};

class Rules {
 public:
  Rules(std::size_t usages, const DerIssuer& authority) : usages_(usages), authority_(authority) {}
  Status check(std::string_view bytes);

 private:
  Status take_apart(std::string_view bytes);
  Status take_extensions(std::string_view list);
  Status check_serial() const;
  Status check_dates() const;
  Status check_subject() const;
  Status check_set() const;
  Status check_values() const;
  Status check_usages(std::string_view value) const;
  Status check_alt_names(std::string_view value) const;
  bool is_rsa() const;

  const std::size_t usages_;
  const DerIssuer authority_;
  Parts parts_;
};

Status Rules::check(std::string_view bytes) {
  if (auto s = take_apart(bytes); !s) return s;
  if (auto s = check_serial(); !s) return s;
  if (auto s = check_dates(); !s) return s;
  if (auto s = check_subject(); !s) return s;
  if (auto s = check_set(); !s) return s;
  return check_values();
}

Status Rules::take_apart(std::string_view bytes) {
  der::Reader whole(bytes);
  const auto outer = whole.next(der::k_sequence);
  if (!outer) return broken("it is not one DER sequence");
  if (!whole.at_end()) return broken("there are bytes behind it");
  if (written_again(*outer) != bytes) return broken("written again it is not the same");
  der::Reader fields(outer->content);
  const auto body = fields.next(der::k_sequence), algorithm = fields.next(der::k_sequence);
  const auto signature = fields.next(der::k_bit_string);
  if (!body || !algorithm || !signature || !fields.at_end()) return broken("its outline");
  if (!der::whole_bits(*signature)) return broken("its signature has spare bits");
  der::Reader inner(body->content);
  const auto version = inner.next(der::context_tag(0, true)), serial = inner.next(der::k_integer);
  const auto named = inner.next(der::k_sequence), issuer = inner.next(der::k_sequence);
  const auto validity = inner.next(der::k_sequence), subject = inner.next(der::k_sequence),
             spki = inner.next(der::k_sequence);
  if (!version || version->content != "\x02\x01\x02"sv) return broken("its version is not 3");
  if (!serial || !named || !issuer || !validity || !subject || !spki) return broken("its body");
  if (named->whole != algorithm->whole) return broken("its two signature algorithms differ");
  const auto extensions = inner.next(der::context_tag(3, true));
  if (!extensions || !inner.at_end()) return broken("there is something but extensions behind the key");
  parts_ = {*version, *serial, *named, *issuer, *validity, *subject, *spki, {}};
  return take_extensions(extensions->content);
}

Status Rules::take_extensions(std::string_view list) {
  const auto outer = der::only(list, der::k_sequence);
  if (!outer) return broken("its extensions are not one list");
  der::Reader extensions(outer->content);
  while (!extensions.at_end()) {
    const auto item = extensions.next(der::k_sequence);
    if (!item) return broken("an extension's outline");
    der::Reader fields(item->content);
    const auto oid = fields.next(der::k_oid);
    const bool marked = fields.next_is(der::k_boolean);
    const auto flag = marked ? fields.next(der::k_boolean) : std::nullopt;
    const auto value = fields.next(der::k_octet_string);
    if (!oid || !value || !fields.at_end()) return broken("an extension's outline");
    if (marked && (!flag || flag->content != "\xff"sv)) return broken("a critical mark that is not TRUE");
    der::Reader inside(value->content);
    const auto content = inside.next();
    if (!content || !inside.at_end() || written_again(*content) != value->content) {
      return broken("the value of extension " + der::oid_text(oid->content) + " is not one DER value");
    }
    parts_.extensions.push_back({oid->content, value->content, marked});
  }
  return {};
}

Status Rules::check_serial() const {
  const std::string_view content = parts_.serial.content;
  const auto number = der::positive_integer(parts_.serial);
  if (content == "\0"sv) return broken("its serial number is zero");
  if (!content.empty() && (content[0] & '\x80') != 0) return broken("its serial number is negative");
  if (!number) return broken("its serial number has spare octets");
  if (content.size() > k_max_serial) return broken("its serial number is longer than 20 octets");
  if (number->size() < k_min_serial) return broken("its serial number has fewer than 64 bits");
  return {};
}

Status Rules::check_dates() const {
  der::Reader fields(parts_.validity.content);
  const auto from = fields.next(), until = fields.next();
  if (!from || !until || !fields.at_end()) return broken("its validity");
  const auto begin = der::read_time(*from), end = der::read_time(*until);
  if (!begin || !end) return broken("a date in it");
  // UTCTime through 2049, GeneralizedTime from 2050.
  if (der::time(*begin) != from->whole || der::time(*end) != until->whole)
    return broken("a date in the wrong form");
  if (*begin >= *end) return broken("it ends before it begins");
  if (*begin < authority_.life.not_before) return broken("it begins before its authority");
  if (*end > authority_.life.not_after) return broken("it outlives its authority");
  return {};
}

// CN, with one O before it at most.
Status Rules::check_subject() const {
  std::vector<std::string_view> types;
  der::Reader names(parts_.subject.content);
  while (!names.at_end()) {
    const auto set = names.next(der::k_set);
    if (!set) return broken("its subject");
    const auto pair = der::only(set->content, der::k_sequence);
    if (!pair) return broken("its subject has a part with several values");
    der::Reader fields(pair->content);
    const auto type = fields.next(der::k_oid), value = fields.next(der::k_utf8_string);
    if (!type || !value || value->content.empty() || !fields.at_end())
      return broken("its subject has a part that is not UTF-8 text");
    types.push_back(type->content);
  }
  const bool named = types == std::vector<std::string_view>{oid::k_common_name};
  if (!named && types != std::vector<std::string_view>{oid::k_organization, oid::k_common_name}) {
    return broken("its subject is not CN, or O and CN");
  }
  return {};
}

Status Rules::check_set() const {
  struct Wanted {
    std::string_view oid;
    bool critical;
  };
  constexpr std::array<Wanted, 6> k_order = {{{oid::k_key_usage, true},
                                              {oid::k_extended_key_usage, false},
                                              {oid::k_basic_constraints, true},
                                              {oid::k_subject_key_id, false},
                                              {oid::k_authority_key_id, false},
                                              {oid::k_subject_alt_name, false}}};
  const auto& found = parts_.extensions;
  std::set<std::string_view> seen;
  for (const Extension& extension : found) {
    if (!seen.insert(extension.oid).second)
      return broken("extension " + der::oid_text(extension.oid) + " stands twice");
  }
  for (std::size_t i = 0; i + 1 < k_order.size(); ++i) {  // all but the last must be there
    if (!seen.contains(k_order[i].oid))
      return broken("extension " + der::oid_text(k_order[i].oid) + " is missing");
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i >= k_order.size() || found[i].oid != k_order[i].oid) {
      return broken("extension " + der::oid_text(found[i].oid) + " has no place there");
    }
    if (found[i].critical != k_order[i].critical)
      return broken("extension " + der::oid_text(found[i].oid) + " is marked wrongly");
  }
  return {};
}

bool Rules::is_rsa() const {
  return parts_.spki.content.find(oid::k_rsa) != std::string_view::npos;
}

Status Rules::check_values() const {
  const auto& e = parts_.extensions;
  if (e[0].value != (is_rsa() ? "\x03\x02\x05\xa0"sv : "\x03\x02\x07\x80"sv)) return broken("its key usage");
  if (auto s = check_usages(e[1].value); !s) return s;
  if (e[2].value != "\x30\x00"sv) return broken("its basic constraints are not those of an end entity");
  const auto subject_id = der::only(e[3].value, der::k_octet_string);
  if (!subject_id || subject_id->content.size() != k_key_id) return broken("its subject key identifier");
  const auto list = der::only(e[4].value, der::k_sequence);
  const auto issuer_id = list ? der::only(list->content, der::context_tag(0, false)) : std::nullopt;
  if (!issuer_id) return broken("its authority key identifier is not a key id alone");
  // An imported authority has the identifier that its maker chose, of any length.
  if (issuer_id->content.empty() || issuer_id->content != authority_.key_id) return broken("its authority key identifier is not that of its authority");
  return e.size() > 5 ? check_alt_names(e[5].value) : Status();
}

Status Rules::check_usages(std::string_view value) const {
  const auto list = der::only(value, der::k_sequence);
  if (!list) return broken("its extended key usage");
  std::set<std::string_view> seen;
  der::Reader usages(list->content);
  while (!usages.at_end()) {
    const auto usage = usages.next(der::k_oid);
    if (!usage || (usage->content != oid::k_server_auth && usage->content != oid::k_client_auth)) {
      return broken("an extended key usage that is neither serverAuth nor clientAuth");
    }
    if (!seen.insert(usage->content).second) return broken("an extended key usage stands twice");
  }
  if (seen.size() != usages_) return broken("its number of extended key usages");
  return {};
}

Status Rules::check_alt_names(std::string_view value) const {
  const auto list = der::only(value, der::k_sequence);
  if (!list || list->content.empty()) return broken("its alternative names are empty");
  std::set<std::string_view> seen;
  der::Reader names(list->content);
  while (!names.at_end()) {
    const auto name = names.next();
    if (!name) return broken("an alternative name");
    if (!seen.insert(name->whole).second) return broken("an alternative name stands twice");
    const std::string_view text = name->content;
    const bool dns = name->tag == der::context_tag(2, false), uri = name->tag == der::context_tag(6, false);
    const bool address = name->tag == der::context_tag(7, false) && (text.size() == 4 || text.size() == 16);
    const bool plain =
        !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (dns && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") != std::string_view::npos) {
      return broken("a DNS name with other letters than a-z, 0-9, '-' and '.'");
    }
    if (!address && !((dns || uri) && plain))
      return broken("an alternative name of a kind or form that is not issued");
  }
  return {};
}

}  // namespace

Status check_der_rules(std::string_view certificate_der, std::size_t usages, const DerIssuer& authority) {
  return Rules(usages, authority).check(certificate_der);
}

}  // namespace slipway
