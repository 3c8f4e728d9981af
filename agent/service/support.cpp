#include "agent/service/support.hpp"

#include <utility>

namespace asio = boost::asio;

namespace slipway {

SupportPacker::SupportPacker(std::vector<SupportSection> sections,
                             std::function<std::vector<Secret>()> secrets, const Clock& clock,
                             SupportLimits limits)
    : sections_(std::move(sections)), secrets_(std::move(secrets)), clock_(clock), limits_(limits) {}

Status SupportPacker::begin() {
  auto archive = SupportArchive::open(Redactor(secrets_()), clock_.wall(), limits_.bounds);
  if (!archive) return archive.error();
  archive_.emplace(std::move(*archive));
  until_ = clock_.steady() + limits_.time;
  return {};
}

// A section that cannot be had must not keep the others away.
Status SupportPacker::add(const SupportSection& section) {
  if (clock_.steady() >= until_) {
    archive_->leave_out(section.name, "it took too long");
    return {};
  }
  const Result<std::string> text = section.gather();
  if (text) return archive_->add(section.name, *text);
  archive_->leave_out(section.name, text.error().message);
  return {};
}

Result<std::string> SupportPacker::step() {
  Status done = archive_ ? Status{} : begin();
  if (done && next_ < sections_.size()) {
    done = add(sections_[next_++]);
  } else if (done && !done_) {
    done = archive_->finish();
    done_ = true;
  }
  if (!done) return done.error();
  return archive_->take();
}

SupportStream::SupportStream(std::shared_ptr<SupportPacker> packer, Workers& workers,
                             std::shared_ptr<void> hold)
    : packer_(std::move(packer)), workers_(workers), hold_(std::move(hold)) {}

asio::awaitable<Result<std::string>> SupportStream::next() {
  while (!packer_->done()) {
    std::function<Result<std::string>()> job = [packer = packer_] { return packer->step(); };
    asio::awaitable<Result<std::string>> stepping = offload<std::string>(workers_, std::move(job));
    Result<std::string> part = co_await std::move(stepping);
    if (!part || !part->empty()) co_return part;
  }
  co_return std::string();
}

}  // namespace slipway
