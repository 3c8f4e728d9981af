// `config`: the clusters of the configuration file. No coordinator is asked.
#include "common/config/yaml_to_json.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/ctl/admin_config.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"
#include "proto/codec.hpp"

namespace slipway::ctl {

namespace {

int use_context(const std::string& path, proto::AdminConfig config, const std::string& name, Console& console) {
  const auto chosen = choose_cluster(config, name);
  if (!chosen) return fail(console, error_of(chosen, path));
  config.current = name;
  const auto yaml = json_to_yaml(proto::encode(config));
  if (!yaml) return fail(console, yaml.error());
  const Status written = write_file_atomically(path, *yaml, 0600);
  if (!written) return fail(console, error_of(written, "writing the configuration"));
  console.out << "commands without --cluster go to " << name << " from now on\n";
  return k_ok;
}

}  // namespace

std::optional<int> run_local_command(const CommandLine& line, Console& console) {
  if (const auto code = run_signing_command(line, console)) return code;
  if (const auto code = run_local_fetch(line, console)) return code;
  if (const auto code = run_plan(line, console)) return code;
  const auto* const use = std::get_if<ConfigUseContext>(&line.command);
  const bool list = std::holds_alternative<ConfigGetContexts>(line.command);
  const bool current = std::holds_alternative<ConfigCurrentContext>(line.command);
  if (use == nullptr && !list && !current) return std::nullopt;
  const auto config = load_admin_config(line.config);
  if (!config) return fail(console, config.error());
  if (use != nullptr) return use_context(line.config, *config, use->name, console);
  const std::string name = current_cluster(*config);
  if (list) {
    console.out << render(context_table(*config, name));
    return k_ok;
  }
  if (name.empty())
    return fail(console, make_error(Errc::invalid, line.config + " has no current cluster: slipwayctl config use-context NAME"));
  console.out << name << "\n";
  return k_ok;
}

}  // namespace slipway::ctl
