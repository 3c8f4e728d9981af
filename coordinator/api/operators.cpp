// People who ask this API: who they are is in their certificate, whether it counts in our records.
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

// Order in the list: by name, then what ends first.
std::string position_of(const proto::OperatorView& view) { return view.user + "/" + view.not_after + "/" + view.serial; }

}  // namespace

Handling Handlers::create_operator(RequestContext context) {
  const auto request = body_as<proto::OperatorRequest>(context.request);
  if (!request) co_return request.error();
  const auto usage = usage_of_role(request->role);
  if (!usage) co_return field_error("/role", " must be viewer, operator or admin");
  boost::asio::awaitable<Result<PersonsCertificate>> issuing = issue_and_record(*usage, request->user, request->csr, actor_of(context));
  const auto issued = co_await std::move(issuing);
  if (!issued) co_return issued.error();
  const proto::OperatorReply reply{issued->cluster.spec.metadata.name,
                                   coordinator_url(issued->cluster.spec.coordinator),
                                   deps_.signer.ca_pem(CaKind::fabric),
                                   issued->certificate.pem,
                                   request->role,
                                   to_rfc3339(issued->certificate.record.not_after)};
  co_return json_response(201, reply);
}

Handling Handlers::list_operators(RequestContext context) {
  const auto page = page_wish(context.request);
  if (!page) co_return page.error();
  std::function<Result<proto::OperatorList>()> job = [this, wish = *page] {
    std::map<std::string, proto::OperatorView> all;
    const WallTime now = deps_.clock.wall();
    const State& state = deps_.registrar.state();
    for (const CompactCertificate record : state.certificates()) {
      if (!is_operator_usage(record.usage) || record.not_after <= now || state.revoked_at(record)) continue;
      proto::OperatorView view{std::string(record.subject), role_of_usage(record.usage), record.serial_hex(), to_rfc3339(record.not_before),
                               to_rfc3339(record.not_after)};
      all.emplace(position_of(view), std::move(view));
    }
    return Result<proto::OperatorList>(
        page_of<proto::OperatorList>(all, wish, [](const auto& entry) { return std::optional(entry.second); }, position_of));
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
  if (user == context.principal->name)
    co_return make_error(Errc::conflict, "that is your own certificate: another admin must revoke it");
  boost::asio::awaitable<Result<Outcome>> revoking = submit(RevokeOperator{user, deps_.clock.wall()}, actor_of(context));
  const auto revoked = co_await std::move(revoking);
  if (!revoked) co_return revoked.error();
  deps_.cut_operator(user);
  co_return empty_response(204);
}

}  // namespace slipway::api
