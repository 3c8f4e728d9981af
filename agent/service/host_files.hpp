#pragma once
// The files of a component on the disk. Everything here blocks: call it through offload().
#include <optional>
#include <string>
#include <vector>

#include "agent/ports/node_store.hpp"
#include "agent/render/component.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

struct PlacedFiles {
  std::vector<std::string> changed;  // paths; the unit by its name
  // Those of them that nobody but us writes, and that only a new wish changes: with the same wish, somebody else wrote them.
  std::vector<std::string> rewritten;
  std::vector<std::string> paths;    // all that this component has on the disk, links and unit included
  std::vector<std::string> rivals;   // network configurations of others that runtimes take before this component's
  std::string wish;                  // digest of all that the component is started with, the unit included
  std::string inputs;                // mark of all that the component is started with, the unit included
  bool unit_written = false;         // the supervisor must read it again
};

// Makes folders, files, links and copies as wanted, owned by this process, removes what must go; touches nothing that is right
// already. `stamp` names the programs (version and digest of the artifact). Errc::not_found names a
// certificate or key that is not there yet. Writes stop at the first error; the next call goes on. The unit file, in `unit_dir`, carries the
// mark as k_inputs_variable.
Result<PlacedFiles> place_files(const ComponentFiles& component, CredentialStore& credentials, const std::string& stamp,
                                const std::string& unit_dir);

// The service account key pair at the paths that any component wants it at; true: something was written.
Result<bool> place_service_account(const std::vector<ComponentFiles>& components,
                                   const Secret& private_key_pem);
// What is there of it: a digest, "" when a file is missing or the two do not belong together. Empty: no component wants it.
std::optional<std::string> look_at_service_account(const std::vector<ComponentFiles>& components);

}  // namespace slipway
