// Copies of our CNI plugins in others' folder: what is put, replaced, left and removed.
#include "agent/domain/program_copies.hpp"

#include <catch2/catch.hpp>

#include "agent/domain/reset_plan.hpp"

using namespace slipway;

namespace {

const std::string k_old(64, 'a');
const std::string k_new(64, 'b');
const std::string k_theirs(64, 'c');
const ProgramCopies k_wanted{"cni-plugins", "/opt/cni/bin"};
const std::map<std::string, std::string> k_programs = {{"bridge", k_new}, {"portmap", k_new}};

Change noted(const std::string& name, const std::string& digest, Former former = Former::absent) {
  return {ChangeKind::copy, entry_name({"/opt/cni/bin/" + name, digest}), "", former};
}

}  // namespace

TEST_CASE("copies: a free name is taken, anybody's file is left, an older copy of ours is replaced",
          "[agent][copies]") {
  const std::vector<Change> ledger = {noted("bridge", k_old), {ChangeKind::file, "/etc/a/b"}};
  struct Row {
    FilesThere there;
    std::vector<PutProgramCopy> steps;
  };
  const PutProgramCopy portmap{{"/opt/cni/bin/portmap", k_new}, ""};
  const std::vector<Row> rows = {
      {{}, {{{"/opt/cni/bin/bridge", k_new}, ""}, portmap}},
      {{{"/opt/cni/bin/bridge", k_new}, {"/opt/cni/bin/portmap", k_new}}, {}},
      {{{"/opt/cni/bin/bridge", k_old}}, {{{"/opt/cni/bin/bridge", k_new}, k_old}, portmap}},
      {{{"/opt/cni/bin/bridge", k_theirs}}, {portmap}},
      {{{"/opt/cni/bin/bridge", ""}}, {portmap}},  // a link or a folder
      {{{"/opt/cni/bin/portmap", k_old}},
       {{{"/opt/cni/bin/bridge", k_new}, ""}}},  // the ledger knows no such copy of that name
  };
  for (const Row& row : rows) CHECK(plan_copies(k_wanted, k_programs, row.there, ledger) == row.steps);
}

TEST_CASE("copies: only what the ledger has goes, and only with our bytes", "[agent][copies]") {
  const std::vector<Change> ledger = {noted("bridge", k_old), noted("bridge", k_new), noted("portmap", k_new),
                                      noted("flannel", k_old), noted("host-local", k_old, Former::unsure)};
  const FilesThere there = {{"/opt/cni/bin/bridge", k_new},
                            {"/opt/cni/bin/portmap", k_theirs},
                            {"/opt/cni/bin/flannel", k_old},
                            {"/opt/cni/bin/host-local", k_old},
                            {"/opt/cni/bin/calico", k_theirs}};
  using Copies = std::vector<ProgramCopy>;
  CHECK(plan_copy_removal(std::nullopt, {}, there, ledger) ==
        Copies{{"/opt/cni/bin/bridge", k_new}, {"/opt/cni/bin/flannel", k_old}});
  // Wanted on, but the version in use brings no flannel any more.
  CHECK(plan_copy_removal(k_wanted, k_programs, there, ledger) == Copies{{"/opt/cni/bin/flannel", k_old}});
  CHECK(plan_copy_removal(std::nullopt, {}, {}, ledger).empty());
  CHECK(plan_copy_removal(std::nullopt, {}, there, {}).empty());
}

TEST_CASE("copies: all that has to be looked at, once", "[agent][copies]") {
  const std::vector<Change> ledger = {noted("bridge", k_old), noted("bridge", k_new),
                                      noted("flannel", k_old)};
  using Paths = std::vector<std::string>;
  CHECK(paths_of_copies(k_wanted, k_programs, ledger) ==
        Paths{"/opt/cni/bin/bridge", "/opt/cni/bin/flannel", "/opt/cni/bin/portmap"});
  CHECK(paths_of_copies(std::nullopt, {}, ledger) == Paths{"/opt/cni/bin/bridge", "/opt/cni/bin/flannel"});
  CHECK(knows_copies(ledger));
  CHECK_FALSE(knows_copies({{ChangeKind::file, "/etc/a/b"}}));
}

TEST_CASE("copies: the ledger has each version by itself, and the folder", "[agent][copies][ledger]") {
  const auto intents = copy_intents(k_wanted, plan_copies(k_wanted, k_programs, {}, {}));
  REQUIRE(intents.size() == 3);
  CHECK(intents[0] == Intent{ChangeKind::dir, "/opt/cni/bin"});
  CHECK(intents[1] == Intent{ChangeKind::copy, "/opt/cni/bin/bridge " + k_new, "", true});
  CHECK(copy_intents(k_wanted, {}).empty());
  CHECK(program_copy_of(intents[1].name) == ProgramCopy{"/opt/cni/bin/bridge", k_new});
  CHECK(program_copy_of("/opt/with space/bridge " + k_new) == ProgramCopy{"/opt/with space/bridge", k_new});
  for (const std::string& name :
       {std::string(), std::string("/opt/cni/bin/bridge"), "/opt/cni/bin/bridge " + k_new.substr(1),
        " " + k_new, "/a/b " + std::string(64, 'X')})
    CHECK_FALSE(program_copy_of(name));
  CHECK(check_change(noted("bridge", k_new)));
  for (const std::string& name : {std::string("/opt/cni/bin/bridge"), "/opt/../bin/bridge " + k_new,
                                  "/bridge " + k_new, "opt/cni/bridge " + k_new})
    CHECK_FALSE(check_change({ChangeKind::copy, name}));
  CHECK(describe(ChangeKind::copy, intents[1].name) == "program /opt/cni/bin/bridge");
}

TEST_CASE("copies: a reset removes those with our bytes, then the folder when it is empty",
          "[agent][copies][reset]") {
  EntrySeen there, half;
  there.there = true;
  half.temporary = {".portmap.tmp-17-0"};
  const std::vector<Change> changes = {{ChangeKind::dir, "/opt/cni/bin"},
                                       noted("bridge", k_old),
                                       noted("bridge", k_new),
                                       noted("portmap", k_new)};
  ResetSeen seen;
  seen.of = {there, {}, there, half};
  const ResetPlan plan = plan_reset(changes, seen);
  std::vector<std::string> steps;
  for (const ResetStep& step : plan.steps) steps.push_back(describe(step));
  CHECK(plan.leftovers.empty());
  CHECK(steps ==
        std::vector<std::string>{
            "remove what an agent that was killed has left beside /opt/cni/bin/portmap: .portmap.tmp-17-0",
            "remove our copy of a program, /opt/cni/bin/bridge",
            "remove the folder /opt/cni/bin when it is empty"});
}
