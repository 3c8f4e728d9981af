#include "agent/install/manifest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/crypto/digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

constexpr char k_header[] = "slipway-manifest 1";  // the number is that of the format
constexpr std::size_t k_max_manifest_bytes = 16 * 1024 * 1024;

// "../" may stand at the front only, and not more often than `depth`.
bool leads_inside(std::string_view target, std::size_t depth) {
  if (target.empty() || target.front() == '/') return false;
  bool descending = false;
  for (const std::string_view part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      descending = true;
    } else if (descending || depth-- == 0) {
      return false;
    }
  }
  return true;
}

Error corrupt(const std::string& path, std::string_view why) {
  return make_error(Errc::corrupt, path + ": " + std::string(why));
}

// Without digests when `deep` is false.
Status describe(const std::string& dir, const std::string& below, bool deep, Manifest& manifest) {
  Result<std::vector<std::string>> names = list_dir(dir + (below.empty() ? "" : "/" + below));
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (below.empty() && name == k_manifest_name) continue;
    const std::string relative = below.empty() ? name : below + "/" + name;
    const std::string path = dir + "/" + relative;
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return from_errno("stat " + path, errno);
    if (S_ISDIR(info.st_mode)) {
      if (Status done = describe(dir, relative, deep, manifest); !done) return done;
    } else if (S_ISLNK(info.st_mode)) {
      Result<std::string> target = read_link(path);
      if (!target) return target.error();
      if (!leads_inside(*target, split(relative, '/').size() - 1)) return corrupt(path, "a link that leads out of its folder");
      manifest.entries[relative] = {"", 0, 0, *target};
    } else if (S_ISREG(info.st_mode)) {
      Result<std::string> digest = deep ? sha256_of_file(path) : Result<std::string>(std::string());
      if (!digest) return digest.error();
      manifest.entries[relative] = {*digest, info.st_mode & 07777, static_cast<std::uint64_t>(info.st_size), ""};
    } else {
      return corrupt(path, "neither a file nor a folder nor a link");
    }
  }
  return {};
}

Result<std::pair<std::string, ManifestEntry>> parse_line(std::string_view line) {
  const Error bad = make_error(Errc::corrupt, "manifest line \"" + std::string(line.substr(0, 100)) + "\" is damaged");
  const auto words = split(line, '\t');
  ManifestEntry entry;
  if (words.size() == 3 && words[0] == "link") {
    entry.link_target = words[2];
    return std::pair{std::string(words[1]), entry};
  }
  if (words.size() != 5 || words[0] != "file" || words[2].size() != 64) return bad;
  entry.sha256 = words[2];
  const auto mode = parse_u64(words[3], 07777);
  const auto size = parse_u64(words[4]);
  if (!mode || !size) return bad;
  entry.mode = static_cast<mode_t>(*mode);
  entry.size = *size;
  return std::pair{std::string(words[1]), entry};
}

}  // namespace

Result<Manifest> describe_tree(const std::string& dir, const std::string& artifact_sha256) {
  Manifest manifest;
  manifest.artifact_sha256 = artifact_sha256;
  if (Status done = describe(dir, "", true, manifest); !done) return done.error();
  return manifest;
}

std::string to_text(const Manifest& manifest) {
  std::string text = std::string(k_header) + "\nartifact\t" + manifest.artifact_sha256 + "\n";
  for (const auto& [path, entry] : manifest.entries) {
    // Names have no control characters (the archive reader refuses them), so tabs and line feeds separate safely.
    if (!entry.link_target.empty()) {
      text += "link\t" + path + "\t" + entry.link_target + "\n";
    } else {
      text += "file\t" + path + "\t" + entry.sha256 + "\t" + std::to_string(entry.mode) + "\t" + std::to_string(entry.size) + "\n";
    }
  }
  return text;
}

Result<Manifest> parse_manifest(std::string_view text) {
  const auto lines = split(text, '\n');
  constexpr std::string_view k_artifact = "artifact\t";
  if (lines.size() < 3 || lines[0] != k_header || !lines[1].starts_with(k_artifact) || !lines.back().empty()) {
    return make_error(Errc::corrupt, "manifest is damaged");
  }
  Manifest manifest;
  manifest.artifact_sha256 = lines[1].substr(k_artifact.size());
  for (std::size_t i = 2; i + 1 < lines.size(); ++i) {
    auto parsed = parse_line(lines[i]);
    if (!parsed) return parsed.error();
    manifest.entries.insert(std::move(*parsed));
  }
  return manifest;
}

Result<Manifest> read_manifest(const std::string& dir) {
  Result<std::string> text = read_file(dir + "/" + k_manifest_name, k_max_manifest_bytes);
  if (!text) return text.error();
  Result<Manifest> manifest = parse_manifest(*text);
  if (!manifest) return error_of(manifest, "read " + dir + "/" + k_manifest_name);
  return manifest;
}

std::string seal_of_tree(const std::string& dir, const Manifest& manifest) {
  Sha256 seal;
  std::vector<std::string> paths = {k_manifest_name};
  for (const auto& [path, entry] : manifest.entries) paths.push_back(path);
  for (const std::string& path : paths) {
    struct stat info {};
    if (::lstat((dir + "/" + path).c_str(), &info) != 0) return {};
    seal.update(std::to_string(info.st_ino) + " " + std::to_string(info.st_size) + " " + std::to_string(info.st_ctim.tv_sec) + "." +
                std::to_string(info.st_ctim.tv_nsec) + "\n");
  }
  return seal.finish_hex();
}

Status check_tree(const std::string& dir, const Manifest& manifest, CheckDepth depth) {
  Manifest found;
  if (Status done = describe(dir, "", depth == CheckDepth::digests, found); !done) return done;
  for (const auto& [path, expected] : manifest.entries) {
    const auto there = found.entries.find(path);
    if (there == found.entries.end()) return corrupt(dir + "/" + path, "is missing");
    ManifestEntry entry = there->second;
    if (depth == CheckDepth::sizes) entry.sha256 = expected.sha256;
    if (entry != expected) return corrupt(dir + "/" + path, "is not what was installed");
  }
  for (const auto& [path, entry] : found.entries) {
    if (!manifest.entries.contains(path)) return corrupt(dir + "/" + path, "was not installed by Slipway");
  }
  return {};
}

}  // namespace slipway
