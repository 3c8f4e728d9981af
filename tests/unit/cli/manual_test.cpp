#include "common/cli/manual.hpp"

#include <catch2/catch.hpp>

namespace slipway::cli {
namespace {

// Two commands, one option that must not disturb roff.
void describe(CLI::App& app) {
  CLI::App* group = app.add_subcommand("thing", "things");
  CLI::App* make = group->add_subcommand("make", "make a thing");
  make->add_option("NAME", "its name");
  make->add_option("--from-file", ".conf to read, with a \\ in it");
  CLI::Option_group* step = make->add_option_group("step", "which one");
  step->add_flag_callback("--first", [] {}, "the first step");
  step->add_flag_callback("--last", [] {}, "the last step");
  app.add_subcommand("secret", "for packagers")->group("");
}

TEST_CASE("a manual page has every command and option, safe for roff", "[cli]") {
  CLI::App app("x", "my-tool");
  describe(app);
  ManualFrame frame;
  frame.purpose = "does things";
  frame.description = {".starts with a dot"};
  frame.exit_codes = {{"0", "ok"}};
  const std::string page = manual_page(app, frame);
  CHECK(page.find(".TH MY\\-TOOL 8") == 0);
  CHECK(page.find(".SS \"my\\-tool thing make\"\n") != std::string::npos);
  CHECK(page.find("\\fINAME\\fR") != std::string::npos);
  CHECK(page.find("\\fB\\-\\-from\\-file\\fR") != std::string::npos);
  CHECK(page.find("\n\\&.conf to read, with a \\e in it") != std::string::npos);
  CHECK(page.find("\n\\&.starts with a dot") != std::string::npos);
  CHECK(page.find("secret") == std::string::npos);
  // Options that exclude each other are their command's, not a nameless one's.
  CHECK(page.find("\\fB\\-\\-last\\fR\nthe last step") != std::string::npos);
  CHECK(page.find(".SS \"my\\-tool thing make \"") == std::string::npos);
  CHECK(page.find(".SH EXIT STATUS\n.TP\n\\fB0\\fR\nok\n") != std::string::npos);
}

TEST_CASE("shells learn commands and options from the same description", "[cli]") {
  CLI::App app("x", "my-tool");
  describe(app);
  const std::string bash = completion(app, "bash");
  CHECK(bash.find("_my_tool()") != std::string::npos);
  CHECK(bash.find("\" thing make\") words=\"--help --from-file --first --last\"") != std::string::npos);
  CHECK(bash.find("secret") == std::string::npos);
  CHECK(completion(app, "zsh").find("#compdef my-tool\n") == 0);
  CHECK(completion(app, "fish").find("-n '__fish_seen_subcommand_from thing; and __fish_seen_subcommand_from make' -l from-file") !=
        std::string::npos);
  CHECK(completion(app, "tcsh").empty());
}

}  // namespace
}  // namespace slipway::cli
