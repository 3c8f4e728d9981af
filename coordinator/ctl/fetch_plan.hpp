#pragma once
// What is to be downloaded for a wish, and how what a site says is taken. Pure; the layouts are those in which the projects publish:
// Kubernetes: kubernetes.io/releases/download; the others: their releases' pages (docs/artifacts.md).
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "common/http/web_url.hpp"
#include "coordinator/ctl/command_line.hpp"
#include "proto/view_types.hpp"

namespace slipway::ctl {

struct FetchItem {
  std::string component;
  std::string version;  // without "v", as artifacts are called
  std::string file;     // as the project calls it
  http::WebUrl url;
  http::WebUrl checksum_url;

  std::string name() const { return component + " " + version; }
};

// `machine_arch`: for a wish without one. Errc::invalid: what is wrong with the command line; versions that this Slipway does not
// know are refused with the same words as in cluster.yaml.
Result<std::vector<FetchItem>> plan_fetch(const ArtifactFetch& wish, const std::string& machine_arch);
// "x86_64" of uname() to "amd64"; empty: unknown.
std::string arch_of_machine(std::string_view machine);

// The digest of `file` in a checksum's file: 64 hexadecimal digits alone, or lines as sha256sum writes them among other lines (runc's
// list is a signed text). Errc::corrupt says what came instead. Lower case.
Result<std::string> parse_checksum(std::string_view text, const std::string& file);

inline constexpr std::size_t k_max_redirects = 5;
bool is_redirect(int status);
// Where a redirect leads from `at`. `before`: the addresses asked so far, `at` the last of them, the operator's the first.
// Errc::denied: from https to http, a loop, too many, or no place.
Result<http::WebUrl> follow(const http::WebUrl& at, const std::string* location, const std::vector<http::WebUrl>& before);

// What an answer other than 200 and 206 to a file of `item` means.
Error refused_answer(int status, const http::WebUrl& url, const FetchItem& item);

// Whether the coordinator has the item with this digest. Errc::conflict: it has other content under the name.
Result<bool> is_imported(const proto::ArtifactList& known, const FetchItem& item, const std::string& sha256);

// How an answer continues a file of which `have` bytes are there.
struct Continuation {
  bool anew = false;          // it is the whole: what is there is dropped
  std::uint64_t length = 0;   // of the whole file; 0: not told
};
// `status` is 200 or 206. Errc::corrupt: it is another part; Errc::exhausted: the file is longer than `limit`.
Result<Continuation> continue_file(int status, const std::string* content_range, const std::string* content_length, std::uint64_t have, std::uint64_t limit);

}  // namespace slipway::ctl
