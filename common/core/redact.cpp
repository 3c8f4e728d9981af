#include "common/core/redact.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "common/core/text.hpp"

namespace slipway {

namespace {

constexpr std::string_view k_mark = "[redacted]";
constexpr std::size_t k_shortest_known = 12;
constexpr std::size_t k_shortest_base64 = 40;  // a private key of 256 bits has more in every form
constexpr std::size_t k_secret_size = 32;      // 160 bits in base32: the secret of a join token

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_word(char c) {
  return is_alpha(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}
bool is_base64(char c) {
  return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '-' || c == '_';
}
bool is_base32(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
}
bool is_token(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("._~+/=-:").find(c) != std::string_view::npos;
}

template <class Is>
std::size_t end_of(std::string_view text, std::size_t from, Is is) {
  while (from < text.size() && is(text[from])) ++from;
  return from;
}

bool same_letters(std::string_view text, std::size_t at, std::string_view wanted) {
  return text.size() - at >= wanted.size() && lower(text.substr(at, wanted.size())) == wanted;
}

// From the first line of a PEM private key to its last; to the end of the text where that is missing: a part
// of a key is one too much.
std::string without_pem_keys(std::string_view text) {
  constexpr std::string_view k_begin = "-----BEGIN ", k_end = "-----END ", k_dashes = "-----",
                             k_private = "PRIVATE KEY";
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t begin = text.find(k_begin, at);
    if (begin == std::string_view::npos) return out.append(text.substr(at));
    const std::size_t label_end = text.find(k_dashes, begin + k_begin.size());
    const std::string_view label = text.substr(
        begin + k_begin.size(),
        label_end == std::string_view::npos ? std::string_view::npos : label_end - begin - k_begin.size());
    const std::size_t named = label.find(k_private);
    if (named == std::string_view::npos || named > 32) {
      out.append(text.substr(at, begin + k_begin.size() - at));
      at = begin + k_begin.size();
      continue;
    }
    out.append(text.substr(at, begin - at)).append(k_mark);
    const std::size_t end = text.find(k_end, begin);
    const std::size_t last = end == std::string_view::npos ? end : text.find(k_dashes, end + k_end.size());
    if (last == std::string_view::npos) return out;
    at = last + k_dashes.size();
  }
}

// A SEQUENCE that begins with a small INTEGER is a private key in each of its forms (PKCS#8, PKCS#1, SEC 1);
// certificates, requests and public keys begin with another SEQUENCE.
bool is_private_der(std::string_view der) {
  if (der.size() < 8 || der[0] != 0x30) return false;
  const auto length = static_cast<unsigned char>(der[1]);
  const std::size_t head = length < 0x80 ? 2 : 2 + (length & 0x7fU);
  return head + 3 <= der.size() && head <= 6 && der.substr(head, 2) == std::string_view("\x02\x01", 2) &&
         static_cast<unsigned char>(der[head + 2]) <= 1;
}

std::optional<std::string> decoded(std::string_view run) {
  std::string plain(run.substr(0, run.size() - run.size() % 4));
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  return from_base64(plain);
}

// The first letter of each SEQUENCE, and the dashes of PEM, in base64.
constexpr char k_der_letter = 'M';
constexpr std::string_view k_pem_letters = "LS0tLS1";
constexpr std::size_t k_der_head = 64;  // letters: enough to tell what it is

// A known prefix in front of letters of a token.
constexpr std::array<std::string_view, 2> k_token_starts = {
    "slipway1", "eyj"};  // ours; the first bytes of a JSON web token
constexpr std::size_t k_shortest_token = 24;

// Where the token that begins here ends; `at` when none does.
std::size_t end_of_token(std::string_view text, std::size_t at) {
  const bool begins = std::any_of(k_token_starts.begin(), k_token_starts.end(),
                                  [&](std::string_view start) { return same_letters(text, at, start); });
  const std::size_t end = begins ? end_of(text, at, is_token) : at;
  return end - at < k_shortest_token ? at : end;
}

struct Run {
  std::size_t end = 0;  // where it was looked at up to; where it began: nothing was
  bool secret = false;
};

// A private key in base64, by itself or as PEM. Runs are looked at once, so that a long text takes no more
// than its length.
Run key_run(std::string_view text, std::size_t at) {
  const bool is_pem = text.substr(at).starts_with(k_pem_letters);
  if (!is_pem && text[at] != k_der_letter) return {at, false};
  const std::size_t head = std::min(text.size(), at + k_der_head);
  if (!is_pem && end_of(text.substr(0, head), at, is_base64) - at < k_shortest_base64) return {at, false};
  if (!is_pem) {
    const auto bytes = decoded(text.substr(at, head - at).substr(0, k_shortest_base64));
    if (!bytes || !is_private_der(*bytes)) return {at, false};
    return {end_of(text, at, is_base64), true};
  }
  const std::size_t end = end_of(text, at, is_base64);
  const auto bytes = decoded(text.substr(at, end - at));
  return {end, bytes && bytes->find("PRIVATE KEY") != std::string::npos};
}

// What stands behind the dot of a join token, alone as well: 32 letters of base32, some of them digits, that
// are no hexadecimal number.
bool is_token_secret(std::string_view run) {
  if (run.size() != k_secret_size || !std::all_of(run.begin(), run.end(), is_base32)) return false;
  const bool digits = std::any_of(run.begin(), run.end(), is_digit);
  return digits && run.find_first_of("ghijklmnopqrstuvwxyz") != std::string_view::npos;
}

// Runs of letters that are a secret by their look.
std::string without_runs(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t end = end_of_token(text, at); end > at) {
      out.append(k_mark);
      at = end;
      continue;
    }
    const Run key = key_run(text, at);
    if (key.end > at) {
      out.append(key.secret ? k_mark : text.substr(at, key.end - at));
      at = key.secret ? end_of(text, key.end, [](char c) { return c == '='; }) : key.end;
      continue;
    }
    const std::size_t plain =
        std::max(end_of(text, at, [](char c) { return is_alpha(c) || is_digit(c); }), at + 1);
    const std::string_view letters = text.substr(at, plain - at);
    out.append(is_token_secret(letters) ? k_mark : letters);
    at = plain;
  }
  return out;
}

bool sounds_secret(std::string_view name) {
  constexpr std::array<std::string_view, 12> k_words = {
      "password", "passwd",    "passphrase", "secret",     "token",         "privatekey",
      "apikey",   "accesskey", "keydata",    "credential", "authorization", "bearer"};
  // Where a secret lies, how long it lives and what it is called is none.
  constexpr std::array<std::string_view, 12> k_places = {
      "file", "path", "dir", "id", "ttl", "name", "url", "ref", "usage", "namespace", "provider", "class"};
  std::string plain;
  for (const char c : lower(name)) {
    if (is_alpha(c) || is_digit(c)) plain += c;
  }
  const auto in = [&plain](std::string_view word) { return plain.find(word) != std::string::npos; };
  const auto ends = [&plain](std::string_view word) { return plain.ends_with(word); };
  return std::any_of(k_words.begin(), k_words.end(), in) &&
         std::none_of(k_places.begin(), k_places.end(), ends);
}

// Where the value behind a name begins: "name": "value, name=value, name: value, --name value. npos: it is no
// name of a value.
std::size_t value_after(std::string_view text, std::size_t name_begin, std::size_t name_end) {
  std::size_t at = name_end;
  const bool option = name_begin < name_end && text[name_begin] == '-';
  while (at < text.size() && (text[at] == '"' || text[at] == '\'' || text[at] == '\\')) ++at;
  const std::size_t gap = end_of(text, at, [](char c) { return c == ' '; });
  if (gap < text.size() && (text[gap] == ':' || text[gap] == '='))
    return end_of(text, gap + 1, [](char c) { return c == ' ' || c == '\\'; });
  return option && gap > at ? gap : std::string_view::npos;
}

std::size_t end_of_value(std::string_view text, std::size_t at) {
  if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
    const char quote = text[at];
    for (++at; at < text.size() && text[at] != quote && text[at] != '\n'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
    }
    return at;
  }
  return end_of(text, at, [](char c) {
    return c != ' ' && c != '\n' && c != '\r' && c != '"' && c != '\'' && c != ',' && c != '}' && c != ']' &&
           c != '&' && c != ';';
  });
}

// "Bearer abc": the scheme stays, what follows does not.
std::size_t scheme_end(std::string_view text, std::size_t at) {
  for (const std::string_view scheme : {"bearer ", "basic "}) {
    if (same_letters(text, at, scheme)) return at + scheme.size();
  }
  return at;
}

std::string without_named_values(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of(text, at, is_word);
    if (end == at) {
      out += text[at++];
      continue;
    }
    const bool scheme = same_letters(text, at, "bearer ") && end == at + 6;
    const std::size_t value = scheme                                     ? end + 1
                              : sounds_secret(text.substr(at, end - at)) ? value_after(text, at, end)
                                                                         : std::string_view::npos;
    if (value == std::string_view::npos || value >= text.size()) {
      out.append(text.substr(at, end - at));
      at = end;
      continue;
    }
    const bool quoted = text[value] == '"' || text[value] == '\'';
    const std::size_t first = scheme_end(text, quoted ? value + 1 : value);
    const std::size_t last = quoted ? end_of_value(text, value) : end_of_value(text, first);
    // Nothing there, or something that goes on elsewhere: a map, a list.
    const bool has = last > first && text[first] != '{' && text[first] != '[';
    out.append(text.substr(at, first - at)).append(has ? k_mark : std::string_view());
    at = has ? last : first;
  }
  return out;
}

// "scheme://user:password@host"
std::string without_url_passwords(std::string_view text) {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t scheme = text.find("://", at);
    if (scheme == std::string_view::npos) return out.append(text.substr(at));
    const std::size_t begin = scheme + 3;
    const std::size_t end =
        end_of(text, begin, [](char c) { return c > ' ' && c != '/' && c != '"' && c != '\'' && c != '@'; });
    const std::size_t colon = text.find(':', begin);
    const bool has = end < text.size() && text[end] == '@' && colon < end;
    out.append(text.substr(at, (has ? colon + 1 : end) - at)).append(has ? k_mark : std::string_view());
    at = end;
  }
}

std::string without_text(std::string_view text, std::string_view needle) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t found = text.find(needle); found != std::string_view::npos;
       found = text.find(needle, at)) {
    out.append(text.substr(at, found - at)).append(k_mark);
    at = found + needle.size();
  }
  return out.append(text.substr(at));
}

}  // namespace

Redactor::Redactor(std::vector<Secret> known) : known_(std::move(known)) {
  std::erase_if(known_, [](const Secret& secret) { return secret.reveal().size() < k_shortest_known; });
  // The longest first: a part of it must not leave the rest standing.
  std::sort(known_.begin(), known_.end(),
            [](const Secret& a, const Secret& b) { return a.reveal().size() > b.reveal().size(); });
}

std::string Redactor::operator()(std::string_view text) const {
  std::string out(text);
  for (const Secret& secret : known_) {
    if (out.find(secret.reveal()) != std::string::npos) out = without_text(out, secret.reveal());
  }
  out = without_pem_keys(out);
  out = without_named_values(out);
  out = without_url_passwords(out);
  return without_runs(out);
}

void add_forms(std::vector<Secret>& forms, std::string_view bytes) {
  std::string hex = to_hex(bytes);
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);
  std::string base64 = to_base64(bytes);
  while (!base64.empty() && base64.back() == '=') base64.pop_back();
  std::string url = base64;
  std::replace(url.begin(), url.end(), '+', '-');
  std::replace(url.begin(), url.end(), '/', '_');
  for (std::string* form : {&hex, &upper, &base64, &url}) forms.emplace_back(std::move(*form));
}

}  // namespace slipway
