#include "common/kube/config_keys.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace slipway::kube;

namespace {

std::string only(const std::vector<KeyProblem>& problems) {
  REQUIRE(problems.size() == 1);
  return problems[0].key + ": " + problems[0].text;
}

}  // namespace

TEST_CASE("kube versions: parsed whole or not at all") {
  CHECK(parse_version("1.20.2") == Version{1, 20, 2});
  CHECK(parse_version("1.30.0-rc.1") == Version{1, 30, 0});
  CHECK(parse_version("2.0.0") > parse_version("1.7.27"));
  for (const char* text : {"", "1.20", "v1.20.2", "1.20.x", "1.20.2.3", "1..2", "latest"}) {
    INFO(text);
    CHECK_FALSE(parse_version(text));
  }
  CHECK(kube_minor("1.24.17") == 24);
  CHECK_FALSE(kube_minor("2.0.0"));
}

TEST_CASE("kube config: names are said once and their spans lie within what is known") {
  for (const auto keys : {kubelet_config_keys(), kube_proxy_config_keys()}) {
    std::set<std::string_view> names;
    for (const ConfigKey& key : keys) {
      INFO(key.name);
      CHECK(names.insert(key.name).second);
      CHECK(key.span.first >= k_oldest_minor);
      CHECK(key.span.first <= k_newest_minor);
      CHECK(key.span.last >= key.span.first);
    }
  }
}

TEST_CASE("kube config: a key is accepted exactly in the minors that have it") {
  for (int minor = k_oldest_minor; minor <= k_newest_minor; ++minor) {
    for (const ConfigKey& key : kubelet_config_keys()) {
      INFO(key.name << " in 1." << minor);
      const auto problems = check_kubelet_config("{\"" + std::string(key.name) + "\": null}", minor);
      CHECK(problems.empty() == key.span.contains(minor));
    }
    for (const ConfigKey& key : kube_proxy_config_keys()) {
      INFO(key.name << " in 1." << minor);
      const auto problems = check_kube_proxy_config("{\"" + std::string(key.name) + "\": null}", minor);
      CHECK(problems.empty() == key.span.contains(minor));
    }
  }
}

TEST_CASE("kube config: what 1.20 has, by its kubelet and kube-proxy") {
  const std::string has =
      R"({"topologyManagerScope": "pod", "shutdownGracePeriod": "30s", "enableSystemLogHandler": false, "providerID": "x",
                             "nodeStatusMaxImages": 10, "volumePluginDir": "/x", "kernelMemcgNotification": true, "logging": {}})";
  CHECK(check_kubelet_config(has, 20).empty());
  for (const char* key : {"memorySwap", "seccompDefault", "registerNode", "containerRuntimeEndpoint",
                          "enableProfilingHandler", "reservedMemory"}) {
    INFO(key);
    CHECK(check_kubelet_config("{\"" + std::string(key) + "\": 1}", 20).size() == 1);
  }
  CHECK(
      check_kube_proxy_config(R"({"bindAddressHardFail": true, "udpIdleTimeout": "1s", "winkernel": {}})", 20)
          .empty());
  CHECK(check_kube_proxy_config(R"({"detectLocal": {}, "nftables": {}})", 20).size() == 2);
}

TEST_CASE("kube config: the sentence names the cure") {
  CHECK(only(check_kubelet_config(R"({"maxPod": 10})", 20)) ==
        "maxPod: is no field of KubeletConfiguration in Kubernetes 1.20; did you mean maxPods?");
  CHECK(only(check_kubelet_config(R"({"clusterDns": []})", 20)) ==
        "clusterDns: is no field of KubeletConfiguration in Kubernetes 1.20; did you mean clusterDNS?");
  CHECK(only(check_kubelet_config(R"({"quiteAnother": 1})", 20)) ==
        "quiteAnother: is no field of KubeletConfiguration in Kubernetes 1.20: take it out");
  CHECK(
      only(check_kubelet_config(R"({"memorySwap": {}})", 20)) ==
      "memorySwap: came as a field of KubeletConfiguration with Kubernetes 1.22, this is 1.20: take it out");
  CHECK(only(check_kube_proxy_config(R"({"udpIdleTimeout": "1s"})", 26)) ==
        "udpIdleTimeout: was a field of KubeProxyConfiguration until Kubernetes 1.25, this is 1.26: take it "
        "out");
  // A key that comes later is no cure.
  CHECK(only(check_kubelet_config(R"({"memorySwop": {}})", 20)) ==
        "memorySwop: is no field of KubeletConfiguration in Kubernetes 1.20: take it out");
}

TEST_CASE("kube config: all problems at once, in the order written") {
  const auto problems = check_kubelet_config(R"({"zzz": 1, "maxPods": 5, "aaa": 2})", 20);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].key == "zzz");
  CHECK(problems[1].key == "aaa");
}

TEST_CASE("kube config: modes of kube-proxy") {
  const auto mode = [](const std::string& name, int minor) {
    return check_kube_proxy_config("{\"mode\": \"" + name + "\"}", minor);
  };
  CHECK(mode("iptables", 18).empty());
  CHECK(mode("ipvs", k_newest_minor).empty());
  CHECK(mode("", 20).empty());
  CHECK(mode("nftables", 29).empty());
  CHECK(only(mode("nftables", 28)) ==
        "mode: nftables came as a mode of kube-proxy with Kubernetes 1.29, this is 1.28: take it out");
  CHECK(only(mode("userspace", 26)) ==
        "mode: userspace was a mode of kube-proxy until Kubernetes 1.25, this is 1.26: take it out");
  CHECK(only(mode("iptable", 20)) ==
        "mode: iptable is no mode of kube-proxy in Kubernetes 1.20; did you mean iptables?");
}

TEST_CASE("kube config: anything but a map is one problem, nothing is none") {
  CHECK(check_kubelet_config("", 20).empty());
  CHECK(check_kubelet_config("null", 20).empty());
  CHECK(check_kubelet_config("{}", 20).empty());
  for (const char* text : {"[]", "3", "{", "\"x\""}) {
    INFO(text);
    CHECK(only(check_kubelet_config(text, 20)) == ": must be a map of settings");
    CHECK(only(check_kube_proxy_config(text, 20)) == ": must be a map of settings");
  }
  // Long nonsense is answered at once.
  CHECK(check_kubelet_config("{\"" + std::string(100000, 'x') + "\": 1}", 20).size() == 1);
}

TEST_CASE("kube config: a minor from the future is taken for the newest known") {
  CHECK(check_kubelet_config(R"({"memoryReservationPolicy": "None"})", 99).empty());
}
