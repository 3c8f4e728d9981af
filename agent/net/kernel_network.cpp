#include "agent/net/kernel_network.hpp"

#include <chrono>
#include <type_traits>

#include "agent/domain/sysctl_plan.hpp"
#include "agent/net/network_files.hpp"
#include "agent/net/run_program.hpp"
#include "agent/net/sysctls.hpp"
#include "common/core/text.hpp"

namespace slipway {

namespace {

std::optional<net::RouteChange> route_change(const NetworkStep& step) {
  if (const auto* put = std::get_if<PutRoute>(&step)) return net::RouteChange{put->route, false};
  if (const auto* remove = std::get_if<RemoveRoute>(&step)) return net::RouteChange{remove->route, true};
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<KernelNetwork>> KernelNetwork::open(boost::asio::any_io_executor executor,
                                                           KernelNetworkPaths paths) {
  auto netlink = net::Rtnetlink::open();
  if (!netlink) return netlink.error();
  auto watch = net::ChangeWatch::open(std::move(executor), netlink->port());
  if (!watch) return watch.error();
  return std::unique_ptr<KernelNetwork>(
      new KernelNetwork(std::move(paths), std::move(*netlink), std::move(*watch)));
}

KernelNetwork::KernelNetwork(KernelNetworkPaths paths, net::Rtnetlink netlink, net::ChangeWatch watch)
    : paths_(std::move(paths)),
      netlink_(std::move(netlink)),
      watch_(std::move(watch)),
      filter_(paths_.program_folders) {}

Result<NetworkObserved> KernelNetwork::observe() {
  NetworkObserved observed;
  auto links = netlink_.links();
  if (!links) return links.error();
  observed.links = std::move(*links);
  auto routes = netlink_.marked_routes();
  if (!routes) return routes.error();
  observed.routes = std::move(*routes);
  observed.sysctls = net::read_sysctls(paths_.proc_sys, network_sysctl_keys());
  auto filter = filter_.observe();
  if (!filter) return filter.error();
  observed.filter = std::move(*filter);
  auto files = net::read_network_files(paths_.etc);
  if (!files) return files.error();
  observed.files = std::move(*files);
  observed.dhcpcd = net::dhcpcd_takes_pods(paths_.etc);
  return observed;
}

std::vector<Status> KernelNetwork::apply(const std::vector<NetworkStep>& steps) {
  std::vector<Status> out;
  out.reserve(steps.size());
  for (std::size_t i = 0; i < steps.size();) {
    // Runs of routes go to the kernel together.
    std::vector<net::RouteChange> routes;
    for (; i < steps.size(); ++i) {
      auto change = route_change(steps[i]);
      if (!change) break;
      routes.push_back(*change);
    }
    for (Status& status : netlink_.change_routes(routes)) out.push_back(std::move(status));
    if (i < steps.size()) out.push_back(apply_one(steps[i++]));
  }
  return out;
}

Status KernelNetwork::apply_one(const NetworkStep& step) {
  if (auto done = filter_.apply(step)) return *done;
  if (const auto* set = std::get_if<SetSysctl>(&step)) return net::set_sysctl(paths_.proc_sys, set->sysctl);
  if (const auto* load = std::get_if<LoadModule>(&step)) return load_module(*load);
  if (const auto* file = std::get_if<WriteNetworkFile>(&step)) return net::write_network_file(paths_.etc, *file);
  if (const auto* bridge = std::get_if<RemoveBridge>(&step)) return netlink_.remove_link(bridge->index);
  return make_error(Errc::internal, "no way to " + describe(step));
}

Status KernelNetwork::load_module(const LoadModule& step) {
  const std::string program = net::find_program(paths_.program_folders, "modprobe");
  if (program.empty())
    return make_error(Errc::not_found,
                      "load kernel module " + step.name + ": no modprobe program: install kmod");
  const auto output = net::run_program({program, "--", step.name}, "", std::chrono::seconds(10));
  if (!output) return output.error();
  if (output->exit_code == 0) return {};
  return make_error(Errc::unavailable,
                    "load kernel module " + step.name + ": " + std::string(trim(output->err)));
}

boost::asio::awaitable<Status> KernelNetwork::changed() {
  return watch_.changed();
}

Result<IpAddress> KernelNetwork::address_towards(const IpAddress& remote) {
  return net::source_address(remote);
}

}  // namespace slipway
