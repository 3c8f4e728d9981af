#include "agent/host/settings_files.hpp"

#include <functional>

#include "common/config/yaml_to_json.hpp"
#include "common/core/text.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "proto/codec.hpp"
#include "common/kube/component_settings.hpp"
#include "proto/settings.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_file = 64 * 1024;
constexpr std::size_t k_most_files = 64;

using Check = std::vector<kube::SettingProblem> (*)(const proto::ComponentSettings&, int);

struct HostFile {
  proto::ComponentSettings settings;
  Places places;  // of the keys, and of the arguments as /extraArgs/0
};

Result<HostFile> parse_yaml(const std::string& text, const std::string& path) {
  auto yaml = read_yaml(text, path);
  if (!yaml) return yaml.error();
  if (trim(yaml->json) == "null") return HostFile{{}, std::move(yaml->places)};
  // Through the field list of a map, so that depth, duplicate keys and "no map" are its refusals.
  auto config = proto::decode<proto::ComponentSettings>("{\"config\":" + yaml->json + "}");
  if (!config) return make_error(Errc::invalid, path + ": " + config.error().message);
  return HostFile{std::move(*config), std::move(yaml->places)};
}

HostFile parse_args(const std::string& text, const std::string& path) {
  HostFile file{{}, Places(path)};
  int number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const std::string_view argument = trim(line);
    if (argument.empty() || argument.front() == '#') continue;
    file.places.set("/extraArgs/" + std::to_string(file.settings.extra_args.size()), {path, number, 1});
    file.settings.extra_args.emplace_back(argument);
  }
  return file;
}

Result<proto::ComponentSettings> read_one(const std::string& path, int minor, Check check) {
  const auto text = read_file(path, k_max_file);
  if (!text) return text.error();
  Result<HostFile> file = path.ends_with(".args") ? Result<HostFile>(parse_args(*text, path)) : parse_yaml(*text, path);
  if (!file) return file.error();
  std::vector<std::string> problems;
  for (const kube::SettingProblem& problem : check(file->settings, minor)) {
    constexpr std::string_view k_config = "config/";  // the file is what stands there
    std::string_view where = problem.where;
    if (where.starts_with(k_config)) where.remove_prefix(k_config.size());
    problems.push_back(file->places.of("/" + std::string(where)) + ": " + problem.what);
  }
  if (!problems.empty()) return make_error(Errc::invalid, join(problems, "; "));
  return std::move(file->settings);
}

Result<proto::ComponentSettings> read_folder(const std::string& dir, int minor, Check check,
                                             std::vector<std::string>& paths) {
  paths.push_back(dir + "/*");
  const auto names = list_dir(dir);
  if (!names && names.error().code == Errc::not_found) return proto::ComponentSettings{};
  if (!names) return names.error();
  if (names->size() > k_most_files) return make_error(Errc::invalid, dir + " holds more than 64 files");
  std::vector<proto::SettingsLevel> levels;
  for (const std::string& name : *names) {
    if (name.starts_with('.') || !(name.ends_with(".yaml") || name.ends_with(".args"))) continue;
    auto settings = read_one(dir + "/" + name, minor, check);
    if (!settings) return settings.error();
    levels.push_back({name, {std::move(*settings), {}, {}, {}}});
  }
  return proto::merged(levels).kubelet;
}

void read_into(const std::string& dir, int minor, Check check, HostSettings& all,
               proto::ComponentSettings& settings, std::string& problem) {
  auto read = read_folder(dir, minor, check, all.paths);
  if (read)
    settings = std::move(*read);
  else
    problem = read.error().message;
}

}  // namespace

HostSettings read_host_settings(const std::string& dir, int minor) {
  HostSettings all;
  read_into(dir + "/kubelet.d", minor, kube::kubelet_problems, all, all.kubelet, all.kubelet_problem);
  read_into(dir + "/kube-proxy.d", minor, kube::kube_proxy_problems, all, all.kube_proxy,
            all.kube_proxy_problem);
  return all;
}

}  // namespace slipway
