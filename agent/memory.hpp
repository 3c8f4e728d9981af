#pragma once
// What a small resident program can give back. Any thread.
#include <cstddef>

namespace slipway {

// Bytes of this process in memory, of programs and libraries too (proc(5), /proc/PID/statm). 0: cannot be read.
std::size_t resident_bytes();

// Returns free heap pages, and drops from this process what it maps of programs and libraries and has not
// changed: most of it served the start or an installation, stays in the page cache, and comes back at the
// first touch, a fault for each few pages: with those, some ten milliseconds of CPU time.
void release_idle_memory();

}  // namespace slipway
