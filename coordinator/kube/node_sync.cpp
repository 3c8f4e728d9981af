#include "coordinator/kube/node_sync.hpp"

#include <algorithm>

#include "common/core/text.hpp"
#include "common/log/log.hpp"

namespace slipway::kube {

namespace {

constexpr Millis k_interval{3'000};         // while nodes wait for their CIDR or removed ones for their end
constexpr Millis k_idle_interval{5'000};    // otherwise: only looks at our own lists
constexpr Millis k_full_interval{600'000};  // all Node objects: what others did meanwhile

}  // namespace

NodeSync::NodeSync(NodeSyncDeps deps) : deps_(std::move(deps)) {
  // Objects of nodes that were removed while kube-apiserver was away, or just before we ended.
  for (const std::string& name : deps_.removed_names()) to_delete_.insert(name);
}

void NodeSync::removed(const std::string& name) {
  to_delete_.insert(name);
  wake_.notify();
}

std::vector<std::string> NodeSync::conflicts() const {
  std::vector<std::string> lines;
  for (const auto& [uid, line] : conflicts_) lines.push_back(line);
  lines.insert(lines.end(), import_conflicts_.begin(), import_conflicts_.end());
  return lines;
}

boost::asio::awaitable<Status> NodeSync::run() {
  while (true) {
    boost::asio::awaitable<Status> passing = pass();
    const Status passed = co_await std::move(passing);
    if (!passed && passed.error().code == Errc::canceled) co_return passed.error();
    remember(passed);
    bool busy = !passed || !to_delete_.empty();
    for (const LiveNode& node : deps_.live_nodes()) busy = busy || published_.count(node.uid) == 0;
    boost::asio::awaitable<bool> waiting = wake_.wait(busy ? k_interval : k_idle_interval);
    co_await std::move(waiting);
  }
}

// Said once for each change, not at every try.
void NodeSync::remember(const Status& result) {
  const std::string message = result ? "answers" : result.error().message;
  if (ok_ != static_cast<bool>(result) || (!result && message_ != message)) {
    if (result)
      log::info("kube-apiserver answers");
    else
      log::warning("kube-apiserver is not to be reached; trying on", {{"error", result.error()}});
  }
  ok_ = static_cast<bool>(result);
  message_ = message;
}

boost::asio::awaitable<Status> NodeSync::pass() {
  if (!access_) {
    boost::asio::awaitable<Status> ensuring = deps_.kube.ensure_access();
    const Status ensured = co_await std::move(ensuring);
    if (!ensured) co_return ensured.error();
    access_ = true;
  }
  boost::asio::awaitable<Status> deleting = delete_removed();
  const Status deleted = co_await std::move(deleting);
  if (!deleted) co_return deleted.error();
  if (deps_.clock.steady() >= next_full_) {
    boost::asio::awaitable<Status> looking = look_at_all();
    const Status looked = co_await std::move(looking);
    if (!looked) co_return looked.error();
    next_full_ = deps_.clock.steady() + k_full_interval;
  }
  boost::asio::awaitable<Status> marking = mark_changed();
  const Status marked = co_await std::move(marking);
  if (!marked) co_return marked.error();
  const std::vector<LiveNode> live = deps_.live_nodes();
  for (const LiveNode& node : live) {
    if (published_.count(node.uid) != 0) continue;
    boost::asio::awaitable<Status> publishing = publish(node);
    const Status done = co_await std::move(publishing);
    if (!done) co_return done.error();
  }
  co_return Status{};
}

boost::asio::awaitable<Status> NodeSync::delete_removed() {
  while (!to_delete_.empty()) {
    const std::string name = *to_delete_.begin();
    bool live = false;
    for (const LiveNode& node : deps_.live_nodes()) live = live || node.name == name;
    if (!live) {
      boost::asio::awaitable<Status> deleting = deps_.kube.delete_node(name);
      const Status deleted = co_await std::move(deleting);
      if (!deleted) co_return deleted.error();
    }
    to_delete_.erase(name);
  }
  co_return Status{};
}

boost::asio::awaitable<Status> NodeSync::publish(LiveNode node) {
  boost::asio::awaitable<Result<KubeNode>> getting = deps_.kube.get_node(node.name);
  const auto object = co_await std::move(getting);
  if (!object && object.error().code == Errc::not_found) co_return Status{};  // its kubelet comes later
  if (!object) co_return object.error();
  boost::asio::awaitable<Status> cordoning = keep_cordoned(node, *object);
  const Status cordoned = co_await std::move(cordoning);
  if (!cordoned) co_return cordoned.error();
  boost::asio::awaitable<Status> marking = keep_marked(node, *object);
  const Status marked = co_await std::move(marking);
  if (!marked) co_return marked.error();
  if (done_with(node, *object)) co_return Status{};
  boost::asio::awaitable<Status> setting = deps_.kube.set_pod_cidr(node.name, node.pod_cidr, node.second_pod_cidr);
  const Status set = co_await std::move(setting);
  // Somebody else was faster, or the object is gone again: the next pass sees.
  if (!set && (set.error().code == Errc::conflict || set.error().code == Errc::not_found)) co_return Status{};
  if (!set) co_return set.error();
  log::info("pod CIDR published", {{"node", node.name}, {"podCIDR", node.pod_cidr.to_string()}});
  published_.insert(node.uid);
  deps_.set_published(node.uid, true);
  co_return Status{};
}

// A Node object that is made anew, by a kubelet that registers again, has forgotten the wish. Taking it back is said once, by who
// does it: what somebody else cordoned stays so.
boost::asio::awaitable<Status> NodeSync::keep_cordoned(LiveNode node, KubeNode object) {
  if (!node.unschedulable || object.unschedulable) co_return Status{};
  boost::asio::awaitable<Status> setting = deps_.kube.set_unschedulable(node.name, true);
  const Status set = co_await std::move(setting);
  if (!set && set.error().code != Errc::not_found) co_return set.error();
  if (set) log::info("node cordoned", {{"node", node.name}});
  co_return Status{};
}

boost::asio::awaitable<Status> NodeSync::record_marks(std::string uid, std::vector<std::string> labels, std::vector<std::string> taints) {
  boost::asio::awaitable<Status> recording = deps_.record_marks(std::move(uid), std::move(labels), std::move(taints));
  const Status recorded = co_await std::move(recording);
  if (!recorded && recorded.error().code != Errc::not_found) co_return recorded.error();
  co_return Status{};
}

// What may become ours is recorded first: what was set just before we ended is still known to be ours. The record is not on the object, where a
// node could change it and have us take away what others set.
boost::asio::awaitable<Status> NodeSync::keep_marked(LiveNode node, KubeNode object) {
  if (!deps_.marks) co_return Status{};
  const WantedMarks marks = deps_.marks(node.name);
  const MarksPlan plan = plan_marks(object, marks);
  if (plan.labels_before != marks.applied_labels || plan.taints_before != marks.applied_taints) {
    boost::asio::awaitable<Status> recording = record_marks(node.uid, plan.labels_before, plan.taints_before);
    const Status recorded = co_await std::move(recording);
    if (!recorded) co_return recorded.error();
  }
  if (plan.change) {
    boost::asio::awaitable<Status> setting = deps_.kube.set_marks(node.name, *plan.change);
    const Status set = co_await std::move(setting);
    // Somebody else was faster: the next pass looks again.
    const bool passing = !set && (set.error().code == Errc::conflict || set.error().code == Errc::not_found);
    if (passing) marks_revision_ = 0;
    if (!set) co_return passing ? Status{} : Status(set.error());
    log::info("labels and taints set", {{"node", node.name}});
  }
  if (plan.labels_after != plan.labels_before || plan.taints_after != plan.taints_before) {
    boost::asio::awaitable<Status> recording = record_marks(node.uid, plan.labels_after, plan.taints_after);
    const Status recorded = co_await std::move(recording);
    if (!recorded) co_return recorded.error();
  }
  if (marks.wanted.empty()) marked_.erase(node.uid);
  else marked_[node.uid] = marks.wanted;
  co_return Status{};
}

// After a change of settings, those nodes whose labels or taints it is about.
boost::asio::awaitable<Status> NodeSync::mark_changed() {
  if (!deps_.marks || deps_.marks_revision() == marks_revision_) co_return Status{};
  marks_revision_ = deps_.marks_revision();
  const std::vector<LiveNode> live = deps_.live_nodes();
  for (const LiveNode& node : live) {
    const auto before = marked_.find(node.uid);
    const WantedMarks marks = deps_.marks(node.name);
    const bool same = before == marked_.end() ? marks.wanted.empty() && marks.applied_labels.empty() && marks.applied_taints.empty() : before->second == marks.wanted;
    if (same) continue;
    boost::asio::awaitable<Result<KubeNode>> getting = deps_.kube.get_node(node.name);
    const auto object = co_await std::move(getting);
    if (!object && object.error().code == Errc::not_found) continue;  // its kubelet comes later
    if (object) {
      boost::asio::awaitable<Status> marking = keep_marked(node, *object);
      const Status marked = co_await std::move(marking);
      if (marked) continue;
      marks_revision_ = 0;
      co_return marked.error();
    }
    marks_revision_ = 0;
    co_return object.error();
  }
  co_return Status{};
}

// True: nothing is to be written. Notes what stands there.
bool NodeSync::done_with(const LiveNode& node, const KubeNode& object) {
  if (object.pod_cidrs.empty()) return false;
  const std::string wanted = node.pod_cidr.to_string();
  // The second may be missing: a kube-apiserver without dual stack drops it.
  const bool one = object.pod_cidrs.size() == 1;
  const bool two = object.pod_cidrs.size() == 2 && node.second_pod_cidr && object.pod_cidrs.back() == node.second_pod_cidr->to_string();
  const bool same = object.pod_cidrs.front() == wanted && (one || two);
  const std::string there = join(object.pod_cidrs, " and ");
  const std::string ours = wanted + (node.second_pod_cidr ? " and " + node.second_pod_cidr->to_string() : std::string());
  const std::string line = "Node " + node.name + " has spec.podCIDR " + there + ", its block is " + ours;
  if (same) {
    conflicts_.erase(node.uid);
    published_.insert(node.uid);
  } else {
    published_.erase(node.uid);
    if (conflicts_[node.uid] != line)
      log::error("pod CIDR conflict",
                 {{"node", node.name}, {"there", there}, {"ours", ours}});
    conflicts_[node.uid] = line;
  }
  deps_.set_published(node.uid, same);
  return true;
}

boost::asio::awaitable<Status> NodeSync::look_at_all() {
  boost::asio::awaitable<Result<std::vector<KubeNode>>> listing = deps_.kube.list_nodes();
  const auto objects = co_await std::move(listing);
  if (!objects) co_return objects.error();
  if (deps_.import_nodes) {
    boost::asio::awaitable<Result<std::vector<std::string>>> importing = deps_.import_nodes(*objects);
    auto notes = co_await std::move(importing);
    if (!notes) co_return error_of(notes, "keeping the pod ranges of other nodes");
    for (const std::string& note : *notes) {
      const bool told = std::find(import_conflicts_.begin(), import_conflicts_.end(), note) != import_conflicts_.end();
      if (!told) log::error("pod CIDR conflict", {{"conflict", note}});
    }
    import_conflicts_ = std::move(*notes);
  }
  std::map<std::string, const KubeNode*> by_name;
  for (const KubeNode& object : *objects) by_name[object.name] = &object;
  const std::vector<LiveNode> live = deps_.live_nodes();
  std::set<std::string> live_names;
  std::set<std::string> live_uids;
  for (const LiveNode& node : live) {
    live_names.insert(node.name);
    live_uids.insert(node.uid);
    const auto found = by_name.find(node.name);
    if (found == by_name.end() || !done_with(node, *found->second)) published_.erase(node.uid);
    if (found == by_name.end()) continue;
    boost::asio::awaitable<Status> cordoning = keep_cordoned(node, *found->second);
    const Status cordoned = co_await std::move(cordoning);
    if (!cordoned) co_return cordoned.error();
    boost::asio::awaitable<Status> marking = keep_marked(node, *found->second);
    const Status marked = co_await std::move(marking);
    if (!marked) co_return marked.error();
  }
  // A removed node's kubelet may register itself again until its certificate ends.
  for (const std::string& name : deps_.removed_names()) {
    if (by_name.count(name) != 0 && live_names.count(name) == 0) to_delete_.insert(name);
  }
  std::erase_if(published_, [&live_uids](const std::string& uid) { return live_uids.count(uid) == 0; });
  std::erase_if(marked_, [&live_uids](const auto& entry) { return live_uids.count(entry.first) == 0; });
  std::erase_if(conflicts_, [&live_uids](const auto& entry) { return live_uids.count(entry.first) == 0; });
  co_return Status{};
}

}  // namespace slipway::kube
