#include "tests/support/fake_network.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>
#include <variant>

#include "agent/domain/overlay_plan.hpp"
#include "agent/domain/sysctl_plan.hpp"

namespace slipway::test {

FakeNetwork::FakeNetwork(IpAddress node_address, int prefix_length) {
  NetworkLink link;
  link.index = 2;
  link.name = "eth0";
  link.up = link.carrier = true;
  link.mtu = 1500;
  link.addresses = {{node_address, prefix_length}};
  state_.links = {link};
  for (const std::string& key : network_sysctl_keys()) {
    // As in a network namespace: no limits of the whole machine. There is no device of ours.
    const bool own_device = key.find(k_overlay_device) != std::string::npos || key.find(k_pod_bridge) != std::string::npos;
    const bool there = !own_device && key.find("gc_thresh") == std::string::npos;
    state_.sysctls.push_back({key, there ? std::optional<std::string>("0") : std::nullopt, there});
  }
  for (const IpFamily family : k_families) state_.filter.forward[family].tool_present = true;
}

Result<NetworkObserved> FakeNetwork::observe() {
  ++observe_count;
  if (observe_error) return *observe_error;
  return state_;
}

std::vector<Status> FakeNetwork::apply(const std::vector<NetworkStep>& steps) {
  std::vector<Status> out;
  for (const NetworkStep& step : steps) {
    applied.push_back(step);
    out.push_back(std::visit([this](const auto& one) { return this->apply_one(one); }, step));
  }
  return out;
}

boost::asio::awaitable<Result<NetworkNews>> FakeNetwork::changed() {
  const auto executor = co_await boost::asio::this_coro::executor;
  while (!pending_) {
    wake_ =
        std::make_shared<boost::asio::steady_timer>(executor, boost::asio::steady_timer::time_point::max());
    const auto timer = wake_;
    co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != boost::asio::cancellation_type::none)
      co_return make_error(Errc::canceled, "waiting for network events: canceled");
  }
  const NetworkNews news = *pending_;
  pending_.reset();
  co_return news;
}

Result<IpAddress> FakeNetwork::address_towards(const IpAddress&) {
  if (state_.links[0].addresses.empty()) return make_error(Errc::unavailable, "no route");
  return state_.links[0].addresses[0].address;
}

void FakeNetwork::set_link_up(bool up) {
  state_.links[0].up = state_.links[0].carrier = up;
  if (!up)
    std::erase_if(state_.links[0].addresses, [](const LinkAddress& own) { return !own.address.is_v4(); });
  const int index = state_.links[0].index;
  if (!up) std::erase_if(state_.routes, [index](const MarkedRoute& route) { return !route.blackhole && route.link == index; });
  notify();
}

void FakeNetwork::notify(NetworkNews news) {
  if (pending_ != NetworkNews::links) pending_ = news;
  if (wake_) wake_->cancel();
}

Status FakeNetwork::injected(const NetworkStep& step) const {
  const auto it = step_errors.find(describe(step));
  if (it == step_errors.end()) return {};
  return it->second;
}

bool FakeNetwork::adjacent(const IpAddress& gateway) const {
  if (!gateway.is_v4() && gateway.is_link_local()) return true;  // the kernel does not look
  for (const LinkAddress& own : state_.links[0].addresses) {
    const auto block = Cidr::make(own.address, own.prefix_length);
    if (block && block->contains(gateway)) return true;
    // The address has host bits: compare bit by bit.
    bool same = gateway.is_v4() == own.address.is_v4() && gateway != own.address;
    for (int i = 0; same && i < own.prefix_length; ++i) same = gateway.bit(i) == own.address.bit(i);
    if (same) return true;
  }
  return false;
}

Status FakeNetwork::apply_one(const PutRoute& put) {
  if (auto status = injected(put); !status) return status;
  MarkedRoute route = put.route;
  if (route.link == k_overlay_to_come) route.link = overlay() == nullptr ? 0 : overlay()->index;
  if (route.onlink) {
    if (overlay() == nullptr || route.link != overlay()->index)
      return make_error(Errc::unavailable, describe(put) + ": the interface is gone");
  } else if (route.gateway && (!state_.links[0].up || !adjacent(*route.gateway))) {
    return make_error(Errc::unavailable,
                      describe(put) + ": " + route.gateway->to_string() + " is not directly reachable");
  }
  std::erase_if(state_.routes, [&route](const MarkedRoute& r) {
    return r.destination == route.destination && r.metric == route.metric;
  });
  state_.routes.push_back(route);
  return {};
}

Status FakeNetwork::apply_one(const RemoveRoute& remove) {
  if (auto status = injected(remove); !status) return status;
  std::erase(state_.routes, remove.route);
  return {};
}

Status FakeNetwork::apply_one(const PutMasquerade& put) {
  if (auto status = injected(put); !status) return status;
  state_.filter.masquerade[put.family] = put.table;
  return {};
}

Status FakeNetwork::apply_one(const RemoveMasquerade& remove) {
  if (auto status = injected(remove); !status) return status;
  state_.filter.masquerade[remove.family].reset();
  return {};
}

Status FakeNetwork::apply_one(const PutForward& put) {
  if (auto status = injected(put); !status) return status;
  ForwardState& now = state_.filter.forward[put.family];
  now.chain_present = now.chain_exact = now.jump_first = true;
  now.accepted = put.accepted;
  return {};
}

Status FakeNetwork::apply_one(const RemoveForward& remove) {
  if (auto status = injected(remove); !status) return status;
  ForwardState& now = state_.filter.forward[remove.family];
  const bool drop = now.policy_drop;
  now = ForwardState{};
  now.tool_present = true;
  now.policy_drop = drop;
  return {};
}

Status FakeNetwork::apply_one(const LoadModule& load) {
  return injected(load);
}

Status FakeNetwork::apply_one(const SetSysctl& set) {
  if (auto status = injected(set); !status) return status;
  for (NetworkLink& link : state_.links) {
    if (!link.v6 || set.sysctl.key != "net/ipv6/conf/" + link.name + "/accept_ra") continue;
    link.v6->accept_ra = set.sysctl.value == "2" ? 2 : 1;
    return {};
  }
  for (std::vector<ObservedSysctl>* group : {&state_.sysctls, &state_.overlay_sysctls}) {
    for (ObservedSysctl& one : *group) {
      if (one.key != set.sysctl.key || !one.value) continue;
      one.value = set.sysctl.value;
      return {};
    }
  }
  return make_error(Errc::not_found, "no kernel setting " + set.sysctl.key);
}

Status FakeNetwork::apply_one(const WriteNetworkFile& write) {
  if (auto status = injected(write); !status) return status;
  if (write.content.empty())
    state_.files.erase(write.file);
  else
    state_.files[write.file] = write.content;
  return {};
}

Status FakeNetwork::apply_one(const RemoveBridge& remove) {
  if (auto status = injected(remove); !status) return status;
  drop_link(remove.index);
  return {};
}

NetworkLink* FakeNetwork::overlay() {
  for (NetworkLink& link : state_.links)
    if (link.name == k_overlay_device) return &link;
  return nullptr;
}

// Routes go with their interface, and so does what hangs on a tunnel.
void FakeNetwork::drop_link(int index) {
  const NetworkLink* tunnel = overlay();
  if (tunnel != nullptr && tunnel->index == index) {
    state_.neighbours.clear();
    state_.forwarding.clear();
    state_.overlay_sysctls.clear();
    state_.overlay_checksum_offload.reset();
  }
  std::erase_if(state_.routes, [index](const MarkedRoute& route) { return !route.blackhole && route.link == index; });
  std::erase_if(state_.links, [index](const NetworkLink& link) { return link.index == index; });
}

Status FakeNetwork::apply_one(const PutOverlay& put) {
  if (auto status = injected(put); !status) return status;
  drop_link(put.replaces);
  if (overlay() != nullptr) return make_error(Errc::conflict, describe(put) + ": file exists");
  NetworkLink link;
  link.index = next_index_++;
  link.name = k_overlay_device;
  link.up = link.carrier = true;
  link.mtu = put.mtu;
  link.mac = put.mac;
  link.vxlan = put.config;
  state_.links.push_back(link);
  for (const Sysctl& sysctl : overlay_sysctls()) state_.overlay_sysctls.push_back({sysctl.key, sysctl.value, true});
  state_.overlay_checksum_offload = true;
  return {};
}

Status FakeNetwork::apply_one(const MendOverlay& mend) {
  if (auto status = injected(mend); !status) return status;
  NetworkLink* link = overlay();
  if (link == nullptr || link->index != mend.index) return make_error(Errc::unavailable, "no such device");
  if (mend.mac) {
    link->mac = *mend.mac;
    state_.neighbours.clear();
  }
  if (mend.mtu) link->mtu = *mend.mtu;
  if (mend.up) link->up = true;
  return {};
}

Status FakeNetwork::apply_one(const RemoveOverlay& remove) {
  if (auto status = injected(remove); !status) return status;
  drop_link(remove.index);
  return {};
}

Status FakeNetwork::apply_one(const PutOverlayAddress& put) {
  if (auto status = injected(put); !status) return status;
  if (overlay() == nullptr) return make_error(Errc::unavailable, "no such device");
  overlay()->addresses.push_back({put.address, put.address.bits()});
  return {};
}

Status FakeNetwork::apply_one(const RemoveOverlayAddress& remove) {
  if (auto status = injected(remove); !status) return status;
  if (overlay() != nullptr) std::erase(overlay()->addresses, LinkAddress{remove.address, remove.prefix_length});
  return {};
}

Status FakeNetwork::apply_one(const SetChecksumOffload& set) {
  if (auto status = injected(set); !status) return status;
  state_.overlay_checksum_offload = set.on;
  return {};
}

Status FakeNetwork::apply_one(const PutNeighbour& put) {
  if (auto status = injected(put); !status) return status;
  if (overlay() == nullptr) return make_error(Errc::unavailable, "no such device");
  std::erase_if(state_.neighbours, [&put](const Neighbour& one) { return one.address == put.neighbour.address; });
  state_.neighbours.push_back(put.neighbour);
  return {};
}

Status FakeNetwork::apply_one(const RemoveNeighbour& remove) {
  if (auto status = injected(remove); !status) return status;
  std::erase_if(state_.neighbours, [&remove](const Neighbour& one) { return one.address == remove.neighbour.address; });
  return {};
}

Status FakeNetwork::apply_one(const PutForwarding& put) {
  if (auto status = injected(put); !status) return status;
  if (overlay() == nullptr) return make_error(Errc::unavailable, "no such device");
  const auto same = std::find_if(state_.forwarding.begin(), state_.forwarding.end(),
                                 [&put](const ForwardingEntry& one) { return one.mac == put.entry.mac; });
  if (same != state_.forwarding.end()) {
    same->remote = put.entry.remote;  // the first of several, as the kernel does
  } else {
    state_.forwarding.push_back(put.entry);
  }
  return {};
}

Status FakeNetwork::apply_one(const RemoveForwarding& remove) {
  if (auto status = injected(remove); !status) return status;
  std::erase(state_.forwarding, remove.entry);
  return {};
}

NetworkLink* FakeNetwork::link_of(int index) {
  const auto it = std::find_if(state_.links.begin(), state_.links.end(),
                               [index](const NetworkLink& link) { return link.index == index; });
  return it == state_.links.end() ? nullptr : &*it;
}

Status FakeNetwork::apply_one(const PutLinkAddress& put) {
  if (auto status = injected(put); !status) return status;
  NetworkLink* link = link_of(put.link);
  if (link == nullptr) return make_error(Errc::unavailable, "no such device");
  if (link->v6 && link->v6->disabled)
    return make_error(Errc::denied, describe(put) + ": IPv6 is disabled on this device");
  link->addresses.push_back(put.address);
  return {};
}

Status FakeNetwork::apply_one(const RemoveLinkAddress& remove) {
  if (auto status = injected(remove); !status) return status;
  if (NetworkLink* link = link_of(remove.link)) std::erase(link->addresses, remove.address);
  return {};
}

}  // namespace slipway::test
