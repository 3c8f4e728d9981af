#include "agent/domain/desired_order.hpp"

#include <algorithm>

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

}  // namespace slipway
