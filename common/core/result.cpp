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
    case Errc::outdated: return "outdated";
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
