#pragma once
// Parts of messages, written and read. Private to this folder.
#include <string>
#include <vector>

#include "coordinator/signer/messages.hpp"
#include "coordinator/signer/wire.hpp"

namespace slipway::signer {

inline constexpr std::size_t k_max_name = 1024;
inline constexpr std::size_t k_max_path = 4096;
inline constexpr std::size_t k_max_names = 4096;
inline constexpr std::size_t k_max_pem = 256 * 1024;

void put(Writer& to, WallTime time);
void put(Writer& to, CaKind kind);
void put(Writer& to, const std::vector<std::string>& names);
void put(Writer& to, const IpAddress& address);
void put(Writer& to, const Cidr& block);
void put(Writer& to, const CertSpec& spec);
void put(Writer& to, const CaFacts& facts);
void put(Writer& to, const CaLine& line);
void put(Writer& to, const KnownCa& ca);
void put(Writer& to, const SigningRules& rules);
void put_lines(Writer& to, const std::map<CaKind, CaLine>& lines);

WallTime read_time(Reader& from);
CaKind read_kind(Reader& from);
std::string read_text(Reader& from, std::size_t most = k_max_name);
std::vector<std::string> read_names(Reader& from);
IpAddress read_address(Reader& from);
Cidr read_block(Reader& from);
CertSpec read_spec(Reader& from);
CaFacts read_facts(Reader& from);
CaLine read_line(Reader& from);
KnownCa read_ca(Reader& from);
SigningRules read_rules(Reader& from);
std::map<CaKind, CaLine> read_lines(Reader& from);
// Fails the reader when the text is none.
Serial read_serial(Reader& from);

template <class T, class PutOne>
void put_all(Writer& to, const std::vector<T>& all, PutOne put_one) {
  to.u32(static_cast<std::uint32_t>(all.size()));
  for (const T& one : all) put_one(to, one);
}
template <class ReadOne>
auto read_all(Reader& from, std::size_t most, ReadOne read_one) {
  std::vector<decltype(read_one(from))> all;
  const std::size_t count = from.count(most);
  for (std::size_t i = 0; i < count && from.ok(); ++i) all.push_back(read_one(from));
  return all;
}

}  // namespace slipway::signer
