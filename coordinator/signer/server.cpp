#include "coordinator/signer/server.hpp"

#include <algorithm>
#include <exception>
#include <optional>

#include "common/files/tree.hpp"
#include "coordinator/ca/authority.hpp"
#include "coordinator/ca/ca_passphrase.hpp"
#include "coordinator/ca/clock_guard.hpp"
#include "coordinator/ca/file_ca_keys.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/signer/channel.hpp"

namespace slipway::signer {

namespace {

const Secret* pointer_to(const std::optional<Secret>& secret) {
  return secret ? &*secret : nullptr;
}

// A key that is a URI stands in a token, or will: the import folder counts.
bool has_tokens(const Open& open) {
  for (const std::string* folder : {&open.ca_dir, &open.import_dir}) {
    const auto names = list_dir(*folder);
    if (names && std::any_of(names->begin(), names->end(),
                             [](const std::string& name) { return name.ends_with(".uri"); }))
      return true;
  }
  return false;
}

std::string answer_of(const Result<std::string>& result) {
  return result ? *result : encode_error(result.error());
}

Result<std::string> answer_of(const Status& status) {
  if (!status) return status.error();
  return encode_done();
}

}  // namespace

struct SignerServer::Keys {
  Keys(const Open& open, std::optional<Secret> passphrase, Authority loaded, const Clock& clock)
      : authority(std::move(loaded)),
        signer(authority),
        guard(signer, clock, open.clock_floor),
        cas(open.ca_dir, open.import_dir, std::move(passphrase), authority, signer),
        rules(std::make_shared<const SigningRules>(open.rules)) {}

  std::shared_ptr<const SigningRules> rules_now() {
    const std::lock_guard lock(rules_mutex);
    return rules;
  }

  Authority authority;
  FileSigner signer;
  ClockGuard guard;
  FileCaKeys cas;
  std::mutex changing;  // one change of the keys at a time
  std::mutex rules_mutex;
  std::shared_ptr<const SigningRules> rules;
};

SignerServer::SignerServer(ServerDeps deps) : deps_(std::move(deps)) {}
SignerServer::~SignerServer() = default;

std::string SignerServer::answer(std::string_view request) {
  try {
    return answer_request(request);
  } catch (const std::exception& failure) {
    return encode_error(make_error(Errc::internal, std::string("the signer failed: ") + failure.what()));
  }
}

std::string SignerServer::answer_request(std::string_view bytes) {
  const auto request = decode_request(bytes);
  if (!request) return encode_error(request.error());
  if (request->op == Op::open) return answer_of(open(request->rest));
  if (keys_.load(std::memory_order_acquire) == nullptr)
    return encode_error(make_error(Errc::internal, "the signer has no keys yet"));
  if (request->op == Op::issue) return answer_of(issue(request->rest));
  if (request->op == Op::sign_crl) return answer_of(sign_crl(request->rest));
  if (request->op == Op::follow) return answer_of(follow(request->rest));
  if (request->op == Op::use) return answer_of(use(request->rest));
  return answer_of(change_keys(*request));
}

namespace {

Result<Opened> shown(const Authority& authority, bool tokens) {
  Opened opened;
  for (const CaKind kind : k_ca_kinds) {
    const CaSet& set = authority.set(kind);
    CaLine& line = opened.lines[kind];
    line.kind = kind;
    line.phase = set.phase;
    line.signing = facts_of(*set.signing);
    if (set.other != nullptr) line.other = facts_of(*set.other);
    for (const CaPtr& ca : {set.signing, set.other}) {
      if (ca != nullptr) opened.cas.push_back({kind, facts_of(*ca), ca->pem});
    }
  }
  auto account = authority.service_account_key().to_pem();
  if (!account) return account.error();
  opened.service_account_key = std::move(*account);
  opened.tokens = tokens;
  return opened;
}

}  // namespace

Result<std::string> SignerServer::open(std::string_view rest) {
  const std::lock_guard lock(opening_);
  if (held_ != nullptr) return make_error(Errc::denied, "the signer has its keys already");
  const auto open = decode_open(rest);
  if (!open) return open.error();
  if (const auto lives = check_lifetimes(open->rules.lifetimes); !lives) return lives.error();
  const bool tokens = has_tokens(*open);
  if (const auto confined = deps_.confine(tokens); !confined)
    return error_of(confined, "confining the signer");
  auto passphrase = find_ca_passphrase(open->passphrase_file, open->credentials_dir);
  if (!passphrase) return passphrase.error();
  auto authority = Authority::load(open->ca_dir, {pointer_to(*passphrase), open->lines});
  if (!authority) return error_of(authority, "loading the certificate authorities");
  const auto opened = shown(*authority, tokens);
  if (!opened) return opened.error();
  auto keys = std::make_unique<Keys>(*open, std::move(*passphrase), std::move(*authority), deps_.clock);
  const Status tidied = keys->cas.tidy(open->lines);
  if (!tidied) return error_of(tidied, "deleting the keys of retired authorities");
  held_ = std::move(keys);
  keys_.store(held_.get(), std::memory_order_release);
  return encode_opened(*opened);
}

Status SignerServer::check(const std::vector<IssueRequest>& wanted) {
  const auto rules = keys_.load(std::memory_order_acquire)->rules_now();
  const WallTime now = deps_.clock.wall();
  for (const IssueRequest& one : wanted) {
    if (const auto made = check_profile(one.spec, rules->cluster); !made) return made;
    const auto life = check_validity(one.spec, {one.not_before, one.not_after}, rules->lifetimes, now);
    if (!life) return life;
  }
  return {};
}

Result<std::string> SignerServer::issue(std::string_view rest) {
  const auto wanted = decode_issue(rest);
  if (!wanted) return wanted.error();
  if (const auto allowed = check(*wanted); !allowed) {
    deps_.refused(allowed.error());
    return allowed.error();
  }
  const auto issued = keys_.load(std::memory_order_acquire)->guard.issue_all(*wanted);
  if (!issued) return issued.error();
  return encode_issued(*issued);
}

Result<std::string> SignerServer::sign_crl(std::string_view rest) {
  const auto spec = decode_crl(rest);
  if (!spec) return spec.error();
  const auto list = keys_.load(std::memory_order_acquire)->guard.sign_crl(*spec);
  if (!list) return list.error();
  return encode_bytes(*list);
}

// These two wait for no disk: the coordinator's state thread waits for them.
Result<std::string> SignerServer::follow(std::string_view rest) {
  Keys& keys = *keys_.load(std::memory_order_acquire);
  const auto rules = decode_follow(rest);
  if (!rules) return rules.error();
  if (const auto allowed = check_rules_change(*keys.rules_now(), *rules); !allowed) return allowed.error();
  const std::lock_guard swap(keys.rules_mutex);
  keys.rules = std::make_shared<const SigningRules>(*rules);
  return encode_done();
}

Result<std::string> SignerServer::use(std::string_view rest) {
  const auto line = decode_use(rest);
  if (!line) return line.error();
  return answer_of(keys_.load(std::memory_order_acquire)->cas.use(*line));
}

Result<std::string> SignerServer::change_keys(const Request& request) {
  Keys& keys = *keys_.load(std::memory_order_acquire);
  const auto wish = decode_wish(request.rest);
  if (!wish) return wish.error();
  const std::lock_guard lock(keys.changing);
  if (request.op == Op::destroy_key) {
    if (keys.signer.uses(wish->kind, wish->number))
      return make_error(Errc::denied, "the signer refuses to delete the key of an authority that is in use");
    return answer_of(keys.cas.destroy_key(wish->kind, wish->number));
  }
  // With the settings and the clock that are held here, not with what is asked.
  const auto rules = keys.rules_now();
  const WallTime now = deps_.clock.wall();
  const auto facts = request.op == Op::make
                         ? keys.cas.make(wish->kind, wish->number, rules->cluster, now)
                         : keys.cas.import(wish->kind, wish->number, rules->cluster, rules->lifetimes, now);
  if (!facts) return facts.error();
  auto pem = keys.cas.bundle_pem(wish->kind, {facts->number});
  if (!pem) return pem.error();
  return encode_ca({wish->kind, *facts, std::move(*pem)});
}

Status serve(int fd, SignerServer& server) {
  while (true) {
    const auto request = receive_message(fd, k_max_frame);
    if (!request && request.error().code == Errc::gone) return {};
    if (!request) return request.error();
    if (const auto sent = send_message(fd, server.answer(*request)); !sent) return sent;
  }
}

}  // namespace slipway::signer
