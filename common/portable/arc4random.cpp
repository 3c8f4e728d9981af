// Only in programs built with SLIPWAY_PORTABLE. Debian 12's libstdc++.a calls arc4random() for
// std::random_device, which glibc has since 2.36; this one, found before glibc's, lets the programs start
// where glibc is older (RHEL 9: 2.34). Same contract as glibc's: from the kernel's generator, any thread,
// never fails.
#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

// Not exported: libraries of the host keep their own.
extern "C" [[gnu::visibility("hidden")]] std::uint32_t arc4random() noexcept;

extern "C" std::uint32_t arc4random() noexcept {
  std::uint32_t value = 0;
  // Up to 256 bytes come whole once the generator is seeded; before, at an early boot, a signal may interrupt
  // the wait.
  while (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
    if (errno != EINTR) std::abort();  // as glibc's: no number is better than a foreseeable one
  }
  return value;
}
