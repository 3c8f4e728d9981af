#include "peer.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cluster_dir.hpp"

namespace bench {

using namespace slipway;

namespace {

constexpr std::size_t k_tail = 2000;

void add_name(X509_NAME* name, const char* field, const std::string& value) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
}

}  // namespace

PeerDir::PeerDir(const std::string& parent) : ca_(test::make_root("peer CA")) {
  dir_ = parent + "/slipway-peer-XXXXXX";
  if (::mkdtemp(dir_.data()) == nullptr) die("no folder below " + parent);
  test::CertOptions server;
  server.common_name = "server";
  server.ips = {k_address};
  server.extended_key_usage = "serverAuth";
  const test::TestCert serving = test::issue(ca_, server);
  write("ca.crt", ca_.certificate_pem);
  write("ca.key", ca_.key_pem);
  write("server.crt", serving.certificate_pem);
  write("server.key", serving.key_pem);
}

PeerDir::~PeerDir() {
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

// The folder is for its owner alone (mkdtemp), and the keys live as long as it.
void PeerDir::write(const std::string& name, const std::string& content) const {
  std::ofstream file(path(name), std::ios::binary);
  file << content;
  if (!file.flush()) die("writing " + path(name) + " failed");
}

std::string PeerDir::end_of(const std::string& name) const {
  std::ostringstream text;
  text << std::ifstream(path(name), std::ios::binary).rdbuf();
  const std::string all = text.str();
  return all.size() > k_tail ? all.substr(all.size() - k_tail) : all;
}

test::TestCert PeerDir::client(const std::string& common_name, const std::string& organization) const {
  test::CertOptions options;
  options.common_name = common_name;
  options.organization = organization;
  options.extended_key_usage = "clientAuth";
  return test::issue(ca_, options);
}

std::shared_ptr<http::TlsClientContext> PeerDir::tls(const test::TestCert& identity) const {
  const http::ClientIdentity own{identity.certificate_pem, Secret(identity.key_pem)};
  return must(http::TlsClientContext::make(ca_.certificate_pem, &own), "tls");
}

PeerProcesses::~PeerProcesses() {
  for (ServerProcess& process : processes_) process.kill_now();
}

void PeerProcesses::start(const std::string& name, const std::vector<std::string>& argv, int port) {
  const std::string log = name + ".log";
  ServerProcess& process = processes_.emplace_back(argv, cpu_, dir_.path(log));
  if (!process.wait_until_listening(k_address, port)) die(name + " has ended: " + dir_.end_of(log));
}

bool PeerProcesses::running() {
  for (ServerProcess& process : processes_) {
    if (!process.running()) return false;
  }
  return true;
}

Usage PeerProcesses::usage() const {
  Usage sum;
  for (const ServerProcess& process : processes_) {
    const Usage one = process.usage();
    sum.cpu_seconds += one.cpu_seconds;
    sum.rss_kib += one.rss_kib;
  }
  return sum;
}

// Our own make_csr() leaves the subject empty; Kubernetes reads the node's name there.
std::string named_csr(const std::string& organization, const std::string& common_name) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> csr(X509_REQ_new(), &X509_REQ_free);
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> text(BIO_new(BIO_s_mem()), &BIO_free_all);
  if (!key || !csr || !text) die("out of memory");
  add_name(X509_REQ_get_subject_name(csr.get()), "O", organization);
  add_name(X509_REQ_get_subject_name(csr.get()), "CN", common_name);
  X509_REQ_set_pubkey(csr.get(), key.get());
  if (X509_REQ_sign(csr.get(), key.get(), EVP_sha256()) <= 0) die("signing a CSR failed");
  if (PEM_write_bio_X509_REQ(text.get(), csr.get()) != 1) die("writing a CSR failed");
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace bench
