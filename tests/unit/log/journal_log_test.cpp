#include "common/systemd/journal_log.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "common/log/log.hpp"

namespace slipway {
namespace {

std::vector<std::vector<std::string>> g_taken;
bool g_takes = true;

bool take(const log::Record& record) {
  g_taken.push_back(systemd::journal_entry(record));
  return g_takes;
}

TEST_CASE("names of fields become the journal's", "[log]") {
  CHECK(systemd::journal_field("node") == "SLIPWAY_NODE");
  CHECK(systemd::journal_field("podCIDR") == "SLIPWAY_POD_CIDR");
  CHECK(systemd::journal_field("nextTrySeconds") == "SLIPWAY_NEXT_TRY_SECONDS");
  CHECK(systemd::journal_field("sha256Sum") == "SLIPWAY_SHA256_SUM");
  // The journal drops fields with other characters.
  CHECK(systemd::journal_field("a-b.c") == "SLIPWAY_A_B_C");
}

TEST_CASE("a log line is one entry, with each field by its name and its value as it is", "[log]") {
  REQUIRE(log::setup("journal-test", "info"));
  g_taken.clear();
  log::set_sink(take);
  log::warning("join refused", {{"node", "web\n1"}, {"stage", "token"}, {"tries", 3}});
  log::debug("not of this level");
  log::set_sink(nullptr);
  REQUIRE(g_taken.size() == 1);
  CHECK(g_taken[0] == std::vector<std::string>{"MESSAGE=join refused node=\"web\\x0a1\" stage=token tries=3", "PRIORITY=4",
                                               "SYSLOG_IDENTIFIER=journal-test", "SLIPWAY_EVENT=join refused", "SLIPWAY_NODE=web\n1",
                                               "SLIPWAY_STAGE=token", "SLIPWAY_TRIES=3"});
}

}  // namespace
}  // namespace slipway
