#include "agent/service/support.hpp"

#include <utility>

namespace asio = boost::asio;

namespace slipway {

SupportPacker::SupportPacker(std::vector<SupportSection> sections, std::function<std::vector<Secret>()> secrets, const Clock& clock, SupportLimits limits)
    : sections_(std::move(sections)), secrets_(std::move(secrets)), clock_(clock), limits_(limits) {}

Status SupportPacker::begin() {
  auto writer = TarGzWriter::open(clock_.wall());
  if (!writer) return writer.error();
  writer_.emplace(std::move(*writer));
  redact_ = Redactor(secrets_());
  until_ = clock_.steady() + limits_.time;
  manifest_ = "made at " + to_rfc3339(clock_.wall()) + "\n";
  return {};
}

Status SupportPacker::add_text(const std::string& name, std::string text) {
  std::string note;
  if (text.size() > limits_.section_bytes) {
    note = ", the last " + std::to_string(limits_.section_bytes) + " bytes of " + std::to_string(text.size());
    // A cut in the middle of a line may hide what a secret begins with: the rest of that line goes, too.
    text.erase(0, text.size() - limits_.section_bytes);
    const std::size_t line = text.find('\n');
    text.erase(0, line == std::string::npos ? 0 : line + 1);
  }
  total_ += text.size();
  manifest_ += name + ": " + std::to_string(text.size()) + " bytes" + note + "\n";
  return writer_->add(name, text);
}

// A section that cannot be had must not keep the others away.
Status SupportPacker::add(const SupportSection& section) {
  if (clock_.steady() >= until_ || total_ >= limits_.total_bytes) {
    manifest_ += section.name + ": left out, " + (total_ >= limits_.total_bytes ? "the archive is full" : "it took too long") + "\n";
    return {};
  }
  const Result<std::string> text = section.gather();
  if (text) return add_text(section.name, redact_(*text));
  manifest_ += section.name + ": not there: " + redact_(text.error().message) + "\n";
  return {};
}

Result<std::string> SupportPacker::step() {
  Status done = writer_ ? Status{} : begin();
  if (done && next_ < sections_.size()) {
    done = add(sections_[next_++]);
  } else if (done && !done_) {
    done = writer_->add("MANIFEST.txt", manifest_);
    if (done) done = writer_->finish();
    done_ = true;
  }
  if (!done) return done.error();
  return writer_->take();
}

SupportStream::SupportStream(std::shared_ptr<SupportPacker> packer, Workers& workers, std::shared_ptr<void> hold)
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
