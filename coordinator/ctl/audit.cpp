// `audit list`, `audit verify`, `certs list --revoked`: what was done, and what outlives its node.
#include <algorithm>

#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"
#include "proto/audit.hpp"

namespace slipway::ctl {

namespace {

constexpr std::uint64_t k_page = 1000;

std::string who(const proto::AuditActor& actor) {
  std::string text = actor.kind + (actor.name.empty() ? "" : " " + actor.name);
  return actor.address.empty() ? text : text + " from " + actor.address;
}

std::string what(const proto::AuditRecord& record) {
  if (!record.node.empty())
    return record.generation > 0 ? record.node + "#" + std::to_string(record.generation) : record.node;
  return record.subject.empty() ? "-" : record.subject;
}

Table audit_table(const proto::AuditList& list, bool wide, WallTime now) {
  Table table{{"SEQ", "WHEN", "ACTION", "RESULT", "WHO", "WHAT", "CERTS", "DETAIL"}, {}};
  if (wide) table.header.insert(table.header.end(), {"TIME", "CERT-SHA256", "HASH"});
  for (const proto::AuditRecord& record : list.items) {
    const std::string result =
        record.count > 1 ? record.result + " x" + std::to_string(record.count) : record.result;
    std::vector<std::string> row = {std::to_string(record.seq),
                                    when(record.time, now),
                                    record.action,
                                    result,
                                    who(record.actor),
                                    what(record),
                                    std::to_string(record.certificates.size()),
                                    record.detail};
    if (wide) row.insert(row.end(), {record.time, record.actor.certificate_sha256, record.hash});
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string query_text(const AuditList& wish, std::uint64_t limit, const std::string& next) {
  std::string text = "/v1/audit?limit=" + std::to_string(limit);
  for (const auto& [name, value] :
       {std::pair("node", &wish.node), std::pair("action", &wish.action),
        std::pair("certificate", &wish.certificate), std::pair("continue", &next)}) {
    if (!value->empty()) text += "&" + std::string(name) + "=" + percent_encode(*value);
  }
  return text;
}

Table revoked_table(const proto::RevokedList& list, bool wide, WallTime now) {
  Table table{{"WHOSE", "USAGE", "CA", "REVOKED", "VALID-UNTIL", "RESIDUAL", "SERIAL"}, {}};
  if (wide) table.header.push_back("SHA256");
  for (const proto::RevokedCertificate& item : list.items) {
    std::vector<std::string> row = {item.node,
                                    item.usage,
                                    item.authority,
                                    when(item.revoked_at, now),
                                    item.not_after,
                                    when(item.not_after, now),
                                    wide ? item.serial : item.serial.substr(0, 12)};
    if (wide) row.push_back(item.sha256);
    table.rows.push_back(std::move(row));
  }
  return table;
}

Result<proto::RevokedList> all_revoked(Connection& connection, const std::string& node) {
  std::string target = "/v1/certificates/revoked?limit=" + std::to_string(k_page);
  if (!node.empty()) target += "&node=" + percent_encode(node);
  return ask_all<proto::RevokedList>(connection, target);
}

}  // namespace

int list_audit(const AuditList& wish, Format format, Connection& connection, Console& console) {
  proto::AuditList whole;
  std::string next;
  do {
    const std::uint64_t limit = std::min(k_page, wish.limit - whole.items.size());
    auto page =
        ask<proto::AuditList>(connection, make_request(http::Method::get, query_text(wish, limit, next)));
    if (!page) return fail(console, page.error());
    whole.items.insert(whole.items.end(), page->items.begin(), page->items.end());
    next = page->next;
  } while (!next.empty() && whole.items.size() < wish.limit);
  const bool document = format == Format::json || format == Format::yaml;
  console.out << (document ? render_document(proto::encode(whole), format)
                           : render(audit_table(whole, format == Format::wide, console.now)));
  return k_ok;
}

int verify_audit(Format format, Connection& connection, Console& console) {
  const auto verdict =
      ask<proto::AuditVerdict>(connection, make_request(http::Method::get, "/v1/audit/verify"));
  if (!verdict) return fail(console, verdict.error());
  if (format == Format::json || format == Format::yaml) {
    console.out << render_document(proto::encode(*verdict), format);
  } else {
    console.out << std::to_string(verdict->records) << " records, the last is " << verdict->last
                << " with hash " << verdict->hash << "\n";
    for (const std::string& problem : verdict->problems) console.out << "  " << problem << "\n";
    console.out << (verdict->ok ? "the audit log is whole\n" : "THE AUDIT LOG IS NOT WHOLE\n");
  }
  return verdict->ok ? k_ok : k_failed;
}

int list_revoked(Format format, Connection& connection, Console& console) {
  const auto list = all_revoked(connection, "");
  if (!list) return fail(console, list.error());
  const bool document = format == Format::json || format == Format::yaml;
  console.out << (document ? render_document(proto::encode(*list), format)
                           : render(revoked_table(*list, format == Format::wide, console.now)));
  return k_ok;
}

std::string leftover_text(const std::string& node, Connection& connection) {
  const auto list = all_revoked(connection, node);
  if (!list || list->items.empty()) return "";
  std::string last;
  for (const auto& item : list->items) last = std::max(last, item.not_after);
  return "\n" + std::to_string(list->items.size()) +
         " of its certificates have not ended: kube-apiserver, which knows no revocation, "
         "takes the last of them until " +
         last + " (slipwayctl certs list --revoked)";
}

std::string kubeconfigs_left_text(const std::string& user, Connection& connection) {
  const auto list = all_revoked(connection, "");
  if (!list) return "";
  std::string last;
  for (const auto& item : list->items) {
    if (item.node == user && item.usage == "kubeconfigAdmin") last = std::max(last, item.not_after);
  }
  if (last.empty()) return "";
  return "\nkube-apiserver, which knows no revocation, takes the kubeconfig until " + last + " (slipwayctl certs list --revoked)";
}

}  // namespace slipway::ctl
