// The plan of `artifact fetch`: addresses, checksums, redirects, what is there already.
#include "coordinator/ctl/fetch_plan.hpp"

#include <catch2/catch.hpp>

namespace slipway::ctl {
namespace {

ArtifactFetch wish_for(const std::string& kubernetes, const std::string& from = "https://dl.example/release") {
  ArtifactFetch wish;
  wish.kubernetes = kubernetes;
  wish.from = from;
  return wish;
}

std::string refusal(const ArtifactFetch& wish, const std::string& machine = "amd64") {
  const auto plan = plan_fetch(wish, machine);
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code == Errc::invalid);
  return plan.error().message;
}

bool says(const std::string& text, const std::string& part) {
  INFO(text << " | " << part);
  return text.find(part) != std::string::npos;
}

const std::string k_digest(64, 'a');

http::WebUrl url(const std::string& text) { return http::parse_web_url(text).value(); }

FetchItem kubelet() { return plan_fetch(wish_for("v1.20.2"), "amd64").value().at(0); }

}  // namespace

TEST_CASE("fetch plan: Kubernetes as its download site has it", "[ctl][fetch]") {
  const auto plan = plan_fetch(wish_for("v1.30.4", "https://dl.example/release/"), "arm64");
  REQUIRE(plan);
  std::vector<std::string> components;
  for (const FetchItem& item : *plan) components.push_back(item.component);
  CHECK(components == std::vector<std::string>{"kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler"});
  CHECK(plan->at(0).version == "1.30.4");
  CHECK(plan->at(0).file == "kubelet");
  CHECK(plan->at(0).url.shown() == "https://dl.example/release/v1.30.4/bin/linux/arm64/kubelet");
  CHECK(plan->at(0).checksum_url.shown() == "https://dl.example/release/v1.30.4/bin/linux/arm64/kubelet.sha256");
  CHECK(plan_fetch(wish_for("1.30.4"), "amd64")->at(0).url.shown() == "https://dl.example/release/v1.30.4/bin/linux/amd64/kubelet");
  ArtifactFetch project;
  project.kubernetes = "1.30.4";
  CHECK(plan_fetch(project, "amd64")->at(4).url.shown() == "https://dl.k8s.io/release/v1.30.4/bin/linux/amd64/kube-scheduler");
}

TEST_CASE("fetch plan: the other projects' layouts", "[ctl][fetch]") {
  ArtifactFetch wish;
  wish.containerd = "v1.7.22";
  wish.runc = "1.1.14";
  wish.cni_plugins = "1.5.1";
  wish.etcd = "3.5.15";
  wish.etcd_from = "http://mirror.example:8080/etcd";
  const auto plan = plan_fetch(wish, "amd64");
  REQUIRE(plan);
  REQUIRE(plan->size() == 4);
  struct Row {
    std::string component, file, place, checksum;
  };
  const std::vector<Row> rows = {
      {"containerd", "containerd-1.7.22-linux-amd64.tar.gz", "https://github.com/containerd/containerd/releases/download/v1.7.22/", "containerd-1.7.22-linux-amd64.tar.gz.sha256sum"},
      {"runc", "runc.amd64", "https://github.com/opencontainers/runc/releases/download/v1.1.14/", "runc.sha256sum"},
      {"cni-plugins", "cni-plugins-linux-amd64-v1.5.1.tgz", "https://github.com/containernetworking/plugins/releases/download/v1.5.1/", "cni-plugins-linux-amd64-v1.5.1.tgz.sha256"},
      {"etcd", "etcd-v3.5.15-linux-amd64.tar.gz", "http://mirror.example:8080/etcd/v3.5.15/", "SHA256SUMS"}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(plan->at(i).component == rows[i].component);
    CHECK(plan->at(i).file == rows[i].file);
    CHECK(plan->at(i).url.shown() == rows[i].place + rows[i].file);
    CHECK(plan->at(i).checksum_url.shown() == rows[i].place + rows[i].checksum);
  }
}

TEST_CASE("fetch plan: only some, and kubectl into a folder alone", "[ctl][fetch]") {
  ArtifactFetch wish = wish_for("v1.20.2");
  wish.etcd = "3.4.23";
  wish.only = {"etcd", "kubelet"};
  const auto plan = plan_fetch(wish, "amd64");
  REQUIRE(plan);
  REQUIRE(plan->size() == 2);
  CHECK(plan->at(0).component == "kubelet");
  CHECK(plan->at(1).component == "etcd");
  wish.only = {"kublet"};
  CHECK(says(refusal(wish), "--only \"kublet\" is none of what is to be fetched"));
  wish.only = {"runc"};
  CHECK(says(refusal(wish), "\"runc\""));
  wish.only = {"kubectl"};
  CHECK(says(refusal(wish), "--to"));
  wish.to = "/tmp/x";
  CHECK(plan_fetch(wish, "amd64")->at(0).component == "kubectl");
}

TEST_CASE("fetch plan: what is refused, in the words of cluster.yaml", "[ctl][fetch]") {
  CHECK(says(refusal({}), "say what is to be fetched"));
  CHECK(says(refusal(wish_for("v1.17.0")), "1.17.0 is too old: this Slipway knows 1.18 to 1.37"));
  CHECK(says(refusal(wish_for("v1.38.0")), "newer than this Slipway knows"));
  CHECK(says(refusal(wish_for("2.0.0")), "not a version of Kubernetes 1"));
  for (const char* bad : {"latest", "v1", "1.20.2/..", "v1.20.2\n\x1b[2J", "../1.20.2"}) CHECK(says(refusal(wish_for(bad)), "is not a version"));
  CHECK(says(refusal(wish_for("v1.20.2", "ftp://dl.example/")), "--from: address ftp://dl.example/"));
  CHECK(says(refusal(wish_for("v1.20.2", "https://dl.example/?x=1")), "without a query"));
  CHECK(says(refusal(wish_for("v1.20.2"), "riscv64"), "say with --arch"));
  ArtifactFetch wish = wish_for("v1.20.2");
  wish.arch = "x86";
  CHECK(says(refusal(wish), "--arch \"x86\" is not known: amd64, arm64"));
  wish = wish_for("v1.30.0");
  wish.containerd = "1.5.0";
  CHECK(says(refusal(wish), "containerd 1.5.0 is too old for Kubernetes 1.30"));
  wish = {};
  wish.etcd = "3.3.1";
  CHECK(says(refusal(wish), "etcd 3.3.1 is too old"));
}

TEST_CASE("fetch plan: architectures by their names in Go", "[ctl][fetch]") {
  CHECK(arch_of_machine("x86_64") == "amd64");
  CHECK(arch_of_machine("aarch64") == "arm64");
  CHECK(arch_of_machine("s390x") == "s390x");
  CHECK(arch_of_machine("i686").empty());
}

TEST_CASE("published checksums are read in the forms that projects use", "[ctl][fetch]") {
  const std::string other(64, 'b');
  const std::string upper(64, 'A');
  for (const std::string& text : {k_digest, k_digest + "\n", " " + k_digest + " \r\n", upper, k_digest + "  kubelet\n", k_digest + " *kubelet", k_digest + "  ./kubelet\r\n",
                                  other + "  kube-proxy\n" + k_digest + "  kubelet\n" + other + "  kubelet.exe\n", k_digest + "  kubelet\n" + k_digest + "  kubelet\n",
                                  "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + k_digest + "  kubelet\n-----BEGIN PGP SIGNATURE-----\nabc\n"}) {
    INFO(text);
    const auto digest = parse_checksum(text, "kubelet");
    REQUIRE(digest);
    CHECK(*digest == k_digest);
  }
}

TEST_CASE("what is no checksum is refused, and named", "[ctl][fetch]") {
  const auto why = [](const std::string& text) {
    const auto digest = parse_checksum(text, "kubelet");
    REQUIRE_FALSE(digest);
    CHECK(digest.error().code == Errc::corrupt);
    return digest.error().message;
  };
  CHECK(why("") == "it is empty");
  CHECK(why("\n \n") == "it is empty");
  CHECK(says(why("<!doctype html><html>"), "web page"));
  CHECK(says(why("<?xml version='1.0'?><Error>"), "web page"));
  CHECK(says(why(std::string(63, 'a')), "holds no SHA-256"));
  CHECK(says(why(std::string(65, 'a')), "holds no SHA-256"));
  CHECK(says(why(std::string(128, 'a')), "holds no SHA-256"));  // SHA-512
  CHECK(says(why(std::string(64, 'g')), "holds no SHA-256"));
  CHECK(says(why(k_digest + "  kube-proxy\n"), "says nothing of kubelet"));
  CHECK(says(why(k_digest + "  kubelet.sig\n"), "says nothing of kubelet"));
  CHECK(says(why(k_digest + "  kubelet\n" + std::string(64, 'b') + "  kubelet\n"), "two digests"));
  CHECK(why("\x1b[2Jnot found").find('\x1b') == std::string::npos);
}

TEST_CASE("redirects are followed, but not into the clear, not in circles and not for ever", "[ctl][fetch]") {
  struct Row {
    const char* at;
    const char* location;
    const char* expected;  // a part of the refusal begins with '!'
  };
  for (const Row& row : {Row{"https://a/x", "https://cdn/y", "https://cdn/y"}, Row{"https://a/x", "/y", "https://a/y"}, Row{"http://a/x", "https://cdn/y", "https://cdn/y"},
                         Row{"http://a/x", "http://cdn/y", "http://cdn/y"}, Row{"https://a/x", "http://cdn/y", "!from https to http://cdn/y"}, Row{"https://a/x", "", "!to nowhere"},
                         Row{"https://a/x", "https://a/x", "!a loop"}, Row{"https://a/x", "ftp://b/", "!no address"}}) {
    INFO(row.at << " " << row.location);
    const std::string location = row.location;
    const auto next = follow(url(row.at), &location, {url(row.at)});
    if (row.expected[0] == '!') {
      REQUIRE_FALSE(next);
      CHECK(next.error().code == Errc::denied);
      CHECK(says(next.error().message, row.expected + 1));
    } else {
      REQUIRE(next);
      CHECK(next->shown() == row.expected);
    }
  }
  CHECK_FALSE(follow(url("https://a/x"), nullptr, {url("https://a/x")}));
  // Up to https and never down again.
  const std::string down = "http://a/z";
  CHECK_FALSE(follow(url("https://a/y"), &down, {url("http://a/x"), url("https://a/y")}));
  std::vector<http::WebUrl> asked = {url("https://a/0")};
  for (std::size_t i = 1; i <= k_max_redirects; ++i) {
    const std::string location = "/" + std::to_string(i);
    const auto next = follow(asked.back(), &location, asked);
    REQUIRE(next);
    asked.push_back(*next);
  }
  const std::string one_more = "/again";
  const auto refused = follow(asked.back(), &one_more, asked);
  REQUIRE_FALSE(refused);
  CHECK(says(refused.error().message, "after 5 redirects since https://a/0"));
  for (const int status : {301, 302, 303, 307, 308}) CHECK(is_redirect(status));
  for (const int status : {200, 300, 304, 305, 306, 404}) CHECK_FALSE(is_redirect(status));
}

TEST_CASE("answers that are no files name the version", "[ctl][fetch]") {
  const auto error = [](int status) { return refused_answer(status, kubelet().url, kubelet()); };
  CHECK(error(404).code == Errc::not_found);
  CHECK(says(error(404).message, "kubelet 1.20.2"));
  CHECK(says(error(404).message, "https://dl.example/release/v1.20.2/bin/linux/amd64/kubelet answered 404"));
  CHECK(error(403).code == Errc::denied);
  CHECK(error(500).code == Errc::unavailable);
  CHECK(error(429).code == Errc::unavailable);
  CHECK(error(418).code == Errc::denied);
}

TEST_CASE("what the coordinator has is not fetched, and never replaced", "[ctl][fetch]") {
  proto::ArtifactList known;
  CHECK_FALSE(is_imported(known, kubelet(), k_digest).value());
  known.items = {{"kubelet", "1.20.1", "file", k_digest, 5, ""}, {"kube-proxy", "1.20.2", "file", k_digest, 5, ""}};
  CHECK_FALSE(is_imported(known, kubelet(), k_digest).value());
  known.items.push_back({"kubelet", "1.20.2", "file", k_digest, 5, ""});
  CHECK(is_imported(known, kubelet(), k_digest).value());
  const auto other = is_imported(known, kubelet(), std::string(64, 'b'));
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::conflict);
  CHECK(says(other.error().message, k_digest));
}

TEST_CASE("answers continue a file, or begin it anew", "[ctl][fetch]") {
  const std::string length = "10", range = "bytes 5-14/15", wrong = "bytes 6-15/16", odd = "ten";
  const auto whole = continue_file(200, nullptr, &length, 0, 100);
  REQUIRE(whole);
  CHECK(whole->anew);
  CHECK(whole->length == 10);
  const auto rest = continue_file(206, &range, &length, 5, 100);
  REQUIRE(rest);
  CHECK_FALSE(rest->anew);
  CHECK(rest->length == 15);
  CHECK(continue_file(200, nullptr, &length, 5, 100)->anew);  // a server without ranges
  CHECK(continue_file(200, nullptr, nullptr, 0, 100)->length == 0);
  CHECK(continue_file(200, nullptr, &odd, 0, 100)->length == 0);
  CHECK(continue_file(206, &wrong, &length, 5, 100).error().code == Errc::corrupt);
  CHECK(continue_file(206, nullptr, &length, 5, 100).error().code == Errc::corrupt);
  CHECK(continue_file(200, nullptr, &length, 0, 9).error().code == Errc::exhausted);
  CHECK(continue_file(206, &range, &length, 5, 14).error().code == Errc::exhausted);
  CHECK(continue_file(206, &range, &length, 5, 15));
}

}  // namespace slipway::ctl
