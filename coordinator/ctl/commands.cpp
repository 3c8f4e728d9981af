#include "coordinator/ctl/commands.hpp"

#include <algorithm>

#include "common/core/ip.hpp"
#include "common/core/text.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

using http::Method;

// Empty values are no filter.
std::string with_query(std::string target, const std::vector<std::pair<const char*, std::string>>& filters) {
  char mark = '?';
  for (const auto& [name, value] : filters) {
    if (value.empty()) continue;
    target += mark + std::string(name) + "=" + percent_encode(value);
    mark = '&';
  }
  return target;
}

// The list with its filters as a request target.
std::string nodes_target(const NodeList& wish) {
  return with_query("/v1/nodes", {{"role", wish.role},
                                  {"phase", wish.phase},
                                  {"labelSelector", wish.selector},
                                  {"watch", wish.watch && !wish.all ? "true" : ""}});
}

// As tools show them: "AB:CD:...", with or without "SHA256:".
std::string lower_fingerprint(std::string text) {
  text = lower(text);
  if (text.starts_with("sha256:")) text.erase(0, 7);
  std::erase(text, ':');
  return text;
}

std::string pool_path(const std::string& name) {
  return "/v1/pools/" + percent_encode(name);
}

// What a step of replacing a CA does that others notice.
std::string rotation_question(const CertsRotateCa& wish) {
  if (wish.activate) return "sign by the new " + wish.kind + " authority and renew all certificates of the old one";
  if (wish.retire && wish.force)
    return "end all trust in the old " + wish.kind + " authority, although certificates or tokens may still need it, and delete its key";
  if (wish.retire) return "end all trust in the old " + wish.kind + " authority and delete its key";
  if (wish.prepare) return "make a new " + wish.kind + " authority and let all nodes trust it besides the old one, which restarts some components";
  return "go back to the old " + wish.kind + " authority and drop the other one";
}

// Which commands are run again and again.
struct Repeats {
  bool operator()(const Health& wish) const { return wish.watch; }
  bool operator()(const PoolList& wish) const { return wish.watch; }
  bool operator()(const UpgradeStatus& wish) const { return wish.watch; }
  bool operator()(const CertsStatus& wish) const { return wish.watch; }
  bool operator()(const NodeList& wish) const { return wish.watch && wish.all; }
  template <class Other> bool operator()(const Other&) const { return false; }
};

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

  static std::string token_text(const proto::TokenReply& reply) {
    return reply.token + "\n\nValid until " + reply.expires_at +
           ". It is not shown again. Put it into a file of mode 0600 on the host and run there:\n  " +
           reply.join_command + "\n";
  }

  // All pages of a list, as a document or as `table` makes it.
  template <class T, class ToTable>
  int show_list(const std::string& target, ToTable table) {
    const auto list = ask_all<T>(connection, target);
    if (!list) return fail(console, list.error());
    console.out << (document() ? render_document(proto::encode(*list), line.format) : render(table(*list)));
    return k_ok;
  }

  int operator()(const TokenCreate& wish) {
    const proto::TokenRequest request{wish.ttl, wish.max_uses, wish.role, wish.node, wish.pool, wish.sources};
    const bool quiet = wish.quiet;
    return show<proto::TokenReply>(
        make_request(Method::post, "/v1/tokens", proto::encode(request)),
        [quiet](const proto::TokenReply& reply) {
          return quiet ? reply.token + "\n" : token_text(reply);
        });
  }
  int operator()(const TokenList& wish) {
    const std::string target = with_query("/v1/tokens", {{"role", wish.role}, {"state", wish.state}});
    return show_list<proto::TokenList>(target, [this](const auto& list) { return token_table(list, console.now); });
  }
  int operator()(const TokenDelete& wish) {
    if (!confirmed(wish.yes, "delete join token " + wish.id + ": hosts that have it cannot join any more", console)) return k_usage;
    return done(make_request(Method::del, "/v1/tokens/" + percent_encode(wish.id)),
                "token " + wish.id + " deleted");
  }
  int operator()(const NodeList& wish) {
    const std::string target = nodes_target(wish);
    if (wish.watch && !wish.all) return watch_nodes(target, line, connection, console);
    const auto nodes = ask_all<proto::NodeList>(connection, target);
    if (!nodes) return fail(console, nodes.error());
    if (wish.all) return overview(*nodes);
    console.out << (document() ? render_document(proto::encode(*nodes), line.format)
                               : render(node_table(*nodes, wide(), console.now)));
    return k_ok;
  }
  // Nodes, who waits to be one, and who tried: one document.
  int overview(const proto::NodeList& nodes) {
    auto pending = ask_all<proto::PendingNodeList>(connection, "/v1/pending");
    if (!pending) return fail(console, pending.error());
    auto joins = ask_all<proto::JoinAttemptList>(connection, "/v1/joins");
    if (!joins) return fail(console, joins.error());
    if (document()) {
      const proto::NodeOverview whole{nodes.items, std::move(pending->items), std::move(joins->items)};
      console.out << render_document(proto::encode(whole), line.format);
      return k_ok;
    }
    console.out << render(node_table(nodes, wide(), console.now));
    if (!pending->items.empty()) console.out << "\n" << render(pending_table(*pending, wide(), console.now));
    console.out << "\n" << render(attempt_table(*joins, console.now));
    return k_ok;
  }
  int operator()(const NodeGet& wish) {
    const WallTime now = console.now;
    return show<proto::NodeView>(make_request(Method::get, "/v1/nodes/" + percent_encode(wish.name)),
                                 [now](const proto::NodeView& node) { return node_text(node, now); });
  }
  int operator()(const NodeDelete& wish) {
    const std::string question = "remove node " + wish.name + " for good: its identity ends, its pods' addresses are given back";
    if (!confirmed(wish.yes, question, console)) return k_usage;
    const auto response = exchange(connection, make_request(Method::del, "/v1/nodes/" + percent_encode(wish.name)));
    if (!response) return fail(console, response.error());
    console.out << "node " << wish.name << " removed: its identity is refused from now on and its pod block is in quarantine"
                << leftover_text(wish.name, connection) << "\n";
    return k_ok;
  }
  int operator()(const NodeCordon& wish) { return cordon_node(wish, line.format, connection, console); }
  int operator()(const NodeConfig& wish) { return node_config(wish, line.format, connection, console); }
  int operator()(const NodeDrain& wish) { return drain_node(wish, line.format, connection, console); }
  int operator()(const NodeApprove& wish) {
    return show<proto::PendingNodeView>(
        make_request(Method::post, "/v1/nodes/" + percent_encode(wish.name) + "/approve",
                     proto::encode(proto::ApproveRequest{lower_fingerprint(wish.fingerprint)})),
        [](const proto::PendingNodeView& node) {
          return "node " + node.name + " approved (" + node.address + ", key " + node.fingerprint +
                 "): it joins within a minute\n";
        });
  }
  int operator()(const NodeDeny& wish) {
    if (!confirmed(wish.yes, "refuse the host that waits as node " + wish.name, console)) return k_usage;
    return show<proto::PendingNodeView>(
        make_request(Method::post, "/v1/nodes/" + percent_encode(wish.name) + "/deny",
                     proto::encode(proto::DenyRequest{wish.reason})),
        [](const proto::PendingNodeView& node) {
          return "node " + node.name + " denied: the host with the key " + node.fingerprint +
                 " is refused; slipwayctl node approve " + node.name + " takes it back\n";
        });
  }
  int operator()(const NodeReplace& wish) {
    const std::string question = "end the identity of node " + wish.name + " now and let another host take its place";
    if (!confirmed(wish.yes, question, console)) return k_usage;
    const bool quiet = wish.quiet;
    return show<proto::ReplaceReply>(
        make_request(Method::post, "/v1/nodes/" + percent_encode(wish.name) + "/replace",
                     proto::encode(proto::ReplaceRequest{wish.ttl})),
        [quiet](const proto::ReplaceReply& reply) {
          if (quiet) return reply.token.token + "\n";
          return "the identity of node " + reply.node_name + " is refused from now on; its pod range " +
                 reply.pod_cidr + " waits for the host that takes its place. The token for that host:\n\n" +
                 token_text(reply.token);
        });
  }
  int show_pool(http::Request request) {
    const WallTime now = console.now;
    return show<proto::PoolView>(std::move(request),
                                 [now](const proto::PoolView& pool) { return pool_text(pool, now); });
  }
  int operator()(const PoolList&) {
    return show_list<proto::PoolList>("/v1/pools", [this](const auto& list) { return pool_table(list, wide(), console.now); });
  }
  int operator()(const PoolNodes& wish) {
    return show_list<proto::PoolTenantList>(pool_path(wish.name) + "/nodes", pool_node_table);
  }
  int operator()(const PoolGet& wish) { return show_pool(make_request(Method::get, pool_path(wish.name))); }
  int operator()(const PoolCreate& wish) {
    const proto::PoolSettings settings{wish.name, wish.ranges, wish.node_prefix_length, wish.role, wish.name_pattern,
                                       wish.only_by_name};
    return show_pool(make_request(Method::post, "/v1/pools", proto::encode(settings)));
  }
  int operator()(const PoolGrow& wish) {
    const std::string to = (wish.ranges.empty() ? "" : " by " + join(wish.ranges, ", ")) +
                           (wish.node_prefix_length == 0 ? "" : ", blocks of /" + std::to_string(wish.node_prefix_length) + " from now on");
    if (!confirmed(wish.yes, "grow pool " + wish.name + to + ": it cannot be made smaller again", console)) return k_usage;
    const proto::PoolGrowRequest request{wish.ranges, wish.node_prefix_length};
    return show_pool(make_request(Method::post, pool_path(wish.name) + "/grow", proto::encode(request)));
  }
  int operator()(const PoolDrain& wish) {
    if (!wish.undo && !confirmed(wish.yes, "give out nothing more of pool " + wish.name, console)) return k_usage;
    return show_pool(
        make_request(Method::post, pool_path(wish.name) + "/drain", proto::encode(proto::PoolDrainRequest{!wish.undo})));
  }
  int operator()(const PoolDelete& wish) {
    if (!confirmed(wish.yes, "delete pool " + wish.name, console)) return k_usage;
    return done(make_request(Method::del, pool_path(wish.name)), "pool " + wish.name + " deleted");
  }
  // Operators think of blocks, not of the pools that they lie in.
  Result<std::string> pool_of(const std::string& text) {
    const auto block = Cidr::parse(text);
    if (!block) return block.error();
    const auto list = ask_all<proto::PoolList>(connection, "/v1/pools");
    if (!list) return list.error();
    for (const proto::PoolView& pool : list->items) {
      for (const std::string& range : pool.ranges) {
        const auto parsed = Cidr::parse(range);
        if (parsed && parsed->contains(*block)) return pool.name;
      }
    }
    return make_error(Errc::invalid, text + " lies in no pool (slipwayctl pool list)");
  }
  int operator()(const PoolHold& wish) {
    const auto pool = pool_of(wish.block);
    if (!pool) return fail(console, pool.error());
    const proto::ReservationRequest request{wish.block, wish.node, wish.note};
    return show<proto::Reservation>(
        make_request(Method::post, pool_path(*pool) + "/reservations", proto::encode(request)),
        [pool](const proto::Reservation& kept) {
          return kept.block + " of pool " + *pool + (kept.node.empty() ? " is reserved" : " is kept for node " + kept.node) + "\n";
        });
  }
  int operator()(const PoolRelease& wish) {
    const auto pool = pool_of(wish.block);
    if (!pool) return fail(console, pool.error());
    std::string segment = wish.block;
    std::replace(segment.begin(), segment.end(), '/', '-');
    return done(make_request(Method::del, pool_path(*pool) + "/reservations/" + percent_encode(segment)),
                wish.block + " of pool " + *pool + " is neither reserved nor assigned any more");
  }
  int operator()(const ClusterGet&) {
    return show<proto::ClusterView>(make_request(Method::get, "/v1/cluster"), cluster_text);
  }
  int operator()(const ClusterApply& wish) { return apply_cluster(wish, line.format, connection, console); }
  int operator()(const UpgradePlan& wish) { return show_upgrade_plan(wish, line.format, connection, console); }
  int operator()(const UpgradeApply& wish) { return apply_upgrade(wish, line.format, connection, console); }
  int operator()(const UpgradePause& wish) { return pause_rollout(wish, line.format, connection, console); }
  int operator()(const UpgradeStatus&) { return show_upgrade_status(line.format, connection, console); }
  int operator()(const ClusterKubeconfig& wish) { return make_kubeconfig(wish, connection, console); }
  int operator()(const ArtifactImport& wish) { return import_artifact(wish, connection, console); }
  int operator()(const ArtifactFetch& wish) { return fetch_artifacts(wish, line.format, connection, console); }
  int operator()(const ArtifactList&) {
    return show_list<proto::ArtifactList>("/v1/artifacts", [this](const auto& list) { return artifact_table(list, wide(), console.now); });
  }
  int operator()(const ArtifactDelete& wish) {
    const std::string name = wish.component + " " + wish.version;
    if (!confirmed(wish.yes, "forget artifact " + name, console)) return k_usage;
    return done(make_request(Method::del, "/v1/artifacts/" + percent_encode(wish.component) + "/" + percent_encode(wish.version)), "artifact " + name + " deleted");
  }
  int operator()(const ArtifactCollect& wish) {
    if (!wish.dry_run && !confirmed(wish.yes, "remove all content that no artifact names", console)) return k_usage;
    const proto::CollectRequest request{wish.min_age, wish.dry_run};
    return show<proto::CollectReply>(make_request(Method::post, "/v1/artifacts/collect", proto::encode(request)), collect_text);
  }
  int operator()(const ManifestCreate& wish) { return create_manifest(wish, connection, console); }
  int operator()(const ManifestPut& wish) { return put_manifest(wish, connection, console); }
  int operator()(const ManifestGet&) {
    return show<proto::ManifestView>(make_request(Method::get, "/v1/artifact-manifest"), [](const proto::ManifestView& view) { return view.text; });
  }
  int operator()(const AuditList& wish) { return list_audit(wish, line.format, connection, console); }
  int operator()(const AuditVerify&) { return verify_audit(line.format, connection, console); }
  int operator()(const CertsList& wish) {
    return wish.revoked ? list_revoked(line.format, connection, console) : (*this)(CertsCheckExpiration{});
  }
  int operator()(const CertsCheckExpiration& wish) {
    const auto within = wish.within.empty() ? std::optional(Seconds(0)) : parse_duration(wish.within);
    if (!within) return fail(console, make_error(Errc::invalid, "--within must be a duration such as 12h or 7d"));
    const std::string before = wish.within.empty() ? "" : to_rfc3339(console.now + *within);
    const std::string target = with_query("/v1/certificates", {{"node", wish.node}, {"usage", wish.usage}, {"expiresBefore", before}});
    return show_list<proto::CertificateList>(target, [this](const auto& list) { return certificate_table(list, wide(), console.now); });
  }
  int operator()(const CertsRotate& wish) { return rotate_certificates(wish, line.format, connection, console); }
  int operator()(const OperatorCreate& wish) { return create_operator(wish, connection, console); }
  int operator()(const OperatorList&) {
    return show_list<proto::OperatorList>("/v1/operators", [this](const auto& list) { return operator_table(list, console.now); });
  }
  int operator()(const OperatorRevoke& wish) {
    if (!confirmed(wish.yes, "end all certificates of operator " + wish.user, console)) return k_usage;
    const auto response = exchange(connection, make_request(Method::del, "/v1/operators/" + percent_encode(wish.user)));
    if (!response) return fail(console, response.error());
    console.out << "operator " << wish.user << " revoked: the certificates are refused from now on, open connections are cut"
                << kubeconfigs_left_text(wish.user, connection) << "\n";
    return k_ok;
  }
  int operator()(const ConfigGetContexts&) { return k_usage; }  // run_local_command() has had these
  int operator()(const ConfigCurrentContext&) { return k_usage; }
  int operator()(const ConfigUseContext&) { return k_usage; }
  int operator()(const ArtifactKeygen&) { return k_usage; }
  int operator()(const Plan&) { return k_usage; }
  int operator()(const ManifestSign&) { return k_usage; }
  int operator()(const ManifestVerify&) { return k_usage; }
  int operator()(const CertsStatus&) {
    const WallTime now = console.now;
    return show<proto::CaList>(make_request(Method::get, "/v1/cas"),
                               [now](const proto::CaList& list) { return ca_text(list, now); });
  }
  int operator()(const CertsRotateCa& wish) {
    if (wish.wait && !wish.prepare) return fail(console, make_error(Errc::invalid, "--wait goes with --prepare: the other steps are done when they are answered"));
    if (!confirmed(wish.yes, rotation_question(wish), console)) return k_usage;
    proto::CaChangeRequest request;
    request.action = wish.prepare ? "prepare" : wish.activate ? "activate" : wish.retire ? "retire" : "abort";
    request.force = wish.force;
    request.from_files = wish.from_files;
    const WallTime now = console.now;
    const int done = show<proto::CaView>(make_request(Method::post, "/v1/cas/" + percent_encode(wish.kind), proto::encode(request)),
                                         [now](const proto::CaView& ca) { return ca_text({{ca}}, now); });
    if (done != k_ok || !wish.wait) return done;
    return wait_until("nodes that trust both", wish.timeout, [this, kind = wish.kind] { return waiting_for(kind); }, console);
  }
  Result<std::vector<std::string>> waiting_for(const std::string& kind) {
    const auto list = ask<proto::CaList>(connection, make_request(Method::get, "/v1/cas"));
    if (!list) return list.error();
    for (const proto::CaView& ca : list->items) {
      if (ca.kind == kind) return ca.waiting_for;
    }
    return make_error(Errc::not_found, "the coordinator knows no authority " + kind);
  }
  int operator()(const HealthNetwork& wish) { return probe_network(wish, line.format, connection, console); }
  int operator()(const Support& wish) { return make_support_archive(wish, connection, console); }
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
  const std::function<int(Console&)> once = [&line, &connection](Console& to) {
    Runner runner{line, connection, to};
    return std::visit(runner, line.command);
  };
  return std::visit(Repeats{}, line.command) ? redraw(line.format, once, console) : once(console);
}

bool confirmed(bool yes, const std::string& question, Console& console) {
  if (yes) return true;
  if (!console.ask) {
    console.err << "slipwayctl: this would " << question << ": give --yes where nobody can be asked\n";
    return false;
  }
  if (console.ask("This will " + question + ". Go on? [y/N] ")) return true;
  console.err << "slipwayctl: nothing was changed\n";
  return false;
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
