#pragma once
// A disk that fails and loses power, under SQLite: a sqlite3_vfs around the real one. It counts what changes the disk, lets one
// such operation fail, and keeps a log of all of them, from which it lays down what a power cut at any point may leave.
//
// From its construction to unplug() a FaultDisk is the process's default VFS, and fsync() and fdatasync() of the program come by here (the code under
// test syncs the folder itself): nothing really waits for a disk. One at a time, one thread at a time.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace slipway::test {

struct DiskFault {
  std::size_t at = 0;    // the operation that fails, counted from 1; 0: none
  bool full = false;     // writes and truncations fail with SQLITE_FULL instead of an I/O error; other operations work
  bool lasting = false;  // what follows fails, too
  bool torn = false;     // a failing write leaves its first half
};

// What a power cut leaves of the writes after the last successful sync of their file, and of the names after that of the folder.
// Each may be lost or kept by itself; a write that is torn keeps whole sectors of 512 bytes.
enum class Leftover {
  nothing,
  everything,   // also what a killed process leaves
  torn_prefix,  // the first half of them; the last of these torn
  last_only,    // the disk wrote them in another order
  some          // by a generator seeded with the point of the cut
};
inline constexpr Leftover k_leftovers[] = {Leftover::nothing, Leftover::everything, Leftover::torn_prefix, Leftover::last_only,
                                           Leftover::some};

class FaultDisk {
 public:
  // What is in `dir` now counts as durable.
  explicit FaultDisk(const std::string& dir);
  ~FaultDisk();
  FaultDisk(const FaultDisk&) = delete;
  FaultDisk& operator=(const FaultDisk&) = delete;

  // SQLite and fsync() are what they were; the log stays. Every database must be closed.
  void unplug();

  void fail(const DiskFault& fault);
  bool failed() const;                // the fault has happened
  std::string failed_what() const;    // "write state.db-wal"
  std::size_t failed_position() const;
  std::size_t operations() const;     // write, truncate, sync, remove, sync of the folder
  std::size_t position() const;       // in the log; grows with every operation
  bool wrote_to(const std::string& name, std::size_t before_position) const;

  // The files as a power cut leaves them when the log was `position` long; SQLite's shared memory file is gone with the power.
  std::map<std::string, std::string> image(std::size_t position, Leftover leftover) const;
  // Into an empty folder.
  void lay_down(const std::string& to_dir, std::size_t position, Leftover leftover) const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipway::test
