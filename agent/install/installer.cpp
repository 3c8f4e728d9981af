#include "agent/install/installer.hpp"

#include "agent/install/collector.hpp"
#include "agent/install/layout.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

std::string doing(const ArtifactRef& artifact, std::string_view stage) {
  return "install " + artifact.component + " " + artifact.version + ": " + std::string(stage);
}

// Tidies up and gives the seal of the version; empty: it is not there, or not whole.
Result<std::string> look(const InstallPaths& paths, const ArtifactRef& artifact, const std::string& known) {
  if (Status valid = install_layout::check_reference(artifact); !valid) return error_of(valid, doing(artifact, "reference"));
  if (Status tidied = install_layout::tidy(paths, artifact.component); !tidied) return error_of(tidied, doing(artifact, "prepare"));
  if (std::string seal = install_layout::seal_if_whole(paths, artifact, known); !seal.empty()) {
    // Left by a kill after the version was in place.
    const std::string part = paths.part_file(artifact.sha256);
    if (Status removed = path_exists(part) ? remove_file(part) : Status(); !removed) return error_of(removed, doing(artifact, "prepare"));
    return seal;
  }
  if (Status ready = install_layout::prepare_part(paths, artifact); !ready) return error_of(ready, doing(artifact, "prepare"));
  return std::string();
}

Result<InstallOutcome> take_into_use(const InstallPaths& paths, const ArtifactRef& artifact) {
  Result<std::string> before = install_layout::activate(paths, artifact.component, artifact.version);
  if (!before) return error_of(before, doing(artifact, "activate"));
  return InstallOutcome{*before != artifact.version, *before};
}

// Mostly it is there: one job for the workers then, every minute for each component.
struct Found {
  std::string seal;
  InstallOutcome outcome;  // of a seal
};

Result<Found> look_and_use(const InstallPaths& paths, const ArtifactRef& artifact, const std::string& known) {
  Result<std::string> seal = look(paths, artifact, known);
  if (!seal) return seal.error();
  if (seal->empty()) return Found{};
  Result<InstallOutcome> outcome = take_into_use(paths, artifact);
  if (!outcome) return outcome.error();
  return Found{*seal, *outcome};
}

Status verify_and_lay_down(const InstallPaths& paths, const ArtifactRef& artifact) {
  if (Status verified = install_layout::verify_part(paths, artifact); !verified) return error_of(verified, doing(artifact, "verify"));
  if (Status laid = install_layout::lay_down(paths, artifact); !laid) return error_of(laid, doing(artifact, "lay down"));
  return {};
}

}  // namespace

bool is_current(const InstallPaths& paths, const ArtifactRef& artifact) {
  const Result<std::string> version = read_link(paths.current_link(artifact.component));
  if (!version || *version != artifact.version) return false;
  const Result<Manifest> manifest = read_manifest(paths.version_dir(artifact.component, artifact.version));
  return manifest && manifest->artifact_sha256 == artifact.sha256;
}

Installer::Installer(InstallPaths paths, ArtifactSource& source, Workers& workers)
    : paths_(std::move(paths)), source_(source), workers_(workers) {}

asio::awaitable<Result<InstallOutcome>> Installer::ensure(ArtifactRef artifact) {
  std::function<Result<Found>()> look_job = [paths = paths_, artifact, known = seals_[artifact.component]] {
    return look_and_use(paths, artifact, known);
  };
  auto looking = offload<Found>(workers_, std::move(look_job));
  Result<Found> there = co_await std::move(looking);
  if (!there) co_return there.error();
  seals_[artifact.component] = there->seal;
  if (!there->seal.empty()) co_return there->outcome;
  auto fetching = source_.fetch(artifact, paths_.part_file(artifact.sha256));
  Status fetched = co_await std::move(fetching);
  if (!fetched) co_return error_of(fetched, doing(artifact, "download"));
  std::function<Result<InstallOutcome>()> lay_job = [paths = paths_, artifact]() -> Result<InstallOutcome> {
    if (Status laid = verify_and_lay_down(paths, artifact); !laid) return laid.error();
    Result<InstallOutcome> outcome = take_into_use(paths, artifact);
    if (outcome) outcome->changed = true;
    return outcome;
  };
  auto laying = offload<InstallOutcome>(workers_, std::move(lay_job));
  co_return co_await std::move(laying);
}

asio::awaitable<Result<std::vector<std::string>>> Installer::collect(std::set<std::string> wanted, WallTime now) {
  using Gone = std::vector<std::string>;
  std::function<Result<Gone>()> job = [paths = paths_, wanted = std::move(wanted), now] { return install_layout::collect(paths, wanted, now); };
  auto waiting = offload<Gone>(workers_, std::move(job));
  Result<Gone> gone = co_await std::move(waiting);
  if (!gone) co_return error_of(gone, "remove old versions");
  co_return gone;
}

}  // namespace slipway
