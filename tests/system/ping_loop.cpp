#include "ping_loop.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <iostream>

#include "cluster.hpp"
#include "common/core/text.hpp"

namespace lab {

using namespace std::chrono_literals;

namespace {

constexpr char k_docker[] = "/opt/slipway/docker/current/docker";
constexpr char k_from[] = "fault-from";
constexpr char k_to[] = "fault-to";
constexpr char k_watch[] = "lab-routes";

std::string pod(const std::string& name, const std::string& node) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"("},"spec":{"nodeName":")" +
         node +
         R"(","tolerations":[{"operator":"Exists"}],"terminationGracePeriodSeconds":0,"containers":[{"name":"main","image":"slipway/busybox:1","imagePullPolicy":"Never",)"
         R"("command":["/bin/busybox","sleep","2147483647"]}]}})";
}

void remove_pods() {
  kubectl({"delete", "pod", k_from, k_to, "--ignore-not-found", "--wait=true", "--timeout=15s"});
}

bool runs(const std::string& name) {
  return field_of({"pod", name}, ".status.containerStatuses[0].ready") == "true" &&
         !field_of({"pod", name}, ".status.podIP").empty();
}

// The number behind `key` in a line such as "64 bytes from 10.10.1.2: seq=7 ttl=62 time=0.1 ms"; -1: none.
int number_after(std::string_view line, std::string_view key) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return -1;
  const std::string_view rest = line.substr(at + key.size());
  const auto number = slipway::parse_u64(rest.substr(0, rest.find_first_not_of("0123456789")), 1U << 30);
  return number ? static_cast<int>(*number) : -1;
}

}  // namespace

PingCount count_pings(const std::string& output) {
  int answered = 0, last = -1, sent = 0;
  for (const std::string_view line : slipway::split(output, '\n')) {
    const int sequence = number_after(line, " seq=");
    if (sequence >= 0) ++answered;
    last = std::max(last, sequence);
    if (line.find(" packets transmitted") != std::string_view::npos)
      sent = std::max(0, number_after(line, ""));
  }
  const int on_their_way = sent - (last + 1) == 1 ? 1 : 0;
  return {sent, sent - answered - on_their_way};
}

PingLoop::PingLoop(std::string from, std::string to) : from_(std::move(from)) {
  remove_pods();
  shared_cluster().apply(R"({"apiVersion":"v1","kind":"List","items":[)" + pod(k_from, from_) + "," +
                         pod(k_to, to) + "]}");
  eventually("the pods that ping each other", 60s, [] { return runs(k_from) && runs(k_to); }, {from_, to});
  container_ = lab::must(from_, {k_docker, "ps", "-q", "--no-trunc", "--filter",
                                 std::string("label=io.kubernetes.pod.name=") + k_from, "--filter",
                                 "label=io.kubernetes.container.name=main"});
  REQUIRE_FALSE(container_.empty());
  const std::string address = field_of({"pod", k_to}, ".status.podIP");
  // The first one may wait for a neighbour to answer.
  eventually("an echo from pod to pod", 60s,
             [&] {
               return on(from_, in_pod({"ping", "-c", "1", "-W", "2", address})).ok();
             },
             {from_, to});
  const std::string loop =
      "echo $$ >/ping.pid; exec /bin/busybox ping -i 0.2 " + address + " >/ping.log 2>&1";
  lab::must(from_, in_pod({"sh", "-c", loop}, {"-d"}));
}

PingLoop::~PingLoop() {
  remove_pods();
}

Words PingLoop::in_pod(const Words& argv, const Words& options) const {
  Words words = {k_docker, "exec"};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {container_, "/bin/busybox"});
  words.insert(words.end(), argv.begin(), argv.end());
  return words;
}

PingCount PingLoop::stop(const std::string& what) {
  lab::must(from_, in_pod({"sh", "-c", "/bin/busybox kill -INT $(/bin/busybox cat /ping.pid)"}));
  std::string output;
  eventually("the ping's last words", 10s,
             [&] {
               output = lab::must(from_, in_pod({"cat", "/ping.log"}));
               return output.find(" packets transmitted") != std::string::npos;
             },
             {});
  const PingCount count = count_pings(output);
  std::cout << what << ": " << count.sent << " echoes between pods of third nodes, " << count.lost
            << " lost\n";
  INFO(output.substr(output.size() > 2000 ? output.size() - 2000 : 0));
  REQUIRE(count.sent > 10);
  return count;
}

RouteWatch::RouteWatch(std::string host) : host_(std::move(host)) {
  on(host_, {"systemctl", "stop", k_watch});
  lab::must(host_, {"systemd-run", "--quiet", "--collect", std::string("--unit=") + k_watch,
                    "--property=StandardOutput=truncate:/run/lab-routes", "ip", "-o", "monitor", "route"});
}

RouteWatch::~RouteWatch() {
  on(host_, {"systemctl", "stop", k_watch});
}

std::string RouteWatch::removed() const {
  std::string lines;
  const std::string all = lab::must(host_, {"cat", "/run/lab-routes"});
  for (const std::string_view line : slipway::split(all, '\n')) {
    const bool ours = line.find("proto 77") != std::string_view::npos;
    if (line.starts_with("Deleted ") && ours) lines += std::string(line) + "\n";
  }
  return lines;
}

std::string routes_of(const std::string& host) {
  return lab::must(host, {"ip", "route", "show", "proto", "77"});
}

}  // namespace lab
