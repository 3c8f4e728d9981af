#include "agent/domain/desired_order.hpp"

#include <algorithm>
#include <set>
#include <string_view>

namespace slipway {

namespace {

Error goes_back(const std::string& what) {
  return make_error(Errc::conflict, "the coordinator's desired state is older than what this node has: " + what +
                                        "; what is known is kept. Was its store replaced by an old copy? Restore the newest one");
}

}  // namespace

Status may_follow(const DesiredPlace& held, const std::vector<std::string>& left, const DesiredPlace& offered) {
  if (offered.epoch == held.epoch) {
    if (offered.revision >= held.revision) return {};
    return goes_back("revision " + std::to_string(offered.revision) + " after " + std::to_string(held.revision));
  }
  if (std::find(left.begin(), left.end(), offered.epoch) == left.end()) return {};
  return goes_back("epoch " + offered.epoch + " was left for " + held.epoch);
}

std::vector<std::string> epochs_left(const DesiredPlace& held, std::vector<std::string> left, const DesiredPlace& offered) {
  if (held.epoch == offered.epoch) return left;
  left.push_back(held.epoch);
  if (left.size() > k_left_epochs) left.erase(left.begin());
  return left;
}

bool loses_most(const std::vector<proto::PeerNode>& held, const std::vector<proto::PeerNode>& offered) {
  std::set<std::string_view> there;
  for (const proto::PeerNode& node : offered) there.insert(node.uid);
  const auto kept = std::count_if(held.begin(), held.end(), [&there](const proto::PeerNode& node) { return there.contains(node.uid); });
  return static_cast<std::size_t>(kept) * 2 < held.size();
}

Doubt told_again(const Doubt& doubt, const DesiredPlace& offered) {
  const bool same = doubt.told > 0 && doubt.place.epoch == offered.epoch && offered.revision >= doubt.place.revision;
  return {offered, same ? doubt.told + 1 : 1};
}

Status confirmed(const Doubt& doubt) {
  if (doubt.told > k_confirmations) return {};
  return make_error(Errc::conflict, "the coordinator's desired state lacks most of the nodes that this node knows: what is known is kept until it was told " +
                                        std::to_string(k_confirmations + 1) + " times in a row, so far " + std::to_string(doubt.told));
}

}  // namespace slipway
