#pragma once
// Keeps kube-apiserver's Node objects in step with the cluster: writes pod CIDRs once kubelets have
// registered, deletes the objects of removed nodes. kube-apiserver may be away at any time; nothing is lost
// by it. State thread.
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/async/clock.hpp"
#include "common/async/notifier.hpp"
#include "coordinator/kube/marks.hpp"
#include "coordinator/ports/kube_api.hpp"

namespace slipway::kube {

struct LiveNode {
  std::string name;
  std::string uid;
  Cidr pod_cidr;
  std::optional<Cidr> second_pod_cidr = {};
  bool unschedulable = false;  // an operator's wish
};

struct NodeSyncDeps {
  KubeApi& kube;
  Clock& clock;
  std::function<std::vector<LiveNode>()> live_nodes;
  std::function<std::vector<std::string>()>
      removed_names;  // tombstones; live names among them are left alone
  std::function<void(const std::string& uid, bool published)> set_published;
  // Keeps the blocks of Node objects that are not ours out of allocation; a line for each that cannot be. Called with all
  // objects at first contact, before anything is written, and at each slow look. Empty: nothing is imported.
  std::function<boost::asio::awaitable<Result<std::vector<std::string>>>(std::vector<KubeNode>)> import_nodes = {};
  // Labels and taints. The first says what the state has of a live node; the second keeps what was set, or is about to be, before and after it
  // is; the third rises whenever what is wanted may have changed. Empty: labels and taints are not looked at.
  std::function<WantedMarks(const std::string& name)> marks = {};
  std::function<boost::asio::awaitable<Status>(std::string uid, std::vector<std::string> labels, std::vector<std::string> taints)> record_marks = {};
  std::function<std::uint64_t()> marks_revision = {};
};

class NodeSync {
 public:
  explicit NodeSync(NodeSyncDeps deps);

  // Until cancelled.
  boost::asio::awaitable<Status> run();
  // A node was removed: its object goes as soon as kube-apiserver answers.
  void removed(const std::string& name);
  // One pass; for tests.
  boost::asio::awaitable<Status> pass();

  bool ok() const { return ok_; }
  const std::string& message() const { return message_; }
  // One line a node whose Node.spec.podCIDR is another one than its block, or lies in the way of the pools. It is reported,
  // never fought over.
  std::vector<std::string> conflicts() const;

 private:
  boost::asio::awaitable<Status> delete_removed();
  boost::asio::awaitable<Status> publish(LiveNode node);
  boost::asio::awaitable<Status> look_at_all();
  boost::asio::awaitable<Status> keep_cordoned(LiveNode node, KubeNode object);
  boost::asio::awaitable<Status> keep_marked(LiveNode node, KubeNode object);
  boost::asio::awaitable<Status> record_marks(std::string uid, std::vector<std::string> labels, std::vector<std::string> taints);
  boost::asio::awaitable<Status> mark_changed();
  bool done_with(const LiveNode& node, const KubeNode& object);
  void remember(const Status& result);

  NodeSyncDeps deps_;
  Notifier wake_;
  std::set<std::string> to_delete_;
  std::set<std::string> published_;               // uids
  std::map<std::string, std::string> conflicts_;  // uid -> line
  std::vector<std::string> import_conflicts_;
  std::map<std::string, NodeMarks> marked_;       // uid -> what the object has of us; empty ones are not here
  std::uint64_t marks_revision_ = 0;              // that all objects have
  SteadyTime next_full_{};
  bool access_ = false;
  bool ok_ = false;
  std::string message_ = "not asked yet";
};

}  // namespace slipway::kube
