#pragma once
// Text that must not be printed, copied about or left in memory: tokens, private keys, passphrases.
#include <string>
#include <string_view>

namespace slipway {

// Wipes `size` bytes in a way that the optimiser keeps.
void secure_wipe(void* data, std::size_t size);

// Move-only; wiped when it ends. There is no operator<< and no implicit conversion, on purpose.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      text_ = std::move(other.text_);
      other.wipe();
    }
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(); }

  // The only way to the text; a grep for reveal() shows every use.
  std::string_view reveal() const { return text_; }
  bool empty() const { return text_.empty(); }
  Secret copy() const { return Secret(text_); }

 private:
  void wipe() {
    secure_wipe(text_.data(), text_.size());
    text_.clear();
  }
  std::string text_;
};

// Same time whatever the first difference; lengths may show.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace slipway
