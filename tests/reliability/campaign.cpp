#include "tests/reliability/campaign.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>

#include "common/crypto/certificate.hpp"
#include "proto/codec.hpp"
#include "tests/reliability/store_image.hpp"

namespace slipway::test {

namespace asio = boost::asio;
using bench::die;

namespace {

constexpr std::chrono::seconds k_patience{10};
constexpr std::int64_t k_quarantine_ms = 600'000;  // as the coordinator's

std::map<std::string, std::string> digests_of(const std::map<std::string, std::string>& pems) {
  std::map<std::string, std::string> out;
  for (const auto& [usage, pem] : pems) {
    const auto certificate = bench::must(Certificate::from_pem(pem), "reading an issued certificate");
    out.emplace(certificate.serial_hex(), certificate.sha256_hex());
  }
  return out;
}

}  // namespace

Campaign::Campaign(const std::string& bin, const std::string& parent, std::uint64_t seed)
    : cluster_(bin, parent, 2), checker_(k_quarantine_ms), random_(seed) {
  ledger_ = ::open(cluster_.path("ledger").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (ledger_ < 0) die("no ledger below " + parent);
}

Campaign::~Campaign() {
  if (server_) server_->kill_now();
  ::close(ledger_);
}

std::int64_t Campaign::now_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began_).count();
}

bool Campaign::start(std::vector<std::string> command) {
  if (command.empty()) command = cluster_.run_command();
  server_ = std::make_unique<bench::ServerProcess>(command, -1, cluster_.path("log"));
  down_ = !server_->wait_until_listening(bench::k_address, cluster_.port());
  return !down_;
}

void Campaign::new_token(std::uint64_t uses) {
  credential_ = cluster_.new_token(uses);
  token_ = credential_.substr(0, credential_.find('.'));
}

void Campaign::note(LedgerEvent event, const Member& member, const std::map<std::string, std::string>& pems) {
  // Before what is sent after it.
  note_failure();
  LedgerEntry entry;
  entry.event = event;
  entry.at_ms = now_ms();
  entry.node = member.sim.name;
  entry.token = member.token;
  entry.identity = member.sim.identity();
  entry.uid = member.sim.reply.node_uid;
  entry.pod_cidr = member.sim.reply.pod_cidr;
  entry.certificates = digests_of(pems);
  keep_in_ledger(entry);
}

void Campaign::keep_in_ledger(const LedgerEntry& entry) {
  const std::string line = ledger_line(entry) + "\n";
  if (::write(ledger_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) die("the ledger cannot be written");
  checker_.note(entry);
}

void Campaign::note_failure() {
  if (failure_mark_.empty() || ::access(failure_mark_.c_str(), F_OK) != 0) return;
  failure_mark_.clear();
  LedgerEntry entry;
  entry.event = LedgerEvent::write_failed;
  entry.at_ms = now_ms();
  keep_in_ledger(entry);
}

Campaign::Member* Campaign::pick_member() {
  if (live_.empty()) return nullptr;
  Member* const member = live_[static_cast<std::size_t>(random(static_cast<int>(live_.size())))];
  return member->busy ? nullptr : member;
}

// What went unanswered comes first: its keys are the same, and so must be the answer.
Campaign::Member* Campaign::next_work() {
  if (!unanswered_.empty()) {
    Member* const member = unanswered_.back();
    unanswered_.pop_back();
    return member;
  }
  if (only_unanswered_ || budget_ == 0) return nullptr;
  --budget_;
  const int dice = random(100);
  Member* const known = dice >= mix_.joins ? pick_member() : nullptr;
  if (known != nullptr) {
    if (dice >= mix_.joins + mix_.renewals) {
      known->stage = Stage::removing;
      std::erase(live_, known);
    }
    return known;
  }
  if (credential_.empty()) return known;
  ++made_;
  members_.emplace_back(bench::SimNode("node-" + std::to_string(made_), bench::sim_address(made_)));
  members_.back().credential = credential_;
  members_.back().token = token_;
  return &members_.back();
}

asio::awaitable<bool> Campaign::join(asio::any_io_executor executor, Member* member) {
  // A request that is asked again is one request: the ledger has it already.
  if (!member->asked) note(LedgerEvent::join_sent, *member);
  member->asked = true;
  http::Client client(executor, cluster_.endpoint(member->sim.address), cluster_.anonymous_tls());
  Sending sending = client.send(member->sim.join_request(member->credential), k_patience);
  const Result<http::Response> response = co_await std::move(sending);
  if (response && response->status == 200) {
    member->sim.reply = bench::must(proto::decode<proto::JoinReply>(response->body), "the answer to a join");
    note(LedgerEvent::join_acked, *member, member->sim.reply.certificates);
    member->stage = Stage::member;
    live_.push_back(member);
    co_return true;
  }
  if (response && response->status == 403) {
    note(LedgerEvent::join_refused, *member);
    member->stage = Stage::over;
    // Its token is used up. A few refusals are wanted; a flood of them would be held off.
    if (member->token == token_) credential_.clear();
    co_return true;
  }
  if (response && response->status < 500) die("a join was answered " + response->body);
  unanswered_.push_back(member);
  co_return false;
}

asio::awaitable<bool> Campaign::renew(asio::any_io_executor executor, Member* member, std::string usage) {
  note(LedgerEvent::renew_sent, *member);
  http::Client client(executor, cluster_.endpoint(member->sim.address), member->sim.tls(cluster_.ca_pem()));
  Sending sending = client.send(member->sim.renew_request(usage), k_patience);
  const Result<http::Response> response = co_await std::move(sending);
  if (!response || response->status >= 500) co_return false;
  if (response->status != 200) die("a renewal was answered " + response->body);
  const auto reply = bench::must(proto::decode<proto::RenewReply>(response->body), "the answer to a renewal");
  note(LedgerEvent::renew_acked, *member, reply.certificates);
  for (const auto& [of, pem] : reply.certificates) member->sim.reply.certificates[of] = pem;
  co_return true;
}

asio::awaitable<bool> Campaign::remove(asio::any_io_executor executor, Member* member) {
  note(LedgerEvent::delete_sent, *member);
  http::Client client(executor, cluster_.endpoint(bench::sim_address(0)), cluster_.admin_tls());
  Sending sending = client.send(bench::json_request(http::Method::del, "/v1/nodes/" + member->sim.name, ""), k_patience);
  const Result<http::Response> response = co_await std::move(sending);
  // Not found: the answer to the first removal was lost.
  if (response && (response->status == 204 || response->status == 404)) {
    note(LedgerEvent::delete_acked, *member);
    member->stage = Stage::over;
    co_return true;
  }
  if (response && response->status < 500) die("a removal was answered " + response->body);
  unanswered_.push_back(member);
  co_return false;
}

asio::awaitable<bool> Campaign::work(asio::any_io_executor executor, Member* member) {
  if (member->stage == Stage::joining) return join(executor, member);
  return member->stage == Stage::removing ? remove(executor, member) : renew(executor, member, "kubeletClient");
}

Campaign::Task Campaign::client_loop(asio::any_io_executor executor) {
  while (!down_) {
    Member* const member = next_work();
    if (member == nullptr) break;
    member->busy = true;
    asio::awaitable<bool> working = work(executor, member);
    const bool answered = co_await std::move(working);
    member->busy = false;
    if (answered) ++answered_;
    // Dying, or failing: either way this life is over.
    if (!answered) down_ = true;
  }
}

Campaign::Task Campaign::renewals(asio::any_io_executor executor, std::string usage) {
  for (std::size_t i = 0; i < live_.size() && !down_; ++i) {
    asio::awaitable<bool> renewing = renew(executor, live_[i], usage);
    const bool answered = co_await std::move(renewing);
    if (answered) ++answered_;
    if (!answered) down_ = true;
  }
}

Campaign::Task Campaign::killer(asio::any_io_executor executor, int millis) {
  asio::steady_timer timer(executor);
  const std::size_t before = answered_;
  auto due = std::chrono::steady_clock::time_point::max();
  while (!down_ && std::chrono::steady_clock::now() < due) {
    if (answered_ > before && due == std::chrono::steady_clock::time_point::max()) {
      due = std::chrono::steady_clock::now() + std::chrono::milliseconds(millis);
    }
    timer.expires_after(std::chrono::microseconds(500));
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
  server_->kill_now();
  down_ = true;
}

void Campaign::load(std::size_t clients, int millis, std::size_t requests) {
  budget_ = requests;
  bench::run_together([&](asio::any_io_executor executor) {
    std::vector<Task> tasks;
    for (std::size_t i = 0; i < clients; ++i) tasks.push_back(client_loop(executor));
    if (millis >= 0) tasks.push_back(killer(executor, millis));
    return tasks;
  });
}

void Campaign::answer_all(std::size_t clients) {
  only_unanswered_ = true;
  load(clients, -1);
  only_unanswered_ = false;
  if (!unanswered_.empty()) die("a coordinator that runs did not answer");
}

bool Campaign::renew_all(const std::string& usage) {
  bench::run_together([&](asio::any_io_executor executor) {
    std::vector<Task> tasks;
    tasks.push_back(renewals(executor, usage));
    return tasks;
  });
  return !down_;
}

std::vector<bench::SimNode*> Campaign::members() {
  std::vector<bench::SimNode*> out;
  for (Member* member : live_) out.push_back(&member->sim);
  return out;
}

void Campaign::kill() {
  server_->kill_now();
  LedgerEntry entry;
  entry.at_ms = now_ms();
  keep_in_ledger(entry);
  if (::fdatasync(ledger_) != 0) die("the ledger cannot be written");
}

Result<StoreImage> Campaign::image() const { return read_store(cluster_.data_dir(), cluster_.path("copy")); }

std::vector<std::string> Campaign::findings() {
  const auto stored = image();
  std::vector<std::string> found;
  if (stored) found = checker_.check(*stored, now_ms());
  if (!stored) found.push_back("the store cannot be read: " + stored.error().message);
  return found;
}

bool Campaign::check(const std::string& when) {
  const std::vector<std::string> found = findings();
  for (const std::string& text : found) std::fprintf(stderr, "%s: %s\n", when.c_str(), text.c_str());
  return found.empty();
}

bool Campaign::check_the_checker() {
  bool all = true;
  for (std::size_t bug = 0; bug < planted_bugs().size(); ++bug) {
    const PlantedBug& planted = planted_bugs()[bug];
    const auto clean = read_store(cluster_.data_dir(), cluster_.path("copy"));
    const auto image = clean ? plant(bug, cluster_.path("copy")) : clean;
    if (!image && image.error().code == Errc::not_found) {
      std::printf("  not planted in so short a campaign: %s\n", planted.what.c_str());
      continue;
    }
    // State::from_records() itself refuses some: caught as well.
    std::vector<std::string> found{image ? "" : planted.rule + ":"};
    if (image) found = CrashChecker(checker_).check(*image, now_ms());
    const bool caught = std::any_of(found.begin(), found.end(), [&](const auto& text) { return text.starts_with(planted.rule + ":"); });
    if (!caught) std::fprintf(stderr, "planted and not caught: %s\n", planted.what.c_str());
    all = all && caught;
  }
  return all;
}

}  // namespace slipway::test
