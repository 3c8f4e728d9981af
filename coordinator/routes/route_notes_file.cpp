#include "coordinator/routes/route_notes_file.hpp"

#include <functional>
#include <utility>

#include "common/files/atomic_file.hpp"
#include "proto/codec.hpp"
#include "proto/file_types.hpp"

namespace slipway {

namespace asio = boost::asio;

namespace {

constexpr std::size_t k_max_file = std::size_t{32} << 20;

Result<std::vector<OwnRoute>> read_notes(const std::string& path) {
  const auto text = read_file(path, k_max_file);
  if (!text && text.error().code == Errc::not_found) return std::vector<OwnRoute>();
  if (!text) return text.error();
  const auto notes = proto::decode_strict<proto::SetRoutes>(*text);
  if (!notes) return context(notes.error(), path);
  std::vector<OwnRoute> routes;
  for (const proto::SetRoute& note : notes->routes) {
    OwnRoute route;
    const auto destination = Cidr::parse(note.destination);
    if (!destination) return context(destination.error(), path);
    route.destination = *destination;
    for (const std::string& text_of_hop : note.next_hops) {
      const auto hop = IpAddress::parse(text_of_hop);
      if (!hop) return context(hop.error(), path);
      route.next_hops.push_back(*hop);
    }
    routes.push_back(std::move(route));
  }
  return routes;
}

std::string notes_text(const std::vector<OwnRoute>& routes) {
  proto::SetRoutes notes;
  for (const OwnRoute& route : routes) {
    proto::SetRoute note{route.destination.to_string(), {}};
    for (const IpAddress& hop : route.next_hops) note.next_hops.push_back(hop.to_string());
    notes.routes.push_back(std::move(note));
  }
  return proto::encode(notes);
}

}  // namespace

asio::awaitable<Result<std::vector<OwnRoute>>> RouteNotesFile::load() {
  using Routes = std::vector<OwnRoute>;
  std::function<Result<Routes>()> job = [path = path_] { return read_notes(path); };
  asio::awaitable<Result<Routes>> reading = offload<Routes>(workers_, std::move(job));
  co_return co_await std::move(reading);
}

asio::awaitable<Status> RouteNotesFile::save(std::vector<OwnRoute> routes) {
  std::function<Result<bool>()> job = [path = path_, text = notes_text(routes)]() -> Result<bool> {
    if (const Status made = make_dirs(parent_path(path), 0700); !made) return made.error();
    if (const Status written = write_file_atomically(path, text, 0600); !written) return written.error();
    return true;
  };
  asio::awaitable<Result<bool>> writing = offload<bool>(workers_, std::move(job));
  const Result<bool> done = co_await std::move(writing);
  co_return done ? Status{} : Status(done.error());
}

}  // namespace slipway
