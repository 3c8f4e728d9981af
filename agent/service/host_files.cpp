#include "agent/service/host_files.hpp"

#include <utility>

#include "agent/domain/reconcile_plan.hpp"
#include "common/crypto/digest.hpp"
#include "common/crypto/private_key.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_pem = std::size_t{1} << 20;

// Parts are set off by their lengths: no two different lists have one digest.
class InputDigest {
 public:
  void add(std::string_view name, std::string_view content) {
    add_part(name);
    add_part(content);
  }
  std::string hex() { return digest_.finish_hex(); }

 private:
  void add_part(std::string_view part) {
    digest_.update(std::to_string(part.size()) + ":");
    digest_.update(part);
  }
  Sha256 digest_;
};

bool is_service_account(const FileInput& input) {
  return input.kind == InputKind::service_account_key || input.kind == InputKind::service_account_public;
}

Error not_there(const FileInput& input, const std::string& what) {
  return make_error(Errc::not_found, input.path + " needs " + what + " " + input.name +
                                         ", which the coordinator has not given yet");
}

Result<bool> place_link(const FileInput& input, CredentialStore& credentials, InputDigest& digest) {
  const bool key = input.kind == InputKind::private_key;
  auto chain = read_file(credentials.chain_path(input.name), k_max_pem);
  if (!chain)
    return chain.error().code == Errc::not_found ? not_there(input, "the certificate") : chain.error();
  // Key and certificate change together: the certificate speaks for both.
  if (input.restart) digest.add(input.path, *chain);
  return switch_link(input.path, key ? credentials.key_path(input.name) : credentials.chain_path(input.name));
}

Result<bool> place_bundle(const FileInput& input, CredentialStore& credentials, InputDigest& digest) {
  auto bundle = credentials.ca_bundle(input.name);
  if (!bundle) return bundle.error();
  if (!*bundle) return not_there(input, "the CA");
  if (input.restart) digest.add(input.path, **bundle);
  return write_file_if_changed(input.path, **bundle, 0644);
}

Result<bool> place_input(const FileInput& input, CredentialStore& credentials, InputDigest& digest) {
  if (auto made = make_dirs(parent_path(input.path), 0755); !made) return made.error();
  switch (input.kind) {
    case InputKind::certificate:
    case InputKind::private_key:
      return place_link(input, credentials, digest);
    case InputKind::ca_bundle:
      return place_bundle(input, credentials, digest);
    case InputKind::service_account_key:
    case InputKind::service_account_public:
      break;
  }
  if (!path_exists(input.path)) return not_there(input, "the service account key");
  return false;
}

}  // namespace

Result<PlacedFiles> place_files(const ComponentFiles& component, CredentialStore& credentials,
                                const std::string& stamp) {
  PlacedFiles placed;
  InputDigest digest;
  digest.add("stamp", stamp);
  for (const RenderedDir& dir : component.dirs) {
    if (auto made = make_dirs(dir.path, dir.mode); !made) return made.error();
  }
  for (const std::string& path : component.removed) {
    if (!path_exists(path)) continue;
    if (auto gone = remove_file(path); !gone) return gone.error();
    placed.changed.push_back(path);
  }
  for (const FileInput& input : component.inputs) {
    auto changed = place_input(input, credentials, digest);
    if (!changed) return changed.error();
    if (*changed) placed.changed.push_back(input.path);
  }
  for (const RenderedFile& file : component.files) {
    if (auto made = make_dirs(parent_path(file.path), 0755); !made) return made.error();
    auto changed = write_file_if_changed(file.path, file.content, file.mode);
    if (!changed) return changed.error();
    if (*changed) placed.changed.push_back(file.path);
    digest.add(file.path, file.content);
  }
  if (component.unit) {
    auto text = render(*component.unit);
    if (!text) return text.error();
    digest.add(component.unit->name, *text);
  }
  placed.inputs = digest.hex();
  return placed;
}

Result<bool> place_unit(const UnitSpec& unit, const std::string& unit_dir, const std::string& inputs) {
  UnitSpec marked = unit;
  marked.environment.emplace_back(k_inputs_variable, inputs);
  auto text = render(marked);
  if (!text) return text.error();
  return write_file_if_changed(unit_dir + "/" + unit.name, *text, 0644);
}

Result<bool> place_service_account(const std::vector<ComponentFiles>& components,
                                   const Secret& private_key_pem) {
  auto key = PrivateKey::from_pem(private_key_pem);
  if (!key) return context(key.error(), "reading the service account key");
  bool changed = false;
  for (const ComponentFiles& component : components) {
    for (const FileInput& input : component.inputs) {
      if (!is_service_account(input)) continue;
      if (auto made = make_dirs(parent_path(input.path), 0755); !made) return made.error();
      const bool secret = input.kind == InputKind::service_account_key;
      auto written = secret ? write_file_if_changed(input.path, private_key_pem.reveal(), 0600)
                            : write_file_if_changed(input.path, key->public_pem(), 0644);
      if (!written) return written.error();
      changed = changed || *written;
    }
  }
  return changed;
}

bool lacks_service_account(const std::vector<ComponentFiles>& components) {
  for (const ComponentFiles& component : components) {
    for (const FileInput& input : component.inputs) {
      if (is_service_account(input) && !path_exists(input.path)) return true;
    }
  }
  return false;
}

}  // namespace slipway
