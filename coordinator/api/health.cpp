#include "coordinator/api/health.hpp"

#include <algorithm>
#include <set>

#include "common/core/text.hpp"
#include "coordinator/api/health_tally.hpp"

namespace slipway::api {

namespace {

constexpr Seconds k_contact_limit{150};  // agents report every minute
constexpr double k_people_limit = 0.8;   // of the life: people make new credentials by hand, and are away for a weekend

bool heard(const proto::NodeView& node, const HealthInput& input) {
  const auto last = parse_rfc3339(node.last_contact);
  return last ? input.now - *last <= k_contact_limit : input.now - input.started <= k_contact_limit;
}

void check_contact(const HealthInput& input, Tally& tally) {
  std::size_t failed = 0;
  for (const proto::NodeView& node : input.nodes) {
    if (heard(node, input)) continue;
    ++failed;
    const auto last = parse_rfc3339(node.last_contact);
    const std::string since = last ? "last heard " + to_age_text(input.now - *last) + " ago"
                                   : "not heard since the coordinator's start";
    tally.add("node " + node.name + ": contact", false, since,
              "is the host up, does it reach the coordinator? there: slipway-agent status; journalctl -u "
              "slipway-agent");
  }
  tally.sum_up("node contact", failed, input.nodes.size(), "nodes were heard lately");
}

void check_components(const HealthInput& input, Tally& tally) {
  static const std::set<std::string> good = {"running", "installed"};
  std::size_t failed = 0;
  for (const proto::NodeView& node : input.nodes) {
    std::string bad;
    for (const proto::ComponentStatus& component : node.components) {
      if (good.count(component.state) != 0) continue;
      bad += (bad.empty() ? "" : "; ") + component.name + " is " + component.state +
             (component.message.empty() ? "" : ": " + component.message);
    }
    if (bad.empty() && node.components.empty() && !node.last_contact.empty())
      bad = "nothing runs yet, phase " + node.phase;
    if (bad.empty()) continue;
    ++failed;
    tally.add("node " + node.name + ": components", false, bad,
              "on the host: systemctl status, journalctl -u <unit>; slipwayctl node get " + node.name);
  }
  tally.sum_up("components", failed, input.nodes.size(), "nodes run all their components");
}

void check_conditions(const HealthInput& input, Tally& tally) {
  std::size_t failed = 0;
  for (const proto::NodeView& node : input.nodes) {
    for (const proto::Condition& condition : node.conditions) {
      if (condition.ok) continue;
      ++failed;
      tally.add("node " + node.name + ": " + condition.type, false,
                condition.reason + ": " + condition.message, "slipwayctl node get " + node.name);
    }
  }
  tally.sum_up("node conditions", failed, input.nodes.size(), "nodes report all conditions well");
}

// Of all administrators' certificates the one that ends last: after it nobody can give rights any more but on the coordinator's host.
void check_administrators(const HealthInput& input, Tally& tally) {
  const proto::CertificateView* last = nullptr;
  for (const proto::CertificateView& certificate : input.certificates) {
    const bool is_admin = certificate.usage == to_string(CertUsage::operator_admin);
    if (is_admin && (last == nullptr || parse_rfc3339(last->not_after) < parse_rfc3339(certificate.not_after))) last = &certificate;
  }
  if (last == nullptr) {
    tally.warn("administrators", "no administrator's certificate is valid", "on the coordinator's host, with the coordinator stopped for a moment: slipway-coordinator admin-conf");
    return;
  }
  const std::string text = "the last administrator's certificate, of " + last->node + ", " + end_text(last->not_after, input.now);
  if (life_spent(*last, input.now) <= k_people_limit) tally.add("administrators", true, text);
  else tally.warn("administrators", text, "an administrator makes a new one until then: slipwayctl operator create " + last->node + " --role admin; later it takes the coordinator's host, with the coordinator stopped");
}

void check_certificates(const HealthInput& input, Tally& tally) {
  // People make theirs when they need one, and check_administrators looks after the last; the coordinator's for minutes is made anew each time.
  static const std::set<std::string> not_renewed = {std::string(to_string(CertUsage::coordinator_bootstrap)),
                                                  std::string(to_string(CertUsage::operator_admin)),
                                                  std::string(to_string(CertUsage::operator_op)),
                                                  std::string(to_string(CertUsage::operator_viewer)),
                                                  std::string(to_string(CertUsage::kubeconfig_admin))};
  std::size_t failed = 0;
  std::size_t all = 0;
  for (const proto::CertificateView& certificate : input.certificates) {
    // Authorities and the coordinator's own have checks of their own.
    if (not_renewed.count(certificate.usage) != 0 || certificate.usage.starts_with("ca:") || is_of_coordinator(certificate.usage)) continue;
    ++all;
    if (!is_overdue(certificate, input.now)) continue;
    ++failed;
    tally.add("certificate " + certificate.usage + " of " + certificate.node, false, end_text(certificate.not_after, input.now) + " and was not renewed",
              "the agent renews at two thirds of the life: is it running? slipwayctl node get " + certificate.node);
  }
  tally.sum_up("certificates", failed, all, "of nodes are far from their end");
}

void check_pod_cidrs(const HealthInput& input, Tally& tally) {
  std::size_t failed = 0;
  for (const proto::NodeView& node : input.nodes) {
    if (node.pod_cidr_published) continue;
    ++failed;
    tally.add("node " + node.name + ": pod CIDR", false,
              node.pod_cidr + " does not stand in Node.spec.podCIDR yet",
              "it is written once the kubelet has registered: is kube-apiserver up, does the kubelet run?");
  }
  for (const std::string& conflict : input.kube.conflicts) {
    ++failed;
    tally.add("pod CIDR conflict", false, conflict,
              "the field cannot be changed: kubectl delete node NAME, then restart the kubelet there; or make a pool for the range");
  }
  tally.sum_up("pod CIDRs", failed, input.nodes.size(), "are published");
}

void check_artifacts(const HealthInput& input, Tally& tally) {
  std::size_t failed = 0;
  for (const proto::ComponentRef& component : input.components) {
    if (component.artifact) continue;
    ++failed;
    tally.add("artifact " + component.name + " " + component.version, false, "was not imported",
              "slipwayctl artifact import");
  }
  tally.sum_up("artifacts", failed, input.components.size(), "components have their artifact");
}

// From 80 % on it is said, from 95 % on it is a failure: then a few joins are left.
void check_pools(const HealthInput& input, Tally& tally) {
  for (const proto::PoolView& pool : input.pools) {
    std::string text = std::to_string(pool.capacity - pool.available) + " of " + std::to_string(pool.capacity) + " blocks are taken (" +
                       std::to_string(pool.allocated) + " by nodes, " + std::to_string(pool.reserved) + " reserved, " +
                       std::to_string(pool.quarantined) + " in quarantine)";
    if (pool.draining) text += ", draining: " + std::to_string(pool.allocated) + " nodes are still there";
    const auto end = parse_rfc3339(pool.exhausted_at);
    if (end && !pool.draining && pool.available > 0) text += "; full in " + to_age_text(*end - input.now) + " if it goes on like this";
    const std::string cure = "slipwayctl pool grow " + pool.name + " --range CIDR, or slipwayctl node delete what is gone";
    const bool critical = pool.level == "critical" && !pool.draining;
    if (pool.level == "warning" && !pool.draining) tally.warn("pool " + pool.name, text, cure);
    else tally.add("pool " + pool.name, !critical, text, cure);
  }
}

void check_routes(const HealthInput& input, Tally& tally) {
  for (const RouteCollision& collision : input.route_collisions) {
    tally.add("node " + collision.node + ": routes", false, collision.what,
              "pods or services with such addresses cannot be reached from that host: give what has the route another range there (docker: bip in "
              "daemon.json), or move the pods to another pool (slipwayctl pool create, drain)");
  }
  tally.sum_up("host routes", input.route_collisions.size(), input.nodes.size(), "nodes keep clear of pods and services");
}

void check_outside(const HealthInput& input, Tally& tally) {
  if (!input.outside.used) return;
  const std::string cure = "what the hook says is in the coordinator's journal too: routesHook in coordinator.yaml, docs/network.md";
  if (!input.outside.message.empty()) tally.add("routes outside", false, input.outside.message, cure);
  for (const OutsideRoutes::Trouble& trouble : input.outside.trouble)
    tally.add(trouble.node.empty() ? std::string("routes outside") : "node " + trouble.node + ": route outside", false, trouble.what, cure);
  if (input.outside.message.empty() && input.outside.trouble.empty())
    tally.add("routes outside", true, std::to_string(input.outside.good) + " routes lead to their nodes", "");
}

// Firmware of some boards has the same UUID in all of them: a hint, not a proof.
void check_clones(const HealthInput& input, Tally& tally) {
  std::map<std::string, std::vector<std::string>> machines;
  for (const proto::NodeView& node : input.nodes) {
    if (!node.facts.product_uuid.empty()) machines[node.facts.product_uuid].push_back(node.name);
  }
  for (const auto& [uuid, names] : machines) {
    if (names.size() < 2) continue;
    tally.warn("machines", "nodes " + some_of(names) + " have the same product UUID " + uuid,
               "if they are clones of one virtual machine, give each a UUID of its own, and see that machine-id, host keys and MAC addresses differ");
  }
}

// The nodes agree on the smallest by themselves, but somebody may wonder what became of the jumbo frames.
void check_mtu(const HealthInput& input, Tally& tally) {
  std::map<std::uint64_t, std::vector<std::string>> nodes;  // by what they can carry
  for (const proto::NodeView& node : input.nodes) {
    if (node.facts.pod_mtu != 0) nodes[node.facts.pod_mtu].push_back(node.name);
  }
  if (nodes.size() < 2) return;
  const auto& [least, small] = *nodes.begin();
  if (input.wanted_mtu != 0 && input.wanted_mtu <= least) return;
  tally.warn("pod mtu", "interfaces of the nodes differ: pods have " + std::to_string(least) + " everywhere, for nodes " + some_of(small) + " can carry no more; others could up to " +
                            std::to_string(nodes.rbegin()->first),
             "raise the MTU of the interface that has the node's address there, or set network.mtu to " + std::to_string(least) + " in cluster.yaml, if it is meant to be so");
}

void check_settings(const HealthInput& input, Tally& tally) {
  std::size_t failed = 0;
  std::size_t behind = 0;
  for (const proto::NodeView& node : input.nodes) {
    behind += node.settings == "waiting" || node.settings == "restarting" ? 1 : 0;
    if (node.settings != "failed") continue;
    ++failed;
    tally.add("node " + node.name + ": settings", false, "did not come up with new settings and runs with those it had before; no other node gets them",
              "slipwayctl node config " + node.name + " --diff; change the settings, or mend the node and restart slipway-agent there");
  }
  if (input.rollout_paused) tally.warn("rollout", "is paused: no node begins with new settings or versions", "slipwayctl upgrade resume lets it go on");
  if (behind > 0) tally.warn("settings", std::to_string(behind) + " of " + std::to_string(input.nodes.size()) + " nodes wait for their turn or restart", "slipwayctl upgrade status shows who, and why");
  tally.sum_up("settings", failed, input.nodes.size(), "nodes came up with what they were given");
}

proto::CertificateView view_of(const CompactCertificate& record) {
  return {std::string(record.subject),
          std::string(to_string(record.usage)),
          record.serial_hex(),
          to_rfc3339(record.not_before),
          to_rfc3339(record.not_after),
          to_hex(record.sha256)};
}

}  // namespace

proto::HealthReport check_health(const HealthInput& input) {
  Tally tally;
  tally.report.ok = true;
  check_coordinator(input, tally);
  tally.add("kube-apiserver", input.kube.ok, input.kube.message,
            "on the master: systemctl status kube-apiserver etcd");
  check_contact(input, tally);
  check_components(input, tally);
  check_conditions(input, tally);
  check_certificates(input, tally);
  check_administrators(input, tally);
  check_pod_cidrs(input, tally);
  check_artifacts(input, tally);
  check_pools(input, tally);
  check_routes(input, tally);
  check_outside(input, tally);
  check_clones(input, tally);
  check_mtu(input, tally);
  check_settings(input, tally);
  return std::move(tally.report);
}

std::vector<proto::CertificateView> current_certificates(const State& state, WallTime now) {
  std::vector<proto::CertificateView> found;
  for (const auto& [name, node] : state.nodes()) {
    for (const auto& [usage, serial] : node.certificates) {
      const auto record = state.certificates().find(serial);
      if (record && record->node_uid == node.uid && record->usage == usage) found.push_back(view_of(*record));
    }
  }
  std::map<std::pair<std::string_view, CertUsage>, CompactCertificate> latest;  // of what is no node's
  for (const CompactCertificate record : state.certificates()) {
    if (!record.node_uid.empty() || record.not_after <= now || state.revoked_at(record)) continue;
    const auto [best, first] = latest.try_emplace({record.subject, record.usage}, record);
    if (!first && best->second.not_after < record.not_after) best->second = record;
  }
  for (const auto& [key, record] : latest) found.push_back(view_of(record));
  std::sort(found.begin(), found.end(), [](const proto::CertificateView& a, const proto::CertificateView& b) {
    return std::tie(a.node, a.usage, a.serial) < std::tie(b.node, b.usage, b.serial);
  });
  return found;
}

}  // namespace slipway::api
