#pragma once
// Parts of pages in docs/ that are made from the program: between <!-- generated: NAME --> and <!-- end -->.
#include <string>

namespace slipway::test {

// Fails when the part of that name in `page` (below the source) is not `text`. With SLIPWAY_WRITE_DOCS=1 in the environment it is written instead.
void check_doc_block(const std::string& page, const std::string& name, const std::string& text);

}  // namespace slipway::test
