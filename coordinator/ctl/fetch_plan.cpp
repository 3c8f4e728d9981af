#include "coordinator/ctl/fetch_plan.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "common/core/text.hpp"
#include "common/kube/runtime_rules.hpp"
#include "coordinator/ctl/output.hpp"
#include "coordinator/ctl/release.hpp"

namespace slipway::ctl {

namespace {

// The same as an import of a release tarball makes; kubectl is no component of a host.
constexpr std::array k_kubernetes = {"kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"};
constexpr std::string_view k_kubectl = "kubectl";
// Of which Kubernetes publishes servers for Linux.
constexpr std::array k_archs = {"amd64", "arm64", "ppc64le", "s390x"};

// A project whose releases are below BASE/vVERSION/.
struct Project {
  const char* component;
  std::string ArtifactFetch::*version;
  std::string ArtifactFetch::*base;
  const char* file;      // V and A stand for version and architecture
  const char* checksum;  // likewise; F for the file's name
};
constexpr std::array k_projects = {
    Project{"containerd", &ArtifactFetch::containerd, &ArtifactFetch::containerd_from, "containerd-V-linux-A.tar.gz", "F.sha256sum"},
    Project{"runc", &ArtifactFetch::runc, &ArtifactFetch::runc_from, "runc.A", "runc.sha256sum"},
    Project{"cni-plugins", &ArtifactFetch::cni_plugins, &ArtifactFetch::cni_plugins_from, "cni-plugins-linux-A-vV.tgz", "F.sha256"},
    Project{"etcd", &ArtifactFetch::etcd, &ArtifactFetch::etcd_from, "etcd-vV-linux-A.tar.gz", "SHA256SUMS"},
};

// The placeholders are the only capitals V, A and F but for those of SHA256SUMS, which has none that stand alone.
std::string filled(std::string_view pattern, const std::string& version, const std::string& arch, const std::string& file) {
  if (pattern == "SHA256SUMS") return std::string(pattern);
  std::string out;
  for (const char c : pattern) {
    if (c == 'V') out += version;
    else if (c == 'A') out += arch;
    else if (c == 'F') out += file;
    else out += c;
  }
  return out;
}

Result<std::string> version_of(const std::string& text, const std::string& option) {
  const auto version = version_from_text(lower(text));
  if (!version || !kube::parse_version(*version)) return make_error(Errc::invalid, option + " \"" + printable(text.substr(0, 64)) + "\" is not a version, as in v1.20.2");
  return *version;
}

// The words that cluster.yaml is refused with.
Status check_versions(const proto::Versions& versions) {
  if (!versions.kubernetes.empty() && !kube::kube_minor(versions.kubernetes))
    return make_error(Errc::invalid, "--kubernetes " + versions.kubernetes + " is not a version of Kubernetes 1, as in v1.20.2");
  proto::ClusterSpec spec;
  spec.runtime = "containerd";
  spec.versions = versions;
  for (const kube::FieldProblem& problem : kube::runtime_problems(spec)) {
    if (problem.field == "/versions/kubernetes") return make_error(Errc::invalid, "Kubernetes " + problem.text);
    if (problem.field == "/versions/etcd" && !versions.etcd.empty()) return make_error(Errc::invalid, "etcd " + problem.text);
    if (problem.field == "/versions/containerd" && !versions.containerd.empty()) return make_error(Errc::invalid, "containerd " + problem.text);
  }
  return {};
}

Result<std::string> arch_of(const ArtifactFetch& wish, const std::string& machine_arch) {
  const std::string& arch = wish.arch.empty() ? machine_arch : wish.arch;
  const std::string known = join({k_archs.begin(), k_archs.end()}, ", ");
  if (std::find(k_archs.begin(), k_archs.end(), arch) != k_archs.end()) return arch;
  if (wish.arch.empty()) return make_error(Errc::invalid, "say with --arch for which machines: " + known);
  return make_error(Errc::invalid, "--arch \"" + printable(arch.substr(0, 32)) + "\" is not known: " + known);
}

Result<http::WebUrl> base_of(const std::string& text, const std::string& option) {
  auto base = http::parse_web_url(text);
  if (!base) return error_of(base, option);
  if (!base->query.empty()) return make_error(Errc::invalid, option + ": " + base->shown() + " must be without a query");
  return base;
}

bool is_wanted(const ArtifactFetch& wish, std::string_view component) {
  if (wish.only.empty()) return component != k_kubectl;
  return std::find(wish.only.begin(), wish.only.end(), component) != wish.only.end();
}

Status add_kubernetes(std::vector<FetchItem>& items, const ArtifactFetch& wish, const std::string& version, const std::string& arch) {
  const auto base = base_of(wish.from, "--from");
  if (!base) return base.error();
  const std::string folder = "v" + version + "/bin/linux/" + arch + "/";
  for (const char* component : k_kubernetes) {
    if (!is_wanted(wish, component)) continue;
    items.push_back({component, version, component, http::url_below(*base, folder + component), http::url_below(*base, folder + component + ".sha256")});
  }
  return {};
}

Status add_project(std::vector<FetchItem>& items, const ArtifactFetch& wish, const Project& project, const std::string& version, const std::string& arch) {
  const auto base = base_of(wish.*project.base, std::string("--") + project.component + "-from");
  if (!base) return base.error();
  if (!is_wanted(wish, project.component)) return {};
  const std::string file = filled(project.file, version, arch, "");
  const std::string folder = "v" + version + "/";
  items.push_back({project.component, version, file, http::url_below(*base, folder + file),
                   http::url_below(*base, folder + filled(project.checksum, version, arch, file))});
  return {};
}

// Components that were asked for by name and are not of what was named.
Status check_only(const ArtifactFetch& wish, const std::vector<FetchItem>& items) {
  for (const std::string& component : wish.only) {
    if (component == k_kubectl && wish.to.empty())
      return make_error(Errc::invalid, "--only kubectl: hosts do not install it, so it is not imported: give a folder for it with --to");
    const bool found = std::any_of(items.begin(), items.end(), [&component](const FetchItem& item) { return item.component == component; });
    if (!found) return make_error(Errc::invalid, "--only \"" + printable(component.substr(0, 64)) + "\" is none of what is to be fetched");
  }
  return {};
}

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

// "DIGEST  FILE", "DIGEST *FILE"
bool is_line_of(std::string_view line, std::string_view file) {
  if (line.size() < 66 || !is_digest(line.substr(0, 64)) || line[64] != ' ') return false;
  std::string_view name = trim(line.substr(65));
  if (name.starts_with('*')) name.remove_prefix(1);
  if (name.starts_with("./")) name.remove_prefix(2);
  return name == file;
}

Error no_checksum(std::string_view text, const std::string& file) {
  const std::string_view begin = trim(text);
  if (begin.empty()) return make_error(Errc::corrupt, "it is empty");
  if (begin.starts_with('<')) return make_error(Errc::corrupt, "a web page came instead: is the address that of the files themselves");
  const bool is_list = begin.size() > 64 && begin[64] == ' ' && is_digest(begin.substr(0, 64));
  if (is_list) return make_error(Errc::corrupt, "it says nothing of " + file);
  return make_error(Errc::corrupt, "it holds no SHA-256, it begins with \"" + printable(begin.substr(0, std::min<std::size_t>(begin.find('\n'), 40))) + "\"");
}

}  // namespace

std::string arch_of_machine(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine == "ppc64le" || machine == "s390x") return std::string(machine);
  return {};
}

Result<std::vector<FetchItem>> plan_fetch(const ArtifactFetch& wish, const std::string& machine_arch) {
  const auto arch = arch_of(wish, machine_arch);
  if (!arch) return arch.error();
  proto::Versions versions;
  std::vector<FetchItem> items;
  if (!wish.kubernetes.empty()) {
    const auto version = version_of(wish.kubernetes, "--kubernetes");
    if (!version) return version.error();
    versions.kubernetes = *version;
    if (const Status added = add_kubernetes(items, wish, *version, *arch); !added) return added.error();
  }
  for (const Project& project : k_projects) {
    if ((wish.*project.version).empty()) continue;
    const auto version = version_of(wish.*project.version, std::string("--") + project.component);
    if (!version) return version.error();
    if (project.version == &ArtifactFetch::containerd) versions.containerd = *version;
    if (project.version == &ArtifactFetch::etcd) versions.etcd = *version;
    if (const Status added = add_project(items, wish, project, *version, *arch); !added) return added.error();
  }
  if (const Status known = check_versions(versions); !known) return known.error();
  if (const Status fits = check_only(wish, items); !fits) return fits.error();
  if (items.empty()) return make_error(Errc::invalid, "say what is to be fetched: --kubernetes VERSION, --containerd, --runc, --cni-plugins, --etcd");
  return items;
}

Result<std::string> parse_checksum(std::string_view text, const std::string& file) {
  const std::string_view whole = trim(text);
  if (is_digest(whole)) return lower(whole);
  std::optional<std::string> found;
  for (const std::string_view line : split(whole, '\n')) {
    if (!is_line_of(line, file)) continue;
    std::string digest = lower(line.substr(0, 64));
    if (found && *found != digest) return make_error(Errc::corrupt, "it has two digests of " + file);
    found = std::move(digest);
  }
  if (!found) return no_checksum(text, file);
  return *found;
}

bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

Result<http::WebUrl> follow(const http::WebUrl& at, const std::string* location, const std::vector<http::WebUrl>& before) {
  const std::string here = at.shown() + " redirects";
  if (location == nullptr || location->empty()) return make_error(Errc::denied, here + " to nowhere");
  auto next = http::resolve_url(at, *location);
  if (!next) return make_error(Errc::denied, here + " to what is no address: " + next.error().message);
  if (at.is_tls && !next->is_tls)
    return make_error(Errc::denied, here + " from https to " + next->shown() + ", where anybody on the way could change the file and its checksum: it is not followed");
  const bool again = std::any_of(before.begin(), before.end(), [&next](const http::WebUrl& url) { return url.shown() == next->shown() && url.query == next->query; });
  if (again) return make_error(Errc::denied, here + " to " + next->shown() + ", which was asked already: a loop");
  if (before.size() > k_max_redirects)
    return make_error(Errc::denied, here + ", after " + std::to_string(k_max_redirects) + " redirects since " + before.front().shown() + ": give the place itself with --from");
  return next;
}

Error refused_answer(int status, const http::WebUrl& url, const FetchItem& item) {
  const std::string said = url.shown() + " answered " + std::to_string(status);
  if (status == 404 || status == 410) return make_error(Errc::not_found, said + ": this site has no " + item.name() + " there; is that version published, and the address the one above the versions' folders");
  if (status == 401 || status == 403) return make_error(Errc::denied, said + ": this site does not give out " + item.name() + ", or has no such version");
  return make_error(status == 429 || status >= 500 ? Errc::unavailable : Errc::denied, said);
}

Result<bool> is_imported(const proto::ArtifactList& known, const FetchItem& item, const std::string& sha256) {
  for (const proto::Artifact& artifact : known.items) {
    if (artifact.component != item.component || artifact.version != item.version) continue;
    if (artifact.sha256 == sha256) return true;
    return make_error(Errc::conflict, item.name() + " was imported with SHA-256 " + artifact.sha256 + ", " + item.checksum_url.shown() + " says " + sha256 +
                                          ": one of the two is not what it is called; slipwayctl artifact delete " + item.name() + " forgets the imported one");
  }
  return false;
}

Result<Continuation> continue_file(int status, const std::string* content_range, const std::string* content_length, std::uint64_t have, std::uint64_t limit) {
  Continuation next;
  next.anew = status == 200;
  if (status == 206 && (content_range == nullptr || !content_range->starts_with("bytes " + std::to_string(have) + "-")))
    return make_error(Errc::corrupt, "another part came than was asked for");
  const auto length = content_length == nullptr ? std::nullopt : parse_u64(*content_length);
  if (!length) return next;
  const std::uint64_t before = next.anew ? 0 : have;
  if (*length > limit || before > limit - *length) return make_error(Errc::exhausted, "the file is longer than " + human_size(limit));
  next.length = before + *length;
  return next;
}

}  // namespace slipway::ctl
