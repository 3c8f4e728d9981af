#include "coordinator/api/health.hpp"

#include <algorithm>
#include <set>

#include "common/core/text.hpp"

namespace slipway::api {

namespace {

constexpr Seconds k_contact_limit{150};  // agents report every minute
constexpr std::string_view k_authority = "ca:";  // usages of authorities in the list begin so
constexpr double k_renewal_limit = 0.9;  // of the life; agents renew at two thirds

struct Tally {
  proto::HealthReport report;
  void add(std::string name, bool ok, std::string message, std::string cure = {}) {
    report.ok = report.ok && ok;
    report.checks.push_back({std::move(name), ok, std::move(message), ok ? std::string() : std::move(cure)});
  }
  // Single failures stand as checks of their own; when there is none, one line says so for all.
  void sum_up(const std::string& name, std::size_t failed, std::size_t all, const std::string& what) {
    if (failed == 0) add(name, true, std::to_string(all) + " of " + std::to_string(all) + " " + what);
  }
};

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

void check_certificates(const HealthInput& input, Tally& tally) {
  // People's certificates are theirs to renew when they need one.
  static const std::set<std::string> of_people = {std::string(to_string(CertUsage::operator_admin)),
                                                  std::string(to_string(CertUsage::operator_op)),
                                                  std::string(to_string(CertUsage::operator_viewer)),
                                                  std::string(to_string(CertUsage::kubeconfig_admin))};
  std::size_t failed = 0;
  for (const proto::CertificateView& certificate : input.certificates) {
    if (of_people.count(certificate.usage) != 0) continue;
    const auto begin = parse_rfc3339(certificate.not_before);
    const auto end = parse_rfc3339(certificate.not_after);
    if (!begin || !end) continue;
    const auto life = static_cast<double>((*end - *begin).count());
    if (static_cast<double>((input.now - *begin).count()) <= life * k_renewal_limit) continue;
    ++failed;
    const std::string when = *end > input.now ? "ends in " + to_age_text(*end - input.now)
                                              : "ended " + to_age_text(input.now - *end) + " ago";
    const std::string name = "certificate " + certificate.usage + " of " + certificate.node;
    if (certificate.usage.starts_with(k_authority)) {
      tally.add(name, false, when, "replace it: slipwayctl certs rotate-ca " + certificate.usage.substr(k_authority.size()) + " --prepare");
      continue;
    }
    tally.add(name, false, when + " and was not renewed",
              "the agent renews at two thirds of the life: is it running? slipwayctl node get " + certificate.node);
  }
  tally.sum_up("certificates", failed, input.certificates.size(), "are far from their end");
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
    if (pool.level == "warning" && !pool.draining) text = "warning: " + text + "; " + cure;
    tally.add("pool " + pool.name, !critical, text, cure);
  }
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
  tally.add("coordinator", true, "answers, running for " + to_age_text(input.now - input.started));
  tally.add("kube-apiserver", input.kube.ok, input.kube.message,
            "on the master: systemctl status kube-apiserver etcd");
  tally.add("audit log", input.audit_damage.empty(), input.audit_damage.empty() ? "was whole at the start" : input.audit_damage,
            "slipwayctl audit verify names what is missing: compare with a backup, find out who wrote there");
  check_contact(input, tally);
  check_components(input, tally);
  check_conditions(input, tally);
  check_certificates(input, tally);
  check_pod_cidrs(input, tally);
  check_artifacts(input, tally);
  check_pools(input, tally);
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
    if (!record.node_uid.empty() || record.not_after <= now) continue;
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
