#pragma once
// A cluster of the lab by its name, one that a test makes and removes, and what is asked of the pods of any.
#include <string>

#include "lab.hpp"

namespace lab {

// With the pods and the service that the quickstart leaves: check-web on node1, check-client on node2.
class Cluster {
 public:
  // `prefix`: "10.79.0".
  Cluster(std::string name, std::string prefix) : name_(std::move(name)), prefix_(std::move(prefix)) {}

  const std::string& name() const { return name_; }
  std::string bridge_address() const { return prefix_ + ".1"; }
  std::string address_of(const std::string& host) const;  // as the lab gave it

  Outcome on(const std::string& host, const Words& argv) const;
  std::string must(const std::string& host,
                   const Words& argv) const;  // the test fails when the command does; trimmed
  std::string fetched_in_pod(
      const std::string& url) const;  // by check-client; empty: no answer in five seconds
  std::string pod_address(const std::string& pod) const;
  // kubectl apply of this document.
  void apply(const std::string& json) const;

 private:
  std::string name_, prefix_;
};

// The one that tests/run brought up for all.
Cluster shared_cluster();

// Made by the quickstart with these options; removed at the end.
class OwnCluster : public Cluster {
 public:
  OwnCluster(std::string name, std::string prefix, const Words& options);
  ~OwnCluster();
  OwnCluster(const OwnCluster&) = delete;
  OwnCluster& operator=(const OwnCluster&) = delete;

  const Outcome& made() const { return made_; }
  // CHECKs that nothing is left of it.
  void remove() const;

 private:
  Outcome made_;
};

inline constexpr char k_web[] = "hello from check-web\n";

// Each node answers at a node port, those without the pod too. A service for it is made, and removed at the
// end.
void check_node_port(const Cluster& cluster);

// What leaves the cluster has its node's address, what stays has the pod's own.
void check_sources(const Cluster& cluster);

}  // namespace lab
