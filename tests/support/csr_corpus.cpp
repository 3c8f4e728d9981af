#include "tests/support/csr_corpus.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <functional>
#include <memory>
#include <stdexcept>

namespace slipway::test {

namespace {

using Key = std::shared_ptr<EVP_PKEY>;

std::string bytes(const std::string& hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

std::string tlv(int tag, const std::string& content) {
  std::string out(1, static_cast<char>(tag));
  const std::size_t size = content.size();
  if (size < 0x80) return out + static_cast<char>(size) + content;
  std::string length;
  for (std::size_t rest = size; rest > 0; rest >>= 8) length.insert(length.begin(), static_cast<char>(rest & 0xff));
  return out + static_cast<char>(0x80 | length.size()) + length + content;
}
std::string seq(const std::string& content) { return tlv(0x30, content); }
std::string oid(const std::string& hex) { return tlv(0x06, bytes(hex)); }
std::string bits(const std::string& content, char unused = 0) { return tlv(0x03, std::string(1, unused) + content); }
std::string integer(const std::string& content) { return tlv(0x02, content); }
std::string set(const std::string& content) { return tlv(0x31, content); }

Key ec_key(const char* curve) { return Key(EVP_EC_gen(curve), EVP_PKEY_free); }
Key rsa_key(std::size_t size) { return Key(EVP_RSA_gen(static_cast<unsigned>(size)), EVP_PKEY_free); }
Key named_key(const char* name) { return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, name), EVP_PKEY_free); }
Key explicit_key() {
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY_keygen_init(context);
  EVP_PKEY_CTX_set_group_name(context, "P-256");
  EVP_PKEY_CTX_set_ec_param_enc(context, OPENSSL_EC_EXPLICIT_CURVE);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_keygen(context, &key);
  EVP_PKEY_CTX_free(context);
  return Key(key, EVP_PKEY_free);
}

std::string spki_of(const Key& key) {
  unsigned char* out = nullptr;
  const int size = i2d_PUBKEY(key.get(), &out);
  if (size <= 0) throw std::runtime_error("no public key");
  std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return der;
}

std::string sign(const Key& key, const std::string& message, const EVP_MD* md) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const auto* data = reinterpret_cast<const unsigned char*>(message.data());
  std::size_t size = 0;
  EVP_DigestSignInit(context.get(), nullptr, md, nullptr, key.get());
  EVP_DigestSign(context.get(), nullptr, &size, data, message.size());
  std::string out(size, '\0');
  EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, data, message.size());
  out.resize(size);
  return out;
}

const std::string k_ecdsa_sha256 = "2a8648ce3d040302", k_ecdsa_sha1 = "2a8648ce3d0401", k_ec = "2a8648ce3d0201",
                  k_p256 = "2a8648ce3d030107", k_rsa = "2a864886f70d010101";

// A request in parts, signed rightly unless a part says otherwise.
struct Draft {
  Key key;
  const EVP_MD* md = EVP_sha256();
  std::string version = bytes("020100"), subject = seq(""), spki, attributes = tlv(0xa0, "");
  std::string algorithm = seq(oid(k_ecdsa_sha256));
  Key signer;                              // instead of the key
  std::function<std::string(std::string)> forge;  // of the signature

  explicit Draft(Key own) : key(std::move(own)), spki(spki_of(key)) {}
  std::string info() const { return seq(version + subject + spki + attributes); }
  std::string der() const {
    std::string signature = sign(signer ? signer : key, info(), md);
    if (forge) signature = forge(signature);
    return seq(info() + algorithm + bits(signature));
  }
};

class Corpus {
 public:
  Corpus() {
    add_signatures();
    add_keys();
    add_rsa_numbers();
    add_names();
    add_extensions();
    add_attributes();
    add_outlines();
    add_wrappings();
  }
  std::vector<HostileCsr> made;

 private:
  const Key ec_ = ec_key("P-256"), other_ = ec_key("P-256"), rsa_ = rsa_key(2048);

  void add(const std::string& name, const Draft& draft) { made.push_back({name, csr_pem(draft.der())}); }
  void add_text(const std::string& name, const std::string& text) { made.push_back({name, text}); }
  void change(const std::string& name, const std::function<void(Draft&)>& how) {
    Draft draft(ec_);
    how(draft);
    add(name, draft);
  }
  void rsa(const std::string& name, const std::string& algorithm, const EVP_MD* md) {
    Draft draft(rsa_);
    draft.algorithm = seq(oid(algorithm) + bytes("0500"));
    draft.md = md;
    add(name, draft);
  }
  void spki(const std::string& name, const std::string& der) {
    change(name, [&der](Draft& d) { d.spki = der; });
  }

  void add_signatures();
  void add_keys();
  void add_rsa_numbers();
  void add_names();
  void add_extensions();
  void add_attributes();
  void add_outlines();
  void add_wrappings();
};

void Corpus::add_signatures() {
  change("signature altered", [](Draft& d) { d.forge = [](std::string s) { s.back() = static_cast<char>(s.back() ^ 1); return s; }; });
  change("signature of another key", [this](Draft& d) { d.signer = other_; });
  change("no signature", [](Draft& d) { d.forge = [](const std::string&) { return std::string(); }; });
  change("signature of r = s = 0", [](Draft& d) { d.forge = [](const std::string&) { return seq(bytes("020100020100")); }; });
  change("signature of r = s = 1", [](Draft& d) { d.forge = [](const std::string&) { return seq(bytes("020101020101")); }; });
  change("signature not in DER", [](Draft& d) { d.forge = [](const std::string&) { return std::string(64, '\x42'); }; });
  change("signature with bytes behind it", [](Draft& d) { d.forge = [](std::string s) { return s + '\0'; }; });
  change("signature longer than the key", [](Draft& d) { d.forge = [](const std::string&) { return std::string(1500, '\x30'); }; });
  change("ECDSA with SHA-1", [](Draft& d) { d.md = EVP_sha1(); d.algorithm = seq(oid(k_ecdsa_sha1)); });
  change("ECDSA with NULL parameters", [](Draft& d) { d.algorithm = seq(oid(k_ecdsa_sha256) + bytes("0500")); });
  change("RSA algorithm for an EC key", [](Draft& d) { d.algorithm = seq(oid("2a864886f70d01010b") + bytes("0500")); });
  change("unknown algorithm", [](Draft& d) { d.algorithm = seq(oid("2a030405")); });
  change("empty algorithm", [](Draft& d) { d.algorithm = seq(""); });
  rsa("RSA with MD5", "2a864886f70d010104", EVP_md5());
  rsa("RSA with SHA-1", "2a864886f70d010105", EVP_sha1());
  rsa("ECDSA algorithm for an RSA key", k_ecdsa_sha256, EVP_sha256());
  Draft draft(rsa_);
  draft.algorithm = seq(oid("2a864886f70d01010b"));
  add("RSA without its NULL parameters", draft);
  Draft signed_before(ec_);
  const std::string signature = sign(ec_, signed_before.info(), EVP_sha256());
  signed_before.spki = spki_of(other_);
  add_text("another key put into a signed request", csr_pem(seq(signed_before.info() + signed_before.algorithm + bits(signature))));
  const std::string der = Draft(ec_).info();
  add_text("signature with spare bits", csr_pem(seq(der + Draft(ec_).algorithm + bits(signature, 3))));
}

void Corpus::add_keys() {
  for (const char* curve : {"prime192v1", "P-224", "P-521", "secp256k1", "brainpoolP256r1"}) add(std::string("curve ") + curve, Draft(ec_key(curve)));
  add("explicit curve parameters", Draft(explicit_key()));
  Draft edwards(named_key("ED25519"));
  edwards.md = nullptr;
  edwards.algorithm = seq(oid("2b6570"));
  add("Ed25519", edwards);
  spki("X25519", spki_of(named_key("X25519")));
  const auto point = [](const std::string& content) { return seq(seq(oid(k_ec) + oid(k_p256)) + bits(content)); };
  const std::string good = spki_of(ec_).substr(26);  // 04 x y
  std::string off = good;
  off.back() = static_cast<char>(off.back() ^ 1);
  spki("point off its curve", point(off));
  spki("point at infinity", point(std::string(1, '\0')));
  spki("point of zeros", point("\x04" + std::string(64, '\0')));
  spki("point compressed", point("\x02" + good.substr(1, 32)));
  spki("point hybrid", point("\x06" + good.substr(1)));
  spki("point too short", point(good.substr(0, 60)));
  spki("point too long", point(good + "x"));
  spki("P-384's name for a P-256 point", seq(seq(oid(k_ec) + oid("2b81040022")) + bits(good)));
  spki("no curve", seq(seq(oid(k_ec)) + bits(good)));
  spki("NULL for the curve", seq(seq(oid(k_ec) + bytes("0500")) + bits(good)));
  spki("two curves", seq(seq(oid(k_ec) + oid(k_p256) + oid(k_p256)) + bits(good)));
  spki("key with spare bits", seq(seq(oid(k_ec) + oid(k_p256)) + bits(good, 1)));
  spki("bytes behind the key", seq(seq(oid(k_ec) + oid(k_p256)) + bits(good) + bytes("0500")));
  spki("unknown kind of key", seq(seq(oid("608648016503040312")) + bits(std::string(1312, 'm'))));
  spki("empty key", seq(""));
  spki("DSA", seq(seq(oid("2a8648ce380401") + seq(integer("\x7f") + integer("\x07") + integer("\x02"))) + bits(integer("\x05"))));
  spki("RSA-PSS key", seq(seq(oid("2a864886f70d01010a")) + bits(seq(integer(std::string(256, '\x7f')) + integer(bytes("010001"))))));
}

void Corpus::add_rsa_numbers() {
  const auto numbers = [](const std::string& modulus, const std::string& exponent) {
    return seq(seq(oid(k_rsa) + bytes("0500")) + bits(seq(integer(modulus) + integer(exponent))));
  };
  const std::string f4 = bytes("010001"), odd(256, '\x7f');
  for (const std::size_t size : {512, 1024, 2040}) {
    Draft draft(rsa_key(size));
    draft.algorithm = seq(oid("2a864886f70d01010b") + bytes("0500"));
    add("RSA of " + std::to_string(size) + " bits", draft);
  }
  spki("RSA of 8192 bits", numbers(std::string(1024, '\x7f'), f4));
  spki("RSA of 16384 bits", numbers(std::string(2048, '\x7f'), f4));
  spki("RSA with e = 1", numbers(odd, "\x01"));
  spki("RSA with e = 3", numbers(odd, "\x03"));
  spki("RSA with an e of 2048 bits", numbers(odd, odd));
  spki("RSA with e = 0", numbers(odd, std::string(1, '\0')));
  spki("RSA with an even modulus", numbers(std::string(255, '\x7f') + '\x7e', f4));
  spki("RSA with a negative modulus", numbers("\xff" + std::string(255, '\x7f'), f4));
  spki("RSA with modulus zero", numbers(std::string(1, '\0'), f4));
  spki("RSA with a padded modulus", numbers(std::string(2, '\0') + std::string(255, '\x7f'), f4));
  spki("RSA without parameters", seq(seq(oid(k_rsa)) + bits(seq(integer(odd) + integer(f4)))));
  spki("RSA with three numbers", seq(seq(oid(k_rsa) + bytes("0500")) + bits(seq(integer(odd) + integer(f4) + integer("\x03")))));
}

void Corpus::add_names() {
  const auto pair = [](const std::string& type, int tag, const std::string& value) { return seq(oid(type) + tlv(tag, value)); };
  const auto named = [this](const std::string& name, const std::string& rdns) {
    change(name, [&rdns](Draft& d) { d.subject = seq(rdns); });
  };
  const std::string cn = "550403", o = "55040a";
  const auto text = [&pair, &cn](const std::string& value) { return set(pair(cn, 0x0c, value)); };
  named("CN of its own", text("node-1"));
  named("CN of another node", text("system:node:other"));
  named("kubelet's whole name", set(pair(o, 0x0c, "system:nodes")) + text("system:node:other"));
  named("system:masters", set(pair(o, 0x0c, "system:masters")) + text("admin"));
  named("slipway:admin", set(pair(o, 0x0c, "slipway:admin")) + text("admin"));
  named("CN twice", text("a") + text("b"));
  named("part with two values", set(pair(cn, 0x0c, "a") + pair(o, 0x0c, "system:masters")));
  named("CN with NUL", text(std::string("a\0.b", 4)));
  named("CN in UTF-16", set(pair(cn, 0x1e, std::string("\0a\0b", 4))));
  named("CN in UTF-32", set(pair(cn, 0x1c, std::string("\0\0\0a", 4))));
  named("CN with CR and LF", text("a\r\nlevel=error"));
  named("CN right to left", text("a\xe2\x80\xae" "b"));
  named("CN that is not UTF-8", text("\xff\xfe"));
  named("CN of 2 KiB", text(std::string(2048, 'a')));
  named("CN of 30 KiB", text(std::string(30'000, 'a')));
  named("empty CN", text(""));
  named("empty part", set(""));
  named("thousand parts", [&text] {
    std::string all;
    for (int i = 0; i < 1000; ++i) all += text("a");
    return all;
  }());
  named("e-mail address", set(pair("2a864886f70d010901", 0x16, "a@b")));
}

void Corpus::add_extensions() {
  const auto extension = [](const std::string& type, const std::string& value, bool critical = false) {
    return seq(oid(type) + (critical ? bytes("0101ff") : "") + tlv(0x04, value));
  };
  const auto asked = [this](const std::string& name, const std::string& extensions) {
    change(name, [&extensions](Draft& d) { d.attributes = tlv(0xa0, seq(oid("2a864886f70d01090e") + set(seq(extensions)))); });
  };
  const std::string san = "551d11";
  const auto dns = [&extension, &san](const std::string& name) { return extension(san, seq(tlv(0x82, name))); };
  asked("SAN of another node", dns("node-2"));
  asked("SAN of the API server", dns("kubernetes.default.svc"));
  asked("SAN wildcard", dns("*.example.org"));
  asked("SAN localhost", dns("localhost"));
  asked("SAN of the service address", extension(san, seq(tlv(0x87, bytes("0a000001")))));
  asked("SAN IPv4 in IPv6", extension(san, seq(tlv(0x87, bytes("00000000000000000000ffff0a000001")))));
  asked("SAN identity of an agent", extension(san, seq(tlv(0x86, "urn:slipway:11111111-1111-4111-8111-111111111111:node:x:1"))));
  asked("SAN with NUL", dns(std::string("a\0.b", 4)));
  asked("SAN twice", dns("a") + dns("b"));
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += tlv(0x82, "a");
  asked("SAN of ten thousand names", extension(san, seq(many)));
  asked("CA:TRUE", extension("551d13", seq(bytes("0101ff")), true));
  asked("keyCertSign", extension("551d0f", bytes("03020204"), true));
  asked("any usage", extension("551d25", seq(oid("551d2500"))));
  asked("serverAuth", extension("551d25", seq(oid("2b06010505070301"))));
  asked("name constraints", extension("551d1e", seq(""), true));
  asked("unknown critical extension", extension("2a030405", bytes("0500"), true));
  asked("empty list of extensions", "");
}

void Corpus::add_attributes() {
  const auto attributes = [this](const std::string& name, const std::string& content) {
    change(name, [&content](Draft& d) { d.attributes = tlv(0xa0, content); });
  };
  attributes("challengePassword", seq(oid("2a864886f70d010907") + set(tlv(0x0c, "hunter2secret"))));
  attributes("unstructuredName", seq(oid("2a864886f70d010902") + set(tlv(0x0c, "a"))));
  attributes("Microsoft's extension request", seq(oid("2b060104018237020114") + set(seq(""))));
  attributes("attribute without values", seq(oid("2a864886f70d01090e") + set("")));
  attributes("attribute without a type", seq(set("")));
  attributes("attributes that are none", "rubbish");
  change("attributes as a set", [](Draft& d) { d.attributes = set(""); });
  change("no attributes field", [](Draft& d) { d.attributes.clear(); });
}

void Corpus::add_outlines() {
  const Draft draft(ec_);
  const std::string good = draft.der();
  const auto der = [this](const std::string& name, const std::string& bytes_of) { add_text(name, csr_pem(bytes_of)); };
  der("byte behind it", good + '\0');
  der("another request behind it", good + good);
  std::string content = good.substr(good[1] == '\x81' ? 3 : 4);
  std::string size{static_cast<char>(content.size() >> 8), static_cast<char>(content.size())};
  der("BER length", std::string("\x30\x84\0\0", 4) + size + content);
  der("indefinite length", "\x30\x80" + content + std::string(2, '\0'));
  der("length beyond all", "\x30\x84\xff\xff\xff\xff" + content);
  der("set instead of a sequence", "\x31" + good.substr(1));
  der("empty sequence", seq(""));
  der("integer", integer("\x01"));
  std::string nested;
  for (int i = 0; i < 1000; ++i) nested = seq(nested);
  der("thousand levels", nested);
  der("high tag", "\x3f\xff\xff\xff\x7f" + content);
  change("version 2", [](Draft& d) { d.version = bytes("020101"); });
  change("version negative", [](Draft& d) { d.version = bytes("0201ff"); });
  change("version padded", [](Draft& d) { d.version = bytes("02020000"); });
  change("no version", [](Draft& d) { d.version.clear(); });
  change("no subject", [](Draft& d) { d.subject.clear(); });
  X509* certificate = X509_new();
  X509_set_pubkey(certificate, ec_.get());
  X509_sign(certificate, ec_.get(), EVP_sha256());
  unsigned char* out = nullptr;
  const int length = i2d_X509(certificate, &out);
  const std::string cert(reinterpret_cast<char*>(out), static_cast<std::size_t>(length));
  OPENSSL_free(out);
  X509_free(certificate);
  der("certificate instead of a request", cert);
  add_text("certificate as it is", csr_pem(cert, "CERTIFICATE"));
}

void Corpus::add_wrappings() {
  const std::string good = csr_pem(Draft(ec_).der());
  const std::string der = Draft(ec_).der();
  add_text("two blocks", good + good);
  add_text("another label", csr_pem(der, "PUBLIC KEY"));
  add_text("NEW CERTIFICATE REQUEST", csr_pem(der, "NEW CERTIFICATE REQUEST"));
  add_text("private key's label", csr_pem(der, "PRIVATE KEY"));
  std::string headers = good;
  headers.insert(headers.find('\n') + 1, "Proc-Type: 4,ENCRYPTED\n\n");
  add_text("PEM headers", headers);
  add_text("text before it", "hello\n" + good);
  add_text("text behind it", good + "hello\n");
  add_text("no END line", good.substr(0, good.find("-----END")));
  add_text("END line alone", good.substr(good.find("-----END")));
  add_text("not base64", "-----BEGIN CERTIFICATE REQUEST-----\n!!!!\n-----END CERTIFICATE REQUEST-----\n");
  add_text("empty block", "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n");
  add_text("empty text", "");
  add_text("NUL", std::string(100, '\0'));
  add_text("40 KiB of letters", std::string(40'000, 'A'));
  add_text("20 KiB of white space", std::string(20'000, '\n'));
  add_text("DER without its wrapping", "0\x81\xd4" + std::string(100, 'x'));
}

}  // namespace

std::string csr_pem(const std::string& der, const std::string& label) {
  std::string text(4 * ((der.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(der.data()),
                                   static_cast<int>(der.size()));
  text.resize(static_cast<std::size_t>(size));
  std::string pem = "-----BEGIN " + label + "-----\n";
  for (std::size_t at = 0; at < text.size(); at += 64) pem += text.substr(at, 64) + "\n";
  return pem + "-----END " + label + "-----\n";
}

const std::vector<HostileCsr>& hostile_csrs() {
  static const std::vector<HostileCsr> made = Corpus().made;
  return made;
}

const std::vector<std::string>& good_csr_ders() {
  static const std::vector<std::string> made = [] {
    Draft rsa(rsa_key(2048));
    rsa.algorithm = seq(oid("2a864886f70d01010b") + bytes("0500"));
    return std::vector<std::string>{Draft(ec_key("P-256")).der(), Draft(ec_key("P-384")).der(), rsa.der()};
  }();
  return made;
}

}  // namespace slipway::test
