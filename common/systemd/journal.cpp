#include "common/systemd/journal.hpp"

#include <systemd/sd-journal.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace slipway::systemd {

namespace {

constexpr std::size_t k_most_bytes = 4096;  // of one message; longer ones are cut by the library where they are compressed

struct JournalClose {
  void operator()(sd_journal* journal) const { ::sd_journal_close(journal); }
};
using Journal = std::unique_ptr<sd_journal, JournalClose>;

Error journal_error(const std::string& what, int r) { return make_error(Errc::unavailable, "the journal: " + what + ": " + std::strerror(-r)); }

Result<Journal> open_journal(const std::string& directory) {
  sd_journal* raw = nullptr;
  const int r = directory.empty() ? ::sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM)
                                  : ::sd_journal_open_directory(&raw, directory.c_str(), 0);
  if (r < 0) return journal_error("opening it", r);
  return Journal(raw);
}

std::string message_of(sd_journal* journal) {
  constexpr std::string_view field = "MESSAGE=";
  const void* data = nullptr;
  std::size_t size = 0;
  if (::sd_journal_get_data(journal, "MESSAGE", &data, &size) < 0) return "";
  std::string_view text(static_cast<const char*>(data), std::min(size, k_most_bytes));
  text.remove_prefix(std::min(field.size(), text.size()));
  return std::string(text);
}

}  // namespace

Result<std::vector<std::string>> last_messages(const std::string& unit, std::size_t most, const std::string& directory) {
  auto journal = open_journal(directory);
  if (!journal) return journal.error();
  ::sd_journal_set_data_threshold(journal->get(), k_most_bytes);
  const std::string match = "_SYSTEMD_UNIT=" + unit;
  int r = ::sd_journal_add_match(journal->get(), match.data(), match.size());
  if (r >= 0) r = ::sd_journal_seek_tail(journal->get());
  if (r < 0) return journal_error("searching it", r);
  std::vector<std::string> messages;
  while (messages.size() < most) {
    r = ::sd_journal_previous(journal->get());
    if (r < 0) return journal_error("reading it", r);
    if (r == 0) break;
    messages.push_back(message_of(journal->get()));
  }
  std::reverse(messages.begin(), messages.end());
  return messages;
}

}  // namespace slipway::systemd
