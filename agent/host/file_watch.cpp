#include "agent/host/file_watch.hpp"

#include <sys/inotify.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "common/core/unique_fd.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t k_events =
    IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

std::map<std::string, std::set<std::string>> by_folder(const std::vector<std::string>& paths) {
  std::map<std::string, std::set<std::string>> folders;
  for (const std::string& path : paths) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || slash == 0) continue;
    folders[path.substr(0, slash)].insert(path.substr(slash + 1));
  }
  return folders;
}

}  // namespace

struct FileWatch::Impl {
  asio::posix::stream_descriptor events;
  std::map<std::string, int> watched;             // folder -> watch
  std::map<int, std::set<std::string>> names;     // watch -> files of interest

  void forget(int watch) {
    names.erase(watch);
    std::erase_if(watched, [watch](const auto& entry) { return entry.second == watch; });
  }

  // Lost events are a change; so is a folder that went away.
  bool concerns_us(const inotify_event& event, std::string_view name) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
    const auto found = names.find(event.wd);
    if (found == names.end()) return false;
    if ((event.mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
      forget(event.wd);
      return true;
    }
    return found->second.count(std::string(name)) != 0 || found->second.count("*") != 0;
  }

  Result<bool> drain() {
    bool changed = false;
    alignas(inotify_event) std::array<char, 16384> buffer;
    for (;;) {
      const ssize_t got = ::read(events.native_handle(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return changed;
      if (got < 0) return from_errno("read file events", errno);
      const auto end = static_cast<std::size_t>(got);
      for (std::size_t at = 0; at + sizeof(inotify_event) <= end;) {
        inotify_event event;
        std::memcpy(&event, buffer.data() + at, sizeof event);
        const char* const name = buffer.data() + at + sizeof event;
        at += sizeof event + event.len;
        if (at > end) break;
        changed = concerns_us(event, {name, ::strnlen(name, event.len)}) || changed;
      }
    }
  }
};

FileWatch::FileWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FileWatch::~FileWatch() = default;
FileWatch::FileWatch(FileWatch&&) noexcept = default;
FileWatch& FileWatch::operator=(FileWatch&&) noexcept = default;

Result<FileWatch> FileWatch::open(asio::any_io_executor executor) {
  UniqueFd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return from_errno("watch files (fs.inotify.max_user_instances may be used up)", errno);
  boost::system::error_code ec;
  asio::posix::stream_descriptor events(executor);
  events.assign(fd.get(), ec);
  if (ec) return make_error(Errc::internal, "watching files: " + ec.message());
  (void)fd.release();
  return FileWatch(std::make_unique<Impl>(Impl{std::move(events), {}, {}}));
}

Status FileWatch::watch(const std::vector<std::string>& paths) {
  const auto wanted = by_folder(paths);
  const auto before = impl_->watched;
  for (const auto& [folder, watch] : before) {
    if (wanted.count(folder) != 0) continue;
    impl_->forget(watch);
    ::inotify_rm_watch(impl_->events.native_handle(), watch);
  }
  Status result;
  for (const auto& [folder, names] : wanted) {
    // Also for one that is watched: the folder of that name may be another one by now.
    const int watch = ::inotify_add_watch(impl_->events.native_handle(), folder.c_str(), k_events);
    if (watch >= 0) {
      impl_->watched[folder] = watch;
      impl_->names[watch] = names;
    } else if (errno != ENOENT && errno != ENOTDIR) {
      result = from_errno("watch the folder " + folder + " (raise fs.inotify.max_user_watches when it is used up)", errno);
    }
  }
  return result;
}

asio::awaitable<Status> FileWatch::changed() {
  for (;;) {
    const auto changed = impl_->drain();
    if (!changed) co_return changed.error();
    if (*changed) co_return Status{};
    const auto waited = co_await impl_->events.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
    const boost::system::error_code ec = std::get<0>(waited);
    if (ec == asio::error::operation_aborted) co_return make_error(Errc::canceled, "waiting for file events: canceled");
    if (ec) co_return make_error(Errc::internal, "waiting for file events: " + ec.message());
  }
}

}  // namespace slipway
