#include "agent/net/kernel_network.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <chrono>

#include "agent/domain/overlay_plan.hpp"
#include "agent/domain/sysctl_plan.hpp"
#include "agent/net/checksum_offload.hpp"
#include "agent/net/network_files.hpp"
#include "agent/net/rt_write.hpp"
#include "agent/net/sysctls.hpp"
#include "common/core/text.hpp"
#include "common/process/run_program.hpp"

namespace slipway {

namespace {

bool is_overlay_step(const NetworkStep& step) {
  return std::holds_alternative<PutOverlay>(step) || std::holds_alternative<MendOverlay>(step) ||
         std::holds_alternative<RemoveOverlay>(step) || std::holds_alternative<PutOverlayAddress>(step) ||
         std::holds_alternative<RemoveOverlayAddress>(step) || std::holds_alternative<SetChecksumOffload>(step);
}

// Whether it changes the tunnel device that a step before it makes.
bool on_new_overlay(const NetworkStep& step) {
  if (const auto* put = std::get_if<PutRoute>(&step)) return put->route.link == k_overlay_to_come;
  if (const auto* put = std::get_if<PutNeighbour>(&step)) return put->link == k_overlay_to_come;
  if (const auto* put = std::get_if<PutForwarding>(&step)) return put->link == k_overlay_to_come;
  if (const auto* put = std::get_if<PutOverlayAddress>(&step)) return put->link == k_overlay_to_come;
  return std::holds_alternative<SetChecksumOffload>(step);
}

std::vector<std::string> keys_of(const std::vector<Sysctl>& sysctls) {
  std::vector<std::string> keys;
  for (const Sysctl& one : sysctls) keys.push_back(one.key);
  return keys;
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
      filter_(paths_.program_folders, paths_.host_ports) {
  utsname system{};
  if (::uname(&system) == 0) kernel_release_ = system.release;
}

Result<NetworkObserved> KernelNetwork::observe() {
  NetworkObserved observed;
  auto links = netlink_.links();
  if (!links) return links.error();
  observed.links = std::move(*links);
  for (NetworkLink& link : observed.links) {
    if (link.name != k_pod_bridge) continue;
    if (auto marked = netlink_.mark_connected(link); !marked) return marked.error();
  }
  auto routes = netlink_.marked_routes();
  if (!routes) return routes.error();
  observed.routes = std::move(*routes);
  observed.kernel_release = kernel_release_;
  if (auto overlay = observe_overlay(observed); !overlay) return overlay.error();
  observed.sysctls = net::read_sysctls(paths_.proc_sys, network_sysctl_keys());
  // A host that forwards has none, but where it listens in any case: then nothing hangs on it.
  if (!forwards_v6(observed))
    if (auto marked = netlink_.mark_learnt(observed.links); !marked) return marked.error();
  auto filter = filter_.observe(watch_.filter_changes());
  if (!filter) return filter.error();
  observed.filter = std::move(*filter);
  auto files = net::read_network_files(paths_.etc);
  if (!files) return files.error();
  observed.files = std::move(*files);
  observed.dhcpcd = net::dhcpcd_takes_pods(paths_.etc);
  return observed;
}

Status KernelNetwork::observe_overlay(NetworkObserved& observed) {
  const NetworkLink* device = overlay_of(observed);
  overlay_ = device == nullptr ? 0 : device->index;
  watch_.watch_overlay(overlay_);
  if (device == nullptr) return {};
  auto neighbours = netlink_.neighbours(device->index);
  if (!neighbours) return neighbours.error();
  observed.neighbours = std::move(*neighbours);
  auto forwarding = netlink_.forwarding(device->index);
  if (!forwarding) return forwarding.error();
  observed.forwarding = std::move(*forwarding);
  observed.overlay_sysctls = net::read_sysctls(paths_.proc_sys, keys_of(overlay_sysctls()));
  const auto offload = net::checksum_offload(k_overlay_device);
  if (!offload) return offload.error();
  observed.overlay_checksum_offload = *offload;
  return {};
}

std::vector<Status> KernelNetwork::apply(const std::vector<NetworkStep>& steps) {
  std::vector<Status> out(steps.size());
  watch_.watch_overlay(0);
  bool overlay_failed = false;
  const auto in_batch = [&overlay_failed](const NetworkStep& step) {
    return net::is_batched(step) && !(overlay_failed && on_new_overlay(step));
  };
  for (std::size_t i = 0; i < steps.size();) {
    // Runs of what there are thousands of go to the kernel together.
    const auto first = steps.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = static_cast<std::size_t>(std::find_if_not(first, steps.end(), in_batch) - steps.begin());
    netlink_.change(steps, i, end, overlay_, out);
    if (end < steps.size()) {
      const bool hopeless = overlay_failed && on_new_overlay(steps[end]);
      out[end] = hopeless ? Status(make_error(Errc::unavailable, describe(steps[end]) + ": there is no tunnel device")) : apply_one(steps[end]);
      overlay_failed = overlay_failed || (!out[end] && std::holds_alternative<PutOverlay>(steps[end]));
    }
    i = end + 1;
  }
  watch_.watch_overlay(overlay_);
  return out;
}

Status KernelNetwork::apply_one(const NetworkStep& step) {
  if (is_overlay_step(step)) return apply_overlay(step);
  if (auto done = filter_.apply(step)) return *done;
  if (const auto* set = std::get_if<SetSysctl>(&step)) return net::set_sysctl(paths_.proc_sys, set->sysctl);
  if (const auto* load = std::get_if<LoadModule>(&step)) return load_module(*load);
  if (const auto* file = std::get_if<WriteNetworkFile>(&step)) return net::write_network_file(paths_.etc, *file);
  if (const auto* put = std::get_if<PutLinkAddress>(&step))
    return netlink_.put_address(put->link, put->address, describe(step));
  if (const auto* remove = std::get_if<RemoveLinkAddress>(&step))
    return netlink_.remove_address(remove->link, remove->address, describe(step));
  if (const auto* bridge = std::get_if<RemoveBridge>(&step)) return netlink_.remove_link(bridge->index);
  return make_error(Errc::internal, "no way to " + describe(step));
}

Status KernelNetwork::apply_overlay(const NetworkStep& step) {
  if (const auto* put = std::get_if<PutOverlay>(&step)) return put_overlay(*put);
  if (const auto* mend = std::get_if<MendOverlay>(&step)) return netlink_.mend_overlay(*mend);
  if (const auto* remove = std::get_if<RemoveOverlay>(&step)) return netlink_.remove_link(remove->index);
  if (const auto* put = std::get_if<PutOverlayAddress>(&step))
    return netlink_.put_address(overlay_index(put->link), {put->address, put->address.bits()},
                                describe(step));
  if (const auto* remove = std::get_if<RemoveOverlayAddress>(&step))
    return netlink_.remove_address(overlay_index(remove->link), {remove->address, remove->prefix_length},
                                   describe(step));
  if (const auto* offload = std::get_if<SetChecksumOffload>(&step))
    return net::set_checksum_offload(k_overlay_device, offload->on);
  return make_error(Errc::internal, "no way to " + describe(step));
}

Status KernelNetwork::put_overlay(const PutOverlay& put) {
  overlay_ = 0;
  if (put.replaces != 0)
    if (auto removed = netlink_.remove_link(put.replaces); !removed) return removed;
  const auto made = netlink_.make_overlay(put);
  if (!made) return made.error();
  overlay_ = *made;
  // Before it is up. Kernels without IPv6 have no such keys; what cannot be set the next look shows.
  for (const Sysctl& sysctl : overlay_sysctls(false)) (void)net::set_sysctl(paths_.proc_sys, sysctl);
  return netlink_.mend_overlay({*made, std::nullopt, std::nullopt, true});
}

Status KernelNetwork::load_module(const LoadModule& step) {
  const std::string program = find_program(paths_.program_folders, "modprobe");
  if (program.empty())
    return make_error(Errc::not_found,
                      "load kernel module " + step.name + ": no modprobe program: install kmod");
  const auto output = run_program({program, "--", step.name}, "", std::chrono::seconds(10));
  if (!output) return output.error();
  if (output->exit_code == 0) return {};
  return make_error(Errc::unavailable,
                    "load kernel module " + step.name + ": " + std::string(trim(output->err)));
}

boost::asio::awaitable<Result<NetworkNews>> KernelNetwork::changed() {
  return watch_.changed();
}

Result<IpAddress> KernelNetwork::address_towards(const IpAddress& remote) {
  return net::source_address(remote);
}

}  // namespace slipway
