#include "figures.hpp"

#include <cstdio>

#include "cluster_dir.hpp"
#include "server_process.hpp"

namespace bench {

void print_figures(const std::string& name, const Figures& figures) {
  if (figures.latencies_ms.empty()) die(name + ": nothing was finished");
  const auto count = static_cast<double>(figures.latencies_ms.size());
  std::printf(
      "%s: %.0f a second, server %.1f us each (%.0f a second and core), p50 %.2f ms, p99 %.2f ms, resident "
      "%.1f MiB, load %.2f\n",
      name.c_str(), count / figures.seconds, figures.cpu_seconds / count * 1e6, count / figures.cpu_seconds,
      percentile(figures.latencies_ms, 0.5), percentile(figures.latencies_ms, 0.99),
      static_cast<double>(figures.rss_kib) / 1024, load_average());
  std::fflush(stdout);
}

}  // namespace bench
