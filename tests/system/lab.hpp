#pragma once
// The system tests' grip on the lab: a cluster of real hosts made by packaging/quickstart. Every wait has a limit, and a wait
// that fails shows the journals of the hosts.
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace lab {

using Words = std::vector<std::string>;

struct Outcome {
  int status = -1;  // exit status; 128 + signal; 124 when the time limit ended it
  std::string out;
  std::string err;
  bool ok() const { return status == 0; }
};

// Runs a program (no shell) with a time limit.
Outcome run(const Words& argv, std::chrono::seconds limit = std::chrono::seconds(60), const std::string& input = {});

// The cluster that tests/run brought up (environment SLIPWAY_SYSTEM_CLUSTER and SLIPWAY_SYSTEM_NET).
std::string cluster_name();
std::string network_prefix();  // "10.79.0": the bridge is .1, the master .10, nodes .11 and up

Outcome tool(const Words& arguments, std::chrono::seconds limit = std::chrono::seconds(180));  // packaging/lab/slipway-lab
Outcome on(const std::string& host, const Words& argv, std::chrono::seconds limit = std::chrono::seconds(60));
Outcome kubectl(const Words& arguments);
Outcome slipwayctl(const Words& arguments);

// Like on(), but the test fails when the command does. Trimmed output.
std::string must(const std::string& host, const Words& argv);
std::string must_kubectl(const Words& arguments);
std::string must_slipwayctl(const Words& arguments);

// Writes a file in a host that is up: through standard input, so that no secret stands in an argument vector.
void write_file(const std::string& host, const std::string& path, const std::string& content, const std::string& mode);

// Asks again and again until `done`; REQUIREs that it happened within `limit` and shows `journals` when it did not.
void eventually(const std::string& what, std::chrono::seconds limit, std::function<bool()> done,
                const std::vector<std::string>& journals = {"master"});

bool node_ready(const std::string& node);
std::string pod_cidr_of(const std::string& node);            // as the coordinator has it
// A field of an object (type, name, options) by its JSON path; empty when kube-apiserver does not answer.
std::string field_of(const Words& object, const std::string& path);
// Requests from the pod that the quickstart left on node2 to the one on node1: by its address and by its service's.
bool pods_talk();
std::string main_pid(const std::string& host, const std::string& unit);

// A host of its own beside the cluster, with the agent package installed and switched on; removed at the end.
class ExtraHost {
 public:
  ExtraHost(std::string name, int last_octet);
  ~ExtraHost();
  ExtraHost(const ExtraHost&) = delete;
  ExtraHost& operator=(const ExtraHost&) = delete;
  const std::string& name() const { return name_; }
  std::string address() const { return address_; }
  // agent.yaml and token in place, then the unit is started. `node_name`: other than the host's.
  void start_agent(const std::string& server, const std::string& token, const std::string& node_name = {});
  std::string agent_journal() const;

 private:
  std::string name_;
  std::string address_;
};

std::string coordinator_url();
// `slipwayctl token create --quiet` with these options.
std::string create_token(const Words& options);

}  // namespace lab
