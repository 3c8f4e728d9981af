#include "coordinator/signer/messages.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <thread>

#include "coordinator/signer/channel.hpp"
#include "coordinator/signer/wire.hpp"
#include "tests/unit/coordinator/pki_fixture.hpp"

namespace slipway::signer {
namespace {

using namespace test;
using Catch::Matchers::Contains;

IssueRequest some_request(CertUsage usage) {
  return {profile(usage, test_input()).value(), std::string("\0spki", 5), Serial::from_hex("0102ff").value(),
          k_now, k_now + Seconds(60)};
}

CaLine some_line() {
  CaLine line;
  line.kind = CaKind::etcd;
  line.phase = CaPhase::replacing;
  line.signing = {2, "aa", "01", "bb", "demo etcd", k_now, k_now + Seconds(10)};
  line.other = CaFacts{1, "cc", "02", "dd", "demo etcd old", k_now, k_now + Seconds(5)};
  line.last_number = 2;
  return line;
}

Open some_open() {
  return {"/ca", "/import", "/pass", "", {{CaKind::etcd, some_line()}}, {test_cluster(), {}}, k_now};
}

CrlSpec some_crl() {
  CrlSpec spec{CaKind::fabric, 7, k_now, k_now + Seconds(60), {}, 1};
  spec.entries.push_back({Serial::from_hex("05").value(), k_now, CrlReason::privilege_withdrawn});
  return spec;
}

// Each with what reads it, behind its first byte.
struct Sample {
  std::string bytes;
  std::function<bool(std::string_view)> reads;
};
std::vector<Sample> requests() {
  return {
      {encode_open(some_open()), [](std::string_view b) { return decode_open(b).has_value(); }},
      {encode_issue({some_request(CertUsage::agent), some_request(CertUsage::apiserver_serving)}),
       [](std::string_view b) { return decode_issue(b).has_value(); }},
      {encode_crl(some_crl()), [](std::string_view b) { return decode_crl(b).has_value(); }},
      {encode_wish(Op::make, {CaKind::etcd, 4}),
       [](std::string_view b) { return decode_wish(b).has_value(); }},
      {encode_use(some_line()), [](std::string_view b) { return decode_use(b).has_value(); }},
      {encode_follow({test_cluster(), {}}), [](std::string_view b) { return decode_follow(b).has_value(); }}};
}

TEST_CASE("the signer's requests come over as they were", "[signer][wire]") {
  const std::string asked = encode_issue({some_request(CertUsage::apiserver_serving)});
  const auto request = decode_request(asked);
  REQUIRE(request);
  CHECK(request->op == Op::issue);
  const auto issue = decode_issue(request->rest);
  REQUIRE(issue);
  const IssueRequest wanted = some_request(CertUsage::apiserver_serving);
  CHECK(issue->at(0).spec == wanted.spec);
  CHECK(issue->at(0).spki_der == wanted.spki_der);
  CHECK(issue->at(0).serial == wanted.serial);
  CHECK(issue->at(0).not_after == wanted.not_after);

  const std::string bytes = encode_open(some_open());
  const auto open = decode_open(std::string_view(bytes).substr(1));
  REQUIRE(open);
  CHECK(open->lines == some_open().lines);
  CHECK(open->passphrase_file == "/pass");
  CHECK(open->rules.cluster.node_cidrs == test_cluster().node_cidrs);
  CHECK(open->rules.lifetimes.operators == Lifetimes{}.operators);
  CHECK(encode_open(*open) == bytes);
  const auto crl = decode_crl(std::string_view(encode_crl(some_crl())).substr(1));
  REQUIRE(crl);
  CHECK(crl->entries.at(0).reason == CrlReason::privilege_withdrawn);
}

TEST_CASE("answers come over as they were, errors too", "[signer][wire]") {
  const IssuedCert cert{"pem", std::string("\0der", 4), "aa", "bb", k_now, k_now + Seconds(1), 3};
  const auto issued = decode_issued(encode_issued({cert, cert}));
  REQUIRE(issued);
  CHECK(issued->size() == 2);
  CHECK(issued->at(1).der == cert.der);
  CHECK(issued->at(1).ca == 3);
  Error error = make_error(Errc::exhausted, Cause::no_block, "no more");
  error.pointer = "/x";
  error.retry_after = 9;
  const auto failed = decode_issued(encode_error(error));
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::exhausted);
  CHECK(failed.error().cause == Cause::no_block);
  CHECK(failed.error().message == "no more");
  CHECK(failed.error().pointer == "/x");
  CHECK(failed.error().retry_after == 9);
  CHECK(decode_done(encode_done()));
  CHECK(decode_bytes(encode_bytes("list")).value() == "list");
  Opened opened;
  opened.cas = {{CaKind::etcd, some_line().signing, "pem"}};
  opened.lines[CaKind::etcd] = some_line();
  opened.service_account_key = Secret("key");
  opened.tokens = true;
  const auto back = decode_opened(encode_opened(opened));
  REQUIRE(back);
  CHECK(back->cas.at(0).pem == "pem");
  CHECK(back->lines.at(CaKind::etcd) == some_line());
  CHECK(back->service_account_key.reveal() == "key");
  CHECK(back->tokens);
}

TEST_CASE("no byte may be missing, added or out of its bounds", "[signer][wire]") {
  for (const Sample& sample : requests()) {
    const std::string_view whole = std::string_view(sample.bytes).substr(1);
    REQUIRE(sample.reads(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::string part(
          whole.substr(0, size));  // of just this size, so that a step beyond its end is seen
      CHECK_FALSE(sample.reads(part));
    }
    CHECK_FALSE(sample.reads(std::string(whole) + '\0'));
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (const char octet : {'\x7f', '\xff', '\x80'}) {
        std::string changed(whole);
        changed[i] = octet;
        static_cast<void>(sample.reads(changed));  // whatever it says, nothing is read past the end
      }
    }
  }
  CHECK_FALSE(decode_request(""));
  CHECK_FALSE(decode_request(std::string(1, static_cast<char>(k_ops))));
  // A number of things that are not there makes nobody reserve memory.
  CHECK_FALSE(decode_issue(std::string("\xff\xff\xff\xff", 4)));
  CHECK_FALSE(decode_issued(std::string("\0\xff\xff\xff\xff", 5)));
  for (const std::string& answer :
       {std::string(), std::string("\2"), std::string("\1\xff"), std::string("\0\0", 2)}) {
    CHECK(decode_done(answer).error().code == Errc::corrupt);
  }
}

TEST_CASE("a batch has a limit", "[signer][wire]") {
  const std::vector<IssueRequest> many(k_max_batch + 1, some_request(CertUsage::agent));
  const std::string bytes = encode_issue(many);
  CHECK_FALSE(decode_issue(std::string_view(bytes).substr(1)));
}

TEST_CASE("messages of any size go over a channel", "[signer][wire]") {
  auto pair = make_channel(Seconds(20)).value();
  for (const std::size_t size : {0UL, 1UL, 16UL * 1024 - 4, 16UL * 1024, 3UL * 1024 * 1024}) {
    std::thread echo([&pair] {
      const auto got = receive_message(pair.signer.get(), k_max_frame);
      if (got) static_cast<void>(send_message(pair.signer.get(), *got));
    });
    const std::string message(size, 'm');
    CHECK(send_message(pair.coordinator.get(), message));
    CHECK(receive_message(pair.coordinator.get(), k_max_frame).value() == message);
    echo.join();
  }
}

TEST_CASE("a channel ends with a reason", "[signer][wire]") {
  auto pair = make_channel(Seconds(20)).value();
  const auto put = [&pair](std::string_view bytes) {
    REQUIRE(::send(pair.coordinator.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(bytes.size()));
  };
  SECTION("closed between messages") {
    pair.coordinator.reset();
    CHECK(receive_message(pair.signer.get(), 100).error().code == Errc::gone);
    CHECK(send_message(pair.signer.get(), "x").error().code == Errc::gone);
  }
  SECTION("closed within a message") {
    put(std::string("\0\0\0\5ab", 6));
    pair.coordinator.reset();
    CHECK(receive_message(pair.signer.get(), 100).error().code == Errc::corrupt);
  }
  SECTION("closed within a length") {
    put(std::string("\0\0", 2));
    pair.coordinator.reset();
    CHECK(receive_message(pair.signer.get(), 100).error().code == Errc::corrupt);
  }
  SECTION("longer than allowed") {
    put("\xff\xff\xff\xff");
    CHECK_THAT(receive_message(pair.signer.get(), 100).error().message, Contains("4294967295 bytes"));
  }
  SECTION("two at once") {
    put(std::string("\0\0\0\1a\0\0\0\1b", 10));
    CHECK_THAT(receive_message(pair.signer.get(), 100).error().message, Contains("two messages"));
  }
}

TEST_CASE("an answer that does not come is given up", "[signer][wire]") {
  auto pair = make_channel(Seconds(1)).value();
  CHECK(send_message(pair.coordinator.get(), "question"));
  CHECK(receive_message(pair.coordinator.get(), 100).error().code == Errc::timeout);
}

}  // namespace
}  // namespace slipway::signer
