#include "coordinator/ctl/commands.hpp"

#include "common/config/yaml_to_json.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

using http::Method;

struct Runner {
  const CommandLine& line;
  Connection& connection;
  Console& console;

  bool document() const { return line.format == Format::json || line.format == Format::yaml; }
  bool wide() const { return line.format == Format::wide; }

  // Prints the answer as it came, or as `text` makes it.
  template <class T, class Text>
  int show(http::Request request, Text text) {
    std::string json;
    const auto value = ask<T>(connection, std::move(request), &json);
    if (!value) return fail(console, value.error());
    console.out << (document() ? render_document(json, line.format) : text(*value));
    return k_ok;
  }

  int done(http::Request request, const std::string& text) {
    const auto response = exchange(connection, std::move(request));
    if (!response) return fail(console, response.error());
    console.out << text << "\n";
    return k_ok;
  }

  // All pages as one list.
  template <class T>
  Result<T> all_pages(const std::string& path) {
    T whole;
    std::string next;
    do {
      const std::string target = next.empty() ? path : path + "?continue=" + percent_encode(next);
      auto page = ask<T>(connection, make_request(Method::get, target));
      if (!page) return page.error();
      for (auto& item : page->items) whole.items.push_back(std::move(item));
      next = page->next;
    } while (!next.empty());
    return whole;
  }

  int operator()(const TokenCreate& wish) {
    const proto::TokenRequest request{wish.ttl, wish.max_uses, wish.role, wish.node};
    const bool quiet = wish.quiet;
    return show<proto::TokenReply>(
        make_request(Method::post, "/v1/tokens", proto::encode(request)),
        [quiet](const proto::TokenReply& reply) {
          if (quiet) return reply.token + "\n";
          return reply.token + "\n\nValid until " + reply.expires_at +
                 ". It is not shown again. Put it into a file of mode 0600 on the host and run there:\n  " +
                 reply.join_command + "\n";
        });
  }
  int operator()(const TokenList&) {
    const WallTime now = console.now;
    return show<proto::TokenList>(
        make_request(Method::get, "/v1/tokens"),
        [now](const proto::TokenList& list) { return render(token_table(list, now)); });
  }
  int operator()(const TokenDelete& wish) {
    return done(make_request(Method::del, "/v1/tokens/" + percent_encode(wish.id)),
                "token " + wish.id + " deleted");
  }
  int operator()(const NodeList& wish) {
    const auto nodes = all_pages<proto::NodeList>("/v1/nodes");
    if (!nodes) return fail(console, nodes.error());
    console.out << (document() ? render_document(proto::encode(*nodes), line.format)
                               : render(node_table(*nodes, wide(), console.now)));
    if (!wish.all) return k_ok;
    console.out << (line.format == Format::yaml ? "---\n" : document() ? "" : "\n");
    const WallTime now = console.now;
    return show<proto::JoinAttemptList>(
        make_request(Method::get, "/v1/joins"),
        [now](const proto::JoinAttemptList& list) { return render(attempt_table(list, now)); });
  }
  int operator()(const NodeGet& wish) {
    const WallTime now = console.now;
    return show<proto::NodeView>(make_request(Method::get, "/v1/nodes/" + percent_encode(wish.name)),
                                 [now](const proto::NodeView& node) { return node_text(node, now); });
  }
  int operator()(const NodeDelete& wish) {
    return done(make_request(Method::del, "/v1/nodes/" + percent_encode(wish.name)),
                "node " + wish.name +
                    " removed: its identity is refused from now on and its pod block is in quarantine");
  }
  int operator()(const ClusterGet&) {
    return show<proto::ClusterView>(make_request(Method::get, "/v1/cluster"), cluster_text);
  }
  int operator()(const ClusterApply& wish) {
    const auto yaml = read_file(wish.file, 1024 * 1024);
    if (!yaml) return fail(console, error_of(yaml, "reading the cluster settings"));
    const auto json = yaml_to_json(*yaml, wish.file);
    if (!json) return fail(console, json.error());
    const auto spec = proto::decode_strict<proto::ClusterSpec>(*json);
    if (!spec) return fail(console, error_of(spec, wish.file));
    return show<proto::ClusterView>(make_request(Method::put, "/v1/cluster", proto::encode(*spec)),
                                    cluster_text);
  }
  int operator()(const ClusterKubeconfig& wish) { return make_kubeconfig(wish, connection, console); }
  int operator()(const ArtifactImport& wish) { return import_artifact(wish, connection, console); }
  int operator()(const ArtifactList&) {
    const WallTime now = console.now;
    const bool is_wide = wide();
    return show<proto::ArtifactList>(make_request(Method::get, "/v1/artifacts"),
                                     [now, is_wide](const proto::ArtifactList& list) {
                                       return render(artifact_table(list, is_wide, now));
                                     });
  }
  int operator()(const CertsCheckExpiration&) {
    const auto list = all_pages<proto::CertificateList>("/v1/certificates");
    if (!list) return fail(console, list.error());
    console.out << (document() ? render_document(proto::encode(*list), line.format)
                               : render(certificate_table(*list, wide(), console.now)));
    return k_ok;
  }
  int operator()(const CertsStatus&) {
    const WallTime now = console.now;
    return show<proto::CaList>(make_request(Method::get, "/v1/cas"),
                               [now](const proto::CaList& list) { return ca_text(list, now); });
  }
  int operator()(const CertsRotateCa& wish) {
    proto::CaChangeRequest request;
    request.action = wish.prepare ? "prepare" : wish.activate ? "activate" : wish.retire ? "retire" : "abort";
    request.force = wish.force;
    request.from_files = wish.from_files;
    const WallTime now = console.now;
    return show<proto::CaView>(make_request(Method::post, "/v1/cas/" + percent_encode(wish.kind), proto::encode(request)),
                               [now](const proto::CaView& ca) { return ca_text({{ca}}, now); });
  }
  int operator()(const Health&) {
    auto report = ask<proto::HealthReport>(connection, make_request(Method::get, "/v1/health"));
    if (!report) return fail(console, report.error());
    console.out << (document() ? render_document(proto::encode(*report), line.format)
                               : render(health_table(*report)));
    return report->ok ? k_ok : k_failed;
  }
};

}  // namespace

int run_command(const CommandLine& line, Connection& connection, Console console) {
  Runner runner{line, connection, console};
  return std::visit(runner, line.command);
}

int exit_code_of(const Error& error) {
  switch (error.code) {
    case Errc::invalid:
      return k_usage;
    case Errc::unauthenticated:
    case Errc::denied:
      return k_denied;
    case Errc::timeout:
      return k_timed_out;
    default:
      return k_failed;
  }
}

int fail(Console& console, const Error& error) {
  console.err << "slipwayctl: " << error.message << "\n";
  return exit_code_of(error);
}

}  // namespace slipway::ctl
