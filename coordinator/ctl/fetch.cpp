#include "coordinator/ctl/fetch.hpp"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "common/crypto/file_digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/ctl/progress.hpp"
#include "coordinator/ctl/temporary_folder.hpp"
#include "proto/fetch_report.hpp"

namespace slipway::ctl {

namespace {

class CoordinatorTarget final : public FetchTarget {
 public:
  CoordinatorTarget(Connection& connection, Console& console) : connection_(connection), console_(console) {}
  Status open() override {
    auto known = ask_all<proto::ArtifactList>(connection_, "/v1/artifacts");
    if (!known) return known.error();
    known_ = std::move(*known);
    return {};
  }
  Result<bool> has(const FetchItem& item, const std::string& sha256) override { return is_imported(known_, item, sha256); }
  Result<std::string> work_folder() override { return std::string(); }
  // As an operator imports the same file.
  Status take(const FetchItem& item, const std::string& path) override {
    return import_file({path, item.component, item.version, "", {}}, connection_, console_);
  }
  std::string done() const override { return "imported"; }

 private:
  Connection& connection_;
  Console& console_;
  proto::ArtifactList known_;
};

class FolderTarget final : public FetchTarget {
 public:
  explicit FolderTarget(std::string folder) : folder_(std::move(folder)) {}
  Status open() override { return {}; }
  // A file of that name with other content is replaced.
  Result<bool> has(const FetchItem& item, const std::string& sha256) override {
    const std::string path = folder_ + "/" + item.file;
    if (!path_exists(path)) return false;
    const auto digest = sha256_of_file(path);
    if (!digest) return digest.error();
    return *digest == sha256;
  }
  Result<std::string> work_folder() override {
    if (const Status made = make_dirs(folder_, 0755); !made) return made.error();
    return folder_;
  }
  Status take(const FetchItem& item, const std::string& path) override {
    const std::string to = folder_ + "/" + item.file;
    if (::chmod(path.c_str(), is_program(item) ? 0755 : 0644) != 0) return from_errno("chmod " + path, errno);
    if (::rename(path.c_str(), to.c_str()) != 0) return from_errno("renaming " + path + " to " + to, errno);
    return sync_dir(folder_);
  }
  std::string done() const override { return "saved"; }

 private:
  static bool is_program(const FetchItem& item) { return item.file == item.component || item.component == "runc"; }
  std::string folder_;
};

// One file of the set on its way.
struct Fetching {
  FetchItem item;
  std::string sha256;
  bool present = false;
  std::string path = {};
  std::uint64_t size = 0;
};

Status read_checksums(std::vector<Fetching>& set, WebReader& reader, FetchTarget& target) {
  for (Fetching& one : set) {
    const std::string stage = "reading the published checksum of " + one.item.name();
    const auto text = reader.checksum_text(one.item);
    if (!text) return error_of(text, stage);
    auto digest = parse_checksum(*text, one.item.file);
    if (!digest) return error_of(digest, stage + ": " + one.item.checksum_url.shown());
    one.sha256 = std::move(*digest);
    const auto present = target.has(one.item, one.sha256);
    if (!present) return present.error();
    one.present = *present;
  }
  return {};
}

Status check_digest(const Fetching& one) {
  const auto digest = sha256_of_file(one.path);
  if (!digest) return digest.error();
  if (*digest == one.sha256) return {};
  return make_error(Errc::corrupt, "verifying " + one.item.name() + ": what came from " + one.item.url.shown() + " has SHA-256 " + *digest + ", " +
                                       one.item.checksum_url.shown() + " says " + one.sha256 +
                                       "; it was thrown away: try again, and if it stays so ask those who run the site");
}

Status download_one(Fetching& one, const std::string& folder, WebReader& reader, Console& console) {
  // A folder each: the project's own name is kept, because it says what kind of file it is.
  const std::string place = folder + "/" + one.item.component;
  if (::mkdir(place.c_str(), 0700) != 0) return from_errno("making " + place, errno);
  one.path = place + "/" + one.item.file;
  Progress progress(console, one.item.name(), 0);
  const Status came = reader.download(one.item, one.path, [&progress, &one](std::uint64_t have, std::uint64_t whole) {
    one.size = have;
    progress.of(whole);
    progress.at(have);
  });
  if (!came) return error_of(came, "fetching " + one.item.name());
  if (const Status right = check_digest(one); !right) return right;
  progress.end("downloaded, " + human_size(one.size) + ", SHA-256 as published");
  return {};
}

// For what fails between slipwayctl and a site. Exit code 5 is the coordinator's refusal alone.
Error nothing_taken(Error error, const FetchTarget& target) {
  if (error.code == Errc::denied || error.code == Errc::unauthenticated) error.code = Errc::unavailable;
  error.message += "; nothing of it was " + target.done();
  return error;
}

// Nothing is handed on before all is there.
Status download_and_take(std::vector<Fetching>& set, WebReader& reader, FetchTarget& target, Console& console) {
  const auto parent = target.work_folder();
  if (!parent) return parent.error();
  const auto folder = parent->empty() ? TemporaryFolder::make() : TemporaryFolder::make_below(*parent);
  if (!folder) return folder.error();
  for (Fetching& one : set) {
    if (one.present) continue;
    if (const Status came = download_one(one, folder->path(), reader, console); !came) return nothing_taken(came.error(), target);
  }
  for (Fetching& one : set) {
    if (one.present) continue;
    if (const Status taken = target.take(one.item, one.path); !taken) return taken;
  }
  return {};
}

proto::FetchReport report_of(const std::vector<Fetching>& set, bool dry_run, const std::string& done) {
  proto::FetchReport report;
  report.dry_run = dry_run;
  for (const Fetching& one : set) {
    const std::string result = one.present ? "present" : dry_run ? "planned" : done;
    report.files.push_back({one.item.component, one.item.version, one.item.url.shown(), one.item.checksum_url.shown(), one.sha256, one.size, result});
  }
  return report;
}

Table report_table(const proto::FetchReport& report, bool wide) {
  Table table{{"COMPONENT", "VERSION", "RESULT", "SIZE", "SHA256", "FROM"}, {}};
  for (const proto::FetchedFile& file : report.files) {
    table.rows.push_back({file.component, file.version, file.result, file.size == 0 ? "-" : human_size(file.size),
                          wide ? file.sha256 : file.sha256.substr(0, 12), file.url});
  }
  return table;
}

// What a published checksum is worth depends on the way that it came.
void warn_of_plain_http(const std::vector<FetchItem>& items, Console& console) {
  for (const FetchItem& item : items) {
    if (item.url.is_tls) continue;
    console.err << "slipwayctl: warning: " << item.url.shown() << " comes over http, and its checksum too: who can change the one on the way can change "
                << "the other. Compare the digests with the project's own, or sign a manifest (slipwayctl artifact manifest)\n";
    return;
  }
}

std::string machine_arch() {
  utsname machine{};
  return ::uname(&machine) == 0 ? arch_of_machine(machine.machine) : std::string();
}

Status fetch_set(std::vector<Fetching>& set, const ArtifactFetch& wish, FetchTarget& target, const WebLimits& limits, Console& console) {
  auto items = plan_fetch(wish, machine_arch());
  if (!items) return items.error();
  warn_of_plain_http(*items, console);
  // Before anything is downloaded: who may not import learns it at once.
  if (const Status opened = target.open(); !opened) return opened;
  for (FetchItem& item : *items) set.push_back({std::move(item), ""});
  WebReader reader(wish.ca_file, limits);
  if (const Status read = read_checksums(set, reader, target); !read) return nothing_taken(read.error(), target);
  return wish.dry_run ? Status() : download_and_take(set, reader, target, console);
}

}  // namespace

int fetch_to(const ArtifactFetch& wish, Format format, FetchTarget& target, WebLimits limits, Console& console) {
  const auto total = parse_duration(wish.timeout);
  if (!total || *total <= Seconds(0)) return fail(console, make_error(Errc::invalid, "--timeout must be a duration such as 90s or 5m"));
  limits.total = *total;
  std::vector<Fetching> set;
  const Status fetched = fetch_set(set, wish, target, limits, console);
  if (!fetched) return fail(console, fetched.error());
  const proto::FetchReport report = report_of(set, wish.dry_run, target.done());
  const bool document = format == Format::json || format == Format::yaml;
  console.out << (document ? render_document(proto::encode(report), format) : render(report_table(report, format == Format::wide)));
  return k_ok;
}

int fetch_to_coordinator(const ArtifactFetch& wish, Format format, Connection& connection, WebLimits limits, Console& console) {
  CoordinatorTarget target(connection, console);
  return fetch_to(wish, format, target, limits, console);
}

int fetch_to_folder(const ArtifactFetch& wish, Format format, WebLimits limits, Console& console) {
  FolderTarget target(wish.to);
  return fetch_to(wish, format, target, limits, console);
}

int fetch_artifacts(const ArtifactFetch& wish, Format format, Connection& connection, Console& console) {
  return fetch_to_coordinator(wish, format, connection, WebLimits(), console);
}

std::optional<int> run_local_fetch(const CommandLine& line, Console& console) {
  const auto* const wish = std::get_if<ArtifactFetch>(&line.command);
  if (wish == nullptr || wish->to.empty()) return std::nullopt;
  return fetch_to_folder(*wish, line.format, WebLimits(), console);
}

}  // namespace slipway::ctl
