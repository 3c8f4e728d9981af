#include "agent/service/stored_desired.hpp"

#include "agent/domain/desired_merge.hpp"
#include "proto/codec.hpp"

namespace slipway {

Result<proto::DesiredState> desired_of(const StoredDesired& stored) {
  auto desired = proto::decode<proto::DesiredState>(stored.json);
  if (!desired) return context(desired.error(), "reading the last desired state");
  for (const std::string& json : stored.deltas) {
    const auto delta = proto::decode<proto::DesiredDelta>(json);
    if (!delta || delta->epoch != desired->epoch || delta->from != desired->revision) continue;
    if (auto next = merged(*desired, *delta)) desired = std::move(next);
  }
  return desired;
}

}  // namespace slipway
