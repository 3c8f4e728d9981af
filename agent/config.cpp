#include "agent/config.hpp"

#include <unistd.h>

#include <array>
#include <utility>

#include "common/config/config_file.hpp"
#include "common/config/yaml_to_json.hpp"
#include "common/core/ip.hpp"
#include "common/core/problems.hpp"
#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "common/http/base_url.hpp"
#include "common/http/client.hpp"
#include "proto/artifact_manifest.hpp"
#include "proto/codec.hpp"
#include "proto/config_reference.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_config = std::size_t{1} << 20;
constexpr std::size_t k_max_token = 4096;
// A certificate's common name has at most 64 (RFC 5280 ub-common-name), and the kubelet's begins with "system:node:".
constexpr std::size_t k_max_node_name = 52;

// Each file is held against the field list by itself, so that all its mistakes are named with its own lines.
Result<YamlText> read_one(const std::string& path) {
  auto text = read_file(path, k_max_config);
  if (!text) return text.error();
  auto yaml = read_yaml(*text, path);
  if (!yaml) return yaml.error();
  if (trim(yaml->json) == "null") yaml->json = "{}";
  auto strict = proto::decode_strict<proto::AgentConfig>(yaml->json);
  if (!strict) return yaml->places.located(strict.error());
  return yaml;
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

void check_choice(Problems& problems, std::string_view field, const std::string& value) {
  if (auto problem = proto::choice_problem(proto::note_of(proto::agent_notes(), field), value)) problems.add("/" + std::string(field), *problem);
}

void check_absolute(Problems& problems, const char* field, const std::string& path) {
  if (!path.empty() && !path.starts_with('/')) problems.add(field, in_quotes(path) + " is no absolute path: it must begin with /");
}

void check_coordinators(Problems& problems, const std::vector<std::string>& urls) {
  if (urls.empty()) problems.add("/coordinators", "is missing: name at least one, such as https://10.0.0.1:7443");
  for (std::size_t i = 0; i < urls.size(); ++i) {
    if (auto endpoint = http::parse_https_url(urls[i], 7443); !endpoint)
      problems.add("/coordinators/" + std::to_string(i), in_quotes(urls[i]) + ": " + endpoint.error().message);
  }
}

void check_address(Problems& problems, const std::string& text) {
  if (text.empty()) return;
  auto address = IpAddress::parse(text);
  if (!address) return problems.add("/nodeAddress", address.error().message);
  if (address->is_loopback() || address->is_unspecified() || address->is_multicast() || address->is_link_local())
    problems.add("/nodeAddress", text + " cannot be reached from other nodes");
}

void check_artifacts(Problems& problems, const proto::AgentConfig& config) {
  for (std::size_t i = 0; i < config.artifact_mirrors.size(); ++i) {
    if (const auto url = http::parse_https_base(config.artifact_mirrors[i]); !url)
      problems.add("/artifactMirrors/" + std::to_string(i), url.error().message);
  }
  check_absolute(problems, "/artifactMirrorCAFile", config.artifact_mirror_ca_file);
  if (const Status signers = proto::check_signers(config.artifact_signers, config.artifact_threshold); !signers)
    problems.add("/artifactSigners", signers.error().message);
}

}  // namespace

Result<proto::AgentConfig> load_agent_config(const std::string& file) {
  const auto files = config_files(file);
  if (!files) return files.error();
  std::string merged = "{}";
  Places places(files->front());
  for (const std::string& path : *files) {
    auto yaml = read_one(path);
    if (!yaml) return yaml.error();
    auto next = merge_json(merged, yaml->json);
    if (!next) return context(next.error(), path);
    merged = std::move(*next);
    places.lay_over(yaml->places);
  }
  auto config = proto::decode_strict<proto::AgentConfig>(merged);
  if (!config) return places.located(config.error());
  if (config->node_name.empty()) {
    auto name = host_name();
    if (!name) return name.error();
    config->node_name = std::move(*name);
  }
  if (auto checked = check_agent_config(*config); !checked) return places.located(checked.error());
  return config;
}

Status check_agent_config(const proto::AgentConfig& config) {
  Problems problems;
  check_coordinators(problems, config.coordinators);
  check_choice(problems, "role", config.role);
  check_choice(problems, "logLevel", config.log_level);
  if (!config.cgroup_driver.empty()) check_choice(problems, "cgroupDriver", config.cgroup_driver);
  if (!is_dns_subdomain(config.node_name)) {
    problems.add("/nodeName", in_quotes(config.node_name) +
                                  " is no name for a node: lower-case letters, digits, '-' and '.'; set nodeName in agent.yaml");
  }
  if (config.node_name.size() > k_max_node_name)
    problems.add("/nodeName", in_quotes(config.node_name) + " is longer than " + std::to_string(k_max_node_name) + " characters; set nodeName in agent.yaml");
  check_address(problems, config.node_address);
  if (config.data_dir.empty()) problems.add("/dataDir", "is empty: an absolute path");
  check_absolute(problems, "/dataDir", config.data_dir);
  check_absolute(problems, "/tokenFile", config.token_file);
  if (config.local_group.find_first_of(" :/") != std::string::npos)
    problems.add("/localGroup", in_quotes(config.local_group) + " is no name of a group");
  check_artifacts(problems, config);
  if (problems.none()) return {};
  return problems.error(Errc::invalid);
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
