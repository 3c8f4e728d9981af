#include "agent/domain/artifact_trust.hpp"

#include <catch2/catch.hpp>

#include "common/core/text.hpp"
#include "common/crypto/ed25519.hpp"

using namespace slipway;

namespace {

struct Signer {
  Ed25519Pair pair = make_ed25519_pair().value();
  std::string key = to_base64(pair.public_key);
  std::string sign(const std::string& text) const {
    const auto parsed = proto::parse_signed_manifest(text);
    REQUIRE(parsed);
    return proto::add_signature(text, {key, ed25519_sign(pair.seed, parsed->signed_bytes).value()}).value();
  }
};

const WallTime k_end = parse_rfc3339("2027-01-01T00:00:00Z").value();
const proto::NamedArtifact k_kubelet{"kubelet", "1.20.2", "file", 7, std::string(64, 'a')};

std::string text_of(std::uint64_t number, std::vector<std::string> signers = {},
                    std::uint64_t threshold = 1) {
  return proto::manifest_text({number, k_end, std::move(signers), threshold, {k_kubelet}});
}

TrustUpdate offer(const proto::ArtifactTrust& known, const SignerWish& cluster, const std::string& text) {
  return update_trust(known, {}, cluster, text, ed25519_verify);
}

}  // namespace

TEST_CASE("artifact manifest: one form for one content") {
  const std::string text = text_of(7);
  REQUIRE(proto::parse_signed_manifest(text));
  const std::string bad[] = {
      "",
      "x",
      text.substr(0, text.size() - 1),
      text + "more 1\n",
      "slipway-manifest 2\n" + text.substr(text.find('\n') + 1),
      text + text,
      text + "artifact kubelet 1.20.2 file 8 " + std::string(64, 'b') + "\n",
      text + "artifact ../x 1 file 8 " + std::string(64, 'b') + "\n",
      text + "artifact a-first 1 file 8 " + std::string(64, 'b') + "\n",  // not in order
      text + "signature x y\n",
      "slipway-manifest 1\nnumber 07\nexpires 2027-01-01T00:00:00Z\n",
      "slipway-manifest 1\nnumber 0\nexpires 2027-01-01T00:00:00Z\n",
      "signature a b\n" + text};
  for (const std::string& each : bad) {
    INFO(each);
    CHECK_FALSE(proto::parse_signed_manifest(each));
  }
  const Signer signer;
  const std::string once = signer.sign(text);
  CHECK(signer.sign(once) == once);  // replaced, not added
  CHECK_FALSE(proto::parse_signed_manifest(once + text));
  CHECK_FALSE(proto::parse_signed_manifest(once + once.substr(text.size())));  // a key twice
}

TEST_CASE("artifact trust: every flipped bit of a signed manifest is noticed") {
  const Signer signer;
  const std::string text = signer.sign(text_of(7));
  const SignerWish cluster{{signer.key}, 1};
  REQUIRE(offer({}, cluster, text).complaint.empty());
  for (std::size_t at = 0; at < text.size() * 8; ++at) {
    std::string flipped = text;
    flipped[at / 8] = static_cast<char>(flipped[at / 8] ^ (1 << at % 8));
    const TrustUpdate update = offer({}, cluster, flipped);
    INFO(at);
    CHECK_FALSE(update.complaint.empty());
    CHECK(update.trust.manifest.empty());
  }
}

TEST_CASE("artifact trust: pinned signers, rollback and threshold") {
  const Signer mine, other, third;
  CHECK_FALSE(offer({}, {}, "").changed);  // nobody asks for signatures
  const proto::ArtifactTrust seven = offer({}, {{mine.key}, 1}, mine.sign(text_of(7))).trust;
  CHECK(seven.number == 7);
  // A coordinator that was taken over names its own signer, or none: what was pinned holds.
  for (const SignerWish& wish : {SignerWish{{other.key}, 1}, SignerWish{}}) {
    const TrustUpdate update = offer(seven, wish, other.sign(text_of(8)));
    CHECK(update.trust == seven);
    CHECK_THAT(update.complaint, Catch::Contains("0 of the signers"));
  }
  CHECK_THAT(offer(seven, {}, mine.sign(text_of(6))).complaint, Catch::Contains("has seen number 7"));
  CHECK_THAT(offer(seven, {}, mine.sign(text_of(7, {mine.key}))).complaint,
             Catch::Contains("another one with that number"));
  CHECK(offer(seven, {}, "").trust == seven);
  CHECK(offer(seven, {}, mine.sign(text_of(8))).trust.number == 8);
  const SignerWish two{{mine.key, other.key}, 2};
  CHECK_THAT(offer({}, two, mine.sign(text_of(1))).complaint, Catch::Contains("1 of the signers"));
  CHECK_THAT(offer({}, two, third.sign(mine.sign(text_of(1)))).complaint,
             Catch::Contains("1 of the signers"));
  CHECK(offer({}, two, other.sign(mine.sign(text_of(1)))).complaint.empty());
  // agent.yaml's hold, and what others signed counts no more.
  const TrustUpdate configured =
      update_trust(seven, {{other.key}, 1}, {{mine.key}, 1}, mine.sign(text_of(9)), ed25519_verify);
  CHECK(configured.trust.signers == std::vector{other.key});
  CHECK(configured.trust.manifest.empty());
  CHECK_FALSE(configured.complaint.empty());
}

TEST_CASE("artifact trust: signers hand over to new ones, who must agree") {
  const Signer old, next;
  const proto::ArtifactTrust before = offer({}, {{old.key}, 1}, old.sign(text_of(1))).trust;
  const std::string text = text_of(2, {next.key}, 1);
  CHECK_THAT(offer(before, {}, old.sign(text)).complaint, Catch::Contains("names new signers"));
  CHECK_FALSE(offer(before, {}, next.sign(text)).complaint.empty());
  const proto::ArtifactTrust after = offer(before, {}, next.sign(old.sign(text))).trust;
  CHECK(after.signers == std::vector{next.key});
  CHECK_FALSE(offer(after, {}, old.sign(text_of(3))).complaint.empty());
  CHECK(offer(after, {}, next.sign(text_of(3))).trust.number == 3);
}

TEST_CASE("artifact trust: only what is named, in these bytes, in time") {
  const Signer signer;
  const proto::ArtifactTrust trust = offer({}, {{signer.key}, 1}, signer.sign(text_of(7))).trust;
  const WallTime before = k_end - Seconds(1);
  CHECK(check_named({}, {"any", "1", "file", 1, "x"}, false, before));
  CHECK(check_named(trust, k_kubelet, false, before));
  CHECK_THAT(check_named(trust, k_kubelet, false, k_end).error().message, Catch::Contains("ended at"));
  CHECK(check_named(trust, k_kubelet, true, k_end));  // what runs is not taken away
  proto::NamedArtifact wish = k_kubelet;
  wish.version = "1.20.3";
  CHECK_THAT(check_named(trust, wish, true, before).error().message, Catch::Contains("does not name it"));
  wish = k_kubelet;
  wish.sha256[0] = 'b';
  CHECK(check_named(trust, wish, true, before).error().code == Errc::corrupt);
  wish = k_kubelet;
  wish.format = "tar";
  CHECK(check_named(trust, wish, false, before).error().code == Errc::corrupt);
  proto::ArtifactTrust none = trust;
  none.manifest.clear();
  CHECK(check_named(none, k_kubelet, true, before).error().code == Errc::denied);
}
