#pragma once
// Adapter: the Network port on this machine's kernel, in the network namespace of the thread that calls
// open().
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "agent/net/change_watch.hpp"
#include "agent/net/filter_rules.hpp"
#include "agent/net/rtnetlink.hpp"
#include "agent/ports/network.hpp"

namespace slipway {

struct KernelNetworkPaths {
  std::string proc_sys = "/proc/sys";
  std::string etc = "/etc";  // agent/domain/host_dropins.hpp
  std::vector<std::string> program_folders = {"/usr/sbin", "/sbin"};  // iptables, ip6tables, their -restore programs, modprobe
  HostPortPods host_ports = {};  // asked when the packet filter is read
};

// Needs CAP_NET_ADMIN. Blocks the calling thread for some milliseconds (see the port), longer only while
// another program holds the iptables lock (at most 2 seconds a run).
class KernelNetwork final : public Network {
 public:
  // `executor` is the state thread's: events are read there.
  static Result<std::unique_ptr<KernelNetwork>> open(boost::asio::any_io_executor executor,
                                                     KernelNetworkPaths paths = {});

  Result<NetworkObserved> observe() override;
  std::vector<Status> apply(const std::vector<NetworkStep>& steps) override;
  boost::asio::awaitable<Result<NetworkNews>> changed() override;
  Result<IpAddress> address_towards(const IpAddress& remote) override;

 private:
  KernelNetwork(KernelNetworkPaths paths, net::Rtnetlink netlink, net::ChangeWatch watch);
  Status observe_overlay(NetworkObserved& observed);
  Status apply_one(const NetworkStep& step);
  Status apply_overlay(const NetworkStep& step);
  Status put_overlay(const PutOverlay& put);
  int overlay_index(int link) const { return link == k_overlay_to_come ? overlay_ : link; }
  Status load_module(const LoadModule& step);

  KernelNetworkPaths paths_;
  net::Rtnetlink netlink_;
  net::ChangeWatch watch_;
  net::FilterRules filter_;
  int overlay_ = 0;  // index of the tunnel device that was made last; 0: none
  std::string kernel_release_;
};

}  // namespace slipway
