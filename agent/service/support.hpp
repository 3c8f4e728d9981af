#pragma once
// The archive for support: what helps to understand a node, without what opens it. An allow-list says what goes in, a redactor goes over all of it.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/archive/write.hpp"
#include "common/async/clock.hpp"
#include "common/async/runtime.hpp"
#include "common/core/redact.hpp"
#include "common/http/body_stream.hpp"

namespace slipway {

struct SupportSection {
  std::string name;                              // of the member: "status.json"
  std::function<Result<std::string>()> gather;  // blocks
};

struct SupportLimits {
  std::size_t section_bytes = std::size_t{1} << 20;  // the end of what is longer is kept
  std::size_t total_bytes = std::size_t{24} << 20;   // before it is packed
  Seconds time{60};                                  // sections that would begin later are left out
};

// Gathers and packs one section after the other. Blocks; one caller at a time.
class SupportPacker {
 public:
  // `secrets`: read once, at the first step: what must not stand anywhere.
  SupportPacker(std::vector<SupportSection> sections, std::function<std::vector<Secret>()> secrets, const Clock& clock, SupportLimits limits = {});

  // What is packed next, which may be nothing yet. The last step adds MANIFEST.txt: each member with its size and what was cut or left out.
  Result<std::string> step();
  bool done() const { return done_; }

 private:
  Status begin();
  Status add(const SupportSection& section);
  Status add_text(const std::string& name, std::string text);

  std::vector<SupportSection> sections_;
  std::function<std::vector<Secret>()> secrets_;
  const Clock& clock_;
  SupportLimits limits_;
  std::optional<TarGzWriter> writer_;
  Redactor redact_;
  SteadyTime until_{};
  std::size_t next_ = 0, total_ = 0;
  std::string manifest_;
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
