#include "coordinator/ctl/release.hpp"

#include <algorithm>
#include <array>

#include "common/core/text.hpp"

namespace slipway::ctl {

namespace {

constexpr std::array k_release_components = {"kubelet", "kube-proxy", "kube-apiserver",
                                             "kube-controller-manager", "kube-scheduler"};
// Where releases say what they are: the whole release, and the tag of the image that goes with the server
// tarball.
constexpr std::array k_version_members = {"kubernetes/version",
                                          "kubernetes/server/bin/kube-apiserver.docker_tag",
                                          "kubernetes/server/bin/kube-scheduler.docker_tag"};
constexpr std::array k_folders = {"kubernetes/server/bin/", "kubernetes/node/bin/"};

bool has_member(const std::vector<ArchiveMember>& members, const std::string& path) {
  return std::any_of(members.begin(), members.end(),
                     [&path](const ArchiveMember& m) { return m.path == path && m.regular; });
}

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// Empty when the archive is not a Kubernetes release.
std::vector<ImportItem> release_items(const std::vector<ArchiveMember>& members, const std::string& version) {
  std::vector<ImportItem> items;
  for (const char* component : k_release_components) {
    for (const char* folder : k_folders) {
      const std::string path = std::string(folder) + component;
      if (!has_member(members, path)) continue;
      items.push_back({component, version, "file", path});
      break;
    }
  }
  return items;
}

// The program that must be in an archive of that component, wherever: what the agent starts by name.
struct Program {
  const char* component;
  const char* program;
  const char* file;  // as upstream calls it
};
constexpr std::array k_programs = {
    Program{"docker", "dockerd", "docker-VERSION.tgz"},
    Program{"containerd", "containerd", "containerd-VERSION-linux-ARCH.tar.gz"},
    Program{"cri-dockerd", "cri-dockerd", "cri-dockerd-VERSION.ARCH.tgz"},
    Program{"cni-plugins", "bridge", "cni-plugins-linux-ARCH-vVERSION.tgz"},
};

std::size_t depth(const std::string& path) {
  std::string_view rest = path;
  while (rest.starts_with("./")) rest.remove_prefix(2);
  return static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '/'));
}

// Another bundle of the same project has the programs elsewhere (cri-containerd-*.tar.gz in usr/local/bin): the agent would not find them.
Status check_layout(const ArtifactImport& wish, const std::vector<ArchiveMember>& members) {
  if (members.empty()) return {};
  for (const Program& known : k_programs) {
    if (wish.component != known.component) continue;
    const bool found = std::any_of(members.begin(), members.end(), [&known](const ArchiveMember& m) {
      return m.regular && base_name(m.path) == known.program && depth(m.path) <= 1;
    });
    if (found) return {};
    return make_error(Errc::invalid, wish.file + " does not hold " + known.program + " at its top or in one folder: " + wish.component +
                                         " is imported from " + known.file);
  }
  return {};
}

Result<ImportPlan> plan_release(const ArtifactImport& wish, const std::vector<ArchiveMember>& members,
                                std::vector<ImportItem> items) {
  ImportPlan plan{std::move(items), ""};
  if (!wish.version.empty()) return plan;
  for (const char* member : k_version_members) {
    if (has_member(members, member)) {
      plan.version_member = member;
      return plan;
    }
  }
  return make_error(
      Errc::invalid,
      wish.file + " is a Kubernetes release that does not say its version: give it with --version");
}

Result<ImportPlan> plan_members(const ArtifactImport& wish, const std::vector<ArchiveMember>& members) {
  if (members.empty())
    return make_error(Errc::invalid, wish.file + " is no archive: --member does not apply");
  if (wish.version.empty()) return make_error(Errc::invalid, "say the version with --version");
  if (wish.members.size() > 1 && !wish.component.empty()) {
    return make_error(Errc::invalid,
                      "several members become components of their own names: leave out --component");
  }
  ImportPlan plan;
  for (const std::string& member : wish.members) {
    if (!has_member(members, member))
      return make_error(Errc::invalid, wish.file + " has no file \"" + member + "\"");
    plan.items.push_back(
        {wish.component.empty() ? base_name(member) : wish.component, wish.version, "file", member});
  }
  return plan;
}

}  // namespace

bool is_archive_name(const std::string& file) {
  static constexpr std::array endings = {".tar", ".tgz",     ".tar.gz", ".tar.xz",
                                         ".txz", ".tar.zst", ".tar.bz2"};
  const std::string name = lower(file);
  return std::any_of(endings.begin(), endings.end(),
                     [&name](const char* ending) { return name.ends_with(ending); });
}

Result<ImportPlan> plan_import(const ArtifactImport& wish, const std::vector<ArchiveMember>& members) {
  if (!wish.members.empty()) return plan_members(wish, members);
  if (wish.component.empty()) {
    auto items = release_items(members, wish.version);
    if (!items.empty()) return plan_release(wish, members, std::move(items));
  }
  if (wish.component.empty() || wish.version.empty()) {
    return make_error(
        Errc::invalid,
        wish.file + " is not a Kubernetes release: say what it is with --component and --version");
  }
  if (const Status checked = check_layout(wish, members); !checked) return checked.error();
  std::string format = wish.format;
  if (format.empty()) format = members.empty() ? "file" : "tar";
  return ImportPlan{{{wish.component, wish.version, format, ""}}, ""};
}

Result<std::string> version_from_text(std::string_view text) {
  std::string_view version = trim(text);
  if (version.starts_with('v')) version.remove_prefix(1);
  const bool good =
      !version.empty() && version.size() <= 64 &&
      version.find_first_not_of("0123456789.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-_") ==
          std::string_view::npos;
  if (!good)
    return make_error(Errc::invalid, "the release's version file holds no version: give it with --version");
  return std::string(version);
}

}  // namespace slipway::ctl
