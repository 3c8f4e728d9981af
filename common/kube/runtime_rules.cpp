#include "common/kube/runtime_rules.hpp"

#include "common/kube/version_table.hpp"
#include "proto/config_reference.hpp"

namespace slipway::kube {

namespace {

std::string minor_text(int minor) {
  return "1." + std::to_string(minor);
}

void check_kubernetes(std::vector<FieldProblem>& problems, const std::string& version, int minor) {
  static const std::string k_field = "/versions/kubernetes";
  const std::string known = minor_text(k_oldest_minor) + " to " + minor_text(k_newest_minor);
  if (minor < k_oldest_minor) {
    problems.push_back({k_field, version + " is too old: this Slipway knows " + known});
  } else if (minor > k_newest_minor) {
    problems.push_back({k_field, version + " is newer than this Slipway knows (" + known +
                                     "), and a flag that was removed there would stop every " +
                                     "kubelet: use a newer Slipway or an older Kubernetes"});
  }
}

void check_etcd(std::vector<FieldProblem>& problems, const std::string& text) {
  const auto version = parse_version(text);
  if (!version || *version >= Version{3, k_oldest_etcd_minor, 0}) return;
  problems.push_back(
      {"/versions/etcd",
       text + " is too old: its command line is not the one that this Slipway writes; use 3.4 or newer"});
}

void check_name(std::vector<FieldProblem>& problems, const std::string& runtime) {
  if (runtime == "rkt") {
    problems.push_back({"/runtime",
                        "rkt was retired in 2019 and its Kubernetes support removed in 1.11: containerd took "
                        "its place, set runtime: containerd "
                        "(or docker)"});
    return;
  }
  if (auto problem = proto::choice_problem(proto::note_of(proto::cluster_notes(), "runtime"), runtime)) problems.push_back({"/runtime", std::move(*problem)});
}

void check_docker(std::vector<FieldProblem>& problems, const proto::ClusterSpec& spec) {
  if (!needs_cri_dockerd(spec) || !spec.versions.cri_dockerd.empty()) return;
  problems.push_back(
      {"/runtime", "docker with kubelet 1.24 or newer requires cri-dockerd, and this is Kubernetes " +
                       spec.versions.kubernetes + ": set versions.criDockerd, or use runtime: containerd"});
}

// Which CRI a containerd and a kubelet speak. containerd 1.6 brought v1 to what 1.26 wants
// (kubernetes/kubernetes #110618), 2.0 dropped v1alpha2 (containerd/containerd #8276), and kubelets speak v1
// since 1.23 (kubernetes/kubernetes #106501).
void check_containerd(std::vector<FieldProblem>& problems, const std::string& text, int minor) {
  const auto version = parse_version(text);
  if (!version) return;
  const std::string field = "/versions/containerd";
  if (*version < Version{1, 3, 0}) {
    problems.push_back(
        {field, text + " is too old: its configuration cannot be written any more; use 1.6 or newer"});
  } else if (minor >= 26 && *version < Version{1, 6, 0}) {
    problems.push_back({field, text + " is too old for Kubernetes " + minor_text(minor) +
                                   ", which speaks CRI v1 only: use containerd 1.6 or newer"});
  } else if (minor < 23 && *version >= Version{2, 0, 0}) {
    problems.push_back({field, text + " speaks CRI v1 only, and the kubelet of Kubernetes " +
                                   minor_text(minor) + " v1alpha2: use containerd 1.7 or older"});
  }
}

bool is_empty(const proto::RawJson& config) {
  return config.text.empty() || config.text == "{}" || config.text == "null";
}

// Settings that nobody would read.
void check_overrides(std::vector<FieldProblem>& problems, const proto::ClusterSpec& spec) {
  if (spec.runtime != "containerd" && !is_empty(spec.containerd.config)) {
    problems.push_back({"/containerd/config", "is read with runtime: containerd only, and this is " +
                                                  spec.runtime + ": take it out"});
  }
  if (spec.runtime != "docker" && !is_empty(spec.docker.config)) {
    problems.push_back({"/docker/config",
                        "is read with runtime: docker only, and this is " + spec.runtime + ": take it out"});
  }
}

}  // namespace

bool needs_cri_dockerd(const proto::ClusterSpec& spec) {
  const auto minor = kube_minor(spec.versions.kubernetes);
  return spec.runtime == "docker" && minor && *minor > k_dockershim.last;
}

std::vector<RuntimeArtifact> runtime_artifacts(const proto::ClusterSpec& spec) {
  const proto::Versions& versions = spec.versions;
  if (spec.runtime == "containerd") {
    return {{"containerd", versions.containerd, "/versions/containerd"},
            {"runc", versions.runc, "/versions/runc"}};
  }
  std::vector<RuntimeArtifact> artifacts = {{"docker", versions.docker, "/versions/docker"}};
  if (needs_cri_dockerd(spec))
    artifacts.push_back({"cri-dockerd", versions.cri_dockerd, "/versions/criDockerd"});
  return artifacts;
}

std::vector<FieldProblem> runtime_problems(const proto::ClusterSpec& spec) {
  std::vector<FieldProblem> problems;
  check_name(problems, spec.runtime);
  const auto minor = kube_minor(spec.versions.kubernetes);
  if (minor) check_kubernetes(problems, spec.versions.kubernetes, *minor);
  check_etcd(problems, spec.versions.etcd);
  if (spec.runtime != "docker" && spec.runtime != "containerd") return problems;
  for (const RuntimeArtifact& artifact : runtime_artifacts(spec)) {
    if (!artifact.version.empty() || artifact.component == "cri-dockerd") continue;
    problems.push_back(
        {artifact.field, "is missing: runtime " + spec.runtime + " needs it; write a version, as in 1.20.2"});
  }
  check_docker(problems, spec);
  check_overrides(problems, spec);
  if (spec.runtime == "containerd" && minor) check_containerd(problems, spec.versions.containerd, *minor);
  return problems;
}

}  // namespace slipway::kube
