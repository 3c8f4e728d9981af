#pragma once
// What a run measured, and the one line in which the benches say it: tests/bench/peers reads it back.
#include <cstddef>
#include <string>
#include <vector>

namespace bench {

struct Figures {
  double seconds = 0;                // of wall time
  double cpu_seconds = 0;            // of the server, all its processes
  long rss_kib = 0;                  // of the server, all its processes, at the end
  std::vector<double> latencies_ms;  // one an operation
};

void print_figures(const std::string& name, const Figures& figures);

}  // namespace bench
