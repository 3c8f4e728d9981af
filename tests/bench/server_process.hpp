#pragma once
// A child process on one core, and what the kernel says it cost.
#include <sys/types.h>

#include <string>
#include <vector>

namespace bench {

struct Usage {
  double cpu_seconds = 0;  // user and system, all threads
  long rss_kib = 0;
  long context_switches = 0;
};

class ServerProcess {
 public:
  // cpu < 0: not pinned. Output goes to `log_path`.
  ServerProcess(const std::vector<std::string>& argv, int cpu, const std::string& log_path);
  ~ServerProcess();  // SIGTERM, then waits
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  pid_t pid() const { return pid_; }
  std::vector<pid_t> family() const;  // it and its children
  bool running();     // false: it has ended, and nobody waits for it any more
  void ask_to_end();  // SIGTERM
  void kill_now();    // SIGKILL, then waits
  // Until something listens on k_address:port; false: it ended before.
  bool wait_until_listening(const std::string& address, int port);
  Usage usage() const;  // with its children's: the coordinator has a signer

 private:
  pid_t pid_ = -1;  // -1: ended
};

void pin_this_thread(int cpu);
// Runs to its end; its output, trimmed. Ends the program with a message when it fails.
std::string run_or_die(const std::vector<std::string>& argv);
bool succeeds(const std::vector<std::string>& argv);  // output thrown away
// A new network name space for this process and its children, with `address` on its loopback device.
void enter_own_network(const std::string& address);
int free_port();
// As many descriptors as the system lets us have: thousands of connections need it. Children inherit it.
void raise_descriptor_limit();
double load_average();

}  // namespace bench
