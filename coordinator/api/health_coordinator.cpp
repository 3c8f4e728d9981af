// The coordinator's own part of health.
#include <algorithm>
#include <array>

#include "common/core/text.hpp"
#include "coordinator/api/health_tally.hpp"

namespace slipway::api {

namespace {

constexpr double k_renewal_limit = 0.9;  // of the life
constexpr std::size_t k_names = 5;
constexpr std::uint64_t k_mib = 1024 * 1024;
// A full disk ends the process at the next commit: say so while an operator can still do something.
constexpr std::uint64_t k_little_space = 1024 * k_mib;
constexpr std::uint64_t k_too_little_space = 256 * k_mib;
constexpr Millis k_slow_commit{10'000};
// Agents confirm a bundle within minutes and renew at once; what takes longer waits for somebody.
constexpr Seconds k_confirm_limit{3600};
constexpr Seconds k_replace_limit{86400};
// While an authority is replaced its certificates and the next one's are both out: time to notice and to act.
constexpr Seconds k_overlap{30 * 86400};

std::string size_text(std::uint64_t bytes) { return bytes < 10 * k_mib ? std::to_string(bytes / 1024) + " KiB" : std::to_string(bytes / k_mib) + " MiB"; }

void check_itself(const HealthInput& input, Tally& tally) {
  const CoordinatorState& self = input.coordinator;
  std::string text = "answers, running for " + to_age_text(input.now - input.started) + ", serving " + self.listen + " with " +
                     std::to_string(self.connections) + " connections on " +
                     (self.io_threads == 0 ? "the state thread" : std::to_string(self.io_threads) + " I/O threads");
  if (!self.clock_problem.empty()) text = self.clock_problem;
  tally.add("coordinator", self.clock_problem.empty(), text, "on the coordinator's host: timedatectl; until the clock is right nobody joins or renews");
}

void check_store(const HealthInput& input, Tally& tally) {
  const StoreState& store = input.store;
  if (!store.problem.empty()) {
    tally.add("store", false, store.problem, "look at the disk of the coordinator's data directory: df, mount, dmesg, journalctl -u slipway-coordinator");
    return;
  }
  if (!store.space.writable) {
    tally.add("store", false, store.space.place + " cannot be written to", "is its file system mounted read-only (dmesg), does user slipway own it? mount -o remount,rw; chown");
    return;
  }
  if (store.commit.under_way && *store.commit.under_way > k_slow_commit) {
    tally.add("store", false, "a commit has been on its way to the disk for " + to_age_text(std::chrono::floor<Seconds>(*store.commit.under_way)) + ", changes wait for it",
              "the disk does not answer or is very slow: dmesg, iostat; the coordinator goes on by itself when it does");
    return;
  }
  const std::string last = store.commit.last == WallTime{} ? "no commit since the start" : "last commit " + to_age_text(input.now - store.commit.last) + " ago";
  const std::string text = store.space.place + " has " + size_text(store.space.size) + ", " + size_text(store.space.free) + " are free beside it, " + last;
  const std::string cure = "make room on that file system: without any the coordinator ends at its next change (slipwayctl artifact list; old audit files; df)";
  if (store.space.free < k_too_little_space) tally.add("store", false, text, cure);
  else if (store.space.free < k_little_space) tally.warn("store", text, cure);
  else tally.add("store", true, text);
}

// So that a certificate issued today, and the one after it, end before their authority does, and an operator has a month to act.
void check_end(const HealthInput& input, const AuthorityState& authority, Tally& tally) {
  const auto end = parse_rfc3339(authority.view.signing.not_after);
  if (!end) return;
  const std::string& kind = authority.view.kind;
  const Seconds needed = 2 * authority.longest_life + k_overlap;
  const bool is_replaced = authority.view.phase == "distributing";
  const std::string valid = "number " + std::to_string(authority.view.signing.number) + " " + end_text(authority.view.signing.not_after, input.now);
  if (*end - input.now >= needed) {
    tally.add("authority " + kind, true, valid);
    return;
  }
  const std::string text = valid + ", " + to_age_text(needed) + " are wanted (two lives of its longest certificate and a month)";
  const std::string cure = "replace it: slipwayctl certs rotate-ca " + kind + " --prepare";
  // On its way: then the replacement is what counts.
  if (is_replaced) tally.warn("authority " + kind, text, "go on with its replacement: " + authority.view.next);
  else tally.add("authority " + kind, false, text, cure);
}

void check_rotation(const HealthInput& input, const proto::CaView& ca, Tally& tally) {
  if (ca.phase == "stable") return;
  const auto since = parse_rfc3339(ca.changed_at);
  const Seconds age = since ? input.now - *since : Seconds(0);
  std::string text = ca.phase + " since " + to_age_text(age);
  if (!ca.waiting_for.empty()) text += ", not confirmed by " + std::to_string(ca.waiting_for.size()) + " nodes: " + some_of(ca.waiting_for);
  if (!ca.held_by.empty()) text += ", the one on its way out is needed by " + some_of(ca.held_by);
  const std::string name = "replacement of authority " + ca.kind;
  const bool waits = !ca.waiting_for.empty() && age > k_confirm_limit;
  const bool held = !ca.held_by.empty() && age > k_replace_limit;
  if (waits) {
    tally.add(name, false, text, "bring these nodes back, or slipwayctl node delete what is gone; slipwayctl certs status");
  } else if (held) {
    tally.add(name, false, text, "end what needs it (new tokens, new credentials for operators), or slipwayctl certs rotate-ca " + ca.kind + " --retire --force");
  } else if (age > k_replace_limit) {
    tally.warn(name, text, ca.next);
  } else {
    tally.add(name, true, text);
  }
}

void check_own_certificates(const HealthInput& input, Tally& tally) {
  const proto::CertificateView* serving = nullptr;
  for (const proto::CertificateView& certificate : input.certificates) {
    if (!is_of_coordinator(certificate.usage)) continue;
    if (certificate.usage == to_string(CertUsage::coordinator_serving)) serving = &certificate;
    const bool overdue = is_overdue(certificate, input.now);
    tally.add("coordinator's certificate " + certificate.usage, !overdue, end_text(certificate.not_after, input.now) + (overdue ? " and was not renewed" : ""),
              "the coordinator renews it by itself: why it could not stands in journalctl -u slipway-coordinator; systemctl restart slipway-coordinator makes a new one");
  }
  if (serving != nullptr) return;
  tally.add("coordinator's certificate " + std::string(to_string(CertUsage::coordinator_serving)), false, "none that is valid is on record: agents that connect anew refuse the coordinator",
            "systemctl restart slipway-coordinator makes a new one; journalctl -u slipway-coordinator says why it did not");
}

}  // namespace

void Tally::add(std::string name, bool ok, std::string message, std::string cure) {
  report.ok = report.ok && ok;
  report.checks.push_back({std::move(name), ok, std::move(message), ok ? std::string() : std::move(cure)});
}

void Tally::warn(std::string name, const std::string& message, const std::string& cure) {
  report.checks.push_back({std::move(name), true, "warning: " + message + "; " + cure, {}, true});
}

void Tally::sum_up(const std::string& name, std::size_t failed, std::size_t all, const std::string& what) {
  if (failed == 0) add(name, true, std::to_string(all) + " of " + std::to_string(all) + " " + what);
}

std::string some_of(const std::vector<std::string>& names) {
  const std::vector<std::string> first(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), k_names)));
  return join(first, ", ") + (names.size() > k_names ? " and " + std::to_string(names.size() - k_names) + " more" : "");
}

bool is_of_coordinator(const std::string& usage) {
  return usage == to_string(CertUsage::coordinator_serving) || usage == to_string(CertUsage::coordinator_kube_client);
}

double life_spent(const proto::CertificateView& certificate, WallTime now) {
  const auto begin = parse_rfc3339(certificate.not_before);
  const auto end = parse_rfc3339(certificate.not_after);
  if (!begin || !end || *end <= *begin) return 0;
  return static_cast<double>((now - *begin).count()) / static_cast<double>((*end - *begin).count());
}

bool is_overdue(const proto::CertificateView& certificate, WallTime now) { return life_spent(certificate, now) > k_renewal_limit; }

std::string end_text(const std::string& not_after, WallTime now) {
  const auto end = parse_rfc3339(not_after);
  if (!end) return "has no end";
  return *end > now ? "ends in " + to_age_text(*end - now) : "ended " + to_age_text(now - *end) + " ago";
}

void check_coordinator(const HealthInput& input, Tally& tally) {
  check_itself(input, tally);
  check_store(input, tally);
  tally.add("audit log", input.audit_damage.empty(), input.audit_damage.empty() ? "was whole at the start" : input.audit_damage,
            "slipwayctl audit verify names what is missing: compare with a backup, find out who wrote there");
  for (const AuthorityState& authority : input.authorities) {
    check_end(input, authority, tally);
    check_rotation(input, authority.view, tally);
  }
  check_own_certificates(input, tally);
}

}  // namespace slipway::api
