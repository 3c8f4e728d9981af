// What every audit log must do. The same cases run on the fake that other tests use and on files.
#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <set>

#include "coordinator/store/audit_files.hpp"
#include "tests/support/memory_audit_log.hpp"
#include "tests/support/temp_dir.hpp"

namespace slipway {
namespace {

const WallTime k_now{Seconds(1'790'000'000)};

// One medium, opened as often as the test likes.
struct MemoryMedium {
  std::shared_ptr<test::MemoryAuditLog::Disk> disk = std::make_shared<test::MemoryAuditLog::Disk>();
  std::unique_ptr<AuditLog> open(const AuditHead&) { return std::make_unique<test::MemoryAuditLog>(disk); }
};
struct FileMedium {
  test::TempDir dir;
  std::size_t max_file_bytes = 2'000;  // three or four records: most cases cross a border between files
  std::unique_ptr<AuditLog> open(const AuditHead& anchor) {
    auto log = AuditFiles::open({dir / "audit", max_file_bytes}, anchor, k_now);
    INFO((log ? std::string() : log.error().message));
    REQUIRE(log);
    CHECK((*log)->damage().empty());
    return std::move(*log);
  }
};

proto::AuditRecord record_of(int number, const std::string& action = "token.create") {
  proto::AuditRecord record;
  record.time = to_rfc3339(k_now + Seconds(number));
  record.action = action;
  record.node = "node-" + std::to_string(number % 3);
  record.subject = "tok" + std::to_string(number);
  record.detail = "quotes \" and \"hash\":\"\" and\nlines";
  record.certificates.push_back({"agent", "5e" + std::to_string(number), "c0ffee" + std::to_string(number), "aa", "", {"a", "b"}});
  return record;
}

AuditHead append(AuditLog& log, int first, int count) {
  std::vector<proto::AuditRecord> records;
  for (int i = 0; i < count; ++i) records.push_back(record_of(first + i));
  const auto head = log.append(std::move(records));
  REQUIRE(head);
  return *head;
}

TEMPLATE_TEST_CASE("an audit log numbers and chains what it gets, over restarts", "[audit]", MemoryMedium, FileMedium) {
  TestType medium;
  AuditHead head;
  {
    const auto log = medium.open(head);
    CHECK(log->head() == AuditHead{});
    CHECK(*log->append({}) == AuditHead{});
    head = append(*log, 1, 1);
    head = append(*log, 2, 5);
  }
  const auto log = medium.open(head);
  CHECK(log->head() == head);
  head = append(*log, 7, 3);
  CHECK(head.seq == 9);
  CHECK(head.hash.size() == 64);
  const auto list = log->list({});
  REQUIRE(list);
  REQUIRE(list->items.size() == 9);
  std::set<std::string> hashes;
  for (std::size_t i = 0; i < 9; ++i) {
    const proto::AuditRecord& record = list->items[i];
    CHECK(record.seq == 9 - i);
    CHECK(record.subject == "tok" + std::to_string(record.seq));
    CHECK(record.detail == "quotes \" and \"hash\":\"\" and\nlines");
    CHECK(record.certificates.at(0).names == std::vector<std::string>{"a", "b"});
    CHECK(record.previous == (i == 8 ? AuditHead{}.hash : list->items[i + 1].hash));
    hashes.insert(record.hash);
  }
  CHECK(hashes.size() == 9);
  const auto verdict = log->verify(head);
  REQUIRE(verdict);
  CHECK(verdict->ok);
  CHECK(verdict->records == 9);
  CHECK(verdict->hash == head.hash);
}

TEMPLATE_TEST_CASE("an audit log is listed in pages, newest first, and by what is asked", "[audit]", MemoryMedium, FileMedium) {
  TestType medium;
  const auto log = medium.open({});
  for (int i = 1; i <= 20; ++i) append(*log, i, 1);
  REQUIRE(log->append({record_of(21, "node.join"), record_of(22, "node.delete")}));
  std::vector<std::uint64_t> seen;
  AuditQuery query;
  query.limit = 7;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = log->list(query);
    REQUIRE(page);
    for (const auto& record : page->items) seen.push_back(record.seq);
    if (page->next.empty()) break;
    query.before = std::stoull(page->next);
  }
  REQUIRE(seen.size() == 22);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == 22 - i);
  const auto count = [&log](AuditQuery wish) {
    const auto list = log->list(wish);
    REQUIRE(list);
    return list->items.size();
  };
  CHECK(count({0, 100, "node-1", "", ""}) == 8);
  CHECK(count({0, 100, "", "node.", ""}) == 2);
  CHECK(count({0, 100, "", "node.join", ""}) == 1);
  CHECK(count({0, 100, "", "", "c0ffee5"}) == 1);
  CHECK(count({0, 100, "", "", "5e17"}) == 1);
  CHECK(count({0, 100, "absent", "", ""}) == 0);
}

TEMPLATE_TEST_CASE("an audit log behind its anchor is told", "[audit]", MemoryMedium, FileMedium) {
  TestType medium;
  const auto log = medium.open({});
  const AuditHead head = append(*log, 1, 4);
  CHECK(log->verify(head)->ok);
  append(*log, 5, 2);
  CHECK(log->verify(head)->ok);  // more than the store knows: written, then the process ended before the commit
  const auto cut = log->verify({9, std::string(64, 'a')});
  CHECK_FALSE(cut->ok);
  CHECK(cut->problems.at(0).find("records 7 to 9 are missing at the end") == 0);
  const auto other = log->verify({4, std::string(64, 'a')});
  CHECK_FALSE(other->ok);
  CHECK(other->problems.at(0).find("record 4 ") == 0);
}

TEST_CASE("audit files are private and go on in the next file with the chain", "[audit]") {
  FileMedium medium;
  const auto log = medium.open({});
  for (int i = 1; i <= 12; ++i) append(*log, i, 1);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(medium.dir / "audit")) {
    ++files;
    struct stat info {};
    REQUIRE(stat(entry.path().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    CHECK(info.st_size <= 2'000);
  }
  CHECK(files >= 3);
  CHECK(log->verify(log->head())->ok);
}

TEST_CASE("an audit log that cannot be written takes nothing more", "[audit]") {
  test::TempDir dir;
  auto small = AuditFiles::open({dir / "audit", 1}, {}, k_now);
  REQUIRE(small);
  append(**small, 1, 1);
  std::filesystem::remove_all(dir / "audit");  // the next file cannot be made
  CHECK_FALSE((*small)->append({record_of(2)}));
  std::filesystem::create_directory(dir / "audit");
  CHECK_FALSE((*small)->append({record_of(2)}));  // not by a second try either
  CHECK((*small)->head().seq == 1);
}

// As a full disk: a part of the write gets through, then an error.
TEST_CASE("an audit log on a full disk refuses, and the next start repairs it", "[audit]") {
  test::TempDir dir;
  auto log = AuditFiles::open({dir.path(), 100'000}, {}, k_now);
  REQUIRE(log);
  const AuditHead head = append(**log, 1, 3);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto size = std::filesystem::file_size(dir / "audit-00000000000000000001.jsonl");
  const rlimit tight{size + 100, old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tight) == 0);
  const auto refused = (*log)->append({record_of(4)});
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK_FALSE(refused);
  CHECK_FALSE((*log)->append({record_of(4)}));  // there is room again, but half a record stands at the end
  auto next = AuditFiles::open({dir.path(), 100'000}, head, k_now);
  REQUIRE(next);
  CHECK((*next)->list({})->items.at(0).action == "audit.repaired");
  CHECK((*next)->verify((*next)->head())->ok);
}

}  // namespace
}  // namespace slipway
