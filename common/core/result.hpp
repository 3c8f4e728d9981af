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
  outdated,   // the caller named the version that it saw, and it is not the present one
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

// message: lower case, no full stop, for people: what failed, at which stage, the cure. Never a secret.
// `retry_after`: seconds that the refusing side asks to wait before the next try; 0: it did not say.
struct Error {
  Errc code = Errc::internal;
  std::string message;
  std::uint32_t retry_after = 0;
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
