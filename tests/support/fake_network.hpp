#pragma once
// The Network port in memory: behaves as a faithful kernel with one underlay link. Passes the contract of the
// real one.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/ports/network.hpp"

namespace slipway::test {

class FakeNetwork final : public Network {
 public:
  // One link "eth0" with index 2.
  FakeNetwork(IpAddress node_address, int prefix_length);

  Result<NetworkObserved> observe() override;
  std::vector<Status> apply(const std::vector<NetworkStep>& steps) override;
  boost::asio::awaitable<Result<NetworkNews>> changed() override;
  Result<IpAddress> address_towards(const IpAddress&) override;

  // What happens to the machine from outside.
  void set_link_up(bool up);
  void notify(NetworkNews news = NetworkNews::links);
  NetworkObserved& state() { return state_; }

  std::optional<Error> observe_error;
  std::map<std::string, Error> step_errors;  // by describe(step)
  std::vector<NetworkStep> applied;
  int observe_count = 0;

 private:
  Status injected(const NetworkStep& step) const;
  bool adjacent(const IpAddress& gateway) const;
  Status apply_one(const PutRoute& put);
  Status apply_one(const RemoveRoute& remove);
  Status apply_one(const PutMasquerade& put);
  Status apply_one(const RemoveMasquerade& remove);
  Status apply_one(const PutForward& put);
  Status apply_one(const RemoveForward& remove);
  Status apply_one(const LoadModule& load);
  Status apply_one(const SetSysctl& set);
  Status apply_one(const WriteNetworkFile& write);
  Status apply_one(const RemoveBridge& remove);
  Status apply_one(const PutOverlay& put);
  Status apply_one(const MendOverlay& mend);
  Status apply_one(const RemoveOverlay& remove);
  Status apply_one(const PutOverlayAddress& put);
  Status apply_one(const RemoveOverlayAddress& remove);
  Status apply_one(const SetChecksumOffload& set);
  Status apply_one(const PutNeighbour& put);
  Status apply_one(const RemoveNeighbour& remove);
  Status apply_one(const PutForwarding& put);
  Status apply_one(const RemoveForwarding& remove);
  Status apply_one(const PutLinkAddress& put);
  Status apply_one(const RemoveLinkAddress& remove);
  NetworkLink* link_of(int index);
  NetworkLink* overlay();
  void drop_link(int index);

  NetworkObserved state_;
  int next_index_ = 100;
  std::optional<NetworkNews> pending_;
  std::shared_ptr<boost::asio::steady_timer> wake_;
};

}  // namespace slipway::test
