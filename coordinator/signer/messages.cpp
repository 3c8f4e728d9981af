#include "coordinator/signer/messages.hpp"

#include "coordinator/signer/parts.hpp"

namespace slipway::signer {

namespace {

constexpr std::uint8_t k_errcs = static_cast<std::uint8_t>(Errc::internal) + 1;
constexpr std::uint8_t k_causes = static_cast<std::uint8_t>(Cause::no_block) + 1;
constexpr std::size_t k_max_message = 64 * 1024;
constexpr std::size_t k_max_spki = 16 * 1024;
constexpr std::size_t k_max_entries = 250'000;  // as make_crl()

Writer begin(Op op) {
  Writer to;
  to.u8(static_cast<std::uint8_t>(op));
  return to;
}
Writer begin_answer() {
  Writer to;
  to.u8(0);
  return to;
}

template <class T>
Result<T> whole(const Reader& from, T value, Op op) {
  if (from.done()) return value;
  return make_error(Errc::invalid,
                    "the signer cannot read a request (" + std::to_string(static_cast<int>(op)) + ")");
}

// Behind the first byte, which tells an answer from an error.
template <class T, class Read>
Result<T> answer(std::string_view bytes, Read read) {
  Reader from(bytes);
  const bool failed = from.flag();
  if (from.ok() && failed) {
    Error error;
    error.code = static_cast<Errc>(from.below(k_errcs));
    error.cause = static_cast<Cause>(from.below(k_causes));
    error.retry_after = from.u32();
    error.message = read_text(from, k_max_message);
    error.pointer = read_text(from, k_max_message);
    if (from.done()) return error;
  } else if (from.ok()) {
    T value = read(from);
    if (from.done()) return value;
  }
  return make_error(Errc::corrupt, "the signer's answer cannot be read");
}

IssueRequest read_issue(Reader& from) {
  CertSpec spec = read_spec(from);
  std::string spki = read_text(from, k_max_spki);
  Serial serial = read_serial(from);
  const WallTime begin = read_time(from), end = read_time(from);
  return {std::move(spec), std::move(spki), std::move(serial), begin, end};
}

IssuedCert read_issued(Reader& from) {
  IssuedCert cert;
  cert.pem = read_text(from, k_max_pem);
  cert.der = read_text(from, k_max_pem);
  cert.sha256_hex = read_text(from);
  cert.serial_hex = read_text(from);
  cert.not_before = read_time(from);
  cert.not_after = read_time(from);
  cert.ca = from.u64();
  return cert;
}

CrlEntry read_entry(Reader& from) {
  Serial serial = read_serial(from);
  const WallTime at = read_time(from);
  const std::uint8_t reason = from.u8();
  const bool known = reason == static_cast<std::uint8_t>(CrlReason::cessation_of_operation) ||
                     reason == static_cast<std::uint8_t>(CrlReason::privilege_withdrawn);
  if (!known) from.fail();
  return {std::move(serial), at, known ? static_cast<CrlReason>(reason) : CrlReason::cessation_of_operation};
}

}  // namespace

std::string encode_open(const Open& open) {
  Writer to = begin(Op::open);
  for (const std::string* text :
       {&open.ca_dir, &open.import_dir, &open.passphrase_file, &open.credentials_dir})
    to.text(*text);
  put_lines(to, open.lines);
  put(to, open.rules);
  put(to, open.clock_floor);
  return to.take();
}

std::string encode_issue(const std::vector<IssueRequest>& wanted) {
  Writer to = begin(Op::issue);
  put_all(to, wanted, [](Writer& w, const IssueRequest& one) {
    put(w, one.spec);
    w.text(one.spki_der);
    w.text(one.serial.bytes());
    put(w, one.not_before);
    put(w, one.not_after);
  });
  return to.take();
}

std::string encode_crl(const CrlSpec& spec) {
  Writer to = begin(Op::sign_crl);
  put(to, spec.issuer);
  to.u64(spec.number);
  put(to, spec.this_update);
  put(to, spec.next_update);
  to.u64(spec.ca);
  put_all(to, spec.entries, [](Writer& w, const CrlEntry& entry) {
    w.text(entry.serial.bytes());
    put(w, entry.revoked_at);
    w.u8(static_cast<std::uint8_t>(entry.reason));
  });
  return to.take();
}

std::string encode_wish(Op op, const CaWish& wish) {
  Writer to = begin(op);
  put(to, wish.kind);
  to.u64(wish.number);
  return to.take();
}

std::string encode_use(const CaLine& line) {
  Writer to = begin(Op::use);
  put(to, line);
  return to.take();
}

std::string encode_follow(const SigningRules& rules) {
  Writer to = begin(Op::follow);
  put(to, rules);
  return to.take();
}

Result<Request> decode_request(std::string_view bytes) {
  Reader from(bytes);
  const std::uint8_t op = from.below(k_ops);
  if (!from.ok()) return make_error(Errc::invalid, "the signer does not know this request");
  return Request{static_cast<Op>(op), bytes.substr(1)};
}

Result<Open> decode_open(std::string_view rest) {
  Reader from(rest);
  Open open;
  for (std::string* text : {&open.ca_dir, &open.import_dir, &open.passphrase_file, &open.credentials_dir})
    *text = read_text(from, k_max_path);
  open.lines = read_lines(from);
  open.rules = read_rules(from);
  open.clock_floor = read_time(from);
  return whole(from, std::move(open), Op::open);
}

Result<std::vector<IssueRequest>> decode_issue(std::string_view rest) {
  Reader from(rest);
  auto wanted = read_all(from, k_max_batch, read_issue);
  return whole(from, std::move(wanted), Op::issue);
}

Result<CrlSpec> decode_crl(std::string_view rest) {
  Reader from(rest);
  CrlSpec spec;
  spec.issuer = read_kind(from);
  spec.number = from.u64();
  spec.this_update = read_time(from);
  spec.next_update = read_time(from);
  spec.ca = from.u64();
  spec.entries = read_all(from, k_max_entries, read_entry);
  return whole(from, std::move(spec), Op::sign_crl);
}

Result<CaWish> decode_wish(std::string_view rest) {
  Reader from(rest);
  CaWish wish;
  wish.kind = read_kind(from);
  wish.number = from.u64();
  return whole(from, wish, Op::make);
}

Result<CaLine> decode_use(std::string_view rest) {
  Reader from(rest);
  CaLine line = read_line(from);
  return whole(from, std::move(line), Op::use);
}

Result<SigningRules> decode_follow(std::string_view rest) {
  Reader from(rest);
  SigningRules rules = read_rules(from);
  return whole(from, std::move(rules), Op::follow);
}

std::string encode_error(const Error& error) {
  Writer to;
  to.u8(1);
  to.u8(static_cast<std::uint8_t>(error.code));
  to.u8(static_cast<std::uint8_t>(error.cause));
  to.u32(error.retry_after);
  to.text(std::string_view(error.message).substr(0, k_max_message));
  to.text(std::string_view(error.pointer).substr(0, k_max_message));
  return to.take();
}

std::string encode_done() {
  return begin_answer().take();
}

std::string encode_opened(const Opened& opened) {
  Writer to = begin_answer();
  put_all(to, opened.cas, [](Writer& w, const KnownCa& ca) { put(w, ca); });
  put_lines(to, opened.lines);
  to.text(opened.service_account_key.reveal());
  to.u8(opened.tokens ? 1 : 0);
  return to.take();
}

std::string encode_issued(const std::vector<IssuedCert>& issued) {
  Writer to = begin_answer();
  put_all(to, issued, [](Writer& w, const IssuedCert& cert) {
    for (const std::string* text : {&cert.pem, &cert.der, &cert.sha256_hex, &cert.serial_hex}) w.text(*text);
    put(w, cert.not_before);
    put(w, cert.not_after);
    w.u64(cert.ca);
  });
  return to.take();
}

std::string encode_bytes(std::string_view bytes) {
  Writer to = begin_answer();
  to.text(bytes);
  return to.take();
}

std::string encode_ca(const KnownCa& ca) {
  Writer to = begin_answer();
  put(to, ca);
  return to.take();
}

Status decode_done(std::string_view bytes) {
  const auto done = answer<bool>(bytes, [](Reader&) { return true; });
  return done ? Status() : Status(done.error());
}

Result<Opened> decode_opened(std::string_view bytes) {
  return answer<Opened>(bytes, [](Reader& from) {
    Opened opened;
    opened.cas = read_all(from, 64, read_ca);
    opened.lines = read_lines(from);
    opened.service_account_key = Secret(read_text(from, k_max_pem));
    opened.tokens = from.flag();
    return opened;
  });
}

Result<std::vector<IssuedCert>> decode_issued(std::string_view bytes) {
  return answer<std::vector<IssuedCert>>(
      bytes, [](Reader& from) { return read_all(from, k_max_batch, read_issued); });
}

Result<std::string> decode_bytes(std::string_view bytes) {
  return answer<std::string>(bytes, [](Reader& from) { return read_text(from, k_max_frame); });
}

Result<KnownCa> decode_ca(std::string_view bytes) {
  return answer<KnownCa>(bytes, [](Reader& from) { return read_ca(from); });
}

}  // namespace slipway::signer
