#include "agent/service/copy_pass.hpp"

#include <map>
#include <utility>

namespace slipway {

namespace asio = boost::asio;

namespace {

struct CopiesSeen {
  std::map<std::string, std::string> programs;
  std::vector<std::string> paths;
  FilesThere there;
};

Result<CopiesSeen> look(ProgramCopier* copier, const std::optional<ProgramCopies>& wanted,
                        const std::vector<Change>& noted) {
  CopiesSeen seen;
  if (wanted) {
    auto programs = copier->programs(wanted->component);
    if (!programs) return programs.error();
    seen.programs = std::move(*programs);
  }
  seen.paths = paths_of_copies(wanted, seen.programs, noted);
  seen.there = copier->look(seen.paths);
  return seen;
}

std::vector<Change> noted_in(const CopyDeps& deps) {
  return deps.noted ? deps.noted() : std::vector<Change>();
}

CopyOutcome carry_out(ProgramCopier* copier, const std::string& component,
                      const std::vector<PutProgramCopy>& steps) {
  CopyOutcome outcome;
  for (const PutProgramCopy& step : steps) {
    const Status done = copier->put(component, step);
    if (done) {
      outcome.changes.push_back("copied a program to " + step.copy.path);
    } else if (done.error().code !=
               Errc::conflict) {  // else somebody was quicker: the next pass sees what is there
      outcome.problems.push_back("copying a program to " + step.copy.path + ": " + done.error().message);
    }
  }
  return outcome;
}

CopyOutcome carry_out(ProgramCopier* copier, const std::vector<ProgramCopy>& steps) {
  CopyOutcome outcome;
  for (const ProgramCopy& step : steps) {
    const Status done = copier->remove(step);
    if (done) {
      outcome.changes.push_back("removed our copy of a program, " + step.path);
    } else {
      outcome.problems.push_back("removing our copy of a program, " + step.path + ": " +
                                 done.error().message);
    }
  }
  return outcome;
}

CopyOutcome failed(const std::string& doing, const Error& error) {
  CopyOutcome outcome;
  outcome.problems.push_back(doing + ": " + error.message);
  return outcome;
}

}  // namespace

asio::awaitable<CopyOutcome> put_copies(CopyDeps deps, ProgramCopies wanted) {
  if (deps.copier == nullptr) co_return CopyOutcome{};
  const std::vector<Change> noted = noted_in(deps);
  std::function<Result<CopiesSeen>()> looking_job = [copier = deps.copier, wanted, noted] {
    return look(copier, wanted, noted);
  };
  asio::awaitable<Result<CopiesSeen>> looking = offload<CopiesSeen>(*deps.workers, std::move(looking_job));
  const Result<CopiesSeen> seen = co_await std::move(looking);
  if (!seen) co_return failed("looking at " + wanted.folder, seen.error());
  const std::vector<PutProgramCopy> steps = plan_copies(wanted, seen->programs, seen->there, noted);
  CopyOutcome outcome;
  if (!steps.empty()) {
    if (deps.note) {
      asio::awaitable<Status> noting = deps.note(copy_intents(wanted, steps));
      const Status done = co_await std::move(noting);
      if (!done) co_return failed("noting what is to be copied to " + wanted.folder, done.error());
    }
    std::function<Result<CopyOutcome>()> job = [copier = deps.copier, component = wanted.component,
                                                steps]() -> Result<CopyOutcome> {
      return carry_out(copier, component, steps);
    };
    asio::awaitable<Result<CopyOutcome>> copying = offload<CopyOutcome>(*deps.workers, std::move(job));
    Result<CopyOutcome> copied = co_await std::move(copying);
    if (!copied) co_return failed("copying programs to " + wanted.folder, copied.error());
    outcome = std::move(*copied);
  }
  outcome.paths = seen->paths;
  co_return outcome;
}

asio::awaitable<CopyOutcome> remove_copies(CopyDeps deps, std::optional<ProgramCopies> wanted) {
  if (deps.copier == nullptr) co_return CopyOutcome{};
  const std::vector<Change> noted = noted_in(deps);
  if (!knows_copies(noted)) co_return CopyOutcome{};
  std::function<Result<CopyOutcome>()> job = [copier = deps.copier, wanted, noted]() -> Result<CopyOutcome> {
    const Result<CopiesSeen> seen = look(copier, wanted, noted);
    if (!seen) return seen.error();
    return carry_out(copier, plan_copy_removal(wanted, seen->programs, seen->there, noted));
  };
  asio::awaitable<Result<CopyOutcome>> removing = offload<CopyOutcome>(*deps.workers, std::move(job));
  Result<CopyOutcome> removed = co_await std::move(removing);
  if (!removed) co_return failed("looking at copies of programs", removed.error());
  co_return std::move(*removed);
}

}  // namespace slipway
