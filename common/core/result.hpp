#pragma once
// Errors are values. std::expected is not there in C++20, boost::system::result is but may be dropped silently,
// so a thin class adds [[nodiscard]].
#include <boost/system/result.hpp>

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

namespace slipway {

// Closed set; proto/problem.cpp maps each to one HTTP status and one wire code.
enum class Errc {
  invalid,          // the input is wrong: the caller can mend it
  unauthenticated,  // who is asking is unknown
  denied,           // known, but may not
  not_found,
  conflict,   // against the present state: taken, changed meanwhile
  gone,       // was there, was removed on purpose
  exhausted,  // no space, no address, no quota left
  too_many,   // slow down and come back
  pending,    // taken note of, not decided: an operator must act; come back
  unavailable,
  timeout,
  canceled,
  corrupt,  // stored or sent bytes are not what they should be
  internal,
};

std::string_view to_string(Errc code);

// What stands behind a code, where programs do well to tell it from the rest of that code: each has a wire code of its own.
enum class Cause : std::uint8_t {
  none,           // the code says it all
  wrong_method,   // invalid: the path is there, the method is not
  byte_range,     // invalid: outside the content
  host_denied,    // denied: an operator has refused this very host
  stale,          // conflict: not what it was when the caller read it (If-Match)
  name_taken,     // conflict: another one has the name
  address_taken,  // conflict: another host has the address, or pods do
  machine_taken,  // conflict: another host has the machine id
  range_overlap,  // conflict: addresses that are somebody's already
  block_taken,    // conflict: a block that is held, leased or resting
  in_use,         // conflict: something still depends on it
  fixed,          // conflict: cannot change any more
  raced,          // conflict: another request came first; the same again may do
  no_block,       // exhausted: no pool has a block left for the node
};
std::string_view to_string(Cause cause);
Cause cause_from_string(std::string_view word);  // none: it is no cause's

// message: lower case, no full stop, for people: what failed, at which stage, the cure. Never a secret.
// `retry_after`: seconds that the refusing side asks to wait before the next try; 0: it did not say.
struct Error {
  Errc code = Errc::internal;
  std::string message;
  std::uint32_t retry_after = 0;
  Cause cause = Cause::none;
  std::string pointer = {};    // JSON pointer (RFC 6901) to the field of the input that is at fault
  std::string parameter = {};  // or the name of the parameter of a path or query
};

// "reading join token: no such file": puts what was being done in front.
Error context(Error error, std::string_view doing);

// The text of errno `number` behind what was being done: "open /x: permission denied".
Error from_errno(std::string_view doing, int number);

// boost::system::result asks for this: access to a value that is not there is a bug and ends the process.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T>
class [[nodiscard]] Result : public boost::system::result<T, Error> {
 public:
  using boost::system::result<T, Error>::result;
};

using Status = Result<void>;

inline Error make_error(Errc code, std::string message) { return Error{code, std::move(message)}; }
inline Error make_error(Errc code, Cause cause, std::string message) { return Error{code, std::move(message), 0, cause}; }

// The JSON pointer of a key below `where` (RFC 6901 section 3).
std::string pointer_below(std::string_view where, std::string_view key);
// Errc::invalid at one field: "/ttl" and " must be a duration" make one text.
Error field_error(std::string pointer, std::string_view rest);
// Errc::invalid at one parameter: "limit" and " must be a number".
Error parameter_error(std::string name, std::string_view rest);
// The error with the field that it is about; the text is left as it is.
Error pointing_to(std::string pointer, Error error);
// The same with the field in front of the text: "/csr: not one PEM block".
Error at_field(std::string pointer, Error error);

// For test output: "ok" or the error's text (the value need not be printable).
std::ostream& print_outcome(std::ostream& out, const Error* error);
template <class T>
std::ostream& operator<<(std::ostream& out, const Result<T>& result) {
  if (result.has_value()) return print_outcome(out, nullptr);
  const Error error = result.error();
  return print_outcome(out, &error);
}

// Adds context when `result` is an error and hands it on as another Result type.
template <class T>
Error error_of(const Result<T>& result, std::string_view doing) {
  return context(result.error(), doing);
}

}  // namespace slipway
