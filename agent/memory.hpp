#pragma once
// What a small resident program can give back.

namespace slipway {

// Returns free heap pages, and drops from this process what it maps of programs and libraries and has not
// changed: most of it served the start or an installation, stays in the page cache, and comes back at the
// first touch. Costs about a millisecond.
void release_idle_memory();

}  // namespace slipway
