#pragma once
// Whole messages over a socket pair: four bytes of length, then the message. Blocks.
#include <cstddef>
#include <string>
#include <string_view>

#include "common/core/result.hpp"
#include "common/core/time.hpp"
#include "common/core/unique_fd.hpp"

namespace slipway::signer {

struct ChannelPair {
  UniqueFd coordinator, signer;
};
// `patience`: how long the coordinator's end waits for the beginning of an answer. The signer's end waits for
// a request without end.
Result<ChannelPair> make_channel(Seconds patience);

// Errc::gone when the other end is closed, Errc::timeout when it does not read.
Status send_message(int fd, std::string_view message);

// Errc::gone when the other end was closed between two messages; Errc::timeout; Errc::corrupt for a length
// above `most` and for what ends in the middle. After any error the channel is of no use any more.
Result<std::string> receive_message(int fd, std::size_t most);

}  // namespace slipway::signer
