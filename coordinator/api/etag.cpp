#include "coordinator/api/etag.hpp"

#include "common/core/text.hpp"
#include "common/crypto/digest.hpp"
#include "proto/codec.hpp"

namespace slipway::api {

namespace {

// Sizes keep two lists of parts from making one text.
class Tag {
 public:
  Tag& operator<<(std::string_view part) {
    text_ += std::to_string(part.size()) + ":" + std::string(part);
    return *this;
  }
  Tag& operator<<(std::uint64_t number) { return *this << std::string_view(std::to_string(number)); }
  std::string quoted() const { return "\"" + sha256_hex(text_).substr(0, 32) + "\""; }

 private:
  std::string text_;
};

// "a", "b" or *. A weak tag, W/"a", never matches here.
bool matches(std::string_view header, const std::string& etag) {
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(','), header.size());
    const std::string_view one = trim(header.substr(0, end));
    if (one == "*" || one == etag) return true;
    header.remove_prefix(std::min(end + 1, header.size()));
  }
  return false;
}

// `tag_now`: of what is there; nothing where nothing is.
Guard guard_of(const http::Request& request, std::string what, std::function<std::optional<std::string>(const State&)> tag_now) {
  const std::string* header = request.headers.find("If-Match");
  if (header == nullptr) return {};
  return [wanted = *header, what = std::move(what), tag_now = std::move(tag_now)](const State& state) -> Status {
    const auto etag = tag_now(state);
    if (!etag || matches(wanted, *etag)) return {};
    return make_error(Errc::conflict, Cause::stale, what + " changed since it was read (If-Match): read it again");
  };
}

}  // namespace

std::string etag_of(const proto::ClusterSpec& spec) { return (Tag() << proto::encode(spec)).quoted(); }

std::string etag_of(const Node& node) {
  Tag tag;
  tag << node.uid << node.generation << (node.replacing ? "replacing" : "") << (node.unschedulable ? "unschedulable" : "")
      << node.address.to_string() << to_rfc3339(node.renew_before);
  if (!node.extras.empty()) tag << proto::encode(node.extras.get().settings);
  return tag.quoted();
}

std::string etag_of(const CaLine& line) {
  Tag tag;
  tag << to_string(line.kind) << to_string(line.phase) << line.signing.number << (line.other ? line.other->number : 0) << line.bundle_sha256
      << to_rfc3339(line.changed_at);
  return tag.quoted();
}

std::string etag_of(const State& state, const AddressPool& pool) {
  const PoolRecord& record = pool.record();
  Tag tag;
  tag << record.name << static_cast<std::uint64_t>(record.node_prefix_length) << (record.draining ? "draining" : "");
  for (const Cidr& range : record.ranges) tag << range.to_string();
  for (const auto& [block, hold] : state.ledger().holds()) {
    if (pool.contains(block)) tag << block.to_string() << hold.node << hold.note;
  }
  return tag.quoted();
}

Guard cluster_guard(const http::Request& request) {
  return guard_of(request, "the cluster's settings", [](const State& state) -> std::optional<std::string> {
    return etag_of(state.cluster().spec);
  });
}

Guard node_guard(const http::Request& request, const std::string& name) {
  return guard_of(request, "node " + name.substr(0, 64), [name](const State& state) -> std::optional<std::string> {
    const Node* node = state.node(name);
    if (node == nullptr) return std::nullopt;
    return etag_of(*node);
  });
}

Guard pool_guard(const http::Request& request, const std::string& name) {
  return guard_of(request, "pool " + name.substr(0, 64), [name](const State& state) -> std::optional<std::string> {
    const AddressPool* pool = state.ledger().pool(name);
    if (pool == nullptr) return std::nullopt;
    return etag_of(state, *pool);
  });
}

Guard ca_guard(const http::Request& request, CaKind kind) {
  return guard_of(request, "the " + std::string(to_string(kind)) + " authority", [kind](const State& state) -> std::optional<std::string> {
    const CaLine* line = state.ca(kind);
    if (line == nullptr) return std::nullopt;
    return etag_of(*line);
  });
}

}  // namespace slipway::api
