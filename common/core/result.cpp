#include "common/core/result.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <system_error>

namespace slipway {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid: return "invalid";
    case Errc::unauthenticated: return "unauthenticated";
    case Errc::denied: return "denied";
    case Errc::not_found: return "notFound";
    case Errc::conflict: return "conflict";
    case Errc::gone: return "gone";
    case Errc::exhausted: return "exhausted";
    case Errc::too_many: return "tooMany";
    case Errc::pending: return "pending";
    case Errc::unavailable: return "unavailable";
    case Errc::timeout: return "timeout";
    case Errc::canceled: return "canceled";
    case Errc::corrupt: return "corrupt";
    case Errc::internal: return "internal";
  }
  return "internal";
}

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::none: return "";
    case Cause::wrong_method: return "methodNotAllowed";
    case Cause::byte_range: return "rangeNotSatisfiable";
    case Cause::host_denied: return "hostDenied";
    case Cause::stale: return "preconditionFailed";
    case Cause::name_taken: return "nameTaken";
    case Cause::address_taken: return "addressTaken";
    case Cause::machine_taken: return "machineTaken";
    case Cause::range_overlap: return "rangeOverlap";
    case Cause::block_taken: return "blockTaken";
    case Cause::in_use: return "inUse";
    case Cause::fixed: return "fixed";
    case Cause::raced: return "raced";
    case Cause::no_block: return "noBlock";
  }
  return "";
}

Cause cause_from_string(std::string_view word) {
  for (int i = 1; i <= static_cast<int>(Cause::no_block); ++i) {
    if (to_string(static_cast<Cause>(i)) == word) return static_cast<Cause>(i);
  }
  return Cause::none;
}

std::string pointer_below(std::string_view where, std::string_view key) {
  std::string pointer(where);
  pointer += '/';
  for (const char c : key) {
    if (c == '~') pointer += "~0";
    else if (c == '/') pointer += "~1";
    else pointer += c;
  }
  return pointer;
}

Error field_error(std::string pointer, std::string_view rest) {
  Error error = make_error(Errc::invalid, pointer + std::string(rest));
  error.pointer = std::move(pointer);
  return error;
}

Error parameter_error(std::string name, std::string_view rest) {
  Error error = make_error(Errc::invalid, name + std::string(rest));
  error.parameter = std::move(name);
  return error;
}

Error pointing_to(std::string pointer, Error error) {
  error.pointer = std::move(pointer);
  return error;
}

Error at_field(std::string pointer, Error error) {
  error.message.insert(0, pointer + ": ");
  return pointing_to(std::move(pointer), std::move(error));
}

Error context(Error error, std::string_view doing) {
  error.message.insert(0, std::string(doing) + ": ");
  return error;
}

namespace {

Errc errc_of(int number) {
  switch (number) {
    case ENOENT: return Errc::not_found;
    case EACCES:
    case EPERM: return Errc::denied;
    case EEXIST: return Errc::conflict;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE: return Errc::exhausted;
    case ETIMEDOUT: return Errc::timeout;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH: return Errc::unavailable;
    default: return Errc::internal;
  }
}

}  // namespace

Error from_errno(std::string_view doing, int number) {
  std::string text = std::generic_category().message(number);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return context(make_error(errc_of(number), std::move(text)), doing);
}

std::ostream& print_outcome(std::ostream& out, const Error* error) {
  if (error == nullptr) return out << "ok";
  return out << to_string(error->code) << ": " << error->message;
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  std::fprintf(stderr, "bug: value() of a failed result at %s:%u: %s\n", where.file_name(),
               static_cast<unsigned>(where.line()), error.message.c_str());
  std::abort();
}

}  // namespace slipway
