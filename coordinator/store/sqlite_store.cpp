#include "coordinator/store/sqlite_store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <mutex>
#include <system_error>

#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway {

namespace {

constexpr std::int64_t k_application_id = 0x536c7077;  // "Slpw"
constexpr std::int64_t k_user_version = 1;             // of the tables; the records in them have their own
constexpr int k_busy_ms = 5000;
// 8 MiB of pages in memory, taken only as they are used; and the log is folded into the table each 16 MiB: a page that changes in
// many commits is then written back once.
constexpr char k_tuning[] = "PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=4000;";

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// Ends a run of a prepared statement, so that it holds no lock and can run again.
class Run {
 public:
  explicit Run(const Statement& statement) : statement_(statement.get()) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  bool bind(int index, std::string_view bytes) {
    // A null pointer would be SQL NULL, so empty text needs an address.
    return sqlite3_bind_blob64(statement_, index, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC) == SQLITE_OK;
  }
  bool bind(int index, std::int64_t number) { return sqlite3_bind_int64(statement_, index, number) == SQLITE_OK; }
  int step() { return sqlite3_step(statement_); }
  std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
  // Until the next step.
  std::string_view view(int column) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
    const int size = sqlite3_column_bytes(statement_, column);
    return data == nullptr ? std::string_view() : std::string_view(data, static_cast<std::size_t>(size));
  }
  std::string bytes(int column) const { return std::string(view(column)); }

 private:
  sqlite3_stmt* statement_;
};

// The first key behind all that start with `prefix`; empty: there is none.
std::string end_of_prefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

// Made by us, so that its mode is right from the start; SQLite gives its log files the same.
Status make_file(const std::string& path, bool create) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600));
  if (fd) {
    struct stat info {};
    if (fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode)) return {};
    return make_error(Errc::invalid, "the store " + path + " is not a regular file");
  }
  if (errno == ENOENT && !create) {
    return make_error(Errc::not_found, "there is no store " + path + ": slipway-coordinator init makes a cluster");
  }
  return from_errno("opening the store " + path, errno);
}

}  // namespace

struct SqliteStore::Impl {
  std::string path;
  std::mutex mutex;  // one connection for all workers; a commit must not be seen half done
  Database db;
  Statement begin, commit, rollback, put, erase, read, scan, scan_all, owner;
  std::int64_t our_owner = 0;
  int checkpoint_pages = 0;
  int log_pages = 0;  // in the log after the last commit
  bool failed = false;

  Error error(int code, const std::string& doing) const {
    const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
    return make_error(damaged ? Errc::corrupt : Errc::internal,
                      doing + " the store " + path + ": " + (db ? sqlite3_errmsg(db.get()) : sqlite3_errstr(code)) + cure(code));
  }
  std::string cure(int code) const {
    switch (code) {
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB: return ": the file is damaged or not a store; restore a backup";
      case SQLITE_FULL: return ": make space there, the coordinator starts again by itself";
      case SQLITE_IOERR: break;
      default: return "";
    }
    const int number = db ? sqlite3_system_errno(db.get()) : 0;
    return number == 0 ? "" : ": " + std::system_category().message(number);
  }
  Status run_sql(const char* sql, const char* doing) {
    const int code = sqlite3_exec(db.get(), sql, nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? Status{} : Status(error(code, doing));
  }
  Status prepare(Statement& statement, const char* sql) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(db.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    statement.reset(raw);
    return code == SQLITE_OK ? Status{} : Status(error(code, "preparing a statement for"));
  }
  Result<std::int64_t> number(const char* sql) {
    Statement statement;
    if (const auto prepared = prepare(statement, sql); !prepared) return prepared.error();
    Run run(statement);
    const int code = run.step();
    if (code != SQLITE_ROW) return error(code, "reading");
    return run.number(0);
  }
  Status step_once(const Statement& statement, const char* doing) {
    Run run(statement);
    const int code = run.step();
    return code == SQLITE_DONE ? Status{} : Status(error(code, doing));
  }

  Status connect();
  Status check_version();
  Status make_tables();
  Status prepare_all();
  Status take_fence();
  Status write(const Batch& batch);
  Status check_fence();
  void watch_log();
  Status checkpoint();
};

Status SqliteStore::Impl::connect() {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  db.reset(raw);
  if (code != SQLITE_OK) return error(code, "opening");
  sqlite3_extended_result_codes(raw, 0);
  sqlite3_busy_timeout(raw, k_busy_ms);
  if (const auto tuned = run_sql(k_tuning, "setting up"); !tuned) return tuned;
  return run_sql("PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;", "setting up");
}

Status SqliteStore::Impl::check_version() {
  const auto application = number("PRAGMA application_id");
  if (!application) return application.error();
  const auto version = number("PRAGMA user_version");
  if (!version) return version.error();
  const auto tables = number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*application == 0 && *version == 0 && *tables == 0) return make_tables();
  if (*application != k_application_id) {
    return make_error(Errc::corrupt, path + " is a database of another program, not a store");
  }
  if (*version > k_user_version) {
    return make_error(Errc::invalid, "the store " + path + " has format " + std::to_string(*version) +
                                         ", made by a newer version; this one knows " + std::to_string(k_user_version) +
                                         ": install the newer version again");
  }
  return {};
}

Status SqliteStore::Impl::make_tables() {
  static constexpr char k_tables[] =
      "BEGIN IMMEDIATE;"
      "CREATE TABLE kv(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE fence(id INTEGER PRIMARY KEY CHECK(id = 1), owner INTEGER NOT NULL);"
      "INSERT INTO fence VALUES(1, 0);";
  if (const auto made = run_sql(k_tables, "making"); !made) return made;
  const std::string marks = "PRAGMA application_id=" + std::to_string(k_application_id) +
                            "; PRAGMA user_version=" + std::to_string(k_user_version) + "; COMMIT;";
  return run_sql(marks.c_str(), "making");
}

Status SqliteStore::Impl::prepare_all() {
  const std::pair<Statement*, const char*> all[] = {
      {&begin, "BEGIN IMMEDIATE"},
      {&commit, "COMMIT"},
      {&rollback, "ROLLBACK"},
      {&put, "INSERT INTO kv VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value"},
      {&erase, "DELETE FROM kv WHERE key = ?1"},
      {&read, "SELECT value FROM kv WHERE key = ?1"},
      {&scan, "SELECT key, value FROM kv WHERE key >= ?1 AND key < ?2 ORDER BY key"},
      {&scan_all, "SELECT key, value FROM kv WHERE key >= ?1 ORDER BY key"},
      {&owner, "SELECT owner FROM fence WHERE id = 1"}};
  for (const auto& [statement, sql] : all) {
    if (const auto prepared = prepare(*statement, sql); !prepared) return prepared;
  }
  return {};
}

Status SqliteStore::Impl::take_fence() {
  if (const auto taken = run_sql("UPDATE fence SET owner = owner + 1 WHERE id = 1", "taking over"); !taken) return taken;
  const auto mine = number("SELECT owner FROM fence WHERE id = 1");
  if (!mine) return mine.error();
  our_owner = *mine;
  return {};
}

Status SqliteStore::Impl::check_fence() {
  Run run(owner);
  const int code = run.step();
  if (code != SQLITE_ROW) return error(code, "reading the owner of");
  if (run.number(0) == our_owner) return {};
  return make_error(Errc::conflict, "another coordinator has taken over the store " + path + " (owner " +
                                        std::to_string(run.number(0)) + ", this one is " + std::to_string(our_owner) + ")");
}

void SqliteStore::Impl::watch_log() {
  const auto note = [](void* self, sqlite3*, const char*, int pages) {
    static_cast<Impl*>(self)->log_pages = pages;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db.get(), note, this);
}

// Ours in place of SQLite's own, which tells nobody when it fails and lets commits go on.
Status SqliteStore::Impl::checkpoint() {
  if (log_pages <= checkpoint_pages) return {};
  log_pages = 0;
  const int code = sqlite3_wal_checkpoint_v2(db.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code == SQLITE_OK || code == SQLITE_BUSY) return {};  // busy: another program reads the log, the next commit tries again
  return error(code, "copying the log into");
}

Status SqliteStore::Impl::write(const Batch& batch) {
  if (const auto fence = check_fence(); !fence) return fence;
  for (const std::string& key : batch.erases) {
    Run run(erase);
    const bool bound = run.bind(1, key);
    if (const int code = run.step(); !bound || code != SQLITE_DONE) return error(code, "erasing in");
  }
  for (const KeyValue& pair : batch.puts) {
    Run run(put);
    const bool bound = run.bind(1, pair.key) && run.bind(2, pair.value);
    if (const int code = run.step(); !bound || code != SQLITE_DONE) return error(code, "writing");
  }
  return step_once(commit, "committing to");
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, bool create, int checkpoint_pages) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  if (const auto made = make_file(path, create); !made) return made.error();
  if (const auto connected = impl->connect(); !connected) return connected.error();
  if (const auto version = impl->check_version(); !version) return version.error();
  // Logging needs the tables: an interrupted first start leaves an empty file, which is made anew.
  if (const auto wal = impl->run_sql("PRAGMA journal_mode=WAL; PRAGMA journal_size_limit=67108864;", "setting up"); !wal) return wal.error();
  impl->checkpoint_pages = checkpoint_pages;
  impl->watch_log();
  const auto synchronous = impl->number("PRAGMA synchronous");
  if (!synchronous) return synchronous.error();
  if (*synchronous != 2) return make_error(Errc::internal, "the store " + path + " does not sync as it must");
  if (const auto prepared = impl->prepare_all(); !prepared) return prepared.error();
  if (const auto fence = impl->take_fence(); !fence) return fence.error();
  // SQLite does not sync the folder when it makes the log: a power cut could take both names with it.
  if (const auto synced = sync_dir(parent_path(path)); !synced) return synced.error();
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(impl)));
}

SqliteStore::SqliteStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteStore::~SqliteStore() = default;

Status SqliteStore::scan(std::string_view prefix, const PairSink& sink) {
  const std::lock_guard lock(impl_->mutex);
  const std::string end = end_of_prefix(prefix);
  Run run(end.empty() ? impl_->scan_all : impl_->scan);
  bool bound = run.bind(1, prefix);
  if (!end.empty()) bound = run.bind(2, end) && bound;
  if (!bound) return impl_->error(SQLITE_NOMEM, "reading");
  int code = run.step();
  for (; code == SQLITE_ROW; code = run.step()) {
    if (const Status taken = sink(run.view(0), run.view(1)); !taken) return taken;
  }
  if (code != SQLITE_DONE) return impl_->error(code, "reading");
  return {};
}

Result<std::vector<KeyValue>> SqliteStore::load(std::string_view prefix) {
  std::vector<KeyValue> pairs;
  const Status scanned = scan(prefix, [&pairs](std::string_view key, std::string_view value) {
    pairs.push_back({std::string(key), std::string(value)});
    return Status{};
  });
  if (!scanned) return scanned.error();
  return pairs;
}

Result<std::optional<std::string>> SqliteStore::read(std::string_view key) {
  const std::lock_guard lock(impl_->mutex);
  Run run(impl_->read);
  if (!run.bind(1, key)) return impl_->error(SQLITE_NOMEM, "reading");
  const int code = run.step();
  if (code == SQLITE_DONE) return std::optional<std::string>();
  if (code != SQLITE_ROW) return impl_->error(code, "reading");
  return std::optional<std::string>(run.bytes(0));
}

Status SqliteStore::commit(const Batch& batch) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->failed) return make_error(Errc::internal, "the store " + impl_->path + " has failed before and must be opened anew");
  const auto begun = impl_->step_once(impl_->begin, "starting a transaction in");
  Status written = begun ? impl_->write(batch) : begun;
  if (written) written = impl_->checkpoint();
  if (written) return written;
  // After a failed sync nobody knows what is on disk: nothing more is written through this connection.
  impl_->failed = true;
  if (begun && sqlite3_get_autocommit(impl_->db.get()) == 0) {
    Run rollback(impl_->rollback);
    (void)rollback.step();  // the connection is of no more use either way
  }
  return written;
}

}  // namespace slipway
