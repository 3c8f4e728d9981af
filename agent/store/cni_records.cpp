#include "agent/store/cni_records.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"

namespace slipway {

namespace {

using Json = nlohmann::json;

constexpr std::size_t k_max_lease_bytes = 4096;
constexpr std::size_t k_max_result_bytes = std::size_t{1} << 20;  // it holds the whole configuration, and what plugins add

struct Lease {
  std::string interface;
  PerFamily<bool> addresses;
};

// By container. A lease is two lines: the container, and the pod's interface.
std::map<std::string, Lease> read_leases(const std::string& folder) {
  namespace fs = std::filesystem;
  std::map<std::string, Lease> leases;
  std::error_code ec;
  for (fs::directory_iterator entry(folder, ec), end; !ec && entry != end; entry.increment(ec)) {
    // Beside them: lock, last_reserved_ip.0
    const auto address = IpAddress::parse(entry->path().filename().string());
    if (!address) continue;
    const auto text = read_file(entry->path().string(), k_max_lease_bytes);
    if (!text) continue;
    const auto lines = split(*text, '\n');
    const std::string container(trim(lines[0]));
    // It becomes part of a path.
    if (container.empty() || container.find('/') != std::string::npos) continue;
    Lease& lease = leases[container];
    lease.interface = lines.size() > 1 ? trim(lines[1]) : "eth0";
    lease.addresses[address->is_v4() ? IpFamily::v4 : IpFamily::v6] = true;
  }
  return leases;
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

bool has_host_port(const Json& record) {
  const Json* capabilities = member(record, "capabilityArgs");
  const Json* ports = capabilities == nullptr ? nullptr : member(*capabilities, "portMappings");
  if (ports == nullptr || !ports->is_array()) return false;
  return std::any_of(ports->begin(), ports->end(), [](const Json& port) {
    const Json* number = member(port, "hostPort");
    return number != nullptr && number->is_number_integer() && *number > 0;
  });
}

// Of the pairs that the runtime gives to plugins in CNI_ARGS.
std::string argument(const Json& record, const char* name) {
  const Json* pairs = member(record, "cniArgs");
  if (pairs == nullptr || !pairs->is_array()) return "";
  for (const Json& pair : *pairs)
    if (pair.is_array() && pair.size() == 2 && pair[0] == Json(name) && pair[1].is_string()) return pair[1].get<std::string>();
  return "";
}

std::optional<Json> read_record(const CniRecords& records, const std::string& file) {
  for (const std::string& folder : records.results) {
    const auto text = read_file(folder + "/" + file, k_max_result_bytes);
    if (!text) continue;
    Json record = Json::parse(*text, nullptr, false);
    if (record.is_object()) return record;
  }
  return std::nullopt;
}

}  // namespace

std::vector<HostPortPod> pods_with_host_ports(const CniRecords& records) {
  const std::string network = std::filesystem::path(records.leases).filename().string();
  std::vector<HostPortPod> pods;
  for (const auto& [container, lease] : read_leases(records.leases)) {
    const auto record = read_record(records, network + "-" + container + "-" + lease.interface);
    if (!record || !has_host_port(*record)) continue;
    const std::string name = argument(*record, "K8S_POD_NAME");
    pods.push_back({name.empty() ? container : argument(*record, "K8S_POD_NAMESPACE") + "/" + name, container, lease.addresses});
  }
  std::sort(pods.begin(), pods.end(), [](const HostPortPod& a, const HostPortPod& b) { return a.name < b.name; });
  return pods;
}

}  // namespace slipway
