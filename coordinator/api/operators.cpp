// People who ask this API: who they are is in their certificate, whether it counts in our records.
#include "common/crypto/csr.hpp"
#include "coordinator/api/handlers.hpp"

namespace slipway::api {

namespace {

std::optional<CertUsage> usage_of_role(std::string_view role) {
  if (role == "viewer") return CertUsage::operator_viewer;
  if (role == "operator") return CertUsage::operator_op;
  if (role == "admin") return CertUsage::operator_admin;
  return std::nullopt;
}

std::string role_of_usage(CertUsage usage) {
  if (usage == CertUsage::operator_viewer) return "viewer";
  return usage == CertUsage::operator_op ? "operator" : "admin";
}

}  // namespace

Handling Handlers::create_operator(RequestContext context) {
  const auto request = body_as<proto::OperatorRequest>(context.request);
  if (!request) co_return request.error();
  const auto usage = usage_of_role(request->role);
  if (!usage) co_return make_error(Errc::invalid, "/role must be viewer, operator or admin");
  const auto key = parse_csr(request->csr);
  if (!key) co_return error_of(key, "/csr");
  std::function<Result<ValidatedCluster>()> job = [this] {
    return Result<ValidatedCluster>(deps_.registrar.state().cluster());
  };
  boost::asio::awaitable<Result<ValidatedCluster>> reading = read_state<ValidatedCluster>(std::move(job));
  const auto cluster = co_await std::move(reading);
  if (!cluster) co_return cluster.error();
  const auto certificate = issue_for_person(*usage, *cluster, request->user, key->spki_der);
  if (!certificate) co_return certificate.error();
  // Recorded durably before it leaves: without its record it counts nothing.
  boost::asio::awaitable<Result<Outcome>> recording = submit(RecordCertificate{*certificate}, actor_of(context));
  const auto recorded = co_await std::move(recording);
  if (!recorded) co_return recorded.error();
  const proto::OperatorReply reply{cluster->spec.metadata.name,
                                   coordinator_url(cluster->spec.coordinator),
                                   deps_.signer.ca_pem(CaKind::fabric),
                                   certificate->pem,
                                   request->role,
                                   to_rfc3339(certificate->record.not_after)};
  co_return json_response(201, reply);
}

Handling Handlers::list_operators(RequestContext) {
  std::function<Result<proto::OperatorList>()> job = [this] {
    proto::OperatorList list;
    const WallTime now = deps_.clock.wall();
    for (const auto& [serial, record] : deps_.registrar.state().certificates()) {
      if (!is_operator_usage(record.usage) || record.not_after <= now) continue;
      list.items.push_back({record.subject, role_of_usage(record.usage), serial, to_rfc3339(record.not_before),
                            to_rfc3339(record.not_after)});
    }
    std::sort(list.items.begin(), list.items.end(), [](const auto& a, const auto& b) {
      return std::tie(a.user, a.not_after) < std::tie(b.user, b.not_after);
    });
    return Result<proto::OperatorList>(std::move(list));
  };
  boost::asio::awaitable<Result<proto::OperatorList>> reading =
      read_state<proto::OperatorList>(std::move(job));
  const auto list = co_await std::move(reading);
  if (!list) co_return list.error();
  co_return json_response(200, *list);
}

Handling Handlers::revoke_operator(RequestContext context) {
  const std::string user = context.parameters["user"];
  // Nobody locks the last door behind himself by a slip of the finger.
  if (user == context.principal.name)
    co_return make_error(Errc::conflict, "that is your own certificate: another admin must revoke it");
  boost::asio::awaitable<Result<Outcome>> revoking = submit(RevokeOperator{user}, actor_of(context));
  const auto revoked = co_await std::move(revoking);
  if (!revoked) co_return revoked.error();
  co_return empty_response(204);
}

}  // namespace slipway::api
