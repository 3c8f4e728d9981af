// What goes between the coordinator and its signer, read at either end. A message has one encoding: what is
// read, written again, is the same.
#include <string>

#include "coordinator/signer/messages.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace slipway {
namespace {

using fuzz::hold;
using namespace signer;

void check_request(std::string_view bytes) {
  const auto request = decode_request(bytes);
  if (!request) return;
  const std::string_view rest = request->rest;
  const auto same = [bytes](const std::string& again) { hold(again == bytes, "a request has one encoding"); };
  if (request->op == Op::open) {
    const auto open = decode_open(rest);
    // Of two lines of one kind the first counts: only what was written is the same again.
    if (open)
      hold(decode_open(std::string_view(encode_open(*open)).substr(1)).has_value(),
           "what was read can be written");
  } else if (request->op == Op::issue) {
    if (const auto wanted = decode_issue(rest)) same(encode_issue(*wanted));
  } else if (request->op == Op::sign_crl) {
    if (const auto spec = decode_crl(rest)) same(encode_crl(*spec));
  } else if (request->op == Op::use) {
    if (const auto line = decode_use(rest)) same(encode_use(*line));
  } else if (request->op == Op::follow) {
    if (const auto rules = decode_follow(rest)) same(encode_follow(*rules));
  } else if (const auto wish = decode_wish(rest)) {
    same(encode_wish(request->op, *wish));
  }
}

void check_answer(std::string_view bytes) {
  static_cast<void>(decode_done(bytes));
  static_cast<void>(decode_opened(bytes));
  if (const auto issued = decode_issued(bytes))
    hold(encode_issued(*issued) == bytes, "an answer has one encoding");
  if (const auto text = decode_bytes(bytes)) hold(encode_bytes(*text) == bytes, "an answer has one encoding");
  if (const auto ca = decode_ca(bytes)) hold(encode_ca(*ca) == bytes, "an answer has one encoding");
}

}  // namespace
}  // namespace slipway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = slipway::fuzz::text_of(data, size);
  slipway::check_request(bytes);
  slipway::check_answer(bytes);
  return 0;
}
