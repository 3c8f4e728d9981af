#include "agent/store/file_node_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/core/text.hpp"
#include "common/core/unique_fd.hpp"
#include "common/crypto/digest.hpp"
#include "common/files/atomic_file.hpp"
#include "common/files/tree.hpp"
#include "common/files/write_all.hpp"

namespace slipway {

namespace {

using Json = nlohmann::json;

constexpr std::size_t k_max_identity_bytes = 64 * 1024;
constexpr std::size_t k_max_desired_bytes = 64 * 1024 * 1024;
constexpr std::size_t k_max_applied_bytes = 1024 * 1024;
constexpr std::size_t k_max_pem_bytes = 1024 * 1024;
constexpr char k_current[] = "current";
constexpr char k_pending[] = "pending.key";

// Usages and bundle names become parts of paths.
Status check_name(const std::string& name) {
  const auto ok = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'; };
  if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), ok)) {
    return make_error(Errc::invalid, "credential name \"" + name + "\" is not made of letters and digits");
  }
  return {};
}

Result<Json> read_json(const std::string& path, std::size_t max_bytes) {
  Result<std::string> text = read_file(path, max_bytes);
  if (!text) return text.error();
  Json value = Json::parse(*text, nullptr, false);
  if (!value.is_object()) {
    return make_error(Errc::corrupt, "read " + path + ": not the JSON that the agent wrote; restore it, or remove it and join anew");
  }
  return value;
}

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> texts_at(const Json& object, const char* key) {
  std::vector<std::string> texts;
  const auto member = object.find(key);
  if (member == object.end() || !member->is_array()) return texts;
  for (const Json& text : *member) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::uint64_t number_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

constexpr std::size_t k_check_digits = 16;

std::string check_of(std::string_view text) { return sha256_hex(text).substr(0, k_check_digits); }

// Those that were written to their end.
std::vector<std::string> whole_lines(std::string_view log) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(log, '\n')) {
    if (line.size() <= k_check_digits || line[k_check_digits] != ' ') continue;
    const std::string_view text = line.substr(k_check_digits + 1);
    if (check_of(text) == line.substr(0, k_check_digits)) lines.emplace_back(text);
  }
  return lines;
}

template <class T>
Result<std::optional<T>> absent_or(const Error& error) {
  if (error.code == Errc::not_found) return std::optional<T>();
  return error;
}

// Generations are folders with a number for a name.
std::uint64_t newest_generation(const std::vector<std::string>& names) {
  std::uint64_t newest = 0;
  for (const std::string& name : names) {
    if (const auto number = parse_u64(name)) newest = std::max(newest, *number);
  }
  return newest;
}

// What is neither in use nor pending: generations that were not switched to, temporary files of a crash.
Status remove_left_overs(const std::string& usage_dir) {
  Result<std::vector<std::string>> names = list_dir(usage_dir);
  if (!names) return names.error();
  Result<std::string> current = read_link(usage_dir + "/" + k_current);
  if (!current && current.error().code != Errc::not_found) return current.error();
  for (const std::string& name : *names) {
    const bool kept = name == k_current || name == k_pending || (current && name == *current);
    if (kept) continue;
    if (Status removed = remove_tree(usage_dir + "/" + name); !removed) return removed;
  }
  return {};
}

// After a crash between the switch and the removal of the pending key both are the same: a renewal must make a new one.
Status drop_used_pending(CredentialStore& store, const std::string& usage, const std::string& usage_dir) {
  Result<std::optional<Secret>> pending = store.pending_key(usage);
  if (!pending) return pending.error();
  if (!*pending) return {};
  Result<std::optional<KeyPair>> pair = store.pair(usage);
  if (!pair) return pair.error();
  if (!*pair || !equal_constant_time((*pair)->key_pem.reveal(), (*pending)->reveal())) return {};
  return remove_file(usage_dir + "/" + k_pending);
}

}  // namespace

Result<std::unique_ptr<FileNodeStore>> FileNodeStore::open(const std::string& data_dir) {
  std::unique_ptr<FileNodeStore> store(new FileNodeStore(data_dir));
  if (Status made = make_dirs(data_dir, 0700); !made) return error_of(made, "open the agent's store");
  if (Status made = make_dirs(data_dir + "/pki/ca", 0700); !made) return error_of(made, "open the agent's store");
  Result<std::vector<std::string>> usages = list_dir(data_dir + "/pki");
  if (!usages) return error_of(usages, "open the agent's store");
  for (const std::string& usage : *usages) {
    if (usage == "ca") continue;
    const std::string dir = store->usage_dir(usage);
    if (Status tidied = remove_left_overs(dir); !tidied) return error_of(tidied, "open the agent's store");
    if (Status tidied = drop_used_pending(*store, usage, dir); !tidied) return error_of(tidied, "open the agent's store");
  }
  return store;
}

Result<std::optional<NodeIdentity>> FileNodeStore::identity() {
  Result<Json> json = read_json(data_dir_ + "/node.json", k_max_identity_bytes);
  if (!json) return absent_or<NodeIdentity>(json.error());
  NodeIdentity identity;
  identity.cluster = text_at(*json, "cluster");
  identity.cluster_id = text_at(*json, "clusterId");
  identity.node_name = text_at(*json, "nodeName");
  identity.node_uid = text_at(*json, "nodeUid");
  identity.generation = number_at(*json, "generation");
  identity.role = text_at(*json, "role");
  identity.address = text_at(*json, "address");
  identity.pod_cidr = text_at(*json, "podCIDR");
  if (identity.node_name.empty() || identity.node_uid.empty()) {
    return make_error(Errc::corrupt, "read " + data_dir_ + "/node.json: node name or uid is missing; restore it, or remove it and join anew");
  }
  return std::optional<NodeIdentity>(std::move(identity));
}

Status FileNodeStore::save_identity(const NodeIdentity& identity) {
  // version: since 1; an agent that meets a larger one must not guess.
  const Json json = {{"version", 1},
                     {"cluster", identity.cluster},
                     {"clusterId", identity.cluster_id},
                     {"nodeName", identity.node_name},
                     {"nodeUid", identity.node_uid},
                     {"generation", identity.generation},
                     {"role", identity.role},
                     {"address", identity.address},
                     {"podCIDR", identity.pod_cidr}};
  return write_file_atomically(data_dir_ + "/node.json", json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", 0600);
}

Result<std::optional<StoredDesired>> FileNodeStore::desired() {
  return read_stored_desired(data_dir_);
}

Result<std::optional<StoredDesired>> read_stored_desired(const std::string& data_dir) {
  Result<Json> json = read_json(data_dir + "/desired.json", k_max_desired_bytes);
  if (!json) return absent_or<StoredDesired>(json.error());
  StoredDesired desired{text_at(*json, "epoch"), number_at(*json, "revision"), text_at(*json, "state"), texts_at(*json, "leftEpochs")};
  Result<std::string> log = read_file(data_dir + "/desired.log", k_max_desired_bytes);
  if (!log && log.error().code != Errc::not_found) return log.error();
  if (log) desired.deltas = whole_lines(*log);
  return std::optional<StoredDesired>(std::move(desired));
}

Status FileNodeStore::save_desired(const StoredDesired& desired) {
  // The state is kept as a string: it comes back byte for byte.
  const Json json = {{"version", 1}, {"epoch", desired.epoch}, {"revision", desired.revision}, {"state", desired.json}, {"leftEpochs", desired.left_epochs}};
  if (Status written = write_file_atomically(data_dir_ + "/desired.json", json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n", 0600); !written) {
    return written;
  }
  // After a crash in between they are older than the file, which tells.
  return remove_file(data_dir_ + "/desired.log");
}

Status FileNodeStore::append_delta(const std::string& json) {
  const std::string path = data_dir_ + "/desired.log";
  const bool is_new = !path_exists(path);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return from_errno("open " + path, errno);
  // The line feed in front: a line that was cut by a crash or a full disk must not take this one with it.
  if (Status written = write_all(fd.get(), "\n" + check_of(json) + " " + json + "\n", path); !written) return written;
  if (::fdatasync(fd.get()) != 0) return from_errno("sync " + path, errno);
  return is_new ? sync_dir(data_dir_) : Status();
}

Result<std::optional<std::string>> FileNodeStore::applied() {
  Result<std::string> text = read_file(data_dir_ + "/applied.json", k_max_applied_bytes);
  if (!text) return absent_or<std::string>(text.error());
  return std::optional<std::string>(std::move(*text));
}

Status FileNodeStore::save_applied(const std::string& json) { return write_file_atomically(data_dir_ + "/applied.json", json, 0600); }

Status FileNodeStore::forget() {
  // In their order: a crash in between leaves a host that has not joined.
  for (const char* name : k_state_files) {
    if (Status removed = remove_file(data_dir_ + "/" + name); !removed) return error_of(removed, "forget the cluster");
  }
  if (Status removed = remove_tree(data_dir_ + "/pki"); !removed) return error_of(removed, "forget the cluster");
  return make_dirs(data_dir_ + "/pki/ca", 0700);
}

Result<std::optional<Secret>> FileNodeStore::pending_key(const std::string& usage) {
  if (Status named = check_name(usage); !named) return named.error();
  Result<Secret> key = read_secret_file(usage_dir(usage) + "/" + k_pending, k_max_pem_bytes);
  if (!key) return absent_or<Secret>(key.error());
  return std::optional<Secret>(std::move(*key));
}

Status FileNodeStore::save_pending_key(const std::string& usage, const Secret& key_pem) {
  if (Status named = check_name(usage); !named) return named;
  if (Status made = make_dirs(usage_dir(usage), 0700); !made) return error_of(made, "keep the new key for " + usage);
  return write_file_atomically(usage_dir(usage) + "/" + k_pending, key_pem.reveal(), 0600);
}

Status FileNodeStore::activate(const std::string& usage, const std::string& chain_pem) {
  Result<std::optional<Secret>> key = pending_key(usage);
  if (!key) return error_of(key, "activate the certificate for " + usage);
  if (!*key) return make_error(Errc::not_found, "activate the certificate for " + usage + ": no new key was kept for it");
  const std::string dir = usage_dir(usage);
  Result<std::vector<std::string>> names = list_dir(dir);
  if (!names) return names.error();
  const std::string generation = std::to_string(newest_generation(*names) + 1);
  const std::string fresh = dir + "/" + generation;
  if (Status made = make_dirs(fresh, 0700); !made) return made;
  if (Status written = write_file_atomically(fresh + "/key.pem", (*key)->reveal(), 0600); !written) return written;
  if (Status written = write_file_atomically(fresh + "/chain.pem", chain_pem, 0644); !written) return written;
  if (Result<bool> switched = switch_link(dir + "/" + k_current, generation); !switched) return switched.error();
  // From here on the new pair is in use. A crash leaves the pending key; the same key twice does no harm.
  if (Status removed = remove_file(dir + "/" + k_pending); !removed) return removed;
  return remove_left_overs(dir);
}

Result<std::optional<KeyPair>> FileNodeStore::pair(const std::string& usage) {
  if (Status named = check_name(usage); !named) return named.error();
  // The generation is looked up once, so that chain and key are of the same one.
  Result<std::string> current = read_link(usage_dir(usage) + "/" + k_current);
  if (!current) return absent_or<KeyPair>(current.error());
  const std::string dir = usage_dir(usage) + "/" + *current;
  Result<std::string> chain = read_file(dir + "/chain.pem", k_max_pem_bytes);
  if (!chain) return error_of(chain, "read the certificate for " + usage);
  Result<Secret> key = read_secret_file(dir + "/key.pem", k_max_pem_bytes);
  if (!key) return error_of(key, "read the key for " + usage);
  return std::optional<KeyPair>(KeyPair{std::move(*chain), std::move(*key)});
}

Result<std::optional<std::string>> FileNodeStore::ca_bundle(const std::string& name) {
  if (Status named = check_name(name); !named) return named.error();
  Result<std::string> pem = read_file(data_dir_ + "/pki/ca/" + name + ".pem", k_max_pem_bytes);
  if (!pem) return absent_or<std::string>(pem.error());
  return std::optional<std::string>(std::move(*pem));
}

Status FileNodeStore::save_ca_bundle(const std::string& name, const std::string& pem) {
  if (Status named = check_name(name); !named) return named;
  Result<bool> written = write_file_if_changed(data_dir_ + "/pki/ca/" + name + ".pem", pem, 0644);
  return written ? Status() : written.error();
}

std::string FileNodeStore::chain_path(const std::string& usage) const { return usage_dir(usage) + "/" + k_current + "/chain.pem"; }
std::string FileNodeStore::key_path(const std::string& usage) const { return usage_dir(usage) + "/" + k_current + "/key.pem"; }

}  // namespace slipway
