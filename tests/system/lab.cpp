#include "lab.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "slipway_test_paths.hpp"

extern char** environ;

namespace lab {

using slipway::UniqueFd;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

struct Pipe {
  UniqueFd read, write;
  Pipe() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
};

// Takes what is there; closes at the end of file.
void drain(UniqueFd& fd, std::string& into) {
  char buffer[4096];
  const ssize_t count = ::read(fd.get(), buffer, sizeof buffer);
  if (count <= 0) {
    fd.reset();
  } else {
    into.append(buffer, static_cast<std::size_t>(count));
  }
}

void feed(UniqueFd& fd, std::string& left) {
  const ssize_t count = ::write(fd.get(), left.data(), left.size());
  if (count > 0) left.erase(0, static_cast<std::size_t>(count));
  if (count < 0 || left.empty()) fd.reset();
}

pid_t start(const Words& argv, const Pipe& in, const Pipe& out, const Pipe& err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.write.get(), 2);
  std::vector<char*> raw;
  for (const std::string& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  INFO("starting " << argv[0]);
  REQUIRE(failed == 0);
  return pid;
}

std::string setting(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : fallback;
}

std::string source(const std::string& path) { return std::string(SLIPWAY_SOURCE_DIR) + "/" + path; }

std::string trimmed(const std::string& text) { return std::string(slipway::trim(text)); }

}  // namespace

Outcome run(const Words& argv, seconds limit, const std::string& input) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe in, out, err;
  const pid_t pid = start(argv, in, out, err);
  in.read.reset();
  out.write.reset();
  err.write.reset();
  Outcome outcome;
  std::string left = input;
  if (left.empty()) in.write.reset();
  const auto deadline = steady_clock::now() + limit;
  while (out.read || err.read) {
    pollfd fds[] = {{out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}, {in.write.get(), POLLOUT, 0}};
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    if (rest <= 0) break;
    ::poll(fds, 3, static_cast<int>(std::min<long>(rest, 1000)));
    if (out.read && fds[0].revents != 0) drain(out.read, outcome.out);
    if (err.read && fds[1].revents != 0) drain(err.read, outcome.err);
    if (in.write && fds[2].revents != 0) feed(in.write, left);
  }
  const bool late = out.read || err.read;
  if (late) ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  outcome.status = late ? 124 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

std::string cluster_name() { return setting("SLIPWAY_SYSTEM_CLUSTER", "systest"); }
std::string network_prefix() {
  const std::string net = setting("SLIPWAY_SYSTEM_NET", "10.79.0.0/24");
  return net.substr(0, net.rfind('.'));
}
std::string coordinator_url() { return "https://" + network_prefix() + ".10:7443"; }

Outcome tool(const Words& arguments, seconds limit) {
  Words argv = {source("packaging/lab/slipway-lab")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run(argv, limit);
}

Outcome on(const std::string& host, const Words& argv, seconds limit) {
  Words words = {"exec", cluster_name(), host};
  words.insert(words.end(), argv.begin(), argv.end());
  return tool(words, limit);
}

Outcome kubectl(const Words& arguments) {
  Words argv = {"kubectl", "--request-timeout=20s"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return on("master", argv);
}

Outcome slipwayctl(const Words& arguments) {
  Words argv = {"slipwayctl"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return on("master", argv);
}

namespace {

std::string checked(const Outcome& outcome, const std::string& what) {
  INFO(what << "\n" << outcome.out << outcome.err);
  REQUIRE(outcome.status == 0);
  return trimmed(outcome.out);
}

}  // namespace

std::string must(const std::string& host, const Words& argv) { return checked(on(host, argv), host + ": " + slipway::join(argv, " ")); }
std::string must_kubectl(const Words& arguments) { return checked(kubectl(arguments), "kubectl " + slipway::join(arguments, " ")); }
std::string must_slipwayctl(const Words& arguments) { return checked(slipwayctl(arguments), "slipwayctl " + slipway::join(arguments, " ")); }

void write_file(const std::string& host, const std::string& path, const std::string& content, const std::string& mode) {
  const Words argv = {source("packaging/lab/slipway-lab"), "exec", cluster_name(), host, "install", "-D", "-m", mode, "/dev/stdin", path};
  checked(run(argv, seconds(30), content), "writing " + path + " in " + host);
}

void eventually(const std::string& what, seconds limit, std::function<bool()> done, const std::vector<std::string>& journals) {
  const auto deadline = steady_clock::now() + limit;
  while (steady_clock::now() < deadline) {
    if (done()) return;
    // The hosts are other machines: there is nothing to wait on but asking again.
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  std::string shown;
  for (const std::string& host : journals) {
    const Words argv = {"journal", cluster_name(), host, "slipway-agent", "slipway-coordinator", "kubelet"};
    shown += tool(argv).out;
  }
  FAIL("waited " << limit.count() << " s for: " << what << "\n" << shown);
}

bool node_ready(const std::string& node) {
  const Outcome ready = kubectl({"get", "node", node, "-o", "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}"});
  return ready.ok() && trimmed(ready.out) == "True";
}

std::string pod_cidr_of(const std::string& node) {
  const std::string json = must_slipwayctl({"node", "get", node, "-o", "json"});
  const std::size_t key = json.find("\"podCIDR\"");
  REQUIRE(key != std::string::npos);
  const std::size_t start = json.find('"', json.find(':', key)) + 1;
  return json.substr(start, json.find('"', start) - start);
}

std::string main_pid(const std::string& host, const std::string& unit) {
  return must(host, {"systemctl", "show", "-p", "MainPID", "--value", unit});
}

std::string field_of(const Words& object, const std::string& path) {
  Words arguments = {"get"};
  arguments.insert(arguments.end(), object.begin(), object.end());
  arguments.insert(arguments.end(), {"-o", "jsonpath={" + path + "}"});
  const Outcome answer = kubectl(arguments);
  return answer.ok() ? trimmed(answer.out) : "";
}

namespace {

// A request from the pod that the quickstart left on node2 to the one on node1, by its address and by its service's.
bool answers(const std::string& url) {
  // timeout(1) of busybox: the option -T crashes the wget of Debian's static busybox.
  const Words get = {"exec", "check-client", "--", "/bin/busybox", "timeout", "5", "/bin/busybox", "wget", "-q", "-O", "-", url};
  Outcome answer = kubectl(get);
  // A kubelet that has taken its new certificate closes its connections to kube-apiserver, and a call on its way into the pod fails with
  // them: nothing has been asked of the pod then.
  if (answer.err.find("unable to upgrade connection: Authorization error") != std::string::npos) answer = kubectl(get);
  UNSCOPED_INFO(url << " gave status " << answer.status << ": " << answer.out << answer.err);
  return answer.out.find("hello from check-web") != std::string::npos;
}

}  // namespace

bool pods_talk() {
  return answers("http://" + field_of({"pod", "check-web"}, ".status.podIP") + ":8080/") &&
         answers("http://" + field_of({"service", "check-web"}, ".spec.clusterIP") + "/");
}

ExtraHost::ExtraHost(std::string name, int last_octet)
    : name_(std::move(name)), address_(network_prefix() + "." + std::to_string(last_octet)) {
  tool({"destroy", cluster_name(), name_});
  checked(tool({"create", cluster_name(), name_, address_}), "creating " + name_);
  checked(tool({"boot", cluster_name(), name_}), "booting " + name_);
  checked(tool({"install", cluster_name(), name_, "slipway-agent"}), "installing the agent in " + name_);
}

ExtraHost::~ExtraHost() { tool({"destroy", cluster_name(), name_}); }

void ExtraHost::start_agent(const std::string& server, const std::string& token,
                            const std::string& node_name) {
  write_file(name_, "/etc/slipway/join.token", token + "\n", "0600");
  write_file(name_, "/etc/slipway/agent.yaml",
             "coordinators: [\"" + server + "\"]\ntokenFile: /etc/slipway/join.token\nnodeName: " +
                 (node_name.empty() ? name_ : node_name) + "\n",
             "0600");
  must(name_, {"systemctl", "restart", "slipway-agent"});
}

std::string ExtraHost::agent_journal() const { return on(name_, {"journalctl", "--no-pager", "-q", "-u", "slipway-agent"}).out; }

std::string create_token(const Words& options) {
  Words arguments = {"token", "create", "--quiet"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  return must_slipwayctl(arguments);
}

}  // namespace lab
