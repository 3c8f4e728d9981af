#pragma once
// What few nodes have: kept apart, so that the others pay a pointer for it. A value, pure.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/settings_types.hpp"

namespace slipway {

struct NodeExtras {
  proto::NodeSettings settings;             // an operator's, for this node alone
  std::vector<std::string> applied_labels;  // keys that we set on the Node object, or were about to; sorted
  std::vector<std::string> applied_taints;  // likewise "key:Effect"
  bool operator==(const NodeExtras&) const = default;
};

// Absent is the same as a T{}.
template <class T>
class Rare {
 public:
  Rare() = default;
  Rare(const Rare& other) : value_(other.value_ ? std::make_unique<T>(*other.value_) : nullptr) {}
  Rare(Rare&&) noexcept = default;
  Rare& operator=(Rare other) noexcept {
    value_ = std::move(other.value_);
    return *this;
  }
  ~Rare() = default;

  const T& get() const {
    static const T k_none{};
    return value_ ? *value_ : k_none;
  }
  void set(T value) { value_ = value == T{} ? nullptr : std::make_unique<T>(std::move(value)); }
  bool empty() const { return value_ == nullptr; }
  bool operator==(const Rare& other) const { return get() == other.get(); }

 private:
  std::unique_ptr<T> value_;
};

}  // namespace slipway
