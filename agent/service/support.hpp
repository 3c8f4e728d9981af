#pragma once
// The archive for support: what helps to understand a node, without what opens it. An allow-list says what
// goes in, a redactor goes over all of it.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/archive/support_archive.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "common/core/secret.hpp"
#include "common/http/body_stream.hpp"

namespace slipway {

struct SupportSection {
  std::string name;                             // of the member: "status.json"
  std::function<Result<std::string>()> gather;  // blocks
};

struct SupportLimits {
  SupportBounds bounds = {};
  Seconds time{60};  // sections that would begin later are left out
};

// Gathers and packs one section after the other. Blocks; one caller at a time.
class SupportPacker {
 public:
  // `secrets`: read once, at the first step: what must not stand anywhere.
  SupportPacker(std::vector<SupportSection> sections, std::function<std::vector<Secret>()> secrets,
                const Clock& clock, SupportLimits limits = {});

  // What is packed next, which may be nothing yet.
  Result<std::string> step();
  bool done() const { return done_; }

 private:
  Status begin();
  Status add(const SupportSection& section);

  std::vector<SupportSection> sections_;
  std::function<std::vector<Secret>()> secrets_;
  const Clock& clock_;
  SupportLimits limits_;
  std::optional<SupportArchive> archive_;
  SteadyTime until_{};
  std::size_t next_ = 0;
  bool done_ = false;
};

// The same as the body of a response; each step on a worker.
class SupportStream final : public http::BodyStream {
 public:
  // `hold`: kept until its end, however that comes.
  SupportStream(std::shared_ptr<SupportPacker> packer, Workers& workers, std::shared_ptr<void> hold);
  boost::asio::awaitable<Result<std::string>> next() override;

 private:
  std::shared_ptr<SupportPacker> packer_;
  Workers& workers_;
  std::shared_ptr<void> hold_;
};

}  // namespace slipway
