#include "coordinator/ctl/spec_changes.hpp"

#include <map>
#include <optional>
#include <set>

#include "common/core/text.hpp"
#include "proto/fields.hpp"

namespace slipway::ctl {

namespace {

// Visits the field lists and notes each value under its path.
class Flattener {
 public:
  explicit Flattener(std::map<std::string, std::string>& values, std::string path = {}) : values_(values), path_(std::move(path)) {}
  template <class T> void operator()(const char* name, T& value) { note(path_.empty() ? name : path_ + "." + name, value); }
  template <class T> void optional(const char* name, T& value) { (*this)(name, value); }

 private:
  void note(const std::string& path, std::string& value) { values_[path] = value; }
  void note(const std::string& path, bool& value) { values_[path] = value ? "true" : "false"; }
  void note(const std::string& path, std::uint64_t& value) { values_[path] = std::to_string(value); }
  void note(const std::string& path, double& value) { values_[path] = std::to_string(value); }
  void note(const std::string& path, proto::RawJson& value) { values_[path] = value.text; }
  void note(const std::string& path, proto::Amount& value) { values_[path] = value.text; }
  void note(const std::string& path, std::map<std::string, std::optional<std::string>>& values) {
    for (const auto& [key, value] : values) values_[path + "." + key] = value.value_or("null");
  }
  void note(const std::string& path, std::vector<std::string>& values) { values_[path] = join(values, ", "); }
  template <class T> void note(const std::string& path, std::vector<T>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) note(path + "[" + std::to_string(i) + "]", values[i]);
  }
  template <class T> void note(const std::string& path, T& value) {
    Flattener inner(values_, path);
    fields(inner, value);
  }

  std::map<std::string, std::string>& values_;
  std::string path_;
};

std::map<std::string, std::string> flat(proto::ClusterSpec spec) {
  std::map<std::string, std::string> values;
  Flattener flattener(values);
  fields(flattener, spec);
  return values;
}

std::string shown(const std::map<std::string, std::string>& values, const std::string& path) {
  const auto found = values.find(path);
  return found == values.end() || found->second.empty() ? "(none)" : found->second;
}

}  // namespace

std::vector<std::string> spec_changes(const proto::ClusterSpec& before, const proto::ClusterSpec& after) {
  const auto old = flat(before);
  const auto now = flat(after);
  std::set<std::string> paths;
  for (const auto* values : {&old, &now}) {
    for (const auto& [path, value] : *values) paths.insert(path);
  }
  std::vector<std::string> changes;
  for (const std::string& path : paths) {
    const std::string was = shown(old, path);
    const std::string is = shown(now, path);
    if (was != is) changes.push_back(path + ": " + was + " -> " + is);
  }
  return changes;
}

}  // namespace slipway::ctl
