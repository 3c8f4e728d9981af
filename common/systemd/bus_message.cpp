#include "common/systemd/bus_message.hpp"

#include <systemd/sd-bus.h>

#include <cerrno>

namespace slipway::systemd {

namespace {

constexpr int k_max_depth = 16;

// Reads one basic value into `T` and widens it.
template <class T, class Wide>
int read_number(sd_bus_message* message, char type, BusValue& out) {
  T value{};
  const int r = ::sd_bus_message_read_basic(message, type, &value);
  if (r > 0) out.data = static_cast<Wide>(value);
  return r;
}

int read_text(sd_bus_message* message, char type, BusValue& out) {
  const char* value = nullptr;
  const int r = ::sd_bus_message_read_basic(message, type, &value);
  if (r > 0) out.data = std::string(value);
  return r;
}

int read_flag(sd_bus_message* message, BusValue& out) {
  int value = 0;  // sd-bus writes an int for 'b'
  const int r = ::sd_bus_message_read_basic(message, SD_BUS_TYPE_BOOLEAN, &value);
  if (r > 0) out.data = value != 0;
  return r;
}

int read_all(sd_bus_message* message, BusValue::List& out, int depth);

int read_container(sd_bus_message* message, char type, const char* contents, BusValue& out, int depth) {
  int r = ::sd_bus_message_enter_container(message, type, contents);
  if (r <= 0) return r < 0 ? r : -EBADMSG;
  BusValue::List inner;
  r = read_all(message, inner, depth + 1);
  if (r < 0) return r;
  r = ::sd_bus_message_exit_container(message);
  if (r < 0) return r;
  if (type == SD_BUS_TYPE_VARIANT && inner.size() == 1)
    out = std::move(inner[0]);
  else
    out.data = std::move(inner);
  return 1;
}

// 1: read, 0: at the end, negative: an errno.
int read_one(sd_bus_message* message, BusValue& out, int depth) {
  char type = 0;
  const char* contents = nullptr;
  const int r = ::sd_bus_message_peek_type(message, &type, &contents);
  if (r <= 0) return r;
  if (depth > k_max_depth) return -ELOOP;
  switch (type) {
    case SD_BUS_TYPE_BOOLEAN:
      return read_flag(message, out);
    case SD_BUS_TYPE_BYTE:
      return read_number<std::uint8_t, std::uint64_t>(message, type, out);
    case SD_BUS_TYPE_INT16:
      return read_number<std::int16_t, std::int64_t>(message, type, out);
    case SD_BUS_TYPE_UINT16:
      return read_number<std::uint16_t, std::uint64_t>(message, type, out);
    case SD_BUS_TYPE_INT32:
      return read_number<std::int32_t, std::int64_t>(message, type, out);
    case SD_BUS_TYPE_UINT32:
      return read_number<std::uint32_t, std::uint64_t>(message, type, out);
    case SD_BUS_TYPE_INT64:
      return read_number<std::int64_t, std::int64_t>(message, type, out);
    case SD_BUS_TYPE_UINT64:
      return read_number<std::uint64_t, std::uint64_t>(message, type, out);
    case SD_BUS_TYPE_DOUBLE:
      return read_number<double, double>(message, type, out);
    case SD_BUS_TYPE_STRING:
    case SD_BUS_TYPE_OBJECT_PATH:
    case SD_BUS_TYPE_SIGNATURE:
      return read_text(message, type, out);
    case SD_BUS_TYPE_ARRAY:
    case SD_BUS_TYPE_VARIANT:
    case SD_BUS_TYPE_STRUCT:
    case SD_BUS_TYPE_DICT_ENTRY:
      return read_container(message, type, contents, out, depth);
    default:
      return ::sd_bus_message_skip(message, nullptr);
  }
}

int read_all(sd_bus_message* message, BusValue::List& out, int depth) {
  for (;;) {
    BusValue value;
    const int r = read_one(message, value, depth);
    if (r <= 0) return r;
    out.push_back(std::move(value));
  }
}

struct Appender {
  sd_bus_message* message;
  int operator()(const std::string& text) const {
    return ::sd_bus_message_append(message, "s", text.c_str());
  }
  int operator()(bool flag) const { return ::sd_bus_message_append(message, "b", flag ? 1 : 0); }
  int operator()(const std::vector<std::string>& texts) const {
    int r = ::sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "s");
    for (const std::string& text : texts)
      if (r >= 0) r = ::sd_bus_message_append(message, "s", text.c_str());
    return r < 0 ? r : ::sd_bus_message_close_container(message);
  }
  int operator()(std::int32_t number) const { return ::sd_bus_message_append(message, "i", number); }
  int operator()(std::uint32_t number) const { return ::sd_bus_message_append(message, "u", number); }
  int operator()(const BusCall::Dictionary& entries) const {
    int r = ::sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}");
    for (const auto& [key, value] : entries) {
      if (r >= 0) r = ::sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");
      if (r >= 0) r = ::sd_bus_message_append(message, "s", key.c_str());
      const bool text = std::holds_alternative<std::string>(value);
      if (r >= 0) r = ::sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, text ? "s" : "as");
      if (r >= 0) r = std::visit(*this, value);
      if (r >= 0) r = ::sd_bus_message_close_container(message);
      if (r >= 0) r = ::sd_bus_message_close_container(message);
    }
    return r < 0 ? r : ::sd_bus_message_close_container(message);
  }
};

Errc errc_of(const sd_bus_error& error) {
  const std::string_view name = error.name == nullptr ? "" : error.name;
  if (name.ends_with(".NoSuchUnit") || name.ends_with(".FileNotFound") || name.ends_with(".UnknownObject") ||
      name.ends_with(".UnknownMethod") || name.ends_with(".UnknownInterface"))
    return Errc::not_found;
  if (name.ends_with(".AccessDenied") || name.ends_with(".InteractiveAuthorizationRequired"))
    return Errc::denied;
  if (name.starts_with("org.freedesktop.DBus.Error.Spawn."))
    return Errc::unavailable;  // the bus could not start it
  if (name.ends_with(".Timeout") || name.ends_with(".TimedOut")) return Errc::timeout;
  for (const std::string_view lost :
       {".NoReply", ".Disconnected", ".ServiceUnknown", ".NameHasNoOwner", ".NoServer"})
    if (name.ends_with(lost)) return Errc::unavailable;
  return from_errno("", ::sd_bus_error_get_errno(&error)).code;
}

}  // namespace

void BusMessageUnref::operator()(sd_bus_message* message) const {
  ::sd_bus_message_unref(message);
}

Error bus_error(std::string_view doing, int negative_errno) {
  return from_errno(doing, -negative_errno);
}

Result<BusMessagePtr> make_message(sd_bus* bus, const BusCall& call) {
  sd_bus_message* raw = nullptr;
  int r = ::sd_bus_message_new_method_call(bus, &raw, call.destination.c_str(), call.path.c_str(),
                                           call.interface.c_str(), call.member.c_str());
  BusMessagePtr message(raw);
  for (const BusCall::Argument& argument : call.arguments)
    if (r >= 0) r = std::visit(Appender{message.get()}, argument);
  if (r < 0) return bus_error("make a bus message for " + call.member, r);
  return message;
}

Result<BusValues> read_values(sd_bus_message* message) {
  BusValues values;
  int r = ::sd_bus_message_rewind(message, 1);
  if (r >= 0) r = read_all(message, values, 0);
  if (r < 0) return make_error(Errc::corrupt, "bus message that cannot be read");
  return values;
}

Result<BusValues> read_reply(sd_bus_message* message) {
  const sd_bus_error* error = ::sd_bus_message_get_error(message);
  if (error == nullptr) return read_values(message);
  const char* text = error->message != nullptr ? error->message : error->name;
  return make_error(errc_of(*error), text == nullptr ? "refused without a reason" : text);
}

}  // namespace slipway::systemd
