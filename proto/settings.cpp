#include "proto/settings.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/core/text.hpp"

namespace slipway::proto {

namespace {

using Json = nlohmann::json;

constexpr std::size_t k_label_part = 63;

Json parsed(const RawJson& raw) {
  Json json = Json::parse(raw.text.empty() ? "{}" : raw.text, nullptr, false);
  return json.is_object() ? json : Json::object();
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Two patches as one: what the two would do one after the other, null included.
void compose(Json& base, const Json& patch) {
  if (!patch.is_object() || !base.is_object()) {
    base = patch;
    return;
  }
  for (const auto& [key, value] : patch.items()) compose(base[key], value);
}

void merge_args(std::vector<std::string>& base, const std::vector<std::string>& later) {
  std::erase_if(base, [&later](const std::string& argument) {
    return std::any_of(later.begin(), later.end(), [&argument](const std::string& other) {
      return flag_name(other) == flag_name(argument);
    });
  });
  base.insert(base.end(), later.begin(), later.end());
}

bool meets(const Taint& taint, const Taint& other) {
  return taint.key == other.key && (taint.effect == other.effect || other.effect.empty());
}

void merge_taints(std::vector<std::string>& base, const std::vector<std::string>& later) {
  for (const std::string& text : later) {
    const auto taint = parse_taint(text);
    if (!taint) continue;  // refused where it was given
    std::erase_if(base, [&taint](const std::string& other) {
      const auto there = parse_taint(other);
      return there && meets(*there, *taint);
    });
    if (!taint->taken_away) base.push_back(taint->text());
  }
}

void merge_marks(NodeSettings& base, const NodeSettings& later) {
  for (const auto& [key, value] : later.labels) {
    if (value)
      base.labels[key] = value;
    else
      base.labels.erase(key);
  }
  merge_taints(base.taints, later.taints);
}

// Path -> value and level.
using Values = std::map<std::string, std::pair<std::string, std::string>>;

void drop_below(Values& values, const std::string& path) {
  const std::string prefix = path + "/";
  auto at = values.lower_bound(prefix);
  while (at != values.end() && at->first.starts_with(prefix)) at = values.erase(at);
}

std::string escaped(std::string key) {
  for (std::size_t at = 0; (at = key.find_first_of("~/", at)) != std::string::npos; at += 2)
    key.replace(at, 1, key[at] == '~' ? "~0" : "~1");
  return key;
}

void note_config(Values& values, const std::string& path, const Json& json, const std::string& level) {
  if (json.is_object() && !json.empty()) {
    values.erase(path);
    for (const auto& [key, item] : json.items()) note_config(values, path + "/" + escaped(key), item, level);
    return;
  }
  drop_below(values, path);
  values[path] = {text_of(json), level};
}

void note_args(Values& values, const std::string& path, const std::vector<std::string>& args,
               const std::string& level) {
  std::map<std::string, std::vector<std::string>> by_name;
  for (const std::string& argument : args) by_name[flag_name(argument)].push_back(argument);
  for (const auto& [name, same] : by_name)
    values[path + "/" + name] = {text_of(Json(join(same, " "))), level};
}

void note_component(Values& values, const std::string& name, const ComponentSettings& component,
                    const std::string& level) {
  const Json config = parsed(component.config);
  if (!config.empty()) note_config(values, name + ".config", config, level);
  note_args(values, name + ".extraArgs", component.extra_args, level);
}

void note_taints(Values& values, const std::vector<std::string>& taints, const std::string& level) {
  for (const std::string& text : taints) {
    const auto taint = parse_taint(text);
    if (!taint) continue;
    std::erase_if(values, [&taint](const auto& entry) {
      const auto& [path, value] = entry;
      const std::string mine = "taints/" + taint->key + ":";
      return path.starts_with(mine) && (taint->effect.empty() || path == mine + taint->effect);
    });
    if (!taint->taken_away) values["taints/" + taint->id()] = {text_of(Json(taint->value)), level};
  }
}

Values flat(const std::vector<SettingsLevel>& levels, bool with_marks) {
  Values values;
  for (const SettingsLevel& level : levels) {
    note_component(values, "kubelet", level.settings.kubelet, level.name);
    note_component(values, "kubeProxy", level.settings.kube_proxy, level.name);
    if (!with_marks) continue;
    for (const auto& [key, value] : level.settings.labels) {
      if (value)
        values["labels/" + key] = {text_of(Json(*value)), level.name};
      else
        values.erase("labels/" + key);
    }
    note_taints(values, level.settings.taints, level.name);
  }
  return values;
}

}  // namespace

std::vector<SettingsLevel> levels_of(const ClusterSpec& cluster, const NodeOverrides& own) {
  std::vector<SettingsLevel> levels(1);
  levels[0].name = "cluster";
  levels[0].settings = {{cluster.kubelet.config, cluster.kubelet.extra_args},
                        cluster.kube_proxy,
                        cluster.node_labels,
                        cluster.node_taints};
  for (const NodeGroup& group : cluster.node_groups) {
    const bool in = std::find(own.groups.begin(), own.groups.end(), group.name) != own.groups.end();
    if (in) levels.push_back({"group " + group.name, group.settings});
  }
  if (own.settings != NodeSettings{}) levels.push_back({"node", own.settings});
  return levels;
}

NodeSettings merged(const std::vector<SettingsLevel>& levels) {
  NodeSettings all;
  Json kubelet = Json::object();
  Json kube_proxy = Json::object();
  for (const SettingsLevel& level : levels) {
    compose(kubelet, parsed(level.settings.kubelet.config));
    compose(kube_proxy, parsed(level.settings.kube_proxy.config));
    merge_args(all.kubelet.extra_args, level.settings.kubelet.extra_args);
    merge_args(all.kube_proxy.extra_args, level.settings.kube_proxy.extra_args);
    merge_marks(all, level.settings);
  }
  all.kubelet.config.text = text_of(kubelet);
  all.kube_proxy.config.text = text_of(kube_proxy);
  return all;
}

NodeSettings merged_marks(const std::vector<SettingsLevel>& levels) {
  NodeSettings marks;
  for (const SettingsLevel& level : levels) merge_marks(marks, level.settings);
  return marks;
}

std::vector<SettingValue> values_of(const std::vector<SettingsLevel>& levels) {
  std::vector<SettingValue> values;
  for (const auto& [path, value] : flat(levels, true)) values.push_back({path, value.first, value.second});
  return values;
}

std::vector<SettingDifference> differences(const NodeSettings& running,
                                           const std::vector<SettingsLevel>& wanted) {
  const Values now = flat({{"", running}}, false);
  const Values then = flat(wanted, false);
  std::vector<SettingDifference> found;
  for (const auto& [path, value] : then) {
    const auto there = now.find(path);
    const std::string runs = there == now.end() ? std::string() : there->second.first;
    if (runs != value.first) found.push_back({path, runs, value.first, value.second});
  }
  for (const auto& [path, value] : now) {
    if (then.count(path) == 0) found.push_back({path, value.first, "", ""});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

ClusterSpec with_settings(ClusterSpec cluster, const NodeSettings& settings) {
  cluster.kubelet.config = settings.kubelet.config;
  cluster.kubelet.extra_args = settings.kubelet.extra_args;
  cluster.kube_proxy = settings.kube_proxy;
  // What no component is rendered from must not look like a change of it.
  cluster.node_labels.clear();
  cluster.node_taints.clear();
  cluster.node_groups.clear();
  return cluster;
}

std::vector<std::string> keys_of(const RawJson& map) {
  std::vector<std::string> keys;
  const Json json = parsed(map);  // items() refers to it
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  return keys;
}

std::string flag_name(std::string_view argument) {
  return std::string(argument.substr(0, argument.find('=')));
}

bool is_label_value(std::string_view value) {
  const auto ends = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (value.empty()) return true;
  return value.size() <= k_label_part && ends(value.front()) && ends(value.back()) &&
         std::all_of(value.begin(), value.end(),
                     [&ends](char c) { return ends(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_label_key(std::string_view key) {
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return !key.empty() && is_label_value(key);
  const std::string_view name = key.substr(slash + 1);
  return is_dns_subdomain(key.substr(0, slash)) && !name.empty() && is_label_value(name);
}

Result<Taint> parse_taint(std::string_view text) {
  const auto wrong = [&text](const char* what) {
    std::string line(text.substr(0, 80));
    std::replace_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
    return make_error(Errc::invalid, "\"" + line + "\" " + what);
  };
  Taint taint;
  std::string_view rest = text;
  taint.taken_away = rest.ends_with('-');
  if (taint.taken_away) rest.remove_suffix(1);
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos) taint.effect = rest.substr(colon + 1);
  rest = rest.substr(0, colon);
  const std::size_t equals = rest.find('=');
  taint.key = rest.substr(0, equals);
  if (equals != std::string_view::npos) taint.value = rest.substr(equals + 1);
  if (!is_label_key(taint.key))
    return wrong("is no taint: write key=value:NoSchedule, or key:NoSchedule- to take one away");
  if (!is_label_value(taint.value)) return wrong("has a value that no taint can have");
  const bool known =
      taint.effect == "NoSchedule" || taint.effect == "PreferNoSchedule" || taint.effect == "NoExecute";
  if (!known && !(taint.taken_away && taint.effect.empty()))
    return wrong("has no effect of Kubernetes: NoSchedule, PreferNoSchedule or NoExecute");
  return taint;
}

}  // namespace slipway::proto
