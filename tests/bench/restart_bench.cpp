// How long a component is away that is killed: from kill -9 of its process to the first instruction of its successor, and to
// the supervisor's word that it runs.
//   restart_bench [--systemd] [--runs 50] [--delay MS]  (0: as our units have it)
// Without --systemd: the agent's own supervisor, in a folder of its own. With it: systemd's Restart= alone, as root on a host
// that runs systemd; a unit slipway-bench.service comes and goes.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "agent/domain/unit_spec.hpp"
#include "agent/process/direct_supervisor.hpp"
#include "agent/process/systemd_supervisor.hpp"

namespace asio = boost::asio;
using namespace slipway;

namespace {

constexpr char k_unit[] = "slipway-bench.service";

std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The unit's program: says when it began, and sleeps.
[[noreturn]] void be_child(const char* fifo) {
  const std::int64_t began = now_ns();
  const int file = ::open(fifo, O_WRONLY | O_CLOEXEC);
  (void)!::write(file, &began, sizeof began);
  for (;;) ::pause();
}

struct Options {
  bool systemd = false;
  int runs = 50;
  int delay_ms = 0;
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--systemd") == 0) options.systemd = true;
    if (i + 1 < argc && std::strcmp(argv[i], "--runs") == 0) options.runs = std::max(1, std::atoi(argv[i + 1]));
    if (i + 1 < argc && std::strcmp(argv[i], "--delay") == 0) options.delay_ms = std::max(0, std::atoi(argv[i + 1]));
  }
  return options;
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "restart_bench: %s\n", why.c_str());
  std::exit(1);
}

void must(const Status& status) {
  if (!status) die(status.error().message);
}

std::string load_now() {
  std::string load;
  std::ifstream("/proc/loadavg") >> load;
  return load;
}

std::string own_path() {
  std::error_code ec;
  return std::filesystem::read_symlink("/proc/self/exe", ec).string();
}

struct Figures {
  std::vector<double> exec_ms;
  std::vector<double> known_ms;
};

using Fifo = asio::posix::stream_descriptor;

// When the next process of the unit began. Nothing here polls: a process that never sleeps is a poor thing to schedule.
asio::awaitable<std::int64_t> next_start(Fifo* fifo) {
  std::int64_t began = 0;
  co_await asio::async_read(*fifo, asio::buffer(&began, sizeof began), asio::use_awaitable);
  co_return began;
}

asio::awaitable<void> until_known(ProcessSupervisor* supervisor, std::int32_t former) {
  for (;;) {
    asio::awaitable<Result<UnitStatus>> looking = supervisor->status(k_unit);
    const Result<UnitStatus> now = co_await std::move(looking);
    if (now && now->running() && now->main_pid != former) co_return;
    asio::awaitable<Result<std::vector<std::string>>> changing = supervisor->changed();
    const Result<std::vector<std::string>> changed = co_await std::move(changing);
    if (!changed) die(changed.error().message);
  }
}

asio::awaitable<void> measure(ProcessSupervisor* supervisor, Fifo* fifo, int runs, Figures* figures) {
  for (int run = 0; run < runs; ++run) {
    asio::awaitable<Result<UnitStatus>> asking = supervisor->status(k_unit);
    const Result<UnitStatus> before = co_await std::move(asking);
    if (!before || before->main_pid <= 0) die("the unit does not run");
    const std::int64_t killed = now_ns();
    ::kill(before->main_pid, SIGKILL);
    asio::awaitable<std::int64_t> starting = next_start(fifo);
    const std::int64_t began = co_await std::move(starting);
    figures->exec_ms.push_back(static_cast<double>(began - killed) / 1e6);
    asio::awaitable<void> knowing = until_known(supervisor, before->main_pid);
    co_await std::move(knowing);
    figures->known_ms.push_back(static_cast<double>(now_ns() - killed) / 1e6);
  }
}

asio::awaitable<void> bench(ProcessSupervisor* supervisor, Fifo* fifo, int runs, Figures* figures) {
  asio::awaitable<Status> reloading = supervisor->reload();
  must(co_await std::move(reloading));
  asio::awaitable<Status> starting = supervisor->start(k_unit);
  must(co_await std::move(starting));
  asio::awaitable<std::int64_t> beginning = next_start(fifo);
  (void)co_await std::move(beginning);
  asio::awaitable<void> knowing = until_known(supervisor, 0);
  co_await std::move(knowing);
  asio::awaitable<void> measuring = measure(supervisor, fifo, runs, figures);
  co_await std::move(measuring);
  asio::awaitable<Status> stopping = supervisor->stop(k_unit);
  must(co_await std::move(stopping));
}

void print(const char* what, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&values](double part) { return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1))]; };
  std::printf("%-28s p50 %7.1f ms  p95 %7.1f ms  most %7.1f ms\n", what, at(0.5), at(0.95), values.back());
}

void write_unit(const std::string& dir, const std::string& fifo, int delay_ms) {
  UnitSpec spec;
  spec.name = k_unit;
  spec.description = "restart_bench";
  spec.exec = {own_path(), "child", fifo};
  spec.restart.delay = std::chrono::milliseconds(delay_ms);
  spec.wanted_by.clear();
  const auto text = render(spec);
  if (!text) die(text.error().message);
  std::ofstream(dir + "/" + k_unit) << *text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "child") == 0) be_child(argv[2]);
  const Options options = read_options(argc, argv);
  std::string dir = (std::filesystem::temp_directory_path() / "slipway-bench-XXXXXX").string();
  if (::mkdtemp(dir.data()) == nullptr) die("no temporary folder");
  const std::string fifo_path = dir + "/began";
  if (::mkfifo(fifo_path.c_str(), 0600) != 0) die("no FIFO");
  // Also open for writing: it then never reads as ended.
  const int fifo_fd = ::open(fifo_path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  const std::string unit_dir = options.systemd ? "/run/systemd/system" : dir;
  write_unit(unit_dir, fifo_path, options.delay_ms);

  asio::io_context io;
  Figures figures;
  Fifo fifo(io, fifo_fd);
  {
    std::unique_ptr<ProcessSupervisor> supervisor;
    if (options.systemd) {
      supervisor = std::make_unique<SystemdSupervisor>(io.get_executor());
    } else {
      // Records are in memory, as in /run.
      auto direct = DirectSupervisor::open(io.get_executor(), {dir, dir + "/enabled", "/dev/shm" + dir, dir + "/log", "slipway-bench"});
      if (!direct) die(direct.error().message);
      supervisor = std::move(*direct);
    }
    bool done = false;
    asio::co_spawn(io, bench(supervisor.get(), &fifo, options.runs, &figures), [&done](const std::exception_ptr&) { done = true; });
    while (!done && io.run_one() > 0) {
    }
  }
  std::filesystem::remove(unit_dir + "/" + k_unit);
  std::filesystem::remove_all(dir);
  std::filesystem::remove_all("/dev/shm" + dir);
  std::printf("%s, %d kills, pause %d ms, load %s\n", options.systemd ? "systemd" : "own supervisor", options.runs, options.delay_ms, load_now().c_str());
  print("kill to exec of successor", figures.exec_ms);
  print("kill to known running", figures.known_ms);
  return figures.exec_ms.size() == static_cast<std::size_t>(options.runs) ? 0 : 1;
}
