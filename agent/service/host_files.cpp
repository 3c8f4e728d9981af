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
constexpr std::size_t k_max_unit = std::size_t{1} << 18;

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

// A bundle that the program reads by itself makes another wish, but no restart.
Result<bool> place_bundle(const FileInput& input, CredentialStore& credentials, InputDigest& digest, InputDigest& wish) {
  auto bundle = credentials.ca_bundle(input.name);
  if (!bundle) return bundle.error();
  if (!*bundle) return not_there(input, "the CA");
  (input.restart ? digest : wish).add(input.path, **bundle);
  return write_file_if_changed(input.path, **bundle, 0644, own_user());
}

mode_t mode_of_service_account(const FileInput& input) { return input.kind == InputKind::service_account_key ? 0600 : 0644; }

// Its content is looked at by look_at_service_account(), for what it should be the coordinator alone knows.
Result<bool> keep_service_account(const FileInput& input) {
  const auto kept = keep_mode(input.path, mode_of_service_account(input));
  if (!kept && kept.error().code == Errc::not_found) return not_there(input, "the service account key");
  // A link of somebody's: read by whoever may read where it leads.
  if (!kept && kept.error().code == Errc::invalid) return false;
  return kept;
}

Result<bool> place_input(const FileInput& input, CredentialStore& credentials, InputDigest& digest, InputDigest& wish) {
  if (auto made = make_dirs(parent_path(input.path), 0755); !made) return made.error();
  switch (input.kind) {
    case InputKind::certificate:
    case InputKind::private_key:
      return place_link(input, credentials, digest);
    case InputKind::ca_bundle:
      return place_bundle(input, credentials, digest, wish);
    case InputKind::service_account_key:
    case InputKind::service_account_public:
      break;
  }
  return keep_service_account(input);
}

// What it wants of folders.
Status place_dirs(const ComponentFiles& component, PlacedFiles& placed) {
  for (const RenderedDir& dir : component.dirs) {
    const Result<bool> changed = dir.secret ? make_private_dirs(dir.path) : Result<bool>(false);
    if (!changed) return changed.error();
    if (auto made = make_dirs(dir.path, dir.mode); !made) return made;
    if (*changed) placed.rewritten.push_back(dir.path);
  }
  return {};
}

}  // namespace

namespace {

// Whatever has to be there before the files, and the digest of everything that the component is started with.
Result<std::string> place_inputs(const ComponentFiles& component, CredentialStore& credentials, const std::string& stamp, PlacedFiles& placed) {
  InputDigest digest, wish;
  digest.add("stamp", stamp);
  for (const FileInput& input : component.inputs) {
    auto changed = place_input(input, credentials, digest, wish);
    if (!changed) return changed.error();
    if (*changed) placed.rewritten.push_back(input.path);
  }
  for (const RenderedFile& file : component.files) digest.add(file.path, file.content);
  if (component.unit) {
    auto text = render(*component.unit);
    if (!text) return text.error();
    digest.add(component.unit->name, *text);
  }
  const std::string hex = digest.hex();
  placed.wish = hex + wish.hex();
  return hex;
}

std::vector<std::string> wrong_files(const ComponentFiles& component) {
  std::vector<std::string> wrong;
  for (const RenderedFile& file : component.files) {
    const auto there = read_file(file.path, file.content.size() + 1);
    if (!there || *there != file.content) wrong.push_back(file.path);
  }
  return wrong;
}

std::optional<StartMark> mark_on_disk(const std::string& unit_path) {
  const auto text = read_file(unit_path, k_max_unit);
  return text ? StartMark::of_unit_file(*text) : std::nullopt;
}

Result<bool> write_unit(const UnitSpec& unit, const std::string& path, const StartMark& mark) {
  UnitSpec marked = unit;
  marked.environment.emplace_back(k_inputs_variable, mark.to_string());
  auto text = render(marked);
  if (!text) return text.error();
  return write_file_if_changed(path, *text, 0644, own_user());
}

// As libcni knows configurations (libcni/conf.go, ConfFiles); runtimes take the first in the order of names.
bool is_cni_configuration(std::string_view name) {
  return name.ends_with(".conflist") || name.ends_with(".conf") || name.ends_with(".json");
}

// Of each folder that has one of ours.
std::vector<std::string> rivals_of(const ComponentFiles& component) {
  std::vector<std::string> rivals;
  for (const RenderedFile& file : component.files) {
    if (!file.path.ends_with(".conflist")) continue;
    const std::string folder = parent_path(file.path) + "/";
    const auto names = list_dir(parent_path(file.path));
    if (!names) continue;
    for (const std::string& name : *names)
      if (is_cni_configuration(name) && folder + name < file.path) rivals.push_back(folder + name);
  }
  return rivals;
}

std::vector<std::string> paths_of(const ComponentFiles& component, const std::string& unit_dir) {
  std::vector<std::string> paths = component.removed;
  for (const RenderedDir& dir : component.dirs)
    if (dir.secret) paths.push_back(dir.path);
  for (const FileInput& input : component.inputs) paths.push_back(input.path);
  for (const RenderedFile& file : component.files) {
    paths.push_back(file.path);
    if (file.path.ends_with(".conflist")) paths.push_back(parent_path(file.path) + "/*");  // rivals_of()
  }
  if (component.unit) paths.push_back(unit_dir + "/" + component.unit->name);
  return paths;
}

Status write_files(const ComponentFiles& component, PlacedFiles& placed) {
  for (const RenderedFile& file : component.files) {
    if (auto made = make_dirs(parent_path(file.path), 0755); !made) return made.error();
    auto changed = write_file_if_changed(file.path, file.content, file.mode, own_user());
    if (!changed) return changed.error();
    if (*changed) placed.rewritten.push_back(file.path);
  }
  return {};
}

}  // namespace

Result<PlacedFiles> place_files(const ComponentFiles& component, CredentialStore& credentials, const std::string& stamp,
                                const std::string& unit_dir) {
  PlacedFiles placed;
  if (auto made = place_dirs(component, placed); !made) return made.error();
  for (const std::string& path : component.removed) {
    if (!path_exists(path)) continue;
    if (auto gone = remove_file(path); !gone) return gone.error();
    placed.rewritten.push_back(path);
  }
  placed.paths = paths_of(component, unit_dir);
  auto digest = place_inputs(component, credentials, stamp, placed);
  if (!digest) return digest.error();
  StartMark mark{*digest, 0};
  const std::string unit_path = component.unit ? unit_dir + "/" + component.unit->name : std::string();
  const std::optional<StartMark> before = component.unit ? mark_on_disk(unit_path) : std::nullopt;
  if (before && before->digest == mark.digest) {
    const std::vector<std::string> wrong = wrong_files(component);
    mark.repairs = before->repairs + (wrong.empty() ? 0 : 1);
    // Before the files: a kill between the two must not hide that the process may run with what somebody else wrote.
    if (!wrong.empty()) {
      if (auto marked = write_unit(*component.unit, unit_path, mark); !marked) return marked.error();
    }
  }
  if (auto written = write_files(component, placed); !written) return written.error();
  if (component.unit) {
    // The unit last: its mark must not speak of files that are not there yet.
    auto unit = write_unit(*component.unit, unit_path, mark);
    if (!unit) return unit.error();
    const bool remarked = before && before->digest == mark.digest && before->repairs != mark.repairs;
    placed.unit_written = *unit || remarked;
    if (placed.unit_written) placed.rewritten.push_back(component.unit->name);
  }
  placed.changed.insert(placed.changed.end(), placed.rewritten.begin(), placed.rewritten.end());
  placed.rivals = rivals_of(component);
  placed.inputs = mark.to_string();
  return placed;
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
      const mode_t mode = mode_of_service_account(input);
      auto written = secret ? write_file_if_changed(input.path, private_key_pem.reveal(), mode, own_user())
                            : write_file_if_changed(input.path, key->public_pem(), mode, own_user());
      if (!written) return written.error();
      changed = changed || *written;
    }
  }
  return changed;
}

std::optional<std::string> look_at_service_account(const std::vector<ComponentFiles>& components) {
  std::vector<Secret> keys;
  std::vector<std::string> publics;
  for (const ComponentFiles& component : components) {
    for (const FileInput& input : component.inputs) {
      if (!is_service_account(input)) continue;
      auto content = read_file(input.path, k_max_pem);
      if (!content) return std::string();
      if (input.kind == InputKind::service_account_key) keys.emplace_back(std::move(*content));
      else publics.push_back(std::move(*content));
    }
  }
  if (keys.empty() && publics.empty()) return std::nullopt;
  InputDigest digest;
  for (const Secret& secret : keys) {
    const auto key = PrivateKey::from_pem(secret);
    if (!key || secret.reveal() != keys.front().reveal()) return std::string();
    for (const std::string& text : publics)
      if (text != key->public_pem()) return std::string();
    digest.add("key", secret.reveal());
  }
  for (const std::string& text : publics) digest.add("public", text);
  return digest.hex();
}

}  // namespace slipway
