// `node cordon|uncordon|drain`, `certs rotate`.
#include <algorithm>
#include <map>

#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"
#include "proto/drain.hpp"

namespace slipway::ctl {

namespace {

constexpr Seconds k_between_steps{2};

std::string node_path(const std::string& name) { return "/v1/nodes/" + percent_encode(name); }

bool is_document(Format format) { return format == Format::json || format == Format::yaml; }

// Lines for what is new since the last step: which pods are left, and why.
class Progress {
 public:
  explicit Progress(std::ostream& err) : err_(err) {}

  void tell(const proto::DrainReport& report) {
    std::map<std::string, std::string> now;
    for (const proto::DrainPod& pod : report.pods) now.emplace(pod.name_space + "/" + pod.name, pod.reason);
    for (const auto& [pod, reason] : now) {
      const auto before = told_.find(pod);
      if (before == told_.end() || before->second != reason) err_ << printable(pod) << ": " << printable(reason) << "\n";
    }
    for (const auto& [pod, reason] : told_) {
      if (now.count(pod) == 0) err_ << printable(pod) << ": gone\n";
    }
    told_ = std::move(now);
  }

 private:
  std::ostream& err_;
  std::map<std::string, std::string> told_;  // pod -> reason
};

// Nothing would change however long one waits.
bool only_kept(const proto::DrainReport& report) {
  return !report.pods.empty() && std::all_of(report.pods.begin(), report.pods.end(), [](const auto& pod) { return pod.state == "kept"; });
}

std::string left_text(const proto::DrainReport& report) {
  Table table{{"NAMESPACE", "POD", "STATE", "REASON"}, {}};
  for (const proto::DrainPod& pod : report.pods) table.rows.push_back({pod.name_space, pod.name, pod.state, pod.reason});
  return render(table);
}

int drained(const proto::DrainReport& report, Format format, Console& console) {
  if (is_document(format)) {
    console.out << render_document(proto::encode(report), format);
  } else {
    console.out << "node " << report.node << " is empty and gets no new pods; what stays are " << report.staying
                << " pods of DaemonSets and of the kubelet itself; slipwayctl node uncordon " << report.node << " takes it back into use\n";
  }
  return k_ok;
}

int not_drained(const proto::DrainReport& report, Format format, const Error& why, Console& console) {
  if (is_document(format)) console.out << render_document(proto::encode(report), format);
  else console.err << left_text(report);
  return fail(console, why);
}

}  // namespace

int cordon_node(const NodeCordon& wish, Format format, Connection& connection, Console& console) {
  const char* const verb = wish.undo ? "/uncordon" : "/cordon";
  std::string json;
  const auto node = ask<proto::NodeView>(connection, make_request(http::Method::post, node_path(wish.name) + verb), &json);
  if (!node) return fail(console, node.error());
  if (is_document(format)) console.out << render_document(json, format);
  else console.out << "node " << wish.name << (wish.undo ? " gets new pods again\n" : " gets no new pods; those that it has stay (slipwayctl node drain)\n");
  return k_ok;
}

// Step by step: the coordinator keeps nothing of a drain, so that it may be left off and begun again at any time.
int drain_node(const NodeDrain& wish, Format format, Connection& connection, Console& console) {
  const auto timeout = parse_duration(wish.timeout);
  if (!timeout) return fail(console, make_error(Errc::invalid, "--timeout must be a duration such as 90s, 15m or 2h"));
  // Without --force nothing is lost that Kubernetes does not make anew.
  const std::string question = "evict the pods of node " + wish.name + ", also those that nothing makes anew";
  if (wish.force && !confirmed(wish.yes, question, console)) return k_usage;
  const auto now = [&console] { return console.clock ? console.clock() : console.now; };
  const WallTime until = now() + *timeout;
  const std::string body = proto::encode(proto::DrainRequest{wish.force});
  Progress progress(console.err);
  while (true) {
    const auto report = ask<proto::DrainReport>(connection, make_request(http::Method::post, node_path(wish.name) + "/drain", body));
    // A moment without kube-apiserver is no reason to give up a drain of many minutes.
    const bool passing = !report && (report.error().code == Errc::unavailable || report.error().code == Errc::timeout);
    if (!report && (!passing || now() >= until)) return fail(console, report.error());
    if (report) progress.tell(*report);
    else console.err << printable(report.error().message) << "\n";
    if (report && report->done) return drained(*report, format, console);
    if (report && only_kept(*report))
      return not_drained(*report, format, make_error(Errc::conflict, "what is left needs --force: the node is cordoned, not empty"), console);
    if (report && now() >= until)
      return not_drained(*report, format, make_error(Errc::timeout, "the node is not empty after " + wish.timeout + "; it stays cordoned"), console);
    if (console.pause) console.pause(k_between_steps);
  }
}

int rotate_certificates(const CertsRotate& wish, Format format, Connection& connection, Console& console) {
  std::string json;
  if (wish.all) {
    const auto reply = ask<proto::RotateReply>(connection, make_request(http::Method::post, "/v1/certificates/rotate"), &json);
    if (!reply) return fail(console, reply.error());
    if (is_document(format)) console.out << render_document(json, format);
    else console.out << reply->nodes << " nodes renew their certificates now; slipwayctl node list -o wide shows who has not yet\n";
    return k_ok;
  }
  const auto node = ask<proto::NodeView>(connection, make_request(http::Method::post, node_path(wish.node) + "/rotate"), &json);
  if (!node) return fail(console, node.error());
  if (is_document(format)) console.out << render_document(json, format);
  else console.out << "node " << wish.node << " renews its certificates now; slipwayctl node get " << wish.node << " shows when it has\n";
  return k_ok;
}

}  // namespace slipway::ctl
