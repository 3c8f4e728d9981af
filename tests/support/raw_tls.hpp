#pragma once
// TLS ends made with plain blocking OpenSSL, independent of the code under test: they may break every rule.
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "tests/support/pki.hpp"

namespace slipway::test {

enum class TlsVersions { tls13, only_tls12 };

// Accepts one connection after the other with the given chain, and counts what arrives above TLS.
class RawTlsServer {
 public:
  RawTlsServer(const std::string& chain_pem, const std::string& key_pem,
               TlsVersions versions = TlsVersions::tls13);
  ~RawTlsServer();
  RawTlsServer(const RawTlsServer&) = delete;
  RawTlsServer& operator=(const RawTlsServer&) = delete;

  std::uint16_t port() const { return port_; }
  // What is sent after the first bytes of each connection; the connection then ends. Empty: nothing, it ends
  // at once.
  void answer_with(std::string text) {
    answer_ = [text](const std::string&) { return Answer{text}; };
  }
  struct Answer {
    std::string text;
    bool stay = false;  // the connection then lasts until the other end closes it (ten seconds at most)
  };
  // The same by the first bytes of the request; called on the server's thread.
  void answer_by(std::function<Answer(const std::string& request)> answer) { answer_ = std::move(answer); }
  // Names no protocol in the handshake; without this the first one that a client offers is taken. Before any connection.
  void name_no_protocol();
  std::size_t application_bytes() const { return bytes_; }
  int connections() const { return connections_; }
  void stop();  // ends the thread: the counts are final then

 private:
  void run();
  void serve(int fd);
  struct Context;
  std::unique_ptr<Context> context_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::function<Answer(const std::string&)> answer_;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

// A client of 127.0.0.1 that verifies nothing.
class RawTlsClient {
 public:
  explicit RawTlsClient(std::uint16_t port, const TestCert* identity = nullptr,
                        TlsVersions versions = TlsVersions::tls13, const char* from = "127.0.0.1");
  ~RawTlsClient();
  RawTlsClient(const RawTlsClient&) = delete;
  RawTlsClient& operator=(const RawTlsClient&) = delete;

  void offer(std::initializer_list<std::string_view> protocols);  // ALPN; before handshake()
  std::string protocol() const;        // the one that was chosen; empty: none
  bool handshake();                    // false: refused
  bool write(std::string_view bytes);  // above TLS, or below it before handshake() succeeded
  // Up to `marker` or the end of the connection (ten seconds at most).
  std::string read_until(std::string_view marker);
  std::string read_all() { return read_until({}); }
  // Reads on: whether the other end ends the connection, in an orderly way or not, within ten seconds.
  bool sees_end();
  void set_receive_buffer(int bytes);
  int session_tickets() const;  // received so far

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  int fd_ = -1;
  bool established_ = false;
};

// A plain TCP connection to 127.0.0.1, from an address of the loopback network.
int raw_connect(std::uint16_t port, const char* from = "127.0.0.1");

}  // namespace slipway::test
