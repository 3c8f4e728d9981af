// `operator create`: the key is made here and never leaves this machine.
#include "common/config/yaml_to_json.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/private_key.hpp"
#include "common/files/atomic_file.hpp"
#include "coordinator/ctl/commands.hpp"

namespace slipway::ctl {

namespace {

struct Credentials {
  std::string text;  // a configuration for slipwayctl, with the key
  std::string not_after;
};

Result<Credentials> make_credentials(const OperatorCreate& wish, Connection& connection) {
  const auto key = PrivateKey::generate_p256();
  if (!key) return error_of(key, "making a key");
  const auto csr = make_csr(*key);
  if (!csr) return error_of(csr, "making a certificate request");
  const auto pem = key->to_pem();
  if (!pem) return pem.error();
  const proto::OperatorRequest request{*csr, wish.user, wish.role};
  const auto reply = ask<proto::OperatorReply>(
      connection, make_request(http::Method::post, "/v1/operators", proto::encode(request)));
  if (!reply) return reply.error();
  proto::AdminConfig config;
  config.clusters = {{reply->cluster_name, reply->server, reply->ca_certificate, reply->certificate,
                      std::string(pem->reveal())}};
  config.current = reply->cluster_name;
  const auto yaml = json_to_yaml(proto::encode(config));
  if (!yaml) return yaml.error();
  return Credentials{*yaml, reply->not_after};
}

}  // namespace

int create_operator(const OperatorCreate& wish, Connection& connection, Console& console) {
  const auto made = make_credentials(wish, connection);
  if (!made) return fail(console, made.error());
  if (wish.file.empty()) {
    console.out << made->text;
    return k_ok;
  }
  const Status written = write_file_atomically(wish.file, made->text, 0600);
  if (!written) return fail(console, error_of(written, "writing the credentials"));
  console.out << wish.file << " written, role " << wish.role << ", valid until " << made->not_after
              << "; try: slipwayctl --config " << wish.file << " node list\n";
  return k_ok;
}

}  // namespace slipway::ctl
