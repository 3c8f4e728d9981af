#include "agent/domain/ping.hpp"

namespace slipway {

std::string_view to_string(PingResult result) {
  switch (result) {
    case PingResult::answered:
      return "answered";
    case PingResult::silent:
      return "silent";
    case PingResult::no_route:
      return "no-route";
    case PingResult::unreachable:
      return "unreachable";
    case PingResult::refused:
      return "refused";
    case PingResult::too_big:
      return "too-big";
  }
  return "silent";
}

}  // namespace slipway
