#pragma once
// What somebody sees who is no party to a change: echoes between two pods, five a second, while a test
// changes other things; and whether a host loses a route meanwhile.
#include <string>

#include "lab.hpp"

namespace lab {

struct PingCount {
  int sent = 0;
  int lost = 0;
};

// From what busybox' ping prints. An echo that was still on its way at the end is not lost.
PingCount count_pings(const std::string& output);

// In the cluster that tests/run brought up. The pods are made here, one on each host, and removed at the end.
class PingLoop {
 public:
  PingLoop(std::string from, std::string to);
  ~PingLoop();
  PingLoop(const PingLoop&) = delete;
  PingLoop& operator=(const PingLoop&) = delete;

  // Ends the loop and prints the counts after `what`. REQUIREs that it ran all the time.
  PingCount stop(const std::string& what);

 private:
  Words in_pod(const Words& argv,
               const Words& options = {}) const;  // by the runtime: kube-apiserver and kubelet may be away
  std::string from_, container_;
};

// Notes what the kernel says of the removal of our routes on a host.
class RouteWatch {
 public:
  explicit RouteWatch(std::string host);
  ~RouteWatch();
  RouteWatch(const RouteWatch&) = delete;
  RouteWatch& operator=(const RouteWatch&) = delete;
  // One removed route a line.
  std::string removed() const;

 private:
  std::string host_;
};

// The routes to others' pods, with their next hops, as the host has them.
std::string routes_of(const std::string& host);

}  // namespace lab
