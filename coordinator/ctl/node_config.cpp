// `node config`: a node's settings with where each comes from, what differs from what runs, and the node's
// own set anew.
#include "common/config/yaml_to_json.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

using http::Method;

constexpr std::size_t k_max_file = 64 * 1024;

std::string path_of(const std::string& name) {
  return "/v1/nodes/" + percent_encode(name) + "/config";
}
std::string dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

std::string state_text(const proto::NodeConfigView& view) {
  if (view.state.empty())
    return "what the node runs with is not known: it was not heard since the coordinator's start, or its "
           "agent is older\n";
  return "state: " + printable(view.state) + (view.message.empty() ? "" : ": " + printable(view.message)) +
         "\n";
}

std::string config_text(const proto::NodeConfigView& view) {
  Table table{{"SETTING", "VALUE", "FROM"}, {}};
  for (const proto::SettingValue& value : view.values)
    table.rows.push_back({value.path, value.value, value.level});
  const std::string settings =
      table.rows.empty() ? "nothing is set beyond what Slipway renders\n" : render(table);
  return settings + state_text(view);
}

std::string diff_text(const proto::NodeConfigView& view) {
  if (view.state.empty()) return state_text(view);
  if (view.differences.empty()) return "the node runs with what is wanted\n" + state_text(view);
  Table table{{"SETTING", "RUNNING", "WANTED", "FROM"}, {}};
  for (const proto::SettingDifference& one : view.differences)
    table.rows.push_back({one.path, dash(one.running), dash(one.wanted), dash(one.level)});
  return render(table) + state_text(view);
}

struct Written {
  proto::NodeSettings settings;
  Places places;  // of its fields, for what the coordinator finds wrong with them
};

Result<Written> read_settings(const std::string& file) {
  const auto text = read_file(file, k_max_file);
  if (!text) return error_of(text, "reading the node's settings");
  auto yaml = read_yaml(*text, file);
  if (!yaml) return yaml.error();
  auto settings = proto::decode_strict<proto::NodeSettings>(yaml->json);
  if (!settings) return yaml->places.located(settings.error());
  return Written{std::move(*settings), std::move(yaml->places)};
}

int show(const NodeConfig& wish, const proto::NodeConfigView& view, const std::string& json, Format format,
         Console& console) {
  const bool document = format == Format::json || format == Format::yaml;
  console.out << (document ? render_document(json, format) : wish.diff ? diff_text(view) : config_text(view));
  return k_ok;
}

// On what was shown and nothing else: a change that somebody made meanwhile is not overwritten.
int set_config(const NodeConfig& wish, Format format, Connection& connection, Console& console) {
  const Result<Written> written = wish.clear ? Result<Written>(Written{}) : read_settings(wish.file);
  if (!written) return fail(console, written.error());
  const auto living = exchange(connection, make_request(Method::get, path_of(wish.name)));
  if (!living) return fail(console, living.error());
  if (!confirmed(wish.yes,
                 "replace the own settings of node " + wish.name + "; its kubelet or kube-proxy may restart",
                 console))
    return k_usage;
  http::Request request = make_request(Method::put, path_of(wish.name), proto::encode(written->settings));
  if (const std::string* etag = living->headers.find("ETag")) request.headers.set("If-Match", *etag);
  std::string json;
  const auto view = ask<proto::NodeConfigView>(connection, std::move(request), &json);
  if (!view) return fail(console, written->places.located(view.error()));
  return show(wish, *view, json, format, console);
}

}  // namespace

int node_config(const NodeConfig& wish, Format format, Connection& connection, Console& console) {
  if (wish.clear || !wish.file.empty()) return set_config(wish, format, connection, console);
  std::string json;
  const auto view =
      ask<proto::NodeConfigView>(connection, make_request(Method::get, path_of(wish.name)), &json);
  if (!view) return fail(console, view.error());
  return show(wish, *view, json, format, console);
}

}  // namespace slipway::ctl
