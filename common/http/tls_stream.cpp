#include "common/http/tls_stream.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "common/core/ip.hpp"
#include "common/http/handshake_turns.hpp"
#include "common/http/tls_native.hpp"

namespace slipway::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_linger_bytes = 1024 * 1024;

// A BIO on the socket that never raises SIGPIPE (OpenSSL's own uses write()). The descriptor stays the
// socket's.
int bio_fd(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

// On Linux EWOULDBLOCK is the same number.
bool is_again(int number) {
  return number == EAGAIN || number == EINTR;
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::recv(bio_fd(bio), data, static_cast<std::size_t>(size), 0);
  if (n < 0 && is_again(errno)) BIO_set_retry_read(bio);
  return static_cast<int>(n);
}

int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::send(bio_fd(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && is_again(errno)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

long bio_ctrl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_bio_method() {
  static const Ossl<BIO_METHOD> method = [] {
    Ossl<BIO_METHOD> made(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "slipway socket"));
    if (made) {
      BIO_meth_set_read(made.get(), bio_read);
      BIO_meth_set_write(made.get(), bio_write);
      BIO_meth_set_ctrl(made.get(), bio_ctrl);
    }
    return made;
  }();
  return method.get();
}

// Alerts from the other end, in words. TLS 1.3 tells a client only after its handshake that its certificate
// was refused.
const char* alert_text(int reason) {
  switch (reason) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "the other end says that our certificate has expired";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the other end does not trust the CA of our certificate";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      return "the other end refuses our certificate";
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
      return "the other end says that our certificate is not meant for this use";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "the other end says that our certificate is revoked";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the other end asks for a client certificate";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_VERSION_NUMBER:
      return "no common TLS version: this end speaks TLS 1.3 only";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return "the other end does not speak slipway/1: coordinator and agents are of versions that do not fit";
    case SSL_R_HTTP_REQUEST:
      return "the other end speaks plain HTTP: use https";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the other end closed the connection";
    default:
      return nullptr;
  }
}

// After the certificate: a stranger must not be able to send anyone looking for another version.
Status speaks_slipway(const SSL* ssl) {
  const unsigned char* chosen = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl, &chosen, &size);
  const std::string_view name(reinterpret_cast<const char*>(chosen), size);
  if (name == k_slipway_protocol) return {};
  return make_error(Errc::unavailable, "the other end does not speak " + std::string(k_slipway_protocol) +
                                           ": it is no coordinator, or one of a version before; update the coordinator first");
}

}  // namespace

struct TlsStream::Impl {
  Impl(Socket s, std::shared_ptr<const void> tls)
      : socket(std::move(s)), timer(socket.get_executor()), context(std::move(tls)) {}

  Socket socket;
  asio::steady_timer timer;
  std::shared_ptr<const void> context;  // what `ssl` verifies with
  Ossl<SSL> ssl;
  VerifyNotes notes;
  bool is_client = false;
  bool is_cut = false;
  bool timer_runs = false;
  SteadyTime timer_due;
  SteadyTime deadline;

  void set_deadline(const std::shared_ptr<Impl>& self, SteadyTime when);
  static void run_timer(const std::shared_ptr<Impl>& self);
  // Waits until OpenSSL can go on; `code` is what SSL_get_error said.
  static asio::awaitable<Status> wait(std::shared_ptr<Impl> self, int code, SteadyTime deadline);
  Error failure(int code, int number);
  Status verified() const;
};

// One timer runs behind the deadlines: moving a deadline further away, which every step of progress does,
// costs nothing.
void TlsStream::Impl::set_deadline(const std::shared_ptr<Impl>& self, SteadyTime when) {
  deadline = when;
  if (when == SteadyTime::max() || (timer_runs && timer_due <= when)) return;
  run_timer(self);
}

void TlsStream::Impl::run_timer(const std::shared_ptr<Impl>& self) {
  self->timer_runs = true;
  self->timer_due = self->deadline;
  self->timer.expires_at(self->deadline);
  self->timer.async_wait([weak = std::weak_ptr<Impl>(self)](const boost::system::error_code& ec) {
    const std::shared_ptr<Impl> impl = weak.lock();
    if (ec || !impl) return;
    impl->timer_runs = false;
    if (impl->deadline == SteadyTime::max()) return;
    if (std::chrono::steady_clock::now() < impl->deadline) {
      run_timer(impl);
    } else {
      boost::system::error_code ignored;
      impl->socket.cancel(ignored);
    }
  });
}

asio::awaitable<Status> TlsStream::Impl::wait(std::shared_ptr<Impl> self, int code, SteadyTime until) {
  const auto what = code == SSL_ERROR_WANT_READ ? Socket::wait_read : Socket::wait_write;
  for (;;) {
    if (self->is_cut) co_return make_error(Errc::canceled, "the connection was cut");
    if (std::chrono::steady_clock::now() >= until) co_return make_error(Errc::timeout, "no progress in time");
    self->set_deadline(self, until);
    boost::system::error_code ec;
    co_await self->socket.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
    if (!ec) co_return Status{};
    if (ec != asio::error::operation_aborted) co_return from_errno("waiting", ec.value());
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return make_error(Errc::canceled, "cancelled");
  }
}

Error TlsStream::Impl::failure(int code, int number) {
  if (code == SSL_ERROR_SYSCALL) {
    ERR_clear_error();
    if (number == 0) return make_error(Errc::unavailable, "the other end closed the connection");
    Error error = from_errno("connection", number);
    if (number == EPIPE) error.code = Errc::unavailable;
    return error;
  }
  const int reason = ERR_GET_REASON(ERR_peek_error());
  const char* const known = alert_text(reason);
  const std::string text = drain_openssl_errors();
  if (!notes.failure.empty()) return make_error(Errc::unauthenticated, notes.failure);
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return make_error(Errc::unavailable, known);
  return make_error(Errc::unauthenticated, known != nullptr ? known : text);
}

// Default deny: the callbacks' word alone is not enough, and X509_V_OK is also what "no certificate" looks
// like.
Status TlsStream::Impl::verified() const {
  const bool has_certificate = SSL_get0_peer_certificate(ssl.get()) != nullptr;
  if (SSL_version(ssl.get()) != TLS1_3_VERSION)
    return make_error(Errc::unauthenticated, "the connection is not TLS 1.3");
  if (is_client && !has_certificate)
    return make_error(Errc::unauthenticated, "the server presented no certificate");
  const long verdict = SSL_get_verify_result(ssl.get());
  if (verdict != X509_V_OK || !notes.failure.empty()) {
    if (!notes.failure.empty()) return make_error(Errc::unauthenticated, notes.failure);
    return make_error(Errc::unauthenticated, X509_verify_cert_error_string(verdict));
  }
  if (notes.slipway_only) return speaks_slipway(ssl.get());
  return {};
}

TlsStream::TlsStream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsStream::~TlsStream() = default;
TlsStream::TlsStream(TlsStream&&) noexcept = default;
TlsStream& TlsStream::operator=(TlsStream&&) noexcept = default;

Result<TlsStream> TlsStream::make(std::shared_ptr<Impl> impl) {
  boost::system::error_code ec;
  impl->socket.native_non_blocking(true, ec);
  if (ec) return from_errno("preparing the socket", ec.value());
  impl->socket.set_option(asio::ip::tcp::no_delay(true), ec);  // a failure costs only time
  BIO* const bio = impl->ssl ? BIO_new(socket_bio_method()) : nullptr;
  if (bio == nullptr) return make_error(Errc::internal, "preparing TLS: " + drain_openssl_errors());
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(impl->socket.native_handle())));
  BIO_set_init(bio, 1);
  SSL_set_bio(impl->ssl.get(), bio, bio);
  SSL_set_app_data(impl->ssl.get(), &impl->notes);
  return TlsStream(std::move(impl));
}

Result<TlsStream> TlsStream::server(Socket socket, std::shared_ptr<TlsServerContext> context) {
  const auto& native = static_cast<const TlsServerContextImpl&>(*context);
  SSL_CTX* const settings = native.settings.context.get();
  auto impl = std::make_shared<Impl>(std::move(socket), std::move(context));
  impl->ssl.reset(SSL_new(settings));
  if (impl->ssl) SSL_set_accept_state(impl->ssl.get());
  return make(std::move(impl));
}

Result<TlsStream> TlsStream::client(Socket socket, std::shared_ptr<TlsClientContext> context,
                                    const std::string& host) {
  const auto& native = static_cast<const TlsClientContextImpl&>(*context);
  SSL_CTX* const settings = native.settings.context.get();
  auto impl = std::make_shared<Impl>(std::move(socket), std::move(context));
  impl->ssl.reset(SSL_new(settings));
  if (!impl->ssl) return make(std::move(impl));
  impl->is_client = true;
  impl->notes.expected_host = host;
  impl->notes.slipway_only = native.settings.slipway_only;
  SSL* const ssl = impl->ssl.get();
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* const param = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(param,
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const Result<IpAddress> address = IpAddress::parse(host);
  const std::string bytes = address ? address->bytes() : std::string();
  // SSL_set_tlsext_host_name without the old-style cast in its macro; OpenSSL copies the name.
  const auto set_sni = [&] {
    return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    const_cast<char*>(host.c_str())) == 1;
  };
  const bool set = address
                       ? X509_VERIFY_PARAM_set1_ip(
                             param, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1
                       : X509_VERIFY_PARAM_set1_host(param, host.data(), host.size()) == 1 && set_sni();
  if (!set || host.empty()) return make_error(Errc::internal, "preparing TLS: " + drain_openssl_errors());
  return make(std::move(impl));
}

asio::awaitable<Status> TlsStream::handshake(SteadyTime deadline, HandshakeTurns* turns, bool known) {
  const std::shared_ptr<Impl> impl = impl_;
  if (turns != nullptr) {
    // Who sends nothing takes no turn.
    asio::awaitable<Status> waiting = Impl::wait(impl, SSL_ERROR_WANT_READ, deadline);
    const Status waited = co_await std::move(waiting);
    if (!waited) co_return waited.error();
  }
  for (;;) {
    if (turns != nullptr) {
      asio::awaitable<bool> taking = turns->next(known, deadline);
      const bool mine = co_await std::move(taking);
      if (!mine) co_return make_error(Errc::timeout, "no progress in time");
    }
    ERR_clear_error();
    errno = 0;
    const int done = SSL_do_handshake(impl->ssl.get());
    const int number = errno;
    if (done == 1) co_return impl->verified();
    const int code = SSL_get_error(impl->ssl.get(), done);
    if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE) co_return impl->failure(code, number);
    asio::awaitable<Status> waiting = Impl::wait(impl, code, deadline);
    const Status waited = co_await std::move(waiting);
    if (!waited) co_return waited.error();
  }
}

asio::awaitable<Result<std::size_t>> TlsStream::read_some(char* data, std::size_t size, SteadyTime deadline) {
  const std::shared_ptr<Impl> impl = impl_;
  for (;;) {
    if (impl->is_cut) co_return make_error(Errc::canceled, "the connection was cut");
    ERR_clear_error();
    errno = 0;
    std::size_t got = 0;
    const int done = SSL_read_ex(impl->ssl.get(), data, size, &got);
    const int number = errno;
    if (done == 1) co_return got;
    const int code = SSL_get_error(impl->ssl.get(), done);
    if (code == SSL_ERROR_ZERO_RETURN) co_return std::size_t{0};
    if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE) co_return impl->failure(code, number);
    asio::awaitable<Status> waiting = Impl::wait(impl, code, deadline);
    const Status waited = co_await std::move(waiting);
    if (!waited) co_return waited.error();
  }
}

asio::awaitable<Status> TlsStream::write(std::string_view data, Millis idle, SteadyTime deadline) {
  const std::shared_ptr<Impl> impl = impl_;
  SteadyTime due = std::min(deadline, std::chrono::steady_clock::now() + idle);
  while (!data.empty()) {
    if (impl->is_cut) co_return make_error(Errc::canceled, "the connection was cut");
    ERR_clear_error();
    errno = 0;
    std::size_t sent = 0;
    const int done = SSL_write_ex(impl->ssl.get(), data.data(), data.size(), &sent);
    const int number = errno;
    if (done == 1) {
      data.remove_prefix(sent);
      due = std::min(deadline, std::chrono::steady_clock::now() + idle);
      continue;
    }
    const int code = SSL_get_error(impl->ssl.get(), done);
    if (code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE) co_return impl->failure(code, number);
    asio::awaitable<Status> waiting = Impl::wait(impl, code, due);
    const Status waited = co_await std::move(waiting);
    if (!waited) co_return waited.error();
  }
  co_return Status{};
}

asio::awaitable<void> TlsStream::linger(Millis limit) {
  const std::shared_ptr<Impl> impl = impl_;
  ERR_clear_error();
  if (SSL_is_init_finished(impl->ssl.get()) == 1) (void)SSL_shutdown(impl->ssl.get());
  ERR_clear_error();
  boost::system::error_code ignored;
  impl->socket.shutdown(Socket::shutdown_send, ignored);
  const SteadyTime deadline = std::chrono::steady_clock::now() + limit;
  std::array<char, 4096> rest{};
  std::size_t budget = k_linger_bytes;
  while (budget > 0) {
    // Raw bytes: nobody looks at them.
    const ssize_t n = ::recv(impl->socket.native_handle(), rest.data(), std::min(rest.size(), budget), 0);
    if (n > 0) {
      budget -= static_cast<std::size_t>(n);
      continue;
    }
    if (n == 0 || !is_again(errno)) co_return;
    asio::awaitable<Status> waiting = Impl::wait(impl, SSL_ERROR_WANT_READ, deadline);
    const Status waited = co_await std::move(waiting);
    if (!waited) co_return;
  }
}

bool TlsStream::quiet() {
  ERR_clear_error();
  char byte = 0;
  std::size_t got = 0;
  const int done = SSL_peek_ex(impl_->ssl.get(), &byte, 1, &got);
  const bool waiting = done != 1 && SSL_get_error(impl_->ssl.get(), done) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  return waiting && !impl_->is_cut;
}

std::string TlsStream::peer_certificate() const {
  X509* const certificate = SSL_get0_peer_certificate(impl_->ssl.get());
  if (certificate == nullptr || SSL_get_verify_result(impl_->ssl.get()) != X509_V_OK) return {};
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

void TlsStream::cut() {
  impl_->is_cut = true;
  boost::system::error_code ignored;
  impl_->socket.shutdown(Socket::shutdown_both, ignored);
  impl_->socket.cancel(ignored);
}

}  // namespace slipway::http
