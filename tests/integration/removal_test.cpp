// A removed node: refused, cut, on the lists, and without a way back through a kept TLS session.
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <unistd.h>

#include <map>
#include <memory>

#include "common/crypto/certificate.hpp"
#include "common/crypto/csr.hpp"
#include "common/crypto/pem.hpp"
#include "coordinator/app.hpp"
#include "proto/audit.hpp"
#include "tests/support/cluster_fixture.hpp"
#include "tests/support/raw_tls.hpp"

namespace slipway::test {
namespace {

using Crl = std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)>;
using Cert = std::unique_ptr<X509, decltype(&X509_free)>;

Crl crl_of(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  Crl crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())), X509_CRL_free);
  REQUIRE(crl);
  CHECK(at == reinterpret_cast<const unsigned char*>(der.data() + der.size()));
  return crl;
}

Cert cert_of(const std::string& pem) {
  const std::string der = Certificate::from_pem(pem).value().der();
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  return Cert(d2i_X509(nullptr, &at, static_cast<long>(der.size())), X509_free);
}

// OpenSSL's word, with the list.
int verify(const std::string& leaf_pem, const std::string& ca_pem, const std::string& crl_der) {
  const Cert leaf = cert_of(leaf_pem), ca = cert_of(ca_pem);
  const Crl crl = crl_of(crl_der);
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(), X509_STORE_free);
  X509_STORE_add_cert(store.get(), ca.get());
  X509_STORE_add_crl(store.get(), crl.get());
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(), X509_STORE_CTX_free);
  X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr);
  X509_STORE_CTX_set_flags(context.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_X509_STRICT);
  return X509_verify_cert(context.get()) == 1 ? 0 : X509_STORE_CTX_get_error(context.get());
}

TEST_CASE("a removed node's certificates are on the lists, the others' are not", "[cluster][removal]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent gone = joined(cluster, "gone", 11), here = joined(cluster, "here", 12);
  Caller admin = cluster.admin();
  const auto list_of = [&admin](const std::string& ca) { return admin.get("/v1/crl?format=der&ca=" + ca).body; };
  CHECK(as<proto::RevokedList>(admin.get("/v1/certificates/revoked")).items.empty());
  CHECK(X509_CRL_get_REVOKED(crl_of(list_of("kubeClient")).get()) == nullptr);
  REQUIRE(admin.remove("/v1/nodes/gone").status == 204);
  const std::map<std::string, std::string> authorities = {
      {"agent", "fabric"}, {"kubeletClient", "kubeClient"}, {"kubeProxy", "kubeClient"}, {"kubeletServing", "kubeletServing"}};
  for (const auto& [usage, ca] : authorities) {
    INFO(usage);
    const std::string& ca_pem = gone.reply.ca_bundles.at(ca);
    CHECK(verify(gone.certificates.at(usage), ca_pem, list_of(ca)) == X509_V_ERR_CERT_REVOKED);
    CHECK(verify(here.certificates.at(usage), ca_pem, list_of(ca)) == 0);
  }
  const auto revoked = as<proto::RevokedList>(admin.get("/v1/certificates/revoked?node=gone"));
  REQUIRE(revoked.items.size() == 4);
  for (const auto& item : revoked.items) {
    const auto certificate = Certificate::from_pem(gone.certificates.at(item.usage));
    CHECK(item.serial == certificate->serial_hex());
    CHECK(item.sha256 == certificate->sha256_hex());
    CHECK(item.not_after == to_rfc3339(certificate->not_after()));
    CHECK(item.authority == authorities.at(item.usage));
  }
  const auto page = as<proto::RevokedList>(admin.get("/v1/certificates/revoked?limit=3"));
  CHECK(page.items.size() == 3);
  CHECK(as<proto::RevokedList>(admin.get("/v1/certificates/revoked?limit=3&continue=" + page.next)).items.size() == 1);
  CHECK(as<proto::RevokedList>(admin.get("/v1/certificates/revoked?node=here")).items.empty());
}

TEST_CASE("a revoked person's certificates are on the lists, the kubeconfig too", "[cluster][removal][access]") {
  ClusterFixture cluster;
  cluster.start();
  Caller admin = cluster.admin();
  const auto key = PrivateKey::generate_p256();
  const std::string csr = make_csr(*key).value();
  const auto vera = as<proto::OperatorReply>(admin.post("/v1/operators", proto::encode(proto::OperatorRequest{csr, "vera", "operator"})));
  const auto kubeconfig = as<proto::KubeconfigReply>(admin.post("/v1/cluster/kubeconfig", proto::encode(proto::KubeconfigRequest{csr, "vera"})));
  const std::string kube_ca = joined(cluster, "n1", 11).reply.ca_bundles.at("kubeClient");
  const auto list_of = [&admin](const std::string& ca) { return admin.get("/v1/crl?format=der&ca=" + ca).body; };
  CHECK(verify(kubeconfig.certificate, kube_ca, list_of("kubeClient")) == 0);
  REQUIRE(admin.remove("/v1/operators/vera").status == 204);
  CHECK(verify(kubeconfig.certificate, kube_ca, list_of("kubeClient")) == X509_V_ERR_CERT_REVOKED);
  CHECK(verify(vera.certificate, vera.ca_certificate, list_of("fabric")) == X509_V_ERR_CERT_REVOKED);
  cluster.stop();
  cluster.start();
  Caller again = cluster.admin();
  std::map<std::string, std::string> until;
  for (const auto& item : as<proto::RevokedList>(again.get("/v1/certificates/revoked")).items) {
    CHECK(item.node == "vera");
    until[item.usage] = item.not_after;
  }
  CHECK(until == std::map<std::string, std::string>{{"operatorOperator", vera.not_after}, {"kubeconfigAdmin", kubeconfig.not_after}});
  CHECK(as<proto::RevokedList>(again.get("/v1/certificates/revoked?node=vera")).items.empty());  // no node
  CHECK(again.remove("/v1/operators/vera").status == 404);
}

TEST_CASE("revocation lists come for every authority, signed by it, and with a number that grows", "[cluster][removal]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent agent = joined(cluster, "n1", 11);
  Caller admin = cluster.admin();
  const auto all = pem_decode(admin.get("/v1/crl").body, "X509 CRL");
  REQUIRE(all);
  CHECK(all->size() == 6);
  const auto number = [&admin] {
    const Crl crl = crl_of(admin.get("/v1/crl?format=der&ca=fabric").body);
    auto* value = static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl.get(), NID_crl_number, nullptr, nullptr));
    const long result = ASN1_INTEGER_get(value);
    ASN1_INTEGER_free(value);
    return result;
  };
  const long before = number();
  REQUIRE(admin.remove("/v1/nodes/n1").status == 204);
  CHECK(number() > before);
  const Crl crl = crl_of(admin.get("/v1/crl?format=der&ca=fabric").body);
  const Cert ca = cert_of(agent.reply.ca_bundles.at("fabric"));
  CHECK(X509_CRL_verify(crl.get(), X509_get0_pubkey(ca.get())) == 1);
  CHECK(X509_CRL_get_version(crl.get()) == 1);
  for (const char* bad : {"/v1/crl?format=der", "/v1/crl?ca=none", "/v1/crl?format=txt"}) CHECK(admin.get(bad).status == 400);
}

// One TLS connection with the agent's certificate, asking for `session` to be taken up again.
struct Visit {
  bool reused = false;
  std::string answer;
  SSL_SESSION* session = nullptr;  // the caller's
};

Visit visit(std::uint16_t port, const SimulatedAgent& agent, SSL_SESSION* session) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT);
  const Cert cert = cert_of(agent.certificates.at("agent"));
  const auto pem = agent.keys.find("agent")->second.to_pem();
  BIO* bio = BIO_new_mem_buf(pem->reveal().data(), static_cast<int>(pem->reveal().size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  SSL_CTX_use_certificate(context.get(), cert.get());
  SSL_CTX_use_PrivateKey(context.get(), key);
  EVP_PKEY_free(key);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), SSL_free);
  const int fd = raw_connect(port);
  SSL_set_fd(ssl.get(), fd);
  if (session != nullptr) SSL_set_session(ssl.get(), session);
  Visit seen;
  if (SSL_connect(ssl.get()) == 1) {
    const std::string request = "GET /v1/agent/sync?wait=0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    SSL_write(ssl.get(), request.data(), static_cast<int>(request.size()));
    char buffer[4096];
    for (int got = 0; (got = SSL_read(ssl.get(), buffer, sizeof buffer)) > 0;) seen.answer.append(buffer, static_cast<std::size_t>(got));
    seen.reused = SSL_session_reused(ssl.get()) == 1;
    seen.session = SSL_get1_session(ssl.get());
  }
  ::close(fd);
  return seen;
}

TEST_CASE("no TLS session is ever taken up again, least of all by a removed node", "[cluster][removal]") {
  ClusterFixture cluster;
  cluster.start();
  const SimulatedAgent agent = joined(cluster, "n1", 11);
  const Visit first = visit(cluster.app->port(), agent, nullptr);
  CHECK(first.answer.find("HTTP/1.1 200") == 0);
  REQUIRE(first.session != nullptr);
  CHECK(SSL_SESSION_is_resumable(first.session) == 0);
  CHECK(SSL_SESSION_has_ticket(first.session) == 0);
  const Visit second = visit(cluster.app->port(), agent, first.session);
  CHECK_FALSE(second.reused);
  CHECK(second.answer.find("HTTP/1.1 200") == 0);
  Caller admin = cluster.admin();
  REQUIRE(admin.remove("/v1/nodes/n1").status == 204);
  const Visit third = visit(cluster.app->port(), agent, first.session);
  CHECK_FALSE(third.reused);
  CHECK(third.answer.find("HTTP/1.1 410") == 0);
  for (SSL_SESSION* session : {first.session, second.session, third.session}) SSL_SESSION_free(session);
}

TEST_CASE("a coordinator whose clock is behind its own certificates does not start", "[cluster][clock]") {
  ClusterFixture cluster;
  RecordCertificate ahead;
  ahead.certificate.record = {"7f00112233445566", CertUsage::operator_admin, "admin", "", 0, cluster.now() + Seconds(3600),
                              cluster.now() + Seconds(7200), std::string(64, 'a'), std::string(64, 'b')};
  ahead.certificate.pem = "PEM";
  cluster.change(ahead);
  AppOptions options;
  options.config.listen = "127.0.0.1:0";
  options.config.data_dir = cluster.dir / "data";
  options.kube = false;
  const auto started = App::start(options);
  REQUIRE_FALSE(started);
  CHECK(started.error().message.find(to_rfc3339(ahead.certificate.record.not_before)) != std::string::npos);
  CHECK(started.error().message.find("the clock says") != std::string::npos);
}

}  // namespace
}  // namespace slipway::test
