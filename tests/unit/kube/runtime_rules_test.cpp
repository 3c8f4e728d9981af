#include "common/kube/runtime_rules.hpp"

#include <catch2/catch.hpp>

using namespace slipway;
using namespace slipway::kube;

namespace {

proto::ClusterSpec spec(const std::string& runtime, const std::string& kubernetes) {
  proto::ClusterSpec s;
  s.runtime = runtime;
  s.versions = {kubernetes, "3.4.23", "20.10.24", "1.1.1", "1.6.20", "1.1.5", "0.3.17"};
  return s;
}

std::vector<std::string> lines(const proto::ClusterSpec& s) {
  std::vector<std::string> all;
  for (const FieldProblem& problem : runtime_problems(s)) all.push_back(problem.field + ": " + problem.text);
  return all;
}

std::vector<std::string> components(const proto::ClusterSpec& s) {
  std::vector<std::string> names;
  for (const RuntimeArtifact& artifact : runtime_artifacts(s))
    names.push_back(artifact.component + " " + artifact.version);
  return names;
}

}  // namespace

TEST_CASE("runtime rules: every known minor with both runtimes") {
  for (int minor = k_oldest_minor; minor <= k_newest_minor; ++minor) {
    const std::string version = "1." + std::to_string(minor) + ".3";
    INFO(version);
    CHECK(lines(spec("docker", version)).empty());
    CHECK(lines(spec("containerd", version)).empty());
    CHECK(needs_cri_dockerd(spec("docker", version)) == (minor >= 24));
    CHECK_FALSE(needs_cri_dockerd(spec("containerd", version)));
    proto::ClusterSpec without = spec("docker", version);
    without.versions.cri_dockerd.clear();
    CHECK(lines(without).size() == (minor >= 24 ? 1 : 0));
  }
}

TEST_CASE("runtime rules: what has to be on the hosts") {
  CHECK(components(spec("docker", "1.23.9")) == std::vector<std::string>{"docker 20.10.24"});
  CHECK(components(spec("docker", "1.24.0")) ==
        std::vector<std::string>{"docker 20.10.24", "cri-dockerd 0.3.17"});
  CHECK(components(spec("containerd", "1.24.0")) ==
        std::vector<std::string>{"containerd 1.6.20", "runc 1.1.5"});
}

TEST_CASE("runtime rules: all at once") {
  proto::ClusterSpec s = spec("containerd", "1.17.0");
  s.versions.containerd.clear();
  s.versions.runc.clear();
  s.docker.config.text = R"({"debug":true})";
  CHECK(lines(s) ==
        std::vector<std::string>{
            "/versions/kubernetes: 1.17.0 is too old: this Slipway knows 1.18 to 1.37",
            "/versions/containerd: is missing: runtime containerd needs it; write a version, as in 1.20.2",
            "/versions/runc: is missing: runtime containerd needs it; write a version, as in 1.20.2",
            "/docker/config: is read with runtime: docker only, and this is containerd: take it out"});
}

TEST_CASE("runtime rules: the CRI that containerd and kubelet both speak") {
  const auto problems = [](const std::string& containerd, const std::string& kubernetes) {
    proto::ClusterSpec s = spec("containerd", kubernetes);
    s.versions.containerd = containerd;
    return lines(s);
  };
  CHECK(problems("1.5.9", "1.25.0").empty());
  CHECK(problems("1.5.9", "1.26.0") ==
        std::vector<std::string>{"/versions/containerd: 1.5.9 is too old for Kubernetes 1.26, which speaks "
                                 "CRI v1 only: use containerd 1.6 or newer"});
  CHECK(problems("2.0.0", "1.23.0").empty());
  CHECK(problems("2.0.0", "1.22.17") ==
        std::vector<std::string>{"/versions/containerd: 2.0.0 speaks CRI v1 only, and the kubelet of "
                                 "Kubernetes 1.22 v1alpha2: use containerd 1.7 or older"});
  CHECK(problems("1.2.0", "1.20.2").size() == 1);
}

TEST_CASE("runtime rules: a runtime that is not known is told without its control characters") {
  CHECK(lines(spec("po\nd", "1.20.2")) ==
        std::vector<std::string>{"/runtime: \"po?d\" is not known: docker or containerd"});
}

TEST_CASE("runtime rules: an etcd that would not take its command line") {
  proto::ClusterSpec s = spec("docker", "1.20.2");
  s.versions.etcd = "3.3.27";
  CHECK(lines(s) == std::vector<std::string>{"/versions/etcd: 3.3.27 is too old: its command line is not the "
                                             "one that this Slipway writes; use 3.4 or newer"});
}
