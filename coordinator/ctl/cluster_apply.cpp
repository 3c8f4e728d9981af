// `cluster apply`: tried first, shown and confirmed, then made on what was confirmed.
#include "common/config/yaml_to_json.hpp"
#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/ctl/cluster_settings.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/ctl/spec_changes.hpp"

namespace slipway::ctl {

namespace {

using http::Method;

struct Written {
  proto::ClusterSpec spec;
  Places places;  // of its fields, for what the coordinator finds wrong with them
};

Result<Written> read_spec(const std::string& file) {
  const auto text = read_file(file, 1024 * 1024);
  if (!text) return error_of(text, "reading the cluster settings");
  auto yaml = read_yaml(*text, file);
  if (!yaml) return yaml.error();
  auto spec = proto::decode_strict<proto::ClusterSpec>(yaml->json);
  if (!spec) return yaml->places.located(spec.error());
  return Written{std::move(*spec), std::move(yaml->places)};
}

int show(const proto::ClusterView& view, Format format, Console& console) {
  const bool document = format == Format::json || format == Format::yaml;
  console.out << (document ? render_document(proto::encode(view), format) : cluster_text(view));
  return k_ok;
}

}  // namespace

int apply_cluster(const ClusterApply& wish, Format format, Connection& connection, Console& console) {
  const auto written = read_spec(wish.file);
  if (!written) return fail(console, written.error());
  const std::string body = proto::encode(written->spec);
  const auto living = read_cluster(connection);
  if (!living) return fail(console, living.error());
  const auto planned = ask<proto::ClusterView>(connection, make_request(Method::post, "/v1/cluster/plan", body));
  if (!planned) return fail(console, written->places.located(planned.error()));
  const auto changes = spec_changes(living->view.spec, planned->spec);
  for (const std::string& change : changes) console.err << change << "\n";
  if (changes.empty()) console.err << "nothing changes\n";
  if (wish.dry_run) return show(*planned, format, console);
  if (!changes.empty() && !confirmed(wish.yes, "change " + std::to_string(changes.size()) + " settings of cluster " + living->view.spec.metadata.name, console)) return k_usage;
  const auto applied = put_cluster(body, living->etag, connection);
  if (!applied) return fail(console, applied.error());
  const int shown = show(*applied, format, console);
  if (!wish.wait) return shown;
  const std::uint64_t revision = applied->desired_revision;
  return wait_until("nodes that have applied it", wish.timeout,
                    [&connection, &console, revision] { return nodes_behind(revision, connection, console.clock ? console.clock() : console.now); }, console);
}

}  // namespace slipway::ctl
