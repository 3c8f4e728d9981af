#include "agent/config.hpp"

#include <unistd.h>

#include <array>
#include <utility>

#include "common/config/config_file.hpp"
#include "common/config/yaml_to_json.hpp"
#include "common/core/ip.hpp"
#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "common/http/base_url.hpp"
#include "common/http/client.hpp"
#include "proto/artifact_manifest.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_config = std::size_t{1} << 20;
constexpr std::size_t k_max_token = 4096;

// Each file is held against the field list by itself, so that an error names the file that has the mistake.
Result<std::string> read_one(const std::string& path) {
  auto text = read_file(path, k_max_config);
  if (!text) return text.error();
  auto json = yaml_to_json(*text, path);
  if (!json) return json.error();
  if (trim(*json) == "null") return std::string("{}");
  auto strict = proto::decode_strict<proto::AgentConfig>(*json);
  if (!strict) return context(strict.error(), path);
  return json;
}

Result<std::vector<std::string>> config_files(const std::string& file) {
  std::vector<std::string> files;
  if (path_exists(file)) files.push_back(file);
  const std::string drop_ins = file + ".d";
  auto names = list_dir(drop_ins);
  if (!names && names.error().code != Errc::not_found) return names.error();
  if (names) {
    for (const std::string& name : *names) {
      if (name.ends_with(".yaml") && !name.starts_with('.')) files.push_back(drop_ins + "/" + name);
    }
  }
  if (files.empty()) {
    return make_error(Errc::not_found,
                      "there is no " + file + ": this host belongs to no cluster; run slipway-agent join");
  }
  return files;
}

Result<std::string> host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0)
    return make_error(Errc::internal, "the host's name cannot be read; set nodeName in agent.yaml");
  return lower(name.data());
}

Status invalid(const std::string& what) {
  return make_error(Errc::invalid, what);
}

}  // namespace

Result<proto::AgentConfig> load_agent_config(const std::string& file) {
  const auto files = config_files(file);
  if (!files) return files.error();
  std::string merged = "{}";
  for (const std::string& path : *files) {
    auto json = read_one(path);
    if (!json) return json.error();
    auto next = merge_json(merged, *json);
    if (!next) return context(next.error(), path);
    merged = std::move(*next);
  }
  auto config = proto::decode_strict<proto::AgentConfig>(merged);
  if (!config) return context(config.error(), file);
  if (config->node_name.empty()) {
    auto name = host_name();
    if (!name) return name.error();
    config->node_name = std::move(*name);
  }
  if (auto checked = check_agent_config(*config); !checked) return context(checked.error(), file);
  return config;
}

Status check_agent_config(const proto::AgentConfig& config) {
  if (config.coordinators.empty())
    return invalid("coordinators is missing: name at least one, such as https://10.0.0.1:7443");
  for (const std::string& url : config.coordinators) {
    if (auto endpoint = http::parse_https_url(url, 7443); !endpoint)
      return context(endpoint.error(), "coordinators: " + url);
  }
  if (config.role != "node" && config.role != "master")
    return invalid("role is \"" + config.role + "\"; it must be node or master");
  if (!is_dns_subdomain(config.node_name)) {
    return invalid(
        "nodeName \"" + config.node_name +
        "\" is no name for a node: lower-case letters, digits, '-' and '.'; set nodeName in agent.yaml");
  }
  if (!config.node_address.empty()) {
    auto address = IpAddress::parse(config.node_address);
    if (!address) return context(address.error(), "nodeAddress");
    if (address->is_loopback() || address->is_unspecified() || address->is_multicast() ||
        address->is_link_local()) {
      return invalid("nodeAddress " + config.node_address + " cannot be reached from other nodes");
    }
  }
  if (!config.data_dir.starts_with('/')) return invalid("dataDir must be an absolute path");
  if (!config.token_file.empty() && !config.token_file.starts_with('/'))
    return invalid("tokenFile must be an absolute path");
  if (config.local_group.find_first_of(" :/") != std::string::npos) return invalid("localGroup \"" + config.local_group + "\" is no name of a group");
  if (!config.cgroup_driver.empty() && config.cgroup_driver != "systemd" &&
      config.cgroup_driver != "cgroupfs") {
    return invalid("cgroupDriver is \"" + config.cgroup_driver +
                   "\"; it must be systemd or cgroupfs, or left out");
  }
  for (const std::string& mirror : config.artifact_mirrors) {
    if (const auto url = http::parse_https_base(mirror); !url) return error_of(url, "artifactMirrors");
  }
  if (!config.artifact_mirror_ca_file.empty() && !config.artifact_mirror_ca_file.starts_with('/'))
    return invalid("artifactMirrorCAFile must be an absolute path");
  if (const Status signers = proto::check_signers(config.artifact_signers, config.artifact_threshold); !signers)
    return error_of(signers, "artifactSigners");
  return {};
}

Result<Secret> read_token(const std::string& token_file, const std::string& credentials_dir) {
  if (!token_file.empty()) {
    auto token = read_secret_file(token_file, k_max_token);
    if (token || token.error().code != Errc::not_found) return token;
  }
  if (!credentials_dir.empty()) {
    // systemd gives 0400 files that only this service sees; their mode needs no check.
    auto text = read_file(credentials_dir + "/" + k_token_credential, k_max_token);
    if (text) return Secret(std::move(*text));
    if (text.error().code != Errc::not_found) return text.error();
  }
  return make_error(
      Errc::not_found,
      "no token in " + token_file +
          "; make one on the coordinator with slipwayctl token create and put it there (mode 600)");
}

Status forget_token(const std::string& token_file) { return token_file.empty() ? Status() : remove_file(token_file); }

}  // namespace slipway
