#include "coordinator/signer/client.hpp"

#include <algorithm>

#include "coordinator/signer/channel.hpp"

namespace slipway::signer {

namespace {

Error unknown(CaKind kind, std::uint64_t number) {
  return make_error(Errc::internal, "the " + std::string(to_string(kind)) + " authority number " +
                                        std::to_string(number) + " is not loaded");
}

}  // namespace

SignerClient::SignerClient(SignerLink link, std::function<void(const Error&)> lost)
    : link_(std::move(link)), lost_(std::move(lost)) {
  for (const UniqueFd& channel : link_.signatures) free_.push_back(&channel);
}

Result<std::unique_ptr<SignerClient>> SignerClient::open(SignerLink link, const Open& open,
                                                         std::function<void(const Error&)> lost) {
  auto client = std::unique_ptr<SignerClient>(new SignerClient(std::move(link), std::move(lost)));
  const auto answer = client->ask_for_change(encode_open(open));
  if (!answer) return answer.error();
  auto opened = decode_opened(*answer);
  if (!opened) return opened.error();
  for (KnownCa& ca : opened->cas) client->pems_[ca.kind][ca.facts.number] = std::move(ca.pem);
  for (const CaKind kind : k_ca_kinds) {
    const auto line = opened->lines.find(kind);
    if (line == opened->lines.end())
      return make_error(Errc::corrupt,
                        "the signer's answer lacks the " + std::string(to_string(kind)) + " authority");
    if (const Status taken = client->take_line(line->second); !taken) return taken.error();
  }
  client->service_account_key_ = std::move(opened->service_account_key);
  client->tokens_ = opened->tokens;
  return client;
}

Result<std::string> SignerClient::ask(const UniqueFd& channel, std::string_view request) {
  const Status sent = send_message(channel.get(), request);
  auto answer = sent ? receive_message(channel.get(), k_max_frame) : Result<std::string>(sent.error());
  if (answer) return answer;
  const Error error = make_error(Errc::unavailable, link_.name + " is lost: " + answer.error().message);
  lost_(error);
  return error;
}

Result<std::string> SignerClient::ask_for_signature(std::string_view request) {
  const UniqueFd* channel = nullptr;
  {
    std::unique_lock lock(waiting_);
    freed_.wait(lock, [this] { return !free_.empty(); });
    channel = free_.back();
    free_.pop_back();
  }
  auto answer = ask(*channel, request);
  {
    const std::lock_guard lock(waiting_);
    free_.push_back(channel);
  }
  freed_.notify_one();
  return answer;
}

Result<std::string> SignerClient::ask_for_change(std::string_view request) {
  const std::lock_guard lock(changing_);
  return ask(link_.changes, request);
}

Result<IssuedCert> SignerClient::issue(const CertSpec& spec, const std::string& spki_der,
                                       const Serial& serial, WallTime not_before, WallTime not_after) {
  auto all = issue_all({{spec, spki_der, serial, not_before, not_after}});
  if (!all) return all.error();
  return std::move(all->front());
}

Result<std::vector<IssuedCert>> SignerClient::issue_all(const std::vector<IssueRequest>& wanted) {
  if (wanted.size() > k_max_batch)
    return make_error(Errc::invalid, "more than " + std::to_string(k_max_batch) + " certificates at once");
  const auto answer = ask_for_signature(encode_issue(wanted));
  if (!answer) return answer.error();
  auto issued = decode_issued(*answer);
  if (issued && issued->size() != wanted.size())
    return make_error(Errc::corrupt, "the signer's answer has another number of certificates");
  return issued;
}

Status SignerClient::follow(const SigningRules& rules) {
  const auto answer = ask_for_signature(encode_follow(rules));
  return answer ? decode_done(*answer) : Status(answer.error());
}

Result<std::string> SignerClient::sign_crl(const CrlSpec& spec) {
  const auto answer = ask_for_signature(encode_crl(spec));
  return answer ? decode_bytes(*answer) : answer;
}

std::string SignerClient::ca_pem(CaKind kind) {
  const std::lock_guard lock(mutex_);
  return in_use_.at(kind).bundle;
}

std::uint64_t SignerClient::issuer_locked(CertUsage usage) const {
  const InUse& cas = in_use_.at(ca_of(usage));
  return usage == CertUsage::coordinator_serving ? cas.server : cas.signing.number;
}

std::uint64_t SignerClient::issuer_number(CertUsage usage) {
  const std::lock_guard lock(mutex_);
  return issuer_locked(usage);
}

std::string SignerClient::issuer_pem(CertUsage usage) {
  const std::lock_guard lock(mutex_);
  const std::string* pem = find(ca_of(usage), issuer_locked(usage));
  return pem == nullptr ? std::string() : *pem;
}

CaFacts SignerClient::signing(CaKind kind) {
  const std::lock_guard lock(mutex_);
  return in_use_.at(kind).signing;
}

const std::string* SignerClient::find(CaKind kind, std::uint64_t number) const {
  const auto of_kind = pems_.find(kind);
  if (of_kind == pems_.end()) return nullptr;
  const auto found = of_kind->second.find(number);
  return found == of_kind->second.end() ? nullptr : &found->second;
}

Result<std::string> SignerClient::bundle_locked(CaKind kind,
                                                const std::vector<std::uint64_t>& numbers) const {
  std::string bundle;
  for (const std::uint64_t number : numbers) {
    const std::string* pem = find(kind, number);
    if (pem == nullptr) return unknown(kind, number);
    bundle += *pem;
  }
  return bundle;
}

Status SignerClient::take_line(const CaLine& line) {
  InUse fresh;
  fresh.signing = line.signing;
  fresh.server = line.signing.number;
  std::vector<std::uint64_t> numbers = {line.signing.number};
  if (line.other) {
    numbers.push_back(line.other->number);
    if (other_serves(line.phase, line.signing.number, line.other->number)) fresh.server = line.other->number;
  }
  std::sort(numbers.begin(), numbers.end());
  auto bundle = bundle_locked(line.kind, numbers);
  if (!bundle) return bundle.error();
  fresh.bundle = std::move(*bundle);
  in_use_[line.kind] = std::move(fresh);
  return {};
}

Result<CaFacts> SignerClient::take_new(Op op, CaKind kind, std::uint64_t after) {
  const auto answer = ask_for_change(encode_wish(op, {kind, after}));
  if (!answer) return answer.error();
  auto ca = decode_ca(*answer);
  if (!ca) return ca.error();
  const std::lock_guard lock(mutex_);
  pems_[kind][ca->facts.number] = std::move(ca->pem);
  return std::move(ca->facts);
}

Result<CaFacts> SignerClient::make(CaKind kind, std::uint64_t after, const ProfileCluster&, WallTime) {
  return take_new(Op::make, kind, after);
}

Result<CaFacts> SignerClient::import(CaKind kind, std::uint64_t after, const ProfileCluster&,
                                     const Lifetimes&, WallTime) {
  return take_new(Op::import_ca, kind, after);
}

Result<std::string> SignerClient::bundle_pem(CaKind kind, const std::vector<std::uint64_t>& numbers) {
  const std::lock_guard lock(mutex_);
  return bundle_locked(kind, numbers);
}

Status SignerClient::use(const CaLine& line) {
  const auto answer = ask_for_signature(encode_use(line));
  const Status used = answer ? decode_done(*answer) : Status(answer.error());
  if (!used) return used;
  const std::lock_guard lock(mutex_);
  return take_line(line);
}

Status SignerClient::destroy_key(CaKind kind, std::uint64_t number) {
  const auto answer = ask_for_change(encode_wish(Op::destroy_key, {kind, number}));
  const Status destroyed = answer ? decode_done(*answer) : Status(answer.error());
  if (!destroyed) return destroyed;
  const std::lock_guard lock(mutex_);
  pems_[kind].erase(number);
  return {};
}

}  // namespace slipway::signer
