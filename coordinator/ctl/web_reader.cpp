#include "coordinator/ctl/web_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <exception>
#include <optional>
#include <vector>

#include "common/async/timeout.hpp"
#include "common/core/unique_fd.hpp"
#include "common/files/write_all.hpp"
#include "common/http/client.hpp"
#include "common/http/host_authorities.hpp"
#include "slipway_version.hpp"

namespace slipway::ctl {

namespace asio = boost::asio;

namespace {

using Millis = std::chrono::milliseconds;
using Reply = Result<http::Response>;
using Sink = std::function<Status(std::string_view)>;
using Begin = std::function<Status(const http::Response&)>;

// Some servers send a page of that size with a 404.
constexpr std::size_t k_refusal_bytes = 1024 * 1024;

// A file that grows by answers.
struct Growing {
  UniqueFd fd;
  std::uint64_t limit = 0;
  std::uint64_t have = 0;
  std::uint64_t whole = 0;  // 0: not told
  std::function<void(std::uint64_t, std::uint64_t)> progress;

  Status begin(const http::Response& head) {
    const std::string* const encoding = head.headers.find("Content-Encoding");
    if (encoding != nullptr && *encoding != "identity") return make_error(Errc::corrupt, "the server sent it encoded, which was not asked for");
    const auto next = continue_file(head.status, head.headers.find("Content-Range"), head.headers.find("Content-Length"), have, limit);
    if (!next) return next.error();
    if (next->anew && have > 0) {
      if (const Status emptied = empty(); !emptied) return emptied;
    }
    whole = next->length;
    return {};
  }
  Status empty() {
    if (::ftruncate(fd.get(), 0) != 0) return from_errno("emptying the download", errno);
    have = 0;
    return {};
  }
  Status take(std::string_view chunk) {
    if (chunk.size() > limit - have) return make_error(Errc::exhausted, "more bytes came than such a file has");
    if (const Status written = write_all(fd.get(), chunk, "the download"); !written) return written;
    have += chunk.size();
    if (progress) progress(have, whole);
    return {};
  }
};

// Worth another try: the line, not the file.
bool is_passing(Errc code) { return code == Errc::unavailable || code == Errc::timeout; }

http::Request get_request(const http::WebUrl& url, std::uint64_t from) {
  http::Request get;
  get.method = http::Method::get;
  get.target = url.target();
  get.headers.set("User-Agent", std::string("slipwayctl/") + k_version);
  get.headers.set("Accept", "*/*");
  get.headers.set("Accept-Encoding", "identity");
  if (from > 0) get.headers.set("Range", "bytes=" + std::to_string(from) + "-");
  return get;
}

bool same_place(const http::WebUrl& a, const http::WebUrl& b) {
  return a.is_tls == b.is_tls && a.endpoint.host == b.endpoint.host && a.endpoint.port == b.endpoint.port;
}

}  // namespace

struct WebReader::Impl {
  Impl(std::string ca, WebLimits wanted) : ca_file(std::move(ca)), limits(wanted), deadline(std::chrono::steady_clock::now() + wanted.total) {}

  std::string ca_file;
  WebLimits limits;
  SteadyTime deadline;
  asio::io_context io{1};
  std::shared_ptr<http::TlsClientContext> tls;
  std::optional<http::WebUrl> client_at;
  std::optional<http::Client> client;  // kept alive for the next file of the same server

  Millis left() const { return std::max(Millis(0), std::chrono::ceil<Millis>(deadline - std::chrono::steady_clock::now())); }
  Status connect_to(const http::WebUrl& url);
  asio::awaitable<Reply> ask(http::WebUrl first, std::shared_ptr<Growing> file);
  asio::awaitable<Reply> ask_one(http::WebUrl url, std::shared_ptr<Growing> file);
  asio::awaitable<Reply> fetch(FetchItem item, http::WebUrl url, std::shared_ptr<Growing> file);
  Reply run(asio::awaitable<Reply> work);
};

Status WebReader::Impl::connect_to(const http::WebUrl& url) {
  if (client && same_place(*client_at, url)) return {};
  client.reset();
  http::ClientLimits client_limits;
  client_limits.body_bytes = k_refusal_bytes;
  if (url.is_tls) {
    if (!tls) {
      auto pem = ca_file.empty() ? http::host_authorities() : http::authorities_of_file(ca_file);
      if (!pem && ca_file.empty()) return error_of(pem, "reading the CAs to trust for https (--ca-file names others)");
      if (!pem) return error_of(pem, "reading --ca-file");
      auto made = http::TlsClientContext::make(std::move(*pem), nullptr);
      if (!made) return error_of(made, "the CAs to trust for https");
      tls = std::move(*made);
    }
    client.emplace(io.get_executor(), url.endpoint, tls, client_limits);
  } else {
    client.emplace(http::Client::without_tls(io.get_executor(), url.endpoint, client_limits));
  }
  client_at = url;
  return {};
}

// One exchange; with `file` the body of a 200 or 206 goes there.
asio::awaitable<Reply> WebReader::Impl::ask_one(http::WebUrl url, std::shared_ptr<Growing> file) {
  if (const Status connected = connect_to(url); !connected) co_return connected.error();
  http::Request get = get_request(url, file ? file->have : 0);
  if (!file) {
    asio::awaitable<Reply> sending = client->send(std::move(get), std::min(limits.idle, left()));
    co_return co_await std::move(sending);
  }
  Sink sink = [file](std::string_view chunk) { return file->take(chunk); };
  Begin begin = [file](const http::Response& head) { return file->begin(head); };
  asio::awaitable<Reply> fetching = client->fetch(std::move(get), std::move(sink), limits.idle, std::move(begin));
  asio::awaitable<Reply> limited = with_timeout<http::Response>(left(), std::move(fetching));
  co_return co_await std::move(limited);
}

// Follows redirects. The answer is none.
asio::awaitable<Reply> WebReader::Impl::ask(http::WebUrl first, std::shared_ptr<Growing> file) {
  std::vector<http::WebUrl> asked = {first};
  for (;;) {
    const http::WebUrl at = asked.back();
    asio::awaitable<Reply> asking = ask_one(at, file);
    Reply reply = co_await std::move(asking);
    if (!reply) co_return context(reply.error(), "downloading " + at.shown());
    if (!is_redirect(reply->status)) co_return reply;
    auto next = follow(at, reply->headers.find("Location"), asked);
    if (!next) co_return next.error();
    asked.push_back(std::move(*next));
  }
}

// Asks until the answer is whole; for a file, for what is missing of it.
asio::awaitable<Reply> WebReader::Impl::fetch(FetchItem item, http::WebUrl url, std::shared_ptr<Growing> file) {
  int failures = 0;
  Millis pause = limits.pause;
  for (;;) {
    const std::uint64_t before = file ? file->have : 0;
    asio::awaitable<Reply> asking = ask(url, file);
    Reply reply = co_await std::move(asking);
    if (reply && (reply->status == 200 || (file && reply->status == 206))) co_return reply;
    // What is there is not the beginning of what the server has now.
    const bool too_far = reply && reply->status == 416 && before > 0;
    if (too_far) {
      if (const Status emptied = file->empty(); !emptied) co_return emptied.error();
    }
    Error error = reply ? refused_answer(reply->status, url, item) : reply.error();
    if (!too_far && !is_passing(error.code)) co_return error;
    if (file && file->have > before) {
      failures = 0;
      pause = limits.pause;
    }
    if (++failures >= limits.tries) co_return context(std::move(error), "gave up after " + std::to_string(failures) + " tries");
    if (left() <= pause) co_return make_error(Errc::timeout, "the whole may not take longer (--timeout); the last trouble: " + error.message);
    asio::steady_timer timer(io, pause);
    boost::system::error_code ec;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return make_error(Errc::canceled, "interrupted");
    pause *= 2;
  }
}

Reply WebReader::Impl::run(asio::awaitable<Reply> work) {
  std::optional<Reply> result;
  bool interrupted = false;
  asio::cancellation_signal cancel;
  asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&cancel, &interrupted](const boost::system::error_code& ec, int) {
    if (ec) return;
    interrupted = true;
    cancel.emit(asio::cancellation_type::terminal);
  });
  asio::co_spawn(io, std::move(work), asio::bind_cancellation_slot(cancel.slot(), [&result](std::exception_ptr failure, Reply reply) {
                   result = failure ? Reply(make_error(Errc::internal, "the download ended unexpectedly")) : std::move(reply);
                 }));
  io.restart();
  // Not run(): a kept-alive connection may leave work behind that is none of this request's.
  while (!result && io.run_one() > 0) {
  }
  if (interrupted) return make_error(Errc::canceled, "interrupted");
  if (!result) return make_error(Errc::internal, "the request ended without an answer");
  return std::move(*result);
}

WebReader::WebReader(std::string ca_file, WebLimits limits) : impl_(std::make_unique<Impl>(std::move(ca_file), limits)) {}
WebReader::~WebReader() = default;

Result<std::string> WebReader::checksum_text(const FetchItem& item) {
  const auto reply = impl_->run(impl_->fetch(item, item.checksum_url, nullptr));
  if (!reply) return reply.error();
  if (reply->body.size() > impl_->limits.text_bytes) return make_error(Errc::corrupt, item.checksum_url.shown() + ": too long for a checksum");
  return reply->body;
}

Status WebReader::download(const FetchItem& item, const std::string& path, std::function<void(std::uint64_t, std::uint64_t)> progress) {
  auto file = std::make_shared<Growing>();
  file->fd = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file->fd) return from_errno("making " + path, errno);
  file->limit = impl_->limits.file_bytes;
  file->progress = std::move(progress);
  const auto reply = impl_->run(impl_->fetch(item, item.url, file));
  if (!reply) return reply.error();
  return {};
}

}  // namespace slipway::ctl
