#pragma once
// The operating system seeded generator. A process that cannot get random bytes is ended: nothing it made
// would be safe.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace slipway {

std::string random_bytes(std::size_t count);
// `count` letters drawn evenly from `alphabet` (2 to 256 letters): token ids and the like.
std::string random_text(std::size_t count, std::string_view alphabet);
// For a generator whose numbers are no secret: jitter, pauses.
std::uint64_t random_seed();
std::string random_uuid();  // version 4: "9b2f1c1e-...", lower case

}  // namespace slipway
