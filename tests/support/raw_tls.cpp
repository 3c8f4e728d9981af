#include "tests/support/raw_tls.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

namespace slipway::test {

namespace {

struct Free {
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(BIO* p) const { BIO_free_all(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
};
template <class T>
using Handle = std::unique_ptr<T, Free>;

void use(SSL_CTX* context, const std::string& chain_pem, const std::string& key_pem) {
  const Handle<BIO> chain(BIO_new_mem_buf(chain_pem.data(), static_cast<int>(chain_pem.size())));
  const Handle<BIO> key_text(BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())));
  const Handle<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  for (bool first = true;; first = false) {
    const Handle<X509> certificate(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    if (first) {
      SSL_CTX_use_certificate(context, certificate.get());
    } else {
      SSL_CTX_add1_chain_cert(context, certificate.get());
    }
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) throw std::runtime_error("raw TLS: bad key");
}

void set_versions(SSL_CTX* context, TlsVersions versions) {
  const int version = versions == TlsVersions::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context, version);
}

void set_timeouts(int fd) {
  const timeval limit{10, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// OpenSSL's socket BIO writes with write().
void ignore_sigpipe() {
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

struct RawTlsServer::Context {
  Handle<SSL_CTX> tls{SSL_CTX_new(TLS_server_method())};
};

// The first one offered: as a coordinator of our version does.
static int take_first_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered, unsigned int, void*) {
  *size = offered[0];
  *chosen = offered + 1;
  return SSL_TLSEXT_ERR_OK;
}

void RawTlsServer::name_no_protocol() {
  SSL_CTX_set_alpn_select_cb(context_->tls.get(), nullptr, nullptr);
}

RawTlsServer::RawTlsServer(const std::string& chain_pem, const std::string& key_pem, TlsVersions versions)
    : context_(std::make_unique<Context>()) {
  ignore_sigpipe();
  use(context_->tls.get(), chain_pem, key_pem);
  set_versions(context_->tls.get(), versions);
  SSL_CTX_set_alpn_select_cb(context_->tls.get(), take_first_protocol, nullptr);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("raw TLS: cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

RawTlsServer::~RawTlsServer() {
  stop();
}

void RawTlsServer::stop() {
  if (!thread_.joinable()) return;
  ::shutdown(listener_, SHUT_RDWR);  // wakes accept()
  thread_.join();
  ::close(listener_);
}

void RawTlsServer::run() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    set_timeouts(fd);
    serve(fd);
    ::close(fd);
  }
}

void RawTlsServer::serve(int fd) {
  const Handle<SSL> ssl(SSL_new(context_->tls.get()));
  SSL_set_fd(ssl.get(), fd);
  if (SSL_accept(ssl.get()) != 1) return;
  std::array<char, 4096> data{};
  const int n = SSL_read(ssl.get(), data.data(), static_cast<int>(data.size()));
  if (n <= 0) return;
  bytes_ += static_cast<std::size_t>(n);
  const Answer answer = answer_ ? answer_(std::string(data.data(), static_cast<std::size_t>(n))) : Answer{};
  if (!answer.text.empty()) SSL_write(ssl.get(), answer.text.data(), static_cast<int>(answer.text.size()));
  if (answer.stay) SSL_read(ssl.get(), data.data(), static_cast<int>(data.size()));
  SSL_shutdown(ssl.get());
}

struct RawTlsClient::Context {
  Handle<SSL_CTX> tls{SSL_CTX_new(TLS_client_method())};
  Handle<SSL> ssl;
  int tickets = 0;
};

int raw_connect(std::uint16_t port, const char* from) {
  ignore_sigpipe();
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  sockaddr_in source = loopback(0);
  if (::inet_pton(AF_INET, from, &source.sin_addr) != 1 || ::bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0 ||
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    throw std::runtime_error("raw TLS: cannot connect");
  }
  set_timeouts(fd);
  return fd;
}

namespace {

int count_ticket(SSL* ssl, SSL_SESSION*) {
  ++*static_cast<int*>(SSL_get_app_data(ssl));
  return 0;
}

}  // namespace

RawTlsClient::RawTlsClient(std::uint16_t port, const TestCert* identity, TlsVersions versions, const char* from)
    : context_(std::make_unique<Context>()) {
  SSL_CTX* const tls = context_->tls.get();
  if (identity != nullptr) use(tls, identity->certificate_pem, identity->key_pem);
  set_versions(tls, versions);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(tls, count_ticket);
  fd_ = raw_connect(port, from);
  context_->ssl.reset(SSL_new(tls));
  SSL_set_app_data(context_->ssl.get(), &context_->tickets);
  SSL_set_fd(context_->ssl.get(), fd_);
}

RawTlsClient::~RawTlsClient() {
  ::close(fd_);
}

void RawTlsClient::offer(std::initializer_list<std::string_view> protocols) {
  std::string list;
  for (const std::string_view name : protocols) {
    list += static_cast<char>(name.size());
    list += name;
  }
  SSL_set_alpn_protos(context_->ssl.get(), reinterpret_cast<const unsigned char*>(list.data()), static_cast<unsigned>(list.size()));
}

std::string RawTlsClient::protocol() const {
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(context_->ssl.get(), &chosen, &size);
  return {reinterpret_cast<const char*>(chosen), size};
}

bool RawTlsClient::handshake() {
  established_ = SSL_connect(context_->ssl.get()) == 1;
  return established_;
}

bool RawTlsClient::write(std::string_view bytes) {
  if (!established_)
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  return SSL_write(context_->ssl.get(), bytes.data(), static_cast<int>(bytes.size())) ==
         static_cast<int>(bytes.size());
}

std::string RawTlsClient::read_until(std::string_view marker) {
  std::string out;
  std::array<char, 4096> data{};
  while (marker.empty() || out.find(marker) == std::string::npos) {
    const ssize_t n = established_ ? SSL_read(context_->ssl.get(), data.data(), static_cast<int>(data.size()))
                                   : ::recv(fd_, data.data(), data.size(), 0);
    if (n <= 0) break;
    out.append(data.data(), static_cast<std::size_t>(n));
  }
  return out;
}

bool RawTlsClient::sees_end() {
  read_all();
  // Stopped by the socket's time limit: nothing came, and nobody hung up.
  return SSL_get_error(context_->ssl.get(), 0) != SSL_ERROR_WANT_READ;
}

void RawTlsClient::set_receive_buffer(int bytes) {
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

int RawTlsClient::session_tickets() const {
  return context_->tickets;
}

}  // namespace slipway::test
