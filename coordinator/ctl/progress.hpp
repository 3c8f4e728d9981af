#pragma once
// How far a transfer is: one line that is rewritten on a terminal, plain lines elsewhere.
#include <cstdint>
#include <ostream>
#include <string>
#include <utility>

#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

class Progress {
 public:
  // `total` in bytes; 0: not known.
  Progress(Console& console, std::string label, std::uint64_t total)
      : console_(console), label_(std::move(label)), total_(total) {}
  void of(std::uint64_t total) { total_ = total; }
  void at(std::uint64_t done) {
    if (!console_.terminal || total_ == 0) return;
    const std::uint64_t percent = done * 100 / total_;
    if (percent == shown_) return;
    shown_ = percent;
    console_.err << "\r" << label_ << "  " << percent << " % of " << human_size(total_) << "   "
                 << std::flush;
  }
  void end(const std::string& text) {
    console_.err << (console_.terminal ? "\r" : "") << label_ << "  " << text << "            \n";
  }

 private:
  Console& console_;
  std::string label_;
  std::uint64_t total_;
  std::uint64_t shown_ = 101;
};

}  // namespace slipway::ctl
