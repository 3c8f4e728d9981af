// An engine for compilers without libFuzzer: replays a corpus, then changes its inputs by a seeded generator. The same seed tries the same
// inputs on every machine. No coverage guides it; what clang's engine finds goes into the corpus and is replayed here ever after.
//   http_fuzz [--rounds N] [--seconds N] [--seed N] FILE OR FOLDER...
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/core/text.hpp"
#include "tests/fuzz/fuzz.hpp"

// Only there under a sanitizer, whose report does not come by SIGABRT.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace slipway::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_longest = 8 * 1024;
constexpr const char* k_found = "fuzz-found-input";

struct Options {
  std::vector<std::string> paths;
  std::uint64_t rounds = 0;
  std::uint64_t seconds = 0;  // instead of rounds
  std::uint64_t seed = 1;
};

// What is being tried, for who looks at the wreck.
std::string g_input;

void keep_input() { std::ofstream(k_found, std::ios::binary) << g_input; }

void on_signal(int number) {
  keep_input();
  std::fprintf(stderr, "signal %d: the input is in %s\n", number, k_found);
  ::_exit(1);
}

void on_death() {
  keep_input();
  std::fprintf(stderr, "the input is in %s\n", k_found);
}

void try_input(const std::string& input) {
  g_input = input;
  // A copy of just this size: a step beyond its end is seen.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string file_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::string> read_corpus(const std::vector<std::string>& paths) {
  std::vector<fs::path> files;
  for (const std::string& path : paths) {
    if (!fs::is_directory(path)) files.emplace_back(path);
    else
      for (const auto& entry : fs::recursive_directory_iterator(path)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());  // a folder's order is not the same everywhere
  std::vector<std::string> inputs;
  for (const fs::path& file : files) inputs.push_back(file_text(file));
  return inputs;
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, const std::vector<std::string>& corpus) : random_(seed), corpus_(corpus) {}

  std::string next() {
    std::string input = any();
    for (std::size_t i = 1 + below(6); i > 0; --i) change(input);
    if (input.size() > k_longest) input.resize(k_longest);
    return input;
  }

 private:
  // What readers of text and of bytes stumble over.
  static const std::vector<std::string>& pieces() {
    static const std::vector<std::string> list = {
        "0", "-1", "18446744073709551616", "1e999", "2147483648", "null", "true", "\"\"", "{}", "[]", "{", "[", "]", "}", ":", ",", "\\u0000",
        "\\ud800", std::string(1, '\0'), "\xff", "\xc0\x80", "\xef\xbb\xbf", "\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", "%00", "%2f", "..", "//",
        "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "&a", "*a", "!!str ", "- ", "? ", "|\n", "---\n", "<<: ",
        std::string("\x30\x80", 2), std::string("\x02\x00", 2), std::string("\x30\x84\xff\xff\xff\xff", 6), std::string("\x05\x00", 2)};
    return list;
  }

  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % std::max<std::size_t>(limit, 1)); }
  const std::string& any() { return corpus_[below(corpus_.size())]; }
  char byte() { return static_cast<char>(random_() & 0xff); }

  void change(std::string& input) {
    const std::size_t at = below(input.size() + 1);
    const std::size_t length = below(std::min<std::size_t>(input.size() - at, 64) + 1);
    switch (below(8)) {
      case 0: if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8))); break;
      case 1: if (at < input.size()) input[at] = byte(); break;
      case 2: input.insert(at, 1 + below(3), byte()); break;
      case 3: input.erase(at, length); break;
      case 4: input.insert(at, input.substr(at, length)); break;
      case 5: input.insert(at, pieces()[below(pieces().size())]); break;
      case 6: input.resize(at); break;
      default: splice(input, at); break;
    }
  }
  void splice(std::string& input, std::size_t at) {
    const std::string& other = any();
    const std::size_t from = below(other.size() + 1);
    input.replace(at, std::string::npos, other, from, std::string::npos);
  }

  std::mt19937_64 random_;
  const std::vector<std::string>& corpus_;
};

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    std::uint64_t* const number = name == "--rounds" ? &options.rounds : name == "--seconds" ? &options.seconds : name == "--seed" ? &options.seed : nullptr;
    if (number == nullptr) {
      options.paths.push_back(name);
      continue;
    }
    const auto value = i + 1 < argc ? parse_u64(argv[++i]) : std::nullopt;
    if (!value) return std::nullopt;
    *number = *value;
  }
  if (options.paths.empty()) return std::nullopt;
  return options;
}

int run(const Options& options) {
  const std::vector<std::string> corpus = read_corpus(options.paths);
  if (corpus.empty()) {
    std::fprintf(stderr, "the corpus is empty: this would prove nothing\n");
    return 1;
  }
  for (const std::string& input : corpus) try_input(input);
  Mutator mutator(options.seed, corpus);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(options.seconds);
  std::uint64_t done = 0;
  while (options.seconds > 0 ? std::chrono::steady_clock::now() < end : done < options.rounds) {
    try_input(mutator.next());
    ++done;
  }
  std::printf("%zu inputs of the corpus, %llu changed ones, seed %llu\n", corpus.size(), static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(options.seed));
  return 0;
}

}  // namespace
}  // namespace slipway::fuzz

int main(int argc, char** argv) {
  using namespace slipway::fuzz;
  const auto options = parse(argc, argv);
  if (!options) {
    std::fprintf(stderr, "usage: %s [--rounds N | --seconds N] [--seed N] FILE OR FOLDER...\n", argv[0]);
    return 3;
  }
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(on_death);
  for (const int number : {SIGABRT, SIGFPE, SIGILL}) ::signal(number, on_signal);
  // ASan has its own, with a report.
  if (__sanitizer_set_death_callback == nullptr) ::signal(SIGSEGV, on_signal);
  return run(*options);
}
