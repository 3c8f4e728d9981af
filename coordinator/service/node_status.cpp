#include "coordinator/service/node_status.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "common/core/text.hpp"
#include "coordinator/service/nat_sources.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_max_items = 32;
constexpr std::size_t k_max_text = 512;
constexpr std::size_t k_max_word = 128;
constexpr std::size_t k_max_settings = 32 * 1024;
constexpr std::size_t k_max_lines = 20;
constexpr Seconds k_alive{90};  // agents report every ten seconds and wait at most a minute for news

void cut(std::string& text, std::size_t size) {
  if (text.size() > size) text.resize(size);
}
template <class T> void cut(std::vector<T>& items) {
  if (items.size() > k_max_items) items.resize(k_max_items);
}

void cut_end(proto::ComponentEnd& end) {
  cut(end.at, k_max_word);
  cut(end.reason, k_max_word);
  cut(end.signal, k_max_word);
  if (end.lines.size() > k_max_lines) end.lines.resize(k_max_lines);
  for (std::string& line : end.lines) cut(line, k_max_text);
}

void cut_report(proto::NodeStatusReport& report) {
  cut(report.phase, k_max_word);
  cut(report.last_error, 4 * k_max_text);
  cut(report.conditions);
  cut(report.components);
  cut(report.certificates);
  cut_facts(report.facts);
  if (report.settings) {
    cut(report.settings->state, k_max_word);
    cut(report.settings->message, k_max_text);
  }
  for (auto& condition : report.conditions) {
    cut(condition.type, k_max_word);
    cut(condition.reason, k_max_word);
    cut(condition.message, k_max_text);
  }
  for (auto& component : report.components) {
    cut(component.name, k_max_word);
    cut(component.version, k_max_word);
    cut(component.state, k_max_word);
    cut(component.message, k_max_text);
    cut(component.since, k_max_word);
    if (component.ends.size() > 1) component.ends.resize(1);
    for (auto& end : component.ends) cut_end(end);
  }
  for (auto& certificate : report.certificates) {
    cut(certificate.usage, k_max_word);
    cut(certificate.serial, k_max_word);
    cut(certificate.not_after, k_max_word);
  }
}

// Agents that wait for changes tell it there, and leave it out here: a report in which nothing is new can then be told unread.
void note_applied(NodeContact& contact, const proto::NodeStatusReport& report) {
  if (report.applied_revision > 0) contact.applied_revision = report.applied_revision;
}

std::string go_architecture(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return machine;
}

}  // namespace

std::map<std::string, std::string> labels_of(const proto::NodeView& view) {
  std::map<std::string, std::string> labels{
      {"kubernetes.io/hostname", view.name}, {"kubernetes.io/os", "linux"}, {"slipway/role", view.role}};
  if (!view.pool.empty()) labels["slipway/pool"] = view.pool;
  if (!view.facts.architecture.empty()) labels["kubernetes.io/arch"] = go_architecture(view.facts.architecture);
  return labels;
}

void cut_facts(proto::NodeFacts& facts) {
  for (std::string* text : {&facts.machine_id, &facts.os, &facts.kernel, &facts.architecture, &facts.agent_version, &facts.product_uuid}) cut(*text, k_max_word);
  cut(facts.host_routes);
  for (std::string& route : facts.host_routes) cut(route, k_max_word);
}

Origin origin_of(const std::vector<Cidr>& nat_sources, const Node& node, const IpAddress& from) {
  if (from == node.address || from.is_loopback()) return Origin::home;
  return in_any(nat_sources, from) ? Origin::behind_nat : Origin::elsewhere;
}

Status check_single(const std::vector<Cidr>& nat_sources, const Node& node, const NodeContact* contact, const IpAddress& from, SteadyTime now) {
  const Origin origin = origin_of(nat_sources, node, from);
  if (origin == Origin::home || contact == nullptr) return {};
  const bool by_nat = origin == Origin::elsewhere && contact->seen_behind_nat > contact->seen_at_home;
  const SteadyTime heard = by_nat ? contact->seen_behind_nat : contact->seen_at_home;
  if (heard == SteadyTime{}) return {};
  const auto silent = std::chrono::floor<Seconds>(now - heard);
  if (silent >= k_alive) return {};
  return make_error(Errc::denied, "two live agents have the identity of node " + node.name + ": one at " + node.address.to_string() + (by_nat ? " behind NAT" : "") +
                                      " (heard " + to_age_text(silent) + " ago) and one at " + from.to_string() +
                                      ": a machine was copied with its keys; on the copy run slipway-agent reset, without a node delete here, "
                                      "remove /etc/machine-id, and join it under another name. If this host has moved to another address, wait: it is let in when the old one has been silent for " + to_age_text(k_alive));
}

NodeStatusBoard::NodeStatusBoard(const Clock& clock, Millis dead_after)
    : clock_(clock), dead_after_(dead_after), started_(clock.steady()) {}

std::uint64_t bundle_mark(std::string_view sha256_hex) {
  const auto bytes = sha256_hex.size() == 64 ? from_hex(sha256_hex.substr(0, 16)) : std::nullopt;
  std::uint64_t mark = 0;
  if (bytes) {
    for (const char c : *bytes) mark = mark << 8 | static_cast<unsigned char>(c);
  }
  return mark;
}

std::uint64_t report_mark(std::string_view body) {
  const std::uint64_t mark = std::hash<std::string_view>{}(body);
  return mark == 0 ? 1 : mark;
}

bool NodeStatusBoard::repeat(const std::string& uid, std::uint64_t mark, Origin origin) {
  const NodeContact* const last = find(uid);
  if (last == nullptr || mark == 0 || last->mark != mark) return false;
  note_applied(heard(uid, origin), last->report);
  return true;
}

void NodeStatusBoard::report(const std::string& uid, proto::NodeStatusReport report, Origin origin, std::uint64_t mark) {
  cut_report(report);
  NodeContact& sender = heard(uid, origin);
  note_applied(sender, report);
  sender.mark = mark;
  sender.bundles = {};
  for (const auto& [name, digest] : report.ca_bundles) {
    if (const auto kind = ca_kind_from_string(name)) sender.bundles[static_cast<std::size_t>(*kind)] = bundle_mark(digest);
  }
  report.ca_bundles = {};
  std::shared_ptr<const std::string> running, host;
  if (report.settings) {
    running = shared_text(std::exchange(report.settings->running, {}).text);
    host = shared_text(std::exchange(report.settings->host, {}).text);
  }
  const bool same_settings = sender.running_settings == running && sender.host_settings == host;
  sender.running_settings = std::move(running);
  sender.host_settings = std::move(host);
  if (sender.changed != 0 && same_settings && sender.report == report) return;
  sender.changed = ++change_count_;
  sender.report = std::move(report);
}

// Null: there is nothing in it, or too much.
std::shared_ptr<const std::string> NodeStatusBoard::shared_text(std::string text) {
  if (text.size() <= 2 || text.size() > k_max_settings) return nullptr;
  std::weak_ptr<const std::string>& known = texts_[text];
  if (auto there = known.lock()) return there;
  auto made = std::make_shared<const std::string>(std::move(text));
  known = made;
  return made;
}

NodeContact& NodeStatusBoard::heard(const std::string& uid, Origin origin) {
  NodeContact& contact = contacts_[uid];
  contact.last_contact = clock_.wall();
  contact.last_seen = clock_.steady();
  if (origin == Origin::home) contact.seen_at_home = contact.last_seen;
  if (origin == Origin::behind_nat) contact.seen_behind_nat = contact.last_seen;
  return contact;
}

void NodeStatusBoard::contact(const std::string& uid, std::uint64_t applied_revision, Origin origin) {
  heard(uid, origin).applied_revision = applied_revision;
}

void NodeStatusBoard::set_pod_cidr_published(const std::string& uid, bool published) {
  NodeContact& contact = contacts_[uid];
  if (contact.pod_cidr_published != published) contact.changed = ++change_count_;
  contact.pod_cidr_published = published;
}

void NodeStatusBoard::changed(const std::string& uid) { contacts_[uid].changed = ++change_count_; }

void NodeStatusBoard::forget(const std::string& uid) { contacts_.erase(uid); }

const NodeContact* NodeStatusBoard::find(const std::string& uid) const {
  const auto found = contacts_.find(uid);
  return found == contacts_.end() ? nullptr : &found->second;
}

std::uint64_t NodeStatusBoard::acknowledged(const State& state) const {
  const SteadyTime now = clock_.steady();
  // With no node that could still hold an old route, all is acknowledged.
  std::uint64_t lowest = state.desired_revision();
  for (const auto& [name, node] : state.nodes()) {
    const NodeContact* contact = find(node.uid);
    const bool heard = contact != nullptr && contact->last_contact != WallTime{};
    if (now - (heard ? contact->last_seen : started_) >= dead_after_) continue;
    lowest = std::min(lowest, heard ? contact->applied_revision : 0);
  }
  return lowest;
}

void NodeStatusBoard::prune(const State& state) {
  std::erase_if(contacts_, [&state](const auto& entry) { return state.node_by_uid(entry.first) == nullptr; });
  std::erase_if(texts_, [](const auto& entry) { return entry.second.expired(); });
}

proto::NodeView node_view(const State& state, const Node& node, const NodeContact* contact) {
  proto::NodeView view;
  view.name = node.name;
  view.uid = node.uid;
  view.generation = node.generation;
  view.role = to_string(node.role);
  view.address = node.address.to_string();
  view.pod_cidr = node.pod_cidr.to_string();
  for (const Cidr& block : blocks_of(node)) view.pod_cidrs.push_back(block.to_string());
  view.phase = node.replacing ? "Replacing" : "Joining";
  view.pool = node.pool;
  view.unschedulable = node.unschedulable;
  if (node.renew_before != WallTime{}) view.renew_before = to_rfc3339(node.renew_before);
  view.joined_at = to_rfc3339(node.joined_at);
  view.token_id = node.token_id;
  view.facts.machine_id = node.machine_id;
  // Its own word if it has said one, else what was issued.
  for (const auto& [usage, serial] : node.certificates) {
    const auto record = state.certificates().find(serial);
    if (record) view.certificates.push_back({std::string(to_string(usage)), serial.hex(), to_rfc3339(record->not_after)});
  }
  view.labels = labels_of(view);
  if (contact == nullptr) return view;
  if (contact->last_contact != WallTime{}) view.last_contact = to_rfc3339(contact->last_contact);
  view.pod_cidr_published = contact->pod_cidr_published;
  view.applied_revision = contact->applied_revision;
  if (contact->report.phase.empty()) return view;
  view.phase = contact->report.phase;
  view.conditions = contact->report.conditions;
  view.components = contact->report.components;
  if (!contact->report.certificates.empty()) view.certificates = contact->report.certificates;
  view.facts = contact->report.facts;
  view.last_error = contact->report.last_error;
  if (contact->report.settings) {
    view.settings = contact->report.settings->state;
    view.settings_message = contact->report.settings->message;
  }
  view.labels = labels_of(view);
  return view;
}

}  // namespace slipway
