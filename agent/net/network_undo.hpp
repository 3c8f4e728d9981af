#pragma once
// What a reset looks at and undoes in the kernel's network, and what stood there before us. In the network
// namespace of the thread that calls open(). Blocks.
#include <string>
#include <vector>

#include "agent/domain/reset_plan.hpp"
#include "agent/net/chain_removal.hpp"
#include "agent/net/firewall_undo.hpp"
#include "agent/net/rtnetlink.hpp"

namespace slipway::net {

class NetworkUndo {
 public:
  struct Paths {
    std::string proc_sys = "/proc/sys";
    std::vector<std::string> program_folders = {"/usr/sbin", "/sbin"};
    std::string kube_proxy = "/opt/slipway/kube-proxy/current/kube-proxy";
    std::string bus_address;  // empty: the system bus
    std::string firewalld_etc = "/etc/firewalld";
  };
  static Result<NetworkUndo> open(Paths paths);

  static bool handles(ChangeKind kind);
  // Kind, name and wanted are the caller's.
  Result<Change> former(const Intent& intent);
  Result<EntrySeen> look(const Change& change);
  Status undo(const ResetStep& step);

 private:
  NetworkUndo(Paths paths, Rtnetlink netlink)
      : paths_(std::move(paths)), netlink_(std::move(netlink)), chains_(paths_.program_folders),
        firewall_(FirewalldOptions{.bus_address = paths_.bus_address}, paths_.firewalld_etc) {}
  Status remove_device(const std::string& name);
  Status remove_routes();
  Status remove_addresses();
  Result<std::vector<NetworkStep>> own_addresses();  // the steps that remove them
  Status remove_chains(const std::string& prefix);

  Paths paths_;
  Rtnetlink netlink_;
  ChainRules chains_;
  FirewallUndo firewall_;
};

}  // namespace slipway::net
