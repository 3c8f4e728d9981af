// What host-local and libcni keep of pods, in the form that their versions in use write.
#include "agent/store/cni_records.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

struct Records {
  TempDir dir;
  CniRecords at{dir / "slipway", {dir / "none", dir / "results"}};
  Records() {
    std::filesystem::create_directories(at.leases);
    std::filesystem::create_directories(at.results[1]);
    put_file(at.leases + "/lock", "");
    put_file(at.leases + "/last_reserved_ip.0", "10.10.1.3");
  }
  void lease(const std::string& address, const std::string& container) const {
    put_file(at.leases + "/" + address, container + "\r\neth0");
  }
  void result(const std::string& container, const std::string& json) const {
    put_file(at.results[1] + "/slipway-" + container + "-eth0", json);
  }
};

// As libcni 0.8 writes it; what is not looked at is left out.
std::string record(const std::string& pod, const std::string& ports) {
  return R"({"kind":"cniCacheV1","networkName":"slipway","cniArgs":[["IgnoreUnknown","1"],["K8S_POD_NAMESPACE","default"],["K8S_POD_NAME",")" +
         pod + R"("]],"capabilityArgs":{"portMappings":)" + ports + R"(},"result":{}})";
}

constexpr char k_port[] = R"([{"hostPort":8080,"containerPort":80,"protocol":"tcp","hostIP":""}])";

}  // namespace

TEST_CASE("cni records: pods that stand and have host ports, with the families of their addresses", "[cni_records]") {
  const Records records;
  CHECK(pods_with_host_ports(records.at).empty());
  records.lease("10.10.1.2", "c2");
  records.lease("fd00:10:1::2", "c2");
  records.lease("10.10.1.3", "c1");
  records.lease("10.10.1.4", "c3");
  records.lease("10.10.1.5", "c4");
  records.result("c2", record("web", k_port));
  records.result("c1", record("api", k_port));
  records.result("c3", record("none", "[]"));
  records.result("c4", record("unasked", R"([{"hostPort":0,"containerPort":80}])"));
  records.result("c9", record("of the boot before", k_port));  // has no address any more
  CHECK(pods_with_host_ports(records.at) ==
        std::vector<HostPortPod>{{"default/api", "c1", {true, false}}, {"default/web", "c2", {true, true}}});
}

TEST_CASE("cni records: what cannot be read is left out, and a pod without a name is its container", "[cni_records]") {
  const Records records;
  CHECK(pods_with_host_ports({records.dir / "nowhere"}).empty());
  records.lease("10.10.1.2", "c1");
  records.lease("10.10.1.3", "c2");
  records.lease("10.10.1.4", "../../etc");
  records.lease("10.10.1.5", "");
  records.lease("10.10.1.6", "c5");
  records.result("c1", R"({"capabilityArgs":{"portMappings":[{"hostPort":1}]}})");
  records.result("c2", "{");
  CHECK(pods_with_host_ports(records.at) == std::vector<HostPortPod>{{"c1", "c1", {true, false}}});
  for (const char* strange :
       {"[]", "7", "{}", R"({"capabilityArgs":[]})", R"({"capabilityArgs":{"portMappings":{}}})",
        R"({"capabilityArgs":{"portMappings":[7,{"hostPort":"8080"},{}]}})"}) {
    INFO(strange);
    records.result("c1", strange);
    CHECK(pods_with_host_ports(records.at).empty());
  }
  records.result("c1", R"({"cniArgs":[7,["K8S_POD_NAME",7],["a"]],"capabilityArgs":{"portMappings":[{"hostPort":1}]}})");
  CHECK(pods_with_host_ports(records.at).size() == 1);
}
