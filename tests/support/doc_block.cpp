#include "tests/support/doc_block.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "slipway_test_paths.hpp"

namespace slipway::test {

void check_doc_block(const std::string& page, const std::string& name, const std::string& text) {
  const std::string path = std::string(SLIPWAY_SOURCE_DIR) + "/" + page;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  const std::string now = all.str();
  const std::string head = "<!-- generated: " + name + " -->\n";
  const std::size_t start = now.find(head);
  const std::size_t end = now.find("<!-- end -->", start);
  INFO(page << " needs the lines \"<!-- generated: " << name << " -->\" and \"<!-- end -->\"");
  REQUIRE(start != std::string::npos);
  REQUIRE(end != std::string::npos);
  const std::size_t from = start + head.size();
  if (std::getenv("SLIPWAY_WRITE_DOCS") != nullptr) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << now.substr(0, from) << text << now.substr(end);
    return;
  }
  INFO("made from the program: SLIPWAY_WRITE_DOCS=1 build/dev/bin/unit_tests '[reference]' writes it anew");
  CHECK(now.substr(from, end - from) == text);
}

}  // namespace slipway::test
