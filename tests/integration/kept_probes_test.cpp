// Health probes over connections that are kept, against a local server that counts connections and does with each question what it is told.
#include "agent/client/kept_probes.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "tests/support/io_test.hpp"
#include "tests/support/temp_dir.hpp"

using namespace slipway;
using namespace slipway::test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using Local = asio::local::stream_protocol;

namespace {

constexpr Millis k_enough{10'000};
constexpr char k_well[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

std::string frame(char type, char flags, const std::string& payload = "") {
  const char head[] = {0, 0, static_cast<char>(payload.size()), type, flags, 0, 0, 0, 0};
  return std::string(head, sizeof head) + payload;
}
const std::string k_settings = frame(4, 0);
const std::string k_taken = frame(4, 1);

// What the server was asked, by connection, and what it answers: each question takes the next answer. An answer of nothing ends the connection.
struct Script {
  std::vector<std::string> answers;
  std::size_t next = 0;
  std::vector<std::vector<std::string>> asked;
};

asio::awaitable<void> serve(std::shared_ptr<Local::socket> socket, Script* script, std::size_t index) {
  std::string bytes(1024, '\0');
  for (;;) {
    boost::system::error_code ec;
    const std::size_t size = co_await socket->async_read_some(asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    script->asked[index].push_back(bytes.substr(0, size));
    if (script->next >= script->answers.size()) continue;  // silence
    const std::string answer = script->answers[script->next++];
    if (answer.empty()) co_return;
    co_await asio::async_write(*socket, asio::buffer(answer), asio::redirect_error(asio::use_awaitable, ec));
  }
}

asio::awaitable<void> accept_all(Local::acceptor* acceptor, Script* script) {
  for (;;) {
    boost::system::error_code ec;
    auto socket = std::make_shared<Local::socket>(acceptor->get_executor());
    co_await acceptor->async_accept(*socket, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    script->asked.emplace_back();
    asio::awaitable<void> serving = serve(socket, script, script->asked.size() - 1);
    asio::co_spawn(acceptor->get_executor(), std::move(serving), asio::detached);
  }
}

struct Component {
  explicit Component(std::vector<std::string> answers) {
    script.answers = std::move(answers);
    asio::co_spawn(io.executor(), accept_all(&acceptor, &script), asio::detached);
  }
  Status ask(const std::string& path_asked, Millis limit = k_enough) { return io.run(probes.ask({{path}, path_asked}, limit)); }
  std::vector<std::size_t> questions() const {
    std::vector<std::size_t> counts;
    for (const auto& connection : script.asked) counts.push_back(connection.size());
    return counts;
  }

  Script script;
  TempDir dir;
  std::string path = dir / "component.sock";
  IoTest io;
  Local::acceptor acceptor{io.executor(), Local::endpoint(path)};
  KeptProbes probes;
};

using Counts = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a connection serves some questions, then a new one shows that the component takes any", "[probe]") {
  Component component(std::vector<std::string>(14, k_well));
  for (int i = 0; i < 14; ++i) REQUIRE(component.ask("/_ping"));
  CHECK(component.questions() == Counts{6, 6, 2});
  CHECK(component.script.asked[0][5] == "GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

TEST_CASE("an ill answer ends no connection, and is told as it is", "[probe]") {
  Component component({k_well, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", k_well});
  CHECK(component.ask("/_ping"));
  const Status ill = component.ask("/_ping");
  REQUIRE_FALSE(ill);
  CHECK(ill.error().message == "/_ping answers 503");
  CHECK(component.ask("/_ping"));
  CHECK(component.questions() == Counts{3});
}

TEST_CASE("a kept connection that the component ended is no illness: a new one is asked at once", "[probe]") {
  // Ends it when it is asked the second time, as one that was started anew does.
  Component component({k_well, "", k_well, k_well});
  for (int i = 0; i < 3; ++i) CHECK(component.ask("/_ping"));
  CHECK(component.questions() == Counts{2, 2});
}

TEST_CASE("a new connection that ends without an answer is an illness", "[probe]") {
  Component component({"", k_well, "", ""});
  CHECK_FALSE(component.ask("/_ping"));
  CHECK(component.ask("/_ping"));
  CHECK_FALSE(component.ask("/_ping"));  // the kept one and the new one
  CHECK(component.questions() == Counts{1, 2, 1});
}

TEST_CASE("half an answer is an illness, and its connection is not asked again", "[probe]") {
  Component component({k_well, "HTTP/1.1 200 OK\r\nContent-Le", k_well});
  CHECK(component.ask("/_ping"));
  const Status half = component.ask("/_ping", 100ms);
  REQUIRE_FALSE(half);
  CHECK(half.error().code == Errc::timeout);
  CHECK(component.ask("/_ping"));
  CHECK(component.questions() == Counts{2, 1});
}

TEST_CASE("a component that hangs is ill after the limit, also on a kept connection", "[probe]") {
  Component component({k_well});
  CHECK(component.ask("/_ping"));
  const Status silent = component.ask("/_ping", 100ms);
  REQUIRE_FALSE(silent);
  CHECK(silent.error().code == Errc::timeout);
  CHECK(component.questions() == Counts{2});
}

TEST_CASE("a component that says it closes is asked over a new connection", "[probe]") {
  const std::string closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK";
  Component component({closing, closing});
  CHECK(component.ask("/_ping"));
  CHECK(component.ask("/_ping"));
  CHECK(component.questions() == Counts{1, 1});
}

TEST_CASE("an answer larger than any health's is not read to its end", "[probe]") {
  Component component({"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(100'000, 'x'), k_well});
  CHECK_FALSE(component.ask("/_ping"));
  CHECK(component.ask("/_ping"));
  CHECK(component.questions() == Counts{1, 1});
}

TEST_CASE("two questions at once go over two connections, of which one is kept", "[probe]") {
  Component component({k_well, k_well, k_well, k_well});
  const auto first = component.io.start(component.probes.ask({{component.path}, "/_ping"}, k_enough));
  CHECK(component.ask("/_ping"));
  while (!first->done) component.io.poll();
  CHECK(*first->value);
  CHECK(component.ask("/_ping"));
  REQUIRE(component.questions().size() == 2);
  CHECK(component.questions()[0] + component.questions()[1] == 3);
}

TEST_CASE("a server of gRPC is greeted once a connection and then asked to take settings", "[probe]") {
  const std::string window = frame(8, 0, std::string(4, '\1'));
  Component component({k_settings + k_taken, window + k_taken, k_taken});
  for (int i = 0; i < 3; ++i) REQUIRE(component.ask(""));
  REQUIRE(component.questions() == Counts{3});
  CHECK(component.script.asked[0][0] == "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + k_settings);
  CHECK(component.script.asked[0][1] == k_taken + k_settings);  // its own settings are acknowledged once
  CHECK(component.script.asked[0][2] == k_settings);
}

TEST_CASE("what is no server of HTTP/2, or a mad one, is ill", "[probe]") {
  std::string many = k_settings;
  for (int i = 0; i < 100; ++i) many += frame(8, 0, std::string(4, '\1'));
  for (const std::string& answer : {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), k_taken, frame(6, 0, std::string(8, '\0')),
                                    std::string("\xff\xff\xff\4\0\0\0\0\0", 9), k_settings + frame(7, 0, std::string(8, '\0')), many}) {
    Component component({answer, k_settings + k_taken});
    const Status ill = component.ask("");
    REQUIRE_FALSE(ill);
    CHECK(ill.error().code == Errc::unavailable);
    CHECK(component.ask(""));
    CHECK(component.questions() == Counts{1, 1});
  }
}
