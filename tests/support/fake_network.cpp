#include "tests/support/fake_network.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>
#include <variant>

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

boost::asio::awaitable<Status> FakeNetwork::changed() {
  const auto executor = co_await boost::asio::this_coro::executor;
  while (!change_pending_) {
    wake_ =
        std::make_shared<boost::asio::steady_timer>(executor, boost::asio::steady_timer::time_point::max());
    const auto timer = wake_;
    co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != boost::asio::cancellation_type::none)
      co_return make_error(Errc::canceled, "waiting for network events: canceled");
  }
  change_pending_ = false;
  co_return Status{};
}

Result<IpAddress> FakeNetwork::address_towards(const IpAddress&) {
  if (state_.links[0].addresses.empty()) return make_error(Errc::unavailable, "no route");
  return state_.links[0].addresses[0].address;
}

void FakeNetwork::set_link_up(bool up) {
  state_.links[0].up = state_.links[0].carrier = up;
  if (!up) std::erase_if(state_.routes, [](const MarkedRoute& route) { return !route.blackhole; });
  notify();
}

void FakeNetwork::notify() {
  change_pending_ = true;
  if (wake_) wake_->cancel();
}

Status FakeNetwork::injected(const NetworkStep& step) const {
  const auto it = step_errors.find(describe(step));
  if (it == step_errors.end()) return {};
  return it->second;
}

bool FakeNetwork::adjacent(const IpAddress& gateway) const {
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
  const auto& gateway = put.route.gateway;
  if (gateway && (!state_.links[0].up || !adjacent(*gateway)))
    return make_error(Errc::unavailable,
                      describe(put) + ": " + gateway->to_string() + " is not directly reachable");
  const MarkedRoute& route = put.route;
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
  for (ObservedSysctl& one : state_.sysctls) {
    if (one.key != set.sysctl.key || !one.value) continue;
    one.value = set.sysctl.value;
    return {};
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
  std::erase_if(state_.links, [&remove](const NetworkLink& link) { return link.index == remove.index; });
  return {};
}

}  // namespace slipway::test
