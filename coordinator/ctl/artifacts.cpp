// `artifact import`: digest, upload, register; what is there already is not sent again.
#include <fstream>

#include "common/crypto/digest.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/ctl/progress.hpp"
#include "coordinator/ctl/release.hpp"
#include "coordinator/ctl/temporary_folder.hpp"

namespace slipway::ctl {

namespace {

struct Digest {
  std::string sha256;
  std::uint64_t size = 0;
};

Result<Digest> digest_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return from_errno("opening " + path, errno);
  Sha256 hash;
  Digest digest;
  std::string buffer(1 << 20, '\0');
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto got = static_cast<std::size_t>(in.gcount());
    hash.update(std::string_view(buffer).substr(0, got));
    digest.size += got;
  }
  if (in.bad()) return from_errno("reading " + path, errno);
  digest.sha256 = hash.finish_hex();
  return digest;
}

bool already_there(const proto::ArtifactList& known, const ImportItem& item, const Digest& digest) {
  for (const proto::Artifact& artifact : known.items) {
    if (artifact.component == item.component && artifact.version == item.version &&
        artifact.sha256 == digest.sha256)
      return true;
  }
  return false;
}

Status send_blob(Connection& connection, const std::string& path, const Digest& digest, Progress& progress) {
  http::Request request = make_request(http::Method::put, "/v1/blobs/" + digest.sha256);
  request.headers.set("Content-Type", "application/octet-stream");
  const auto response =
      connection.upload(std::move(request), path, [&progress](std::uint64_t sent) { progress.at(sent); });
  if (!response) return response.error();
  if (response->status != 201) return proto::from_problem(response->status, response->body);
  return {};
}

Status import_item(const ImportItem& item, const std::string& path, const proto::ArtifactList& known,
                   Connection& connection, Console& console) {
  const auto digest = digest_of(path);
  if (!digest) return digest.error();
  Progress progress(console, item.component + " " + item.version, digest->size);
  if (already_there(known, item, *digest)) {
    progress.end("is there already");
    return {};
  }
  const Status sent = send_blob(connection, path, *digest, progress);
  if (!sent) return error_of(sent, "uploading " + item.component + " " + item.version);
  const proto::Artifact artifact{item.component, item.version, item.format, digest->sha256, digest->size, ""};
  const auto registered = ask<proto::Artifact>(
      connection, make_request(http::Method::post, "/v1/artifacts", proto::encode(artifact)));
  if (!registered) return error_of(registered, "registering " + item.component + " " + item.version);
  progress.end("imported, " + human_size(digest->size) + ", sha256 " + digest->sha256.substr(0, 12));
  return {};
}

Status find_version(ImportPlan& plan, const std::string& file, const std::string& folder) {
  if (plan.version_member.empty()) return {};
  const std::string path = folder + "/version";
  const Status extracted = extract_member(file, plan.version_member, path);
  if (!extracted) return extracted;
  const auto text = read_file(path, 4096);
  if (!text) return text.error();
  const auto version = version_from_text(*text);
  if (!version) return version.error();
  for (ImportItem& item : plan.items) item.version = *version;
  return {};
}

}  // namespace

Status import_file(const ArtifactImport& wish, Connection& connection, Console& console) {
  std::vector<ArchiveMember> members;
  if (is_archive_name(wish.file) && wish.format != "file") {
    auto listed = list_members(wish.file);
    if (!listed) return error_of(listed, "reading the archive");
    members = std::move(*listed);
  }
  auto plan = plan_import(wish, members);
  if (!plan) return plan.error();
  const auto folder = TemporaryFolder::make();
  if (!folder) return folder.error();
  const Status version = find_version(*plan, wish.file, folder->path());
  if (!version) return version;
  const auto known = ask_all<proto::ArtifactList>(connection, "/v1/artifacts");
  if (!known) return known.error();
  for (const ImportItem& item : plan->items) {
    std::string path = wish.file;
    if (!item.member.empty()) {
      path = folder->path() + "/member";
      const Status extracted = extract_member(wish.file, item.member, path);
      if (!extracted) return extracted;
    }
    const Status imported = import_item(item, path, *known, connection, console);
    if (!imported) return imported;
  }
  return {};
}

int import_artifact(const ArtifactImport& wish, Connection& connection, Console& console) {
  const Status imported = import_file(wish, connection, console);
  return imported ? static_cast<int>(k_ok) : fail(console, imported.error());
}

}  // namespace slipway::ctl
