#include "coordinator/init.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "common/config/yaml_to_json.hpp"
#include "common/crypto/random.hpp"
#include "common/files/dir_lock.hpp"
#include "common/files/tree.hpp"
#include "common/kube/runtime_rules.hpp"
#include "coordinator/act_as_owner.hpp"
#include "coordinator/ca/authority.hpp"
#include "coordinator/ca/file_signer.hpp"
#include "coordinator/ca/ca_passphrase.hpp"
#include "coordinator/clock_floor.hpp"
#include "coordinator/config.hpp"
#include "coordinator/own_certificates.hpp"
#include "coordinator/service/enrollment.hpp"
#include "coordinator/store/audit_files.hpp"
#include "coordinator/store/records.hpp"
#include "coordinator/store/sqlite_store.hpp"
#include "proto/codec.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_file = 1024 * 1024;
constexpr const char* k_admin_user = "admin";

Result<ValidatedCluster> read_cluster(const std::string& path) {
  const auto yaml = read_file(path, k_max_file);
  if (!yaml) return error_of(yaml, "reading the cluster settings");
  const auto text = read_yaml(*yaml, path);
  if (!text) return text.error();
  const auto spec = proto::decode_strict<proto::ClusterSpec>(text->json);
  if (!spec) return text->places.located(spec.error());
  auto cluster = validate(*spec);
  if (!cluster) return text->places.located(make_error(cluster.error().code, path + " was refused:\n" + cluster.error().message));
  return cluster;
}

Status check_data_dir(const std::string& data_dir) {
  const auto names = list_dir(data_dir);
  if (!names && names.error().code == Errc::not_found) return {};
  if (!names) return names.error();
  if (std::find(names->begin(), names->end(), "state.db") != names->end()) {
    return make_error(Errc::conflict,
                      "a cluster lives in " + data_dir +
                          " already: change it with slipwayctl cluster apply, or choose another --data-dir");
  }
  if (!names->empty())
    return make_error(Errc::conflict,
                      data_dir + " is not empty: it holds " + names->front() + "; choose another --data-dir");
  return {};
}

Result<proto::AdminConfig> read_admin_conf(const std::string& path) {
  const auto text = read_secret_file(path, k_max_file);
  if (!text && text.error().code == Errc::not_found) return proto::AdminConfig{};
  if (!text) return text.error();
  const auto yaml = read_yaml(text->reveal(), path);
  if (!yaml) return yaml.error();
  auto config = proto::decode_strict<proto::AdminConfig>(yaml->json);
  if (!config) return yaml->places.located(config.error());
  return config;
}

bool has_cluster(const proto::AdminConfig& config, const std::string& name) {
  return std::any_of(config.clusters.begin(), config.clusters.end(),
                     [&name](const proto::AdminCluster& c) { return c.name == name; });
}

Result<Secret> admin_conf_text(proto::AdminConfig config, const ValidatedCluster& cluster,
                               const OwnCertificate& admin, const std::string& ca_pem) {
  const std::string& name = cluster.spec.metadata.name;
  std::erase_if(config.clusters, [&name](const proto::AdminCluster& c) { return c.name == name; });
  config.clusters.push_back({name, coordinator_url(cluster.spec.coordinator), ca_pem, admin.certificate.pem,
                             std::string(admin.key_pem.reveal())});
  config.current = name;
  auto yaml = json_to_yaml(proto::encode(config));
  if (!yaml) return yaml.error();
  return Secret(std::move(*yaml));
}

// A secret file beside its place until the last moment; deleted when that does not come.
class StagedFile {
 public:
  explicit StagedFile(std::string path) : path_(std::move(path)), staged_(path_ + ".slipway-init") {}
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile() {
    if (pending_) ::unlink(staged_.c_str());
  }
  Status write(const Secret& text) {
    const Status folder = make_dirs(parent_path(path_), 0755);
    if (!folder) return folder;
    pending_ = true;
    return write_file_atomically(staged_, text.reveal(), 0600);
  }
  Status publish() {
    if (::rename(staged_.c_str(), path_.c_str()) != 0) return from_errno("writing " + path_, errno);
    pending_ = false;
    return sync_dir(parent_path(path_));
  }

 private:
  std::string path_;
  std::string staged_;
  bool pending_ = false;
};

// The data directory beside its place.
class StagedTree {
 public:
  explicit StagedTree(const std::string& path)
      : path_(path), staged_(path + ".tmp-" + random_text(8, "abcdefghijklmnopqrstuvwxyz")) {}
  StagedTree(const StagedTree&) = delete;
  StagedTree& operator=(const StagedTree&) = delete;
  ~StagedTree() {
    if (pending_) static_cast<void>(remove_tree(staged_));
  }
  const std::string& dir() const { return staged_; }
  Status make() {
    const Status parent = make_dirs(parent_path(path_), 0755);
    if (!parent) return parent;
    pending_ = true;
    return make_dirs(staged_, 0700);
  }
  Status publish() {
    const Status synced = sync_tree(staged_);
    if (!synced) return synced;
    // Replaces an empty folder, nothing else.
    if (::rename(staged_.c_str(), path_.c_str()) != 0)
      return from_errno("moving the new cluster to " + path_, errno);
    pending_ = false;
    return sync_dir(parent_path(path_));
  }

 private:
  std::string path_;
  std::string staged_;
  bool pending_ = false;
};

// The log first, as the daemon does it.
Status commit_audited(RecordStore& store, const std::string& data_dir, const std::vector<Change>& changes,
                      std::vector<proto::AuditRecord> records, WallTime now) {
  const auto anchor = store.audit_head();
  if (!anchor) return anchor.error();
  const auto log = AuditFiles::open({audit_dir(data_dir)}, *anchor, now);
  if (!log) return log.error();
  for (proto::AuditRecord& record : records) record.time = to_rfc3339(now);
  const auto head = (*log)->append(std::move(records));
  if (!head) return head.error();
  return store.commit_audited(changes, *head);
}

Status hand_over(const std::string& path, const std::optional<FileOwner>& owner) {
  if (!owner) return {};
  if (::chown(path.c_str(), owner->uid, owner->gid) != 0)
    return from_errno("handing " + path + " to its user", errno);
  return {};
}

Status commit_operations(const std::string& data_dir, const std::vector<Operation>& operations, WallTime now) {
  const auto sqlite = SqliteStore::open(state_file(data_dir), true);
  if (!sqlite) return sqlite.error();
  RecordStore store(**sqlite);
  auto state = store.load();
  if (!state) return state.error();
  std::vector<Change> changes;
  std::vector<proto::AuditRecord> records;
  for (const Operation& operation : operations) {
    const auto outcome = apply(*state, operation, changes);
    if (!outcome) return outcome.error();
    auto record = audit_record(operation, *outcome, {"coordinator", "init", "", ""});
    if (record) records.push_back(std::move(*record));
  }
  return commit_audited(store, data_dir, changes, std::move(records), now);
}

struct NewCluster {
  ClusterIdentity identity;
  OwnCertificate admin;
  NewToken master_token;
  std::string ca_pem;
  std::string pin;
};

Result<Authority> make_authority(const InitOptions& options, const ValidatedCluster& cluster, const std::string& cluster_id,
                                 const Secret* passphrase, WallTime now) {
  const ProfileCluster profile = profile_cluster(cluster, cluster_id);
  auto authority = options.ca_dir.empty()
                       ? Authority::create(profile, now)
                       : Authority::create_from(options.ca_dir, passphrase, profile, lifetimes_of(cluster), now);
  if (!authority) return error_of(authority, "making the certificate authorities");
  return authority;
}

Result<NewCluster> fill_data_dir(const InitOptions& options, const ValidatedCluster& cluster,
                                 const std::string& dir, WallTime now) {
  NewCluster made;
  made.identity = {random_uuid(), random_uuid(), now};
  const auto passphrase = find_ca_passphrase(options.ca_passphrase_file, credentials_dir());
  if (!passphrase) return passphrase.error();
  const Secret* const seal = passphrase->has_value() ? &**passphrase : nullptr;
  const auto authority = make_authority(options, cluster, made.identity.id, seal, now);
  if (!authority) return authority.error();
  FileSigner signer(*authority);
  auto admin =
      make_own_certificate(CertUsage::operator_admin, cluster, made.identity.id, k_admin_user, signer, now);
  if (!admin) return error_of(admin, "making the operator's certificate");
  auto token = new_token({Seconds(24 * 3600), 1, NodeRole::master, ""}, now);
  if (!token) return token.error();
  made.admin = std::move(*admin);
  made.master_token = std::move(*token);
  made.ca_pem = signer.ca_pem(CaKind::fabric);
  made.pin = authority->ca(CaKind::fabric).certificate.sha256_hex();
  const Status saved = authority->save(ca_dir(dir), options.owner, seal);
  if (!saved) return saved.error();
  const Status committed =
      commit_operations(dir,
                        {InitCluster{cluster.spec, made.identity}, CreateToken{made.master_token.record},
                         RecordCertificate{made.admin.certificate}},
                        now);
  if (!committed) return error_of(committed, "storing the cluster");
  for (const std::string& folder : {audit_dir(dir), dir}) {
    const auto files = list_dir(folder);
    if (!files) return files.error();
    for (const std::string& file : *files) {
      const Status handed = hand_over(folder + "/" + file, options.owner);
      if (!handed) return handed.error();
    }
  }
  const Status handed = hand_over(dir, options.owner);
  if (!handed) return handed.error();
  return made;
}

std::string runtime_names(const proto::ClusterSpec& spec) {
  std::string text;
  for (const kube::RuntimeArtifact& artifact : kube::runtime_artifacts(spec)) text += artifact.component + ", ";
  return text;
}

std::string report(const InitOptions& options, const ValidatedCluster& cluster, const NewCluster& made) {
  return "cluster " + cluster.spec.metadata.name + " is made in " + options.data_dir + "\n\n" +
         capacity_report(cluster) + "\n" + "CA pin: sha256:" + made.pin + "\n\nnext:\n" +
         "  systemctl enable --now slipway-coordinator\n" + "  slipwayctl --config " + options.admin_conf +
         " artifact import kubernetes-server-linux-amd64.tar.gz   (and " + runtime_names(cluster.spec) + "cni-plugins, etcd)\n" +
         "  slipway-agent join --server " + coordinator_url(cluster.spec.coordinator) +
         " --role master --token-file " + options.master_token_file +
         "   (on this host; the token admits one master within 24h)\n" + "  slipwayctl --config " +
         options.admin_conf + " token create --max-uses 10   (for the nodes)\n";
}

struct Reissued {
  ValidatedCluster cluster;
  OwnCertificate admin;
  std::string ca_pem;
};

Result<Reissued> reissue_admin(const AdminConfOptions& options, WallTime now) {
  // Before we act as another: it may be root's.
  const auto passphrase = find_ca_passphrase(options.ca_passphrase_file, credentials_dir());
  if (!passphrase) return passphrase.error();
  const auto as_owner = ActAsOwner::of(options.data_dir);
  if (!as_owner) return as_owner.error();
  const auto lock = DirLock::acquire(options.data_dir);
  if (!lock)
    return error_of(
        lock, "the coordinator is running: stop it for the moment (systemctl stop slipway-coordinator)");
  const auto sqlite = SqliteStore::open(state_file(options.data_dir), false);
  if (!sqlite) return sqlite.error();
  RecordStore store(**sqlite);
  auto state = store.load();
  if (!state) return state.error();
  const auto authority =
      Authority::load(ca_dir(options.data_dir), {passphrase->has_value() ? &**passphrase : nullptr, state->cas()});
  if (!authority) return authority.error();
  FileSigner signer(*authority);
  if (!state->has_cluster()) return make_error(Errc::not_found, "there is no cluster in " + options.data_dir);
  if (const Status time = check_clock(clock_floor(*state), now); !time) return time.error();
  auto admin = make_own_certificate(CertUsage::operator_admin, state->cluster(), state->identity().id,
                                    options.user, signer, now);
  if (!admin) return admin.error();
  std::vector<Change> changes;
  const Operation operation = RecordCertificate{admin->certificate};
  const auto outcome = apply(*state, operation, changes);
  if (!outcome) return outcome.error();
  std::vector<proto::AuditRecord> records;
  if (auto record = audit_record(operation, *outcome, {"coordinator", "admin-conf", "", ""})) records.push_back(std::move(*record));
  const Status committed = commit_audited(store, options.data_dir, changes, std::move(records), now);
  if (!committed) return committed.error();
  return Reissued{state->cluster(), std::move(*admin), signer.ca_pem(CaKind::fabric)};
}

}  // namespace

Result<std::string> check_cluster_file(const std::string& path) {
  const auto cluster = read_cluster(path);
  if (!cluster) return cluster.error();
  return path + " is in order: cluster " + cluster->spec.metadata.name + "\n" + capacity_report(*cluster);
}

Result<std::string> init_cluster(const InitOptions& options, WallTime now) {
  const auto cluster = read_cluster(options.config);
  if (!cluster) return cluster.error();
  if (const Status time = check_clock(options.clock_floor.value_or(clock_floor(State())), now); !time) return time.error();
  const Status free = check_data_dir(options.data_dir);
  if (!free) return free.error();
  const auto known = read_admin_conf(options.admin_conf);
  if (!known) return known.error();
  if (has_cluster(*known, cluster->spec.metadata.name)) {
    return make_error(Errc::conflict, options.admin_conf + " knows a cluster named " +
                                          cluster->spec.metadata.name +
                                          " already: choose another name, or move that file away");
  }
  StagedTree tree(options.data_dir);
  const Status folder = tree.make();
  if (!folder) return folder.error();
  const auto made = fill_data_dir(options, *cluster, tree.dir(), now);
  if (!made) return made.error();
  const auto conf = admin_conf_text(*known, *cluster, made->admin, made->ca_pem);
  if (!conf) return conf.error();
  StagedFile admin_file(options.admin_conf);
  StagedFile token_file(options.master_token_file);
  const Status conf_written = admin_file.write(*conf);
  if (!conf_written) return conf_written.error();
  const Status token_written =
      token_file.write(Secret("slipway1" + made->pin + "::" + made->master_token.text + "\n"));
  if (!token_written) return token_written.error();
  const Status moved = tree.publish();
  if (!moved) return moved.error();
  for (StagedFile* file : {&admin_file, &token_file}) {
    const Status published = file->publish();
    if (!published)
      return error_of(published,
                      "the cluster is made, but its credentials are not in place (slipway-coordinator "
                      "admin-conf makes new ones)");
  }
  return report(options, *cluster, *made);
}

Result<std::string> renew_admin_conf(const AdminConfOptions& options, WallTime now) {
  const auto known = read_admin_conf(options.admin_conf);
  if (!known) return known.error();
  const auto reissued = reissue_admin(options, now);
  if (!reissued) return reissued.error();
  const auto conf = admin_conf_text(*known, reissued->cluster, reissued->admin, reissued->ca_pem);
  if (!conf) return conf.error();
  const Status folder = make_dirs(parent_path(options.admin_conf), 0755);
  if (!folder) return folder.error();
  const Status written = write_file_atomically(options.admin_conf, conf->reveal(), 0600);
  if (!written) return written.error();
  return options.admin_conf + " written, valid until " +
         to_rfc3339(reissued->admin.certificate.record.not_after) + "\n";
}

}  // namespace slipway
