#include "agent/local_commands.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <utility>

#include "agent/exit_codes.hpp"
#include "agent/local_status.hpp"
#include "agent/net/kernel_network.hpp"
#include "agent/preflight_command.hpp"
#include "agent/process/host_units.hpp"
#include "agent/service/stored_desired.hpp"
#include "agent/store/file_node_store.hpp"
#include "agent/support_sections.hpp"
#include "common/async/runtime.hpp"
#include "common/async/system_clock.hpp"
#include "common/config/yaml_to_json.hpp"
#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "common/files/write_all.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace {


int fail(const Error& error) {
  std::cerr << "slipway-agent: " << error.message << "\n";
  return error.code == Errc::invalid ? k_usage : error.code == Errc::denied ? k_denied : k_error;
}

Error with_cure(Error error) {
  if (error.code == Errc::denied) error.message += ": ask as root, or as a member of localGroup (agent.yaml)";
  return error;
}

// No agent runs: there is no socket, or nobody answers on it.
bool is_silent(const Error& error) {
  return error.code == Errc::not_found || error.code == Errc::unavailable;
}

// "json" as one line that is indented, "yaml"; false: it is for people.
Result<bool> print_document(const std::string& json, const std::string& output) {
  if (output == "json") std::cout << proto::pretty(json) << "\n";
  if (output == "yaml") {
    const auto yaml = json_to_yaml(json);
    if (!yaml) return yaml.error();
    std::cout << *yaml;
  }
  return output == "json" || output == "yaml";
}

int not_running(const LocalOptions& options) {
  if (path_exists(options.config_file)) {
    std::cerr << "slipway-agent: the agent does not run; see: systemctl status slipway-agent\n";
  } else {
    std::cerr << "slipway-agent: this host has not joined a cluster; run: slipway-agent join --server "
                 "https://IP:7443 --token-file FILE\n";
  }
  return k_not_joined;
}

int code_of(const proto::AgentLocalStatus& status) {
  if (status.joined) return k_ok;
  return status.join_state.empty() ? k_not_joined : k_denied;
}

Status show(const proto::AgentLocalStatus& status, const LocalOptions& options) {
  const auto printed = print_document(proto::encode(status), options.output);
  if (!printed) return printed.error();
  if (!*printed) std::cout << status_table(status, SystemClock().wall(), options.output == "wide");
  return {};
}

// What the agent wrote down last: others than root may read it, and it is there when no agent runs.
int status_from_file(const LocalOptions& options, const Error& why) {
  const auto local = read_local_status(k_local_status_file);
  if (!local) return local.error().code == Errc::not_found ? not_running(options) : fail(local.error());
  const bool silent = is_silent(why);
  if (silent) {
    std::cerr
        << "slipway-agent: the agent does not run (systemctl status slipway-agent); this is what it wrote at "
        << local->updated_at << "\n";
  }
  if (const Status shown = show(*local, options); !shown) return fail(shown.error());
  return silent ? k_not_joined : code_of(*local);
}

Result<proto::PreflightReport> preflight_here(const LocalOptions& options) {
  PreflightOptions here;
  if (path_exists(options.config_file)) {
    auto config = load_agent_config(options.config_file);
    if (!config) return config.error();
    here = preflight_options(*config);
  }
  here.ignore = options.ignore;
  const auto findings = run_preflight(here);
  if (!findings) return findings.error();
  return preflight_report(*findings);
}

Result<proto::PreflightReport> preflight_anyhow(const LocalOptions& options) {
  const auto text = ask_agent(options.socket, "/v1/preflight?ignore=" + join(options.ignore, ","));
  if (text) return proto::decode<proto::PreflightReport>(*text);
  if (is_silent(text.error()) || text.error().code == Errc::denied) return preflight_here(options);
  return text.error();
}

// Without an agent: what is on the disk, and what the kernel says.
SupportSources sources_without_agent(const LocalOptions& options) {
  SupportSources sources;
  if (auto config = load_agent_config(options.config_file)) sources.config = std::move(*config);
  if (auto status = read_local_status(k_local_status_file)) sources.status = std::move(*status);
  const auto stored = read_stored_desired(sources.config.data_dir);
  auto decoded = stored && *stored ? desired_of(**stored) : Result<proto::DesiredState>(make_error(Errc::not_found, "no desired state"));
  if (decoded) sources.desired = std::move(*decoded);
  EventThread thread("network");
  auto network = KernelNetwork::open(thread.executor());
  const auto seen = network ? (*network)->observe() : Result<NetworkObserved>(network.error());
  sources.network = seen ? in_words(*seen) : "observing failed: " + seen.error().message + "\n";
  sources.unit_names = {"slipway-agent.service"};
  if (sources.status) {
    for (const proto::ComponentStatus& component : sources.status->report.components)
      sources.unit_names.push_back(component.name + ".service");
  }
  sources.preflight = [options] { return preflight_here(options); };
  sources.journal = last_log;
  return sources;
}

Status pack_without_agent(const LocalOptions& options, const std::function<Status(std::string_view)>& sink) {
  SystemClock clock;
  SupportSources sources = sources_without_agent(options);
  const proto::AgentConfig config = sources.config;
  SupportPacker packer(
      support_sections(std::move(sources)),
      [config] {
        return secrets_of_host({config.data_dir, HostPaths().kubernetes_dir}, config.token_file);
      },
      clock);
  while (!packer.done()) {
    const auto part = packer.step();
    if (!part) return part.error();
    if (const Status taken = sink(*part); !taken) return taken;
  }
  return {};
}

std::string archive_name(WallTime now) {
  std::string host(256, '\0');
  if (::gethostname(host.data(), host.size() - 1) != 0) host = "host";
  std::string time = to_rfc3339(now);
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return "slipway-support-" + std::string(host.c_str()) + "-" + time + ".tar.gz";
}

Status gather(const LocalOptions& options, int fd, std::size_t& bytes) {
  const std::function<Status(std::string_view)> sink = [fd, &bytes](std::string_view part) {
    bytes += part.size();
    return write_all(fd, part, "the archive");
  };
  const auto asked = ask_agent(options.socket, "/v1/support", sink);
  if (asked || !is_silent(asked.error()) || bytes > 0)
    return asked ? Status{} : Status(with_cure(asked.error()));
  std::cerr << "slipway-agent: the agent does not run: what is on the disk is gathered\n";
  return pack_without_agent(options, sink);
}

}  // namespace

int status_command(const LocalOptions& options) {
  const auto text = ask_agent(options.socket, "/v1/status");
  if (!text)
    return is_silent(text.error()) || text.error().code == Errc::denied
               ? status_from_file(options, text.error())
               : fail(text.error());
  const auto status = proto::decode<proto::AgentLocalStatus>(*text);
  if (!status) return fail(status.error());
  if (const Status shown = show(*status, options); !shown) return fail(shown.error());
  return code_of(*status);
}

int health_command(const LocalOptions& options) {
  const auto text = ask_agent(options.socket, "/v1/health");
  if (!text) return is_silent(text.error()) ? not_running(options) : fail(with_cure(text.error()));
  const auto report = proto::decode<proto::HealthReport>(*text);
  if (!report) return fail(report.error());
  const auto printed = print_document(*text, options.output);
  if (!printed) return fail(printed.error());
  if (!*printed) std::cout << health_table(*report, options.output == "wide");
  return report->ok ? k_ok : k_error;
}

int preflight_command(const LocalOptions& options) {
  const auto report = preflight_anyhow(options);
  if (!report) return fail(report.error());
  const auto printed = print_document(proto::encode(*report), options.output);
  if (!printed) return fail(printed.error());
  if (!*printed) std::cout << preflight_text(*report, options.output == "wide");
  return report->ok ? k_ok : k_preflight;
}

int support_command(const LocalOptions& options) {
  std::size_t bytes = 0;
  if (options.archive == "-") {
    const Status done = gather(options, STDOUT_FILENO, bytes);
    return done ? k_ok : fail(done.error());
  }
  const std::string file = options.archive.empty() ? archive_name(SystemClock().wall()) : options.archive;
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail(from_errno("making " + file, errno));
  std::cerr << "slipway-agent: gathering, which may take a minute\n";
  const Status done = gather(options, fd.get(), bytes);
  if (!done) {
    ::unlink(file.c_str());
    return fail(done.error());
  }
  std::cout << "wrote " << file << " (" << bytes << " bytes); read it before you give it away\n";
  return k_ok;
}

}  // namespace slipway
