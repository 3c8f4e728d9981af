#pragma once
// Where in the files that people wrote the fields of a document stand. Values; safe on any thread.
#include <map>
#include <string>
#include <string_view>

#include "common/core/result.hpp"

namespace slipway {

struct Place {
  std::string file;
  int line = 0;  // from 1, as is the column
  int column = 0;
  bool operator==(const Place&) const = default;
};

class Places {
 public:
  Places() = default;
  explicit Places(std::string file) : file_(std::move(file)) {}

  // `pointer`: JSON pointer (RFC 6901) to the field or the entry of a list.
  void set(std::string pointer, Place place) { places_.insert_or_assign(std::move(pointer), std::move(place)); }
  // Of a file that is merged over: its fields are its own, all others stay where they are.
  void lay_over(const Places& over);
  // "agent.yaml:3:1" of a field; of one that is missing that of what it would stand in; at the top level the first file alone.
  std::string of(std::string_view pointer) const;
  // A text in which lines begin with a field ("/role: ..." or "/role is ..."), with the field's place before each of them. Places of
  // keys with spaces or colons are those of the map that they stand in.
  std::string located(std::string_view text) const;
  Error located(Error error) const;

 private:
  std::string file_;
  std::map<std::string, Place, std::less<>> places_;
};

}  // namespace slipway
