#include "agent/join_command.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "agent/config.hpp"
#include "agent/domain/enrollment_state.hpp"
#include "agent/kernel_undo.hpp"
#include "agent/process/systemd_supervisor.hpp"
#include "agent/render/traces.hpp"
#include "common/async/runtime.hpp"
#include "common/async/spawn.hpp"
#include "common/config/yaml_to_json.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "proto/codec.hpp"

namespace asio = boost::asio;

namespace slipway {

namespace {

constexpr std::size_t k_max_token = 4096;
constexpr char k_unit[] = "slipway-agent.service";

Result<Secret> read_standard_input(int input) {
  std::string text;
  std::array<char, 1024> block{};
  for (;;) {
    const ssize_t got = ::read(input, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return from_errno("reading the token from standard input", errno);
    if (got == 0) break;
    text.append(block.data(), static_cast<std::size_t>(got));
    if (text.size() > k_max_token)
      return make_error(Errc::invalid, "standard input is too long for a join token");
  }
  secure_wipe(block.data(), block.size());
  return Secret(std::move(text));
}

Result<Secret> checked_token(const JoinOptions& options) {
  auto text = options.token_file == "-" ? Result<Secret>(options.token.copy()) : read_secret_file(options.token_file, k_max_token);
  if (!text) return context(text.error(), "the join token");
  if (auto parsed = parse_pinned_token(text->reveal()); !parsed) return parsed.error();
  return text;
}

Status refuse_second_join(const std::string& data_dir) {
  if (!path_exists(data_dir + "/node.json")) return {};
  return make_error(Errc::conflict, "this host has joined a cluster already (" + data_dir +
                                        "/node.json); slipway-agent status shows which. To join anew: "
                                        "slipwayctl node delete there, then "
                                        "slipway-agent reset here");
}

asio::awaitable<Status> restart_unit(SystemdSupervisor* supervisor) {
  asio::awaitable<Status> reloading = supervisor->reload();
  Status done = co_await std::move(reloading);
  if (!done) co_return done;
  std::vector<std::string> names = {k_unit};
  asio::awaitable<Status> enabling = supervisor->enable(std::move(names));
  done = co_await std::move(enabling);
  if (!done) co_return done;
  asio::awaitable<Status> starting = supervisor->restart(k_unit);
  co_return co_await std::move(starting);
}

asio::awaitable<Status> restart_and_stop(SystemdSupervisor* supervisor, EventThread* thread,
                                         Status* outcome) {
  asio::awaitable<Status> restarting = restart_unit(supervisor);
  *outcome = co_await std::move(restarting);
  thread->stop();
  co_return Status{};
}

}  // namespace

Result<PreflightOptions> look_of_join(JoinOptions& options, int input) {
  PreflightOptions look;
  look.servers = options.servers;
  look.data_dir = options.data_dir;
  look.role = options.role;
  look.node_name = options.node_name;
  look.node_ip = options.node_ip;
  if (options.token_file != "-") {
    look.token_file = options.token_file;
    return look;
  }
  auto token = read_standard_input(input);
  if (!token) return context(token.error(), "the join token");
  auto parsed = parse_pinned_token(token->reveal());
  if (!parsed) return parsed.error();
  look.ca_sha256 = parsed->ca_sha256;
  options.token = std::move(*token);
  return look;
}

Status write_join_config(const JoinOptions& options) {
  auto token = checked_token(options);
  if (!token) return token.error();
  proto::AgentConfig config;
  config.coordinators = options.servers;
  config.token_file = options.token_copy;
  config.role = options.role;
  config.node_name = options.node_name;
  config.node_address = options.node_ip;
  proto::AgentConfig to_check = config;
  if (to_check.node_name.empty())
    to_check.node_name = "host";  // the host's own name is looked at when the agent starts
  if (auto checked = check_agent_config(to_check); !checked) return checked;
  if (auto first = refuse_second_join(options.data_dir); !first) return first;
  auto yaml = json_to_yaml(proto::encode(config));
  if (!yaml) return yaml.error();
  if (auto noted = note_changes(options.data_dir, join_intents(options.config_file, options.token_copy)); !noted) return noted;
  if (auto made = make_dirs(parent_path(options.config_file), 0755); !made) return made;
  if (auto made = make_dirs(parent_path(options.token_copy), 0755); !made) return made;
  if (auto kept = write_file_atomically(options.token_copy, token->reveal(), 0600); !kept) return kept;
  const std::string head =
      "# Written by slipway-agent join. Settings of your own go into " + options.config_file + ".d/*.yaml\n";
  return write_file_atomically(options.config_file, head + *yaml, 0600);
}

std::string what_to_start(const std::string& config_file) {
  const std::string command = "slipway-agent run" + (config_file == k_agent_config_file ? std::string() : " --config " + config_file);
  return "systemd does not run this host, so nothing was started: have " + command +
         " started as root, now and at every boot, by what starts things here; it joins then, and keeps the components itself";
}

Status start_agent_unit() {
  EventThread thread("join");
  SystemdSupervisor supervisor(thread.executor());
  Status outcome;
  spawn_detached(thread.executor(), "start", restart_and_stop(&supervisor, &thread, &outcome));
  thread.run_here();
  if (!outcome)
    return context(outcome.error(),
                   "starting slipway-agent.service (the configuration is written; systemctl restart "
                   "slipway-agent does the same)");
  return {};
}

}  // namespace slipway
