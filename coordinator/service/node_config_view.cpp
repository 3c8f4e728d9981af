#include "coordinator/service/node_config_view.hpp"

#include "coordinator/domain/node_overrides.hpp"
#include "proto/codec.hpp"

namespace slipway {

proto::NodeConfigView node_config_view(const State& state, const Node& node, const NodeContact* contact) {
  proto::NodeConfigView view;
  view.name = node.name;
  const proto::NodeOverrides own = overrides_of(state, node);
  view.groups = own.groups;
  view.settings = own.settings;
  std::vector<proto::SettingsLevel> levels = proto::levels_of(state.cluster().spec, own);
  const bool told = contact != nullptr && contact->report.settings.has_value();
  if (told && contact->host_settings) {
    // A host's word was checked by nobody: what is no settings is left out.
    if (auto host = proto::decode<proto::NodeSettings>(*contact->host_settings))
      levels.push_back({"host", std::move(*host)});
  }
  view.effective = proto::merged(levels);
  view.values = proto::values_of(levels);
  if (!told) return view;
  view.state = contact->report.settings->state;
  view.message = contact->report.settings->message;
  const auto running = contact->running_settings
                           ? proto::decode<proto::NodeSettings>(*contact->running_settings)
                           : Result<proto::NodeSettings>(proto::NodeSettings{});
  if (running) view.differences = proto::differences(*running, levels);
  return view;
}

}  // namespace slipway
