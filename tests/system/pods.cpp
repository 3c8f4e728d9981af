#include "pods.hpp"

#include <catch2/catch.hpp>

#include "cluster.hpp"
#include "common/core/text.hpp"
#include "lab.hpp"
#include "slipway_test_paths.hpp"

namespace lab {

using namespace std::chrono_literals;

namespace {

constexpr char k_docker[] = "/opt/slipway/docker/current/docker";

}  // namespace

void copy_images(const std::string& host) {
  const std::string names = must(
      "node1", {k_docker, "-H", "unix:///run/docker.sock", "images", "--format", "{{.Repository}}:{{.Tag}}"});
  Words save = {"exec", cluster_name(), "node1", k_docker, "save"};
  for (const std::string_view name : slipway::split(names, '\n')) {
    if (!slipway::trim(name).empty()) save.push_back(std::string(name));
  }
  const Outcome saved = tool(save);
  REQUIRE(saved.ok());
  const std::string lab_tool = SLIPWAY_SOURCE_DIR "/packaging/lab/slipway-lab";
  const Outcome loaded = run({lab_tool, "exec", cluster_name(), host, k_docker, "load"}, 120s, saved.out);
  INFO(loaded.err);
  REQUIRE(loaded.ok());
}

void run_pod(const Pod& pod) {
  const std::string image = field_of({"pod", "check-web"}, ".spec.containers[0].image");
  REQUIRE_FALSE(image.empty());
  shared_cluster().apply(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + pod.name +
                         R"("},"spec":{"nodeName":")" + pod.host + R"(",)" + pod.spec +
                         R"(,"containers":[{"name":"c","image":")" + image +
                         R"(","imagePullPolicy":"Never",)" + pod.container + "}]}}");
  eventually("the pod " + pod.name + " to run", 120s,
             [&pod] {
               return field_of({"pod", pod.name}, ".status.phase") == "Running";
             },
             {pod.host});
}

}  // namespace lab
