#pragma once
// The top-level keys of KubeletConfiguration and KubeProxyConfiguration in each minor. kubelet and kube-proxy
// pass over a key that they do not know with a line in their log, so a mistyped or too new one would silently
// do nothing: it is refused before anything restarts.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/kube/versions.hpp"

namespace slipway::kube {

struct ConfigKey {
  std::string_view name;
  Span span = {};
};

std::span<const ConfigKey> kubelet_config_keys();
std::span<const ConfigKey> kube_proxy_config_keys();

// What is wrong with one key.
struct KeyProblem {
  std::string key;   // empty: with the document as a whole
  std::string text;  // "is not a field of ...; did you mean maxPods?"
  bool operator==(const KeyProblem&) const = default;
};

// `json`: an object with overrides; empty text counts as {}. All problems at once, in the document's order. A
// minor newer than the newest known is taken for that one.
std::vector<KeyProblem> check_kubelet_config(std::string_view json, int minor);
// Besides: whether the kube-proxy of that minor has the mode.
std::vector<KeyProblem> check_kube_proxy_config(std::string_view json, int minor);

}  // namespace slipway::kube
