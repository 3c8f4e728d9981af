#pragma once
// JSON from a server that may be old, new or hostile, read to a depth.
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace slipway::kube {

// Discarded when `text` is no JSON. What is nested deeper than `depth` maps and lists is left out: as a document it would cost many times
// its size. Of a key that stands twice the last value counts. Takes a time that grows with the length alone; the library's own callback, which
// could leave things out too, searches all members of a list again at the end of each (nlohmann 3.11,
// json_sax_dom_callback_parser::end_object).
nlohmann::json parse_shallow(std::string_view text, int depth);

}  // namespace slipway::kube
