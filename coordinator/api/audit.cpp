// What was done, and what was taken back: the audit log, revoked certificates, revocation lists.
#include <algorithm>

#include "common/core/text.hpp"
#include "common/crypto/pem.hpp"
#include "coordinator/api/handlers.hpp"
#include "coordinator/domain/revocation.hpp"

namespace slipway::api {

namespace {

constexpr Seconds k_crl_life{86400};

Error no_audit() {
  return make_error(Errc::unavailable, "this coordinator keeps no audit log");
}

Result<AuditQuery> audit_query(const http::Request& request) {
  const auto wish = page_wish(request);
  if (!wish) return wish.error();
  AuditQuery query;
  query.limit = wish->limit;
  if (!wish->after.empty()) {
    const auto before = parse_u64(wish->after);
    if (!before || *before == 0)
      return parameter_error("continue", " must be the next of a page of this list");
    query.before = *before;
  }
  query.node = http::query_parameter(request, "node").value_or("");
  query.action = http::query_parameter(request, "action").value_or("");
  query.certificate = http::query_parameter(request, "certificate").value_or("");
  return query;
}

proto::RevokedCertificate view_of(const Revoked& revoked) {
  const CompactCertificate& record = revoked.record;
  return {std::string(record.subject),
          std::string(to_string(record.usage)),
          std::string(to_string(ca_of(record.usage))),
          record.serial_hex(),
          to_hex(record.sha256),
          to_rfc3339(revoked.revoked_at),
          to_rfc3339(record.not_after)};
}

// Numbers of the CAs that have signed what may still be trusted; 0 before the CA is in the state.
std::vector<std::uint64_t> issuers(const CaLine* line, bool all) {
  if (line == nullptr) return {0};
  std::vector<std::uint64_t> numbers = {line->signing.number};
  if (all && line->other) numbers.push_back(line->other->number);
  return numbers;
}

struct CrlWish {
  std::vector<CaKind> kinds;
  bool der = false;
};

Result<CrlWish> crl_wish(const http::Request& request) {
  CrlWish wish;
  const auto ca = http::query_parameter(request, "ca");
  const std::string format = http::query_parameter(request, "format").value_or("pem");
  if (format != "pem" && format != "der") return parameter_error("format", " must be pem or der");
  wish.der = format == "der";
  if (!ca) {
    if (wish.der)
      return parameter_error("ca", " is missing: format=der gives one list, so name its CA, as in ca=kubeClient");
    wish.kinds.assign(std::begin(k_ca_kinds), std::end(k_ca_kinds));
    return wish;
  }
  const auto kind = ca_kind_from_string(*ca);
  if (!kind)
    return parameter_error("ca", " must be fabric, kubeClient, kubeletServing, apiserver, frontProxy or etcd");
  wish.kinds = {*kind};
  return wish;
}

}  // namespace

Handling Handlers::list_audit(RequestContext context) {
  const auto query = audit_query(context.request);
  if (!query) co_return query.error();
  if (deps_.audit == nullptr) co_return no_audit();
  AuditLog* audit = deps_.audit;
  std::function<Result<proto::AuditList>()> job = [audit, wish = *query] { return audit->list(wish); };
  boost::asio::awaitable<Result<proto::AuditList>> reading =
      offload<proto::AuditList>(deps_.workers, std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

Handling Handlers::verify_audit(RequestContext) {
  if (deps_.audit == nullptr) co_return no_audit();
  AuditLog* audit = deps_.audit;
  StateStore* store = &deps_.store;
  std::function<Result<proto::AuditVerdict>()> job = [audit, store]() -> Result<proto::AuditVerdict> {
    const auto anchor = store->audit_head();
    if (!anchor) return anchor.error();
    return audit->verify(*anchor);
  };
  boost::asio::awaitable<Result<proto::AuditVerdict>> reading =
      offload<proto::AuditVerdict>(deps_.workers, std::move(job));
  const auto verdict = co_await std::move(reading);
  if (!verdict) co_return verdict.error();
  co_return json_response(200, *verdict);
}

Handling Handlers::list_revoked(RequestContext context) {
  const auto wish = page_wish(context.request);
  if (!wish) co_return wish.error();
  const PageWish page = *wish;
  const std::string node = http::query_parameter(context.request, "node").value_or("");
  std::function<Result<proto::RevokedList>()> job = [this, page, node] {
    const std::vector<Revoked> all = revoked_certificates(deps_.registrar.state(), deps_.clock.wall());
    const auto view = [&](const Revoked& revoked) -> std::optional<proto::RevokedCertificate> {
      const CompactCertificate& record = revoked.record;
      const bool of_node = !record.node_uid.empty() && record.subject == node;
      if (record.serial_hex() <= page.after || (!node.empty() && !of_node)) return std::nullopt;
      return view_of(revoked);
    };
    return Result<proto::RevokedList>(page_of<proto::RevokedList>(all.begin(), all.end(), page.limit, view,
                                                                  [](const proto::RevokedCertificate& shown) { return shown.serial; }));
  };
  boost::asio::awaitable<Result<proto::RevokedList>> reading = read_state<proto::RevokedList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

// Made on demand: the number is the state's revision, so that a later list has a number that is not smaller. `all`: while
// one CA replaces another both have a list, each of what it signed; else only the one in charge has.
Result<std::vector<CrlSpec>> Handlers::crl_specs(std::vector<CaKind> kinds, bool all) const {
  const State& state = deps_.registrar.state();
  const WallTime now = deps_.clock.wall();
  const auto revoked = revoked_certificates(state, now);
  std::vector<CrlSpec> specs;
  for (const CaKind kind : kinds) {
    for (const std::uint64_t number : issuers(state.ca(kind), all)) {
      CrlSpec spec{kind, state.revision(), now, now + k_crl_life, {}, number};
      for (const Revoked& one : revoked) {
        if (ca_of(one.record.usage) != kind || (number != 0 && one.record.ca != number)) continue;
        auto serial = Serial::from_hex(one.record.serial_hex());
        if (!serial) return serial.error();
        const CrlReason reason = one.record.node_uid.empty() ? CrlReason::privilege_withdrawn : CrlReason::cessation_of_operation;
        spec.entries.push_back({std::move(*serial), std::min(one.revoked_at, now), reason});
      }
      specs.push_back(std::move(spec));
    }
  }
  return specs;
}

Handling Handlers::get_crl(RequestContext context) {
  const auto wish = crl_wish(context.request);
  if (!wish) co_return wish.error();
  std::function<Result<std::vector<CrlSpec>>()> job = [this, kinds = wish->kinds, all = !wish->der] {
    return crl_specs(kinds, all);
  };
  boost::asio::awaitable<Result<std::vector<CrlSpec>>> reading =
      read_state<std::vector<CrlSpec>>(std::move(job));
  const auto specs = co_await std::move(reading);
  if (!specs) co_return specs.error();
  std::string body;
  for (const CrlSpec& spec : *specs) {
    const auto der = deps_.signer.sign_crl(spec);
    if (!der) co_return der.error();
    body += wish->der ? *der : pem_encode("X509 CRL", *der);
  }
  co_return text_response(200, std::move(body),
                          wish->der ? "application/pkix-crl" : "application/x-pem-file");
}

}  // namespace slipway::api
