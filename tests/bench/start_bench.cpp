// B10 and the memory of a node that is known: from exec to the first answer with a large store. Needs root.
//   sudo start_bench --bin build/release/bin [--nodes 50000] [--certificates 1000000] [--rounds 3] [--server-cpu -1]
// The store is written through the coordinator's own records, certificates without their text (it is not read at the start).
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cluster_dir.hpp"
#include "common/core/text.hpp"
#include "coordinator/config.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"
#include "server_process.hpp"

using namespace slipway;
using SteadyClock = std::chrono::steady_clock;

namespace {

struct Options {
  std::string bin = "build/release/bin";
  std::size_t nodes = 50'000;
  std::size_t certificates = 1'000'000;
  int rounds = 3;
  int server_cpu = -1;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--bin") options.bin = value;
    else if (name == "--nodes") options.nodes = parse_u64(value, 65'000).value_or(1);
    else if (name == "--certificates") options.certificates = parse_u64(value).value_or(1);
    else if (name == "--rounds") options.rounds = static_cast<int>(parse_u64(value, 1'000).value_or(1));
    else if (name == "--server-cpu") options.server_cpu = std::atoi(value.c_str());
    else bench::die("unknown option " + name);
  }
  return options;
}

// Hex digits that differ for each `number`, as digests do from the first digit on.
std::string hex(std::uint64_t number, std::size_t digits) {
  std::string text;
  std::uint64_t mixed = number;
  while (text.size() < digits) {
    mixed += 0x9e3779b97f4a7c15U;
    std::uint64_t word = mixed;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebU;
    char part[17];
    std::snprintf(part, sizeof part, "%016llx", static_cast<unsigned long long>(word ^ (word >> 31)));
    text += part;
  }
  text.resize(digits);
  return text;
}

std::string uid_of(std::size_t node) {
  const std::string digits = hex(node * 4096 + 1, 32);
  return digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) + "-" + digits.substr(16, 4) + "-" + digits.substr(20);
}

constexpr CertUsage k_usages[] = {CertUsage::agent, CertUsage::kubelet_client, CertUsage::kubelet_serving, CertUsage::kube_proxy};

// As the coordinator gives them (Serial::in_order): the time, a count, random bytes. Each join or renewal takes four in a row.
std::string serial_of(std::size_t index) {
  char order[32];
  std::snprintf(order, sizeof order, "%08zx%04zx", 0x30000000 + index / 2000, index & 0xffff);
  return order + hex(index, 28);
}

CertificateRecord certificate_of(const Options& options, std::size_t index, WallTime now) {
  const std::size_t node = index / 4 % options.nodes;
  CertificateRecord record;
  record.serial = serial_of(index);
  record.usage = k_usages[index % 4];
  record.subject = "node-" + std::to_string(node);
  record.node_uid = uid_of(node);
  record.generation = 1;
  record.not_before = now - Seconds(300);
  record.not_after = now + Seconds(86'400);
  record.sha256 = hex(index + 1'000'000'000, 64);
  record.spki_sha256 = hex(index + 2'000'000'000, 64);
  return record;
}

Node node_of(const Options& options, std::size_t index, WallTime now) {
  Node node;
  node.name = "node-" + std::to_string(index);
  node.uid = uid_of(index);
  node.address = bench::sim_address(index + 1);
  node.machine_id = hex(index + 3'000'000'000, 32);
  node.pod_cidr = Cidr::make(IpAddress::v4(0x0b000000U).plus(index * 256), 24).value();
  node.joined_at = now;
  node.token_id = "abcdef";
  node.identity = KeyDigest(hex(index + 2'000'000'000, 64));  // of no certificate here
  const std::size_t rounds = std::max<std::size_t>(options.certificates / (4 * options.nodes), 1);
  const std::size_t newest = ((rounds - 1) * options.nodes + index) * 4;
  for (std::size_t i = 0; i < 4; ++i) node.certificates.set(k_usages[i], PackedSerial(serial_of(newest + i)));
  return node;
}

void fill(const bench::ClusterDir& cluster, const Options& options) {
  const auto sqlite = bench::must(SqliteStore::open(state_file(cluster.data_dir()), false), "the store");
  RecordStore records(*sqlite);
  (void)bench::must(records.load(), "the store");
  const WallTime now = std::chrono::floor<Seconds>(std::chrono::system_clock::now());
  std::vector<Change> changes;
  const auto flush = [&](std::size_t at_least) {
    if (changes.size() < at_least || changes.empty()) return;
    const Status written = records.commit(changes);
    if (!written) bench::die(written.error().message);
    changes.clear();
  };
  for (std::size_t i = 0; i < options.certificates; ++i) {
    changes.push_back(PutRecord{certificate_of(options, i, now)});
    flush(20'000);
  }
  for (std::size_t i = 0; i < options.nodes; ++i) {
    changes.push_back(PutRecord{node_of(options, i, now)});
    flush(20'000);
  }
  flush(0);
}

// Start to ready; the resident memory then.
bench::Usage one_start(const bench::ClusterDir& cluster, const Options& options, const std::string& what) {
  const auto start = SteadyClock::now();
  bench::ServerProcess server(cluster.run_command(), options.server_cpu, cluster.path("log"));
  if (!server.wait_until_listening(bench::k_address, cluster.port())) bench::die("the coordinator has ended, see " + cluster.path("log"));
  const auto response = bench::send_now(cluster.endpoint(bench::sim_address(0)), cluster.anonymous_tls(),
                                        bench::json_request(http::Method::get, "/readyz", ""));
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  if (!response || response->status != 200) bench::die("the coordinator is not ready");
  const bench::Usage usage = server.usage();
  std::printf("%-40s ready after %.3f s, %.2f s of CPU, resident %.1f MiB, load %.2f\n", what.c_str(), seconds, usage.cpu_seconds,
              static_cast<double>(usage.rss_kib) / 1024, bench::load_average());
  std::fflush(stdout);
  return usage;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  bench::enter_own_network(bench::k_address);
  const bench::ClusterDir cluster(options.bin, "/var/tmp");
  const bench::Usage empty = one_start(cluster, options, "no node");
  Options few = options;
  few.certificates = 4 * options.nodes;
  fill(cluster, few);
  const bench::Usage known = one_start(cluster, options, std::to_string(options.nodes) + " nodes, 4 certificates each");
  std::printf("a node that is known: %.2f KiB resident\n", static_cast<double>(known.rss_kib - empty.rss_kib) / static_cast<double>(options.nodes));
  if (options.certificates <= few.certificates) return 0;
  fill(cluster, options);
  const std::string what = std::to_string(options.nodes) + " nodes, " + std::to_string(options.certificates) + " certificates";
  for (int i = 0; i < options.rounds; ++i) one_start(cluster, options, what);
  return 0;
}
