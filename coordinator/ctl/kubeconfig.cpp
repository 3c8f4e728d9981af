// `cluster kubeconfig`: the key is made here and never leaves this machine.
#include "common/config/yaml_to_json.hpp"
#include "common/core/text.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/private_key.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/ctl/commands.hpp"

namespace slipway::ctl {

namespace {

std::string file_text(const proto::KubeconfigReply& reply, const std::string& user, const Secret& key) {
  const std::string name = user + "@" + reply.cluster_name;
  proto::KubeconfigFile file;
  file.clusters = {{reply.cluster_name, {reply.server, to_base64(reply.ca_certificate)}}};
  file.users = {{name, {to_base64(reply.certificate), to_base64(key.reveal())}}};
  file.contexts = {{name, {reply.cluster_name, name}}};
  file.current_context = name;
  const std::string json = proto::encode(file);
  auto yaml = json_to_yaml(json);
  return yaml ? *yaml : proto::pretty(json) + "\n";  // JSON is YAML, too
}

Result<std::string> build(const std::string& user, Connection& connection, std::string& not_after) {
  const auto key = PrivateKey::generate_p256();
  if (!key) return error_of(key, "making a key");
  const auto csr = make_csr(*key);
  if (!csr) return error_of(csr, "making a certificate request");
  const auto pem = key->to_pem();
  if (!pem) return pem.error();
  const proto::KubeconfigRequest request{*csr, user};
  const auto reply = ask<proto::KubeconfigReply>(
      connection, make_request(http::Method::post, "/v1/cluster/kubeconfig", proto::encode(request)));
  if (!reply) return reply.error();
  not_after = reply->not_after;
  return file_text(*reply, user, *pem);
}

}  // namespace

int make_kubeconfig(const ClusterKubeconfig& wish, Connection& connection, Console& console) {
  std::string not_after;
  const auto text = build(wish.user, connection, not_after);
  if (!text) return fail(console, text.error());
  if (wish.file.empty()) {
    console.out << *text;
    return k_ok;
  }
  const Status written = write_file_atomically(wish.file, *text, 0600);
  if (!written) return fail(console, error_of(written, "writing the kubeconfig"));
  console.out << wish.file << " written, valid until " << not_after << "; try: kubectl --kubeconfig "
              << wish.file << " get nodes\n";
  return k_ok;
}

}  // namespace slipway::ctl
