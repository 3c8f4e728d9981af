// Joining on real hosts: refusals that an operator meets, a kill in the middle of an install, and a dead host removed.
#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "lab.hpp"

using namespace std::chrono_literals;
using lab::eventually;
using lab::ExtraHost;
using lab::must;

namespace {

// The token with another CA fingerprint.
std::string with_wrong_pin(std::string token) {
  const std::size_t digit = std::string("slipway1").size();
  token[digit] = token[digit] == '0' ? '1' : '0';
  return token;
}

bool journal_has(const ExtraHost& host, const std::string& text) { return host.agent_journal().find(text) != std::string::npos; }

bool joined(const std::string& node) { return lab::slipwayctl({"node", "get", node}).ok(); }

std::string id_of(const std::string& token) {
  const std::size_t start = token.find("::") + 2;
  return token.substr(start, token.find('.', start) - start);
}

// The reason that operators see for the last refused join with this token.
bool refused_because(const std::string& reason) {
  return lab::slipwayctl({"node", "list", "--all"}).out.find(reason) != std::string::npos;
}

}  // namespace

TEST_CASE("system 20: refused tokens: each with its true reason for the operator", "[system]") {
  ExtraHost host("extra1", 41);
  SECTION("for another node") {
    host.start_agent(lab::coordinator_url(), lab::create_token({"--node", "somebodyelse"}));
    eventually("the refusal in the agent's journal", 60s, [&] { return journal_has(host, "refused"); });
    eventually("the reason at the coordinator", 30s, [] { return refused_because("somebodyelse") || refused_because("another node"); });
  }
  SECTION("expired") {
    const std::string token = lab::create_token({"--ttl", "1m"});
    eventually("the token to expire", 90s, [&] {
      const std::string rows = lab::slipwayctl({"token", "list"}).out;
      const std::size_t own = rows.find(id_of(token));
      return own != std::string::npos && rows.substr(own, rows.find('\n', own) - own).find("expired") != std::string::npos;
    });
    host.start_agent(lab::coordinator_url(), token);
    eventually("the refusal in the agent's journal", 60s, [&] { return journal_has(host, "refused"); });
    eventually("the reason at the coordinator", 30s, [] { return refused_because("expired"); });
  }
  SECTION("deleted") {
    const std::string token = lab::create_token({});
    lab::must_slipwayctl({"token", "delete", id_of(token), "--yes"});
    host.start_agent(lab::coordinator_url(), token);
    eventually("the refusal in the agent's journal", 60s, [&] { return journal_has(host, "refused"); });
    eventually("the reason at the coordinator", 30s, [] { return refused_because("unknown"); });
  }
  REQUIRE_FALSE(joined("extra1"));
  // The secret is nowhere in the journal.
  REQUIRE_FALSE(journal_has(host, "slipway1"));
}

TEST_CASE("system 21: wrong pin: nothing reaches the coordinator", "[system]") {
  ExtraHost host("extra2", 42);
  host.start_agent(lab::coordinator_url(), with_wrong_pin(lab::create_token({})));
  eventually("the agent to say so", 60s, [&] { return journal_has(host, "pin"); });
  REQUIRE(lab::slipwayctl({"node", "list", "--all"}).out.find("extra2") == std::string::npos);
}

TEST_CASE("system 22: a self-signed coordinator gets zero application bytes", "[system]") {
  ExtraHost host("extra3", 43);
  const std::string token = lab::create_token({});
  // The rogue runs on the host itself: same network path for the agent, no port of this machine in use.
  must(host.name(), {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=coordinator", "-addext",
                     "subjectAltName=IP:127.0.0.1", "-keyout", "/run/rogue.key", "-out", "/run/rogue.crt", "-days", "1"});
  must(host.name(), {"systemd-run", "--unit=rogue", "-p", "StandardOutput=file:/run/rogue.received", "-p",
                     "StandardError=file:/run/rogue.errors", "openssl", "s_server", "-quiet", "-accept",
                     "127.0.0.1:7443", "-key", "/run/rogue.key", "-cert", "/run/rogue.crt", "-tls1_3"});
  host.start_agent("https://127.0.0.1:7443", token);
  eventually("the agent to refuse it", 60s, [&] { return journal_has(host, "pin"); });
  // It did knock: its refusal is a TLS alert. And not one byte came through.
  REQUIRE(must(host.name(), {"cat", "/run/rogue.errors"}).find("alert number") != std::string::npos);
  REQUIRE(must(host.name(), {"stat", "-c", "%s", "/run/rogue.received"}) == "0");
  must(host.name(), {"systemctl", "is-active", "rogue"});
}

TEST_CASE("system 23: wrong name: the right CA does not help", "[system]") {
  ExtraHost host("extra4", 44);
  // The master's address under a name that its certificate does not have.
  lab::write_file(host.name(), "/etc/hosts", "127.0.0.1 localhost\n" + lab::network_prefix() + ".10 elsewhere.example\n", "0644");
  host.start_agent("https://elsewhere.example:7443", lab::create_token({}));
  eventually("the agent to refuse it", 60s, [&] { return journal_has(host, "elsewhere.example"); });
  REQUIRE(lab::slipwayctl({"node", "list", "--all"}).out.find("extra4") == std::string::npos);
}

TEST_CASE("system 24: agent killed in the middle of an install, used-up token, a dead host removed", "[system]") {
  const std::string token = lab::create_token({"--max-uses", "1"});
  std::string cidr;
  {
    ExtraHost host("extra5", 45);
    host.start_agent(lab::coordinator_url(), token);
    // In the middle: something is being unpacked or just was, and kubelet does not run yet.
    eventually("the install to begin", 120s, [&] { return lab::on(host.name(), {"test", "-d", "/opt/slipway/docker"}).ok(); }, {"extra5"});
    must(host.name(), {"systemctl", "kill", "-s", "KILL", "slipway-agent"});
    eventually("extra5 Ready in spite of the kill", 240s, [] { return lab::node_ready("extra5"); }, {"extra5"});
    REQUIRE(must(host.name(), {"find", "/opt/slipway", "-maxdepth", "2", "-name", ".tmp-*"}).empty());
    cidr = lab::pod_cidr_of("extra5");

    ExtraHost second("extra6", 46);
    second.start_agent(lab::coordinator_url(), token);
    eventually("the used-up token to be refused", 60s, [&] { return journal_has(second, "refused"); }, {"extra6"});
    eventually("the reason at the coordinator", 30s, [] { return refused_because("used up"); });

    // A power cut, for good.
    REQUIRE(lab::tool({"kill", lab::cluster_name(), "extra5"}).ok());
  }
  lab::must_slipwayctl({"node", "delete", "--yes", "extra5"});
  REQUIRE_FALSE(joined("extra5"));
  eventually("the Node object to be gone", 60s, [] { return !lab::kubectl({"get", "node", "extra5"}).ok(); });
  eventually("routes to the dead host to be gone", 90s, [&] {
    return must("node1", {"ip", "route", "show", "proto", "77"}).find(cidr) == std::string::npos;
  }, {"node1"});
}
