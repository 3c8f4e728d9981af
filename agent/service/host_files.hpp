#pragma once
// The files of a component on the disk. Everything here blocks: call it through offload().
#include <string>
#include <vector>

#include "agent/ports/node_store.hpp"
#include "agent/render/component.hpp"
#include "common/core/result.hpp"
#include "common/core/secret.hpp"

namespace slipway {

struct PlacedFiles {
  std::vector<std::string> changed;  // paths
  std::string inputs;                // digest of all that the component is started with, the unit included
};

// Makes folders, files, links and copies as wanted, removes what must go; touches nothing that is right
// already. `stamp` names the programs (version and digest of the artifact). Errc::not_found names a
// certificate or key that is not there yet. Writes stop at the first error; the next call goes on.
Result<PlacedFiles> place_files(const ComponentFiles& component, CredentialStore& credentials,
                                const std::string& stamp);

// The unit file with the digest as k_inputs_variable; true: written. The caller reloads the supervisor.
Result<bool> place_unit(const UnitSpec& unit, const std::string& unit_dir, const std::string& inputs);

// The service account key pair at the paths that any component wants it at; true: something was written.
Result<bool> place_service_account(const std::vector<ComponentFiles>& components,
                                   const Secret& private_key_pem);
// Whether place_service_account() is needed.
bool lacks_service_account(const std::vector<ComponentFiles>& components);

}  // namespace slipway
