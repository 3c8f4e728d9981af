#include "agent/host/settings_files.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "proto/settings_types.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

TEST_CASE("the host's own files are merged in the order of their names", "[agent][settings]") {
  TempDir dir;
  HostSettings none = read_host_settings(dir / "nothing", 20);
  CHECK(none.kubelet == proto::ComponentSettings{});
  CHECK(none.kubelet_problem.empty());
  std::filesystem::create_directories(dir / "kubelet.d");
  std::filesystem::create_directories(dir / "kube-proxy.d");
  put_file(dir / "kubelet.d/20-b.yaml", "evictionHard: {memory.available: 2Gi}\n");
  put_file(dir / "kubelet.d/10-a.yaml", "maxPods: 20\nevictionHard: {memory.available: 1Gi}\n");
  put_file(dir / "kubelet.d/30-c.args", "# more words\n--v=4\n\n--feature-gates=A=true\n");
  put_file(dir / "kubelet.d/40-empty.yaml", "\n");
  put_file(dir / "kubelet.d/.hidden.yaml", "nonsense: 1\n");
  put_file(dir / "kubelet.d/README", "nonsense: 1\n");
  put_file(dir / "kube-proxy.d/10.yaml", "mode: ipvs\n");
  const HostSettings all = read_host_settings(dir / "", 20);
  INFO(all.kubelet_problem);
  CHECK(all.kubelet.config.text == R"({"evictionHard":{"memory.available":"2Gi"},"maxPods":20})");
  CHECK(all.kubelet.extra_args == std::vector<std::string>{"--v=4", "--feature-gates=A=true"});
  CHECK(all.kube_proxy.config.text == R"({"mode":"ipvs"})");
  CHECK(all.paths.size() == 2);
}

TEST_CASE("a file that is wrong is named with what is wrong, and the other component has its own",
          "[agent][settings]") {
  TempDir dir;
  std::filesystem::create_directories(dir / "kubelet.d");
  std::filesystem::create_directories(dir / "kube-proxy.d");
  put_file(dir / "kube-proxy.d/10.yaml", "mode: ipvs\n");
  const auto problem = [&dir](const std::string& name, const std::string& text) {
    put_file(dir / ("kubelet.d/" + name), text);
    const HostSettings all = read_host_settings(dir / "", 20);
    std::filesystem::remove(dir / ("kubelet.d/" + name));
    CHECK(all.kubelet == proto::ComponentSettings{});
    CHECK(all.kube_proxy.config.text == R"({"mode":"ipvs"})");
    CHECK(all.kubelet_problem.find(name) != std::string::npos);
    return all.kubelet_problem;
  };
  CHECK(problem("a.yaml", "evictionHrd: {}\n").find("did you mean evictionHard?") != std::string::npos);
  const std::string both = problem("a.yaml", "# ours\nevictionHrd: {}\nmaxPod: 7\n");
  CHECK(both.find("a.yaml:2:1: ") != std::string::npos);
  CHECK(both.find("a.yaml:3:1: ") != std::string::npos);
  CHECK(problem("a.args", "# ours\n--v=4\n\nv=4\n").find("a.args:4:1: ") != std::string::npos);
  CHECK(problem("a.yaml", "authentication: {}\n").find("Slipway decides it") != std::string::npos);
  CHECK(problem("a.yaml", "- 1\n").find("must be a map") != std::string::npos);
  CHECK_FALSE(problem("a.yaml", "a: [\n").empty());
  CHECK(problem("a.args", "v=4\n").find("is no argument") != std::string::npos);
  CHECK_FALSE(problem("a.yaml", std::string(100'000, '#')).empty());
}
