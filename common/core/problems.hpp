#pragma once
// What is wrong with a document, field by field and all at once: nobody mends one thing only to meet the next.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/core/result.hpp"

namespace slipway {

// A text from outside, for a report of problems: cut, and without the control characters that would tear the report apart. Not quoted(): of
// a std::string_view the standard library has one, too, and finds it first.
std::string in_quotes(std::string_view text);

class Problems {
 public:
  // `pointer`: JSON pointer to the field.
  void add(const std::string& pointer, const std::string& text);
  void add(const Problems& others);
  bool none() const { return lines_.empty(); }
  const std::vector<std::string>& lines() const { return lines_; }  // "/network/podCIDR: ..."
  // One line for each, below `head` if there is one. Points to the first; at least one is there.
  Error error(Errc code, const std::string& head = {}) const;

 private:
  std::string first_;
  std::vector<std::string> lines_;
};

}  // namespace slipway
