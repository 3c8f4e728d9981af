#pragma once
// Wire types to JSON text and back. Unknown fields are ignored (newer peers may send them), missing required ones and wrong
// types are Errc::invalid with a JSON pointer: "/network/podCIDR is missing". decode() never throws.
#include <string>
#include <string_view>
#include <vector>

#include "common/core/result.hpp"
#include "proto/cluster_types.hpp"
#include "proto/desired_types.hpp"
#include "proto/join_types.hpp"
#include "proto/report_types.hpp"
#include "proto/view_types.hpp"

namespace slipway::proto {

template <class T> Result<T> decode(std::string_view json);
template <class T> std::string encode(const T& value);

// As decode(), but a field that no field list knows is refused with its pointer and the name that was probably meant, and all that is wrong is told
// at once, a line each (at most 50): for what people write.
template <class T> Result<T> decode_strict(std::string_view json);

struct FieldInfo {
  std::string name;
  bool required = false;
  std::string kind;  // JSON schema type: string, integer, number, boolean, array, object; or the struct's own name
  bool operator==(const FieldInfo&) const = default;
};
// What the field list of T says: held against openapi.json by a test.
template <class T> std::vector<FieldInfo> describe();

// "{...}" indented by two spaces, keys sorted: for people and golden files. Text that is not JSON comes back unchanged.
std::string pretty(std::string_view json);

}  // namespace slipway::proto
