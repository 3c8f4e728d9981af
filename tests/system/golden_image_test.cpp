// docs/golden-image.md on real hosts.
#include <catch2/catch.hpp>

#include "lab.hpp"
#include "slipway_test_paths.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::must;

namespace {

constexpr char k_image[] = "image";

lab::Outcome with_input(const lab::Words& arguments, const std::string& input) {
  lab::Words argv = {SLIPWAY_SOURCE_DIR "/packaging/lab/slipway-lab"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return lab::run(argv, 60s, input);
}

// A copy of the image's disk; its token comes from what stands for the firmware.
class Clone {
 public:
  Clone(std::string name, int last_octet, const std::string& token) : name_(std::move(name)) {
    const std::string cluster = lab::cluster_name();
    lab::tool({"destroy", cluster, name_});
    REQUIRE(lab::tool({"clone", cluster, name_, lab::network_prefix() + "." + std::to_string(last_octet), k_image}).ok());
    REQUIRE(with_input({"credential", cluster, name_, "slipway.token"}, token).ok());
    REQUIRE(lab::tool({"boot", cluster, name_}).ok());
  }
  ~Clone() {
    lab::tool({"destroy", lab::cluster_name(), name_});
    lab::slipwayctl({"node", "delete", "--yes", name_});
  }
  Clone(const Clone&) = delete;
  Clone& operator=(const Clone&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

void wait_for_join(const Clone& clone) {
  eventually(clone.name() + " to join by itself", 90s, [&] { return lab::slipwayctl({"node", "get", clone.name()}).ok(); }, {clone.name()});
}

std::string identity_of(const Clone& clone) { return must(clone.name(), {"sha256sum", "/var/lib/slipway/agent/pki/agent/current/key.pem"}); }

}  // namespace

TEST_CASE("system 42: two hosts cloned from one image join at their first boot, under names of their own, with a token from a credential", "[system]") {
  {
    // The package first: without agent.yaml nothing starts.
    lab::ExtraHost image(k_image, 51);
    lab::write_file(k_image, "/etc/slipway/agent.yaml", "coordinators: [\"" + lab::coordinator_url() + "\"]\n", "0644");
    CHECK_FALSE(lab::on(k_image, {"test", "-e", "/var/lib/slipway/agent"}).ok());
    must(k_image, {"truncate", "-s", "0", "/etc/machine-id"});
    must(k_image, {"rm", "-f", "/var/lib/dbus/machine-id"});
    REQUIRE(lab::tool({"poweroff", lab::cluster_name(), k_image}).ok());
    const std::string token = lab::create_token({"--max-uses", "2"});
    const Clone one("clone1", 52, token);
    const Clone two("clone2", 53, token);
    wait_for_join(one);
    wait_for_join(two);
    CHECK(lab::pod_cidr_of("clone1") != lab::pod_cidr_of("clone2"));
    CHECK(identity_of(one) != identity_of(two));
    CHECK(must("clone1", {"cat", "/etc/machine-id"}) != must("clone2", {"cat", "/etc/machine-id"}));
    // The token is on no disk, and a restart needs none.
    CHECK_FALSE(lab::on("clone1", {"grep", "-rqs", "slipway1", "/etc", "/var/lib/slipway", "/var/log"}).ok());
    must("clone1", {"systemctl", "restart", "slipway-agent"});
    CHECK(must("clone1", {"slipway-agent", "status"}).find("clone1 (node)") != std::string::npos);
  }
  CHECK_FALSE(lab::slipwayctl({"node", "get", "clone1"}).ok());
}
