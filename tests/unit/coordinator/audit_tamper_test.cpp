// Whoever can write the files can change them, but not unnoticed.
#include <catch2/catch.hpp>
#include <filesystem>

#include "coordinator/store/audit_files.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

const WallTime k_now{Seconds(1'790'000'000)};
constexpr std::size_t k_records = 8;

struct Log {
  test::TempDir dir;
  AuditHead head;
  std::string path;  // of the one file

  explicit Log(const std::string& name = "t") {
    auto log = AuditFiles::open({dir.path(), 1'000'000}, {}, k_now);
    REQUIRE(log);
    for (std::size_t i = 1; i <= k_records; ++i) {
      proto::AuditRecord record;
      record.time = to_rfc3339(k_now);
      record.action = "token.create";
      record.subject = name + std::to_string(i);
      head = (*log)->append({record}).value();
    }
    path = dir / "audit-00000000000000000001.jsonl";
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> found;
    const std::string text = test::get_file(path);
    for (std::size_t at = 0; at < text.size();) {
      const auto end = text.find('\n', at);
      found.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return found;
  }
  void write(const std::vector<std::string>& lines) const {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    test::put_file(path, text);
  }
  proto::AuditVerdict verify() const {
    const auto verdict = verify_audit_files(dir.path(), head);
    REQUIRE(verdict);
    return *verdict;
  }
  // The first problem; all of them when there are more than `most`.
  std::string problem(std::size_t most = 1) const {
    const auto verdict = verify();
    CHECK_FALSE(verdict.ok);
    std::string all;
    for (const auto& text : verdict.problems) all += text + "\n";
    INFO(all);
    CHECK(verdict.problems.size() <= most);
    return all;
  }
};

bool holds(const std::string& text, const std::string& part) {
  INFO(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

TEST_CASE("every flipped bit of an audit log is found", "[audit]") {
  const Log log;
  REQUIRE(log.verify().ok);
  const std::string good = test::get_file(log.path);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x01, 0x20}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      test::put_file(log.path, bad);
      const auto verdict = verify_audit_files(log.dir.path(), log.head);
      REQUIRE(verdict);
      if (verdict->ok) FAIL("byte " << at << " ^ " << flip << " was not noticed");
    }
  }
}

TEST_CASE("a changed audit record is named, with the file and line", "[audit]") {
  const Log log;
  auto lines = log.lines();
  lines[3].replace(lines[3].find("t4"), 2, "t9");
  log.write(lines);
  const auto text = log.problem();
  holds(text, "audit-00000000000000000001.jsonl line 4");
  holds(text, "record 4");
  holds(text, "was changed");
}

TEST_CASE("a deleted audit record is named", "[audit]") {
  const Log log;
  auto lines = log.lines();
  lines.erase(lines.begin() + 2, lines.begin() + 4);
  log.write(lines);
  holds(log.problem(), "records 3 to 4 are missing");
  lines = log.lines();
  lines.erase(lines.begin());
  log.write(lines);
  holds(log.problem(2), "record 1 is missing");
}

TEST_CASE("swapped audit records are named", "[audit]") {
  const Log log;
  auto lines = log.lines();
  std::swap(lines[4], lines[5]);
  log.write(lines);
  const auto text = log.problem(2);
  holds(text, "record 5 is missing");
  holds(text, "record 5 (audit-00000000000000000001.jsonl line 6) stands out of its order");
}

TEST_CASE("an audit log whose end was cut is found by what the store knows", "[audit]") {
  const Log log;
  auto lines = log.lines();
  lines.resize(5);
  log.write(lines);
  holds(log.problem(), "records 6 to 8 are missing at the end");
  std::filesystem::remove(log.path);
  holds(log.problem(), "records 1 to 8 are missing at the end");
  // Without the store's word a cut end cannot be seen: that is why it keeps it.
  log.write(lines);
  CHECK(verify_audit_files(log.dir.path(), {})->ok);
}

TEST_CASE("an audit log written anew with hashes that fit is found by what the store knows", "[audit]") {
  const Log log;
  std::filesystem::remove(log.path);
  auto forged = AuditFiles::open({log.dir.path(), 1'000'000}, {}, k_now);
  REQUIRE(forged);
  for (std::size_t i = 0; i < k_records; ++i) REQUIRE((*forged)->append({proto::AuditRecord{}}));
  holds(log.problem(), "record 8 (audit-00000000000000000001.jsonl line 8) is not the one whose hash the store keeps");
}

TEST_CASE("an audit record replaced by one with a hash that fits is named", "[audit]") {
  const Log log, other("other");
  auto lines = log.lines();
  lines[3] = other.lines()[3];
  log.write(lines);
  const auto text = log.problem(2);
  holds(text, "record 4 (audit-00000000000000000001.jsonl line 4) does not follow");
  holds(text, "record 5 (audit-00000000000000000001.jsonl line 5) does not follow");
}

TEST_CASE("an audit record put in between is named", "[audit]") {
  const Log log;
  Log other;
  auto lines = log.lines();
  lines.insert(lines.begin() + 3, other.lines()[3]);
  log.write(lines);
  holds(log.problem(2), "stands out of its order");
}

TEST_CASE("the unfinished end that a crash leaves is cut off, and a record says so", "[audit]") {
  const Log log;
  const std::string good = test::get_file(log.path);
  const auto last = good.rfind('\n', good.size() - 2) + 1;
  // The store knows of seven records: the eighth was under way.
  auto seven = AuditFiles::open({log.dir.path(), 1'000'000}, log.head, k_now);
  const AuditHead anchor{7, (*seven)->list({8, 1, "", "", ""})->items.at(0).hash};
  for (const std::size_t size : {last + 1, last + 40, good.size() - 1}) {
    test::put_file(log.path, good.substr(0, size));
    auto opened = AuditFiles::open({log.dir.path(), 1'000'000}, anchor, k_now);
    REQUIRE(opened);
    CHECK((*opened)->damage().empty());
    CHECK((*opened)->head().seq == 8);
    const auto record = (*opened)->list({})->items.at(0);
    CHECK(record.action == "audit.repaired");
    CHECK(record.detail.find(std::to_string(size - last) + " bytes behind record 7") != std::string::npos);
    CHECK((*opened)->verify((*opened)->head())->ok);
  }
  // A whole record that the store does not know of is no damage: the process ended between the two flushes.
  test::put_file(log.path, good);
  auto ahead = AuditFiles::open({log.dir.path(), 1'000'000}, anchor, k_now);
  REQUIRE(ahead);
  CHECK((*ahead)->head() == log.head);
  // Zeros behind it, as a file system may leave them.
  test::put_file(log.path, good + std::string(4096, '\0'));
  auto zeros = AuditFiles::open({log.dir.path(), 1'000'000}, log.head, k_now);
  REQUIRE(zeros);
  CHECK((*zeros)->head().seq == 9);
  CHECK((*zeros)->verify((*zeros)->head())->ok);
}

TEST_CASE("a log that lacks what the store knows is continued, and never passes for whole", "[audit]") {
  const Log log;
  auto lines = log.lines();
  lines.resize(6);
  log.write(lines);
  auto opened = AuditFiles::open({log.dir.path(), 1'000'000}, log.head, k_now);
  REQUIRE(opened);
  holds((*opened)->damage(), "should end with record 8");
  CHECK((*opened)->head().seq == 9);
  CHECK((*opened)->list({})->items.at(0).action == "audit.damaged");
  const auto verdict = (*opened)->verify((*opened)->head());
  REQUIRE(verdict);
  CHECK_FALSE(verdict->ok);
  holds(verdict->problems.at(0), "records 7 to 8 are missing");
  CHECK(verdict->problems.size() == 1);
  // The next start finds its anchor again; what is missing stays missing.
  const AuditHead head = (*opened)->head();
  opened = AuditFiles::open({log.dir.path(), 1'000'000}, head, k_now);
  REQUIRE(opened);
  CHECK((*opened)->damage().empty());
  CHECK_FALSE((*opened)->verify(head)->ok);
}

TEST_CASE("a first record that was never finished leaves no trace", "[audit]") {
  const Log log;
  const std::string good = test::get_file(log.path);
  test::put_file(log.dir / "audit-00000000000000000009.jsonl", good.substr(0, 30));
  auto opened = AuditFiles::open({log.dir.path(), 1'000'000}, log.head, k_now);
  REQUIRE(opened);
  CHECK((*opened)->damage().empty());
  CHECK((*opened)->head().seq == 9);
  CHECK((*opened)->verify((*opened)->head())->ok);
}

}  // namespace
}  // namespace slipway
