// `slipwayctl artifact fetch` in the master's host, from a site on this machine that is laid out like upstream's.
#include <catch2/catch.hpp>

#include <map>

#include "common/crypto/digest.hpp"
#include "lab.hpp"
#include "tests/support/raw_http.hpp"

namespace {

// Of a version that the cluster does not ask for: nothing is installed from it.
constexpr char k_version[] = "1.20.99";

std::string page(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

std::string program(const std::string& name) { return "not really " + name + std::string(100'000, '.'); }

// What slipwayctl has of the test's version: component to digest.
std::string list() { return lab::must_slipwayctl({"artifact", "list", "-o", "wide"}); }

lab::Outcome fetch(const std::string& from, const std::string& only) {
  return lab::slipwayctl({"artifact", "fetch", "--kubernetes", std::string("v") + k_version, "--from", from, "--only", only, "--arch", "amd64"});
}

}  // namespace

TEST_CASE("system 82: a release is fetched from a site and imported with its published digests", "[system][fetch]") {
  std::map<std::string, std::string> pages;
  const std::string folder = std::string("/release/v") + k_version + "/bin/linux/amd64/";
  for (const char* name : {"kubelet", "kube-proxy"}) {
    pages[folder + name] = program(name);
    pages[folder + name + ".sha256"] = slipway::sha256_hex(program(name));
  }
  pages[folder + "kube-scheduler"] = "other bytes";
  pages[folder + "kube-scheduler.sha256"] = slipway::sha256_hex(program("kube-scheduler"));
  const slipway::test::RawHttpServer site(
      [&pages](const std::string& request) {
        const auto found = pages.find(request.substr(4, request.find(' ', 4) - 4));
        return found == pages.end() ? page(404, "not found") : page(200, found->second);
      },
      lab::network_prefix() + ".1");
  const std::string from = "http://" + lab::network_prefix() + ".1:" + std::to_string(site.port()) + "/release";

  const auto wrong = fetch(from, "kubelet,kube-scheduler");
  INFO(wrong.err);
  REQUIRE_FALSE(wrong.ok());
  REQUIRE(wrong.err.find("verifying kube-scheduler") != std::string::npos);
  REQUIRE(list().find(k_version) == std::string::npos);

  const auto right = fetch(from, "kubelet,kube-proxy");
  INFO(right.out << right.err);
  REQUIRE(right.ok());
  const std::string listed = list();
  INFO(listed);
  for (const char* name : {"kubelet", "kube-proxy"}) REQUIRE(listed.find(slipway::sha256_hex(program(name))) != std::string::npos);
  REQUIRE(fetch(from, "kubelet,kube-proxy").out.find("present") != std::string::npos);

  for (const char* name : {"kubelet", "kube-proxy"}) lab::must_slipwayctl({"artifact", "delete", name, k_version, "--yes"});
}
