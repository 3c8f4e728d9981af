#include "tests/support/pod_lab.hpp"

#include <algorithm>
#include <stdexcept>

#include "agent/store/cni_records.hpp"
#include "tests/support/ping.hpp"

namespace slipway::test {

namespace {

long lines_with(const std::string& text, const std::string& word) {
  long count = 0;
  for (const std::string_view line : split(text, '\n')) count += line.find(word) != std::string_view::npos ? 1 : 0;
  return count;
}

std::string lines_having(const std::string& text, const std::string& word) {
  std::string out;
  for (const std::string_view line : split(text, '\n'))
    if (line.find(word) != std::string_view::npos) out += std::string(line) + "\n";
  return out;
}

std::string under(int link) {
  return std::to_string(77 + link);
}

}  // namespace

void ip_batch(const SideNamespace& ns, const std::string& lines) {
  ns.within([&lines] { run_tool({"ip", "-batch", "-"}, lines); });
}

IpAddress LabNode::address(bool v4) const {
  const std::string host = std::to_string(10 + number);
  return *IpAddress::parse(v4 ? "10." + under(link) + ".0." + host : "fd" + under(link) + "::" + host);
}

Cidr LabNode::block(bool v4) const {
  const std::string own = std::to_string(number);
  return *Cidr::parse(v4 ? "10.10." + own + ".0/24" : "fd00:10:" + own + "::/64");
}

PodLab::PodLab(const std::vector<int>& links, NetworkDesired wanted, bool dual, LabUnderlay underlay, LabPods pods)
    : settings(std::move(wanted)), dual_(dual), underlay_(underlay), pods_(pods) {
  for (const int link : {0, 1}) {
    const std::string bridge = "ul" + std::to_string(link);
    ip_batch(wire_, "link add " + bridge + " type bridge\naddress add 10." + under(link) + ".0.1/24 dev " + bridge + "\naddress add fd" +
             under(link) + "::1/64 dev " + bridge + " nodad\nlink set " + bridge + " up\n");
  }
  wire_.within([] { run_words("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"); });
  for (std::size_t i = 0; i < links.size(); ++i) {
    nodes_.push_back(std::make_unique<LabNode>());
    nodes_.back()->number = static_cast<int>(i) + 1;
    nodes_.back()->link = links[i];
    build(*nodes_.back());
  }
  tell_all();
}

void PodLab::plug_in(LabNode& node) {
  const std::string bridge = "ul" + std::to_string(node.link);
  const std::string host = std::to_string(10 + node.number);
  ip_batch(wire_, "link add " + node.name() + " type veth peer name eth0 netns " + node.ns.place() + "\nlink set " + node.name() + " master " +
           bridge + "\nlink set " + node.name() + " up\n");
  const std::string v4 = "10." + under(node.link) + ".0.";
  const std::string v6 = "fd" + under(node.link) + "::";
  ip_batch(node.ns, "link set eth0 up\n");
  if (underlay_ != LabUnderlay::v6)
    ip_batch(node.ns, "address add " + v4 + host + "/24 dev eth0\nroute add default via " + v4 + "1\n");
  if (underlay_ != LabUnderlay::v4)
    ip_batch(node.ns, "address add " + v6 + host + "/64 dev eth0 nodad\nroute add default via " + v6 + "1\n");
}

void PodLab::build(LabNode& node) {
  plug_in(node);
  if (pods_ == LabPods::by_hand) attach_by_hand(node);
  KernelNetworkPaths paths;
  paths.etc = node.folder.path();
  paths.host_ports = [records = CniRecords{cni_state(node) + "/slipway", {cni_results(node)}}] {
    return pods_with_host_ports(records);
  };
  node.ns.within([&] {
    auto opened = KernelNetwork::open(io.executor(), paths);
    if (!opened) throw std::runtime_error(opened.error().message);
    node.kernel = std::move(*opened);
  });
}

void PodLab::attach_by_hand(LabNode& node) {
  const std::string v4 = "10.10." + std::to_string(node.number) + ".";
  const std::string v6 = "fd00:10:" + std::to_string(node.number) + "::";
  ip_batch(node.ns, "link add cni0 type bridge\naddress add " + v4 + "1/24 dev cni0\naddress add " + v6 +
             "1/64 dev cni0 nodad\nlink set cni0 up\nlink add p0 type veth peer name eth0 netns " + node.pod.place() +
             "\nlink set p0 master cni0\nlink set p0 up\n");
  ip_batch(node.pod, "address add " + v4 + "2/24 dev eth0\naddress add " + v6 + "2/64 dev eth0 nodad\nlink set eth0 up\nroute add default via " +
              v4 + "1\nroute add default via " + v6 + "1\n");
}

std::string PodLab::conflist(LabNode& node) {
  const std::optional<Cidr> second = dual_ ? std::optional(node.block(false)) : std::nullopt;
  return rendered_conflist(node.block(), second, pod_mtu(node.desired, observe(node)), cni_state(node));
}

void PodLab::attach_by_plugins(LabNode& node) {
  CniPod pod{"sandbox-of-" + node.name(), node.pod.place()};
  const std::string list = conflist(node);
  node.ns.within([&] { cni_add(list, pod); });
  node.by_plugins = std::move(pod);
}

std::vector<NetworkPeer> PodLab::peers_of(const LabNode& node) const {
  std::vector<NetworkPeer> peers;
  for (const auto& other : nodes_) {
    if (other.get() == &node) continue;
    const IpAddress& address = other->desired.node_address;
    NetworkPeer peer{other->name(), other->block(), address};
    if (dual_) peer.second_cidr = other->block(false);
    peers.push_back(peer);
  }
  return peers;
}

void PodLab::tell_all() {
  for (const auto& node : nodes_) {
    const IpAddress known = node->desired.node_address;
    node->desired = settings;
    node->desired.node_address = known.is_unspecified() ? node->address(underlay_ != LabUnderlay::v6) : known;
    node->desired.own_cidr = node->block();
    if (dual_) node->desired.own_second_cidr = node->block(false);
    node->desired.pools = {*Cidr::parse("10.10.0.0/16"), *Cidr::parse("fd00:10::/32")};
  }
  for (const auto& node : nodes_) node->desired.peers = peers_of(*node);
}

NetworkObserved PodLab::observe(LabNode& node) {
  std::optional<NetworkObserved> seen;
  node.ns.within([&] {
    auto state = node.kernel->observe();
    if (!state) throw std::runtime_error(state.error().message);
    seen = std::move(*state);
  });
  return std::move(*seen);
}

std::vector<std::string> PodLab::pass(LabNode& node) {
  const auto steps = plan_network(node.desired, observe(node));
  std::vector<std::string> done;
  node.ns.within([&] {
    const auto results = node.kernel->apply(steps);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (!results[i]) throw std::runtime_error(node.name() + ": " + results[i].error().message);
      done.push_back(describe(steps[i]));
    }
  });
  return done;
}

std::vector<std::string> PodLab::planned(LabNode& node) {
  std::vector<std::string> out;
  for (const NetworkStep& step : plan_network(node.desired, observe(node))) out.push_back(describe(step));
  return out;
}

void PodLab::set_pod_mtu(LabNode& node) {
  const std::string mtu = std::to_string(pod_mtu(node.desired, observe(node)));
  const std::string end = node.by_plugins ? node_end(*node.by_plugins) : "p0";
  ip_batch(node.ns, "link set " + end + " mtu " + mtu + "\n");
  ip_batch(node.pod, "link set eth0 mtu " + mtu + "\n");
}

void PodLab::pass_all() {
  for (const auto& node : nodes_) {
    pass(*node);
    if (pods_ == LabPods::by_plugins && !node->by_plugins) {
      attach_by_plugins(*node);
      pass(*node);  // for which the new bridge asks
    } else {
      set_pod_mtu(*node);
    }
  }
}

bool PodLab::reaches(LabNode& from, LabNode& to, bool v4, std::size_t size) {
  bool answered = false;
  from.pod.within([&] { answered = Ping(to.pod_address(v4)).once(size); });
  return answered;
}

bool PodLab::node_reaches(LabNode& from, LabNode& to, bool v4) {
  bool answered = false;
  from.ns.within([&] { answered = Ping(to.pod_address(v4)).once(); });
  return answered;
}

std::vector<std::string> PodLab::broken(std::size_t size) {
  std::vector<std::string> out;
  for (const auto& from : nodes_)
    for (const auto& to : nodes_) {
      if (from == to) continue;
      if (!reaches(*from, *to, true, size)) out.push_back(from->name() + ">" + to->name() + " v4");
      if (dual_ && !reaches(*from, *to, false, size)) out.push_back(from->name() + ">" + to->name() + " v6");
    }
  return out;
}

std::string PodLab::marked(LabNode& node) {
  long routes = 0;
  long neighbours = 0;
  long entries = 0;
  long hops = 0;
  node.ns.within([&] {
    const std::string mark = "proto " + std::to_string(k_route_protocol);
    routes = lines_with(run_words("ip -4 route show table all"), mark) + lines_with(run_words("ip -6 route show table all"), mark);
    hops = lines_with(run_words("ip -6 address show"), "inet6 fe80::5157:");
    if (run_words("ip link show").find(k_overlay_device) == std::string::npos) return;
    const std::string device = std::string(" dev ") + k_overlay_device;
    neighbours = lines_with(run_words("ip -4 neigh show nud permanent" + device), "PERMANENT") +
                 lines_with(run_words("ip -6 neigh show nud permanent" + device), "PERMANENT");
    entries = lines_with(run_words("bridge fdb show" + device), "permanent");
  });
  return "routes " + std::to_string(routes) + ", neighbours " + std::to_string(neighbours) + ", entries " +
         std::to_string(entries) + (hops == 0 ? "" : ", link hops " + std::to_string(hops));
}

std::string PodLab::marked_rules(LabNode& node) {
  std::string out;
  node.ns.within([&out] {
    out = lines_having(run_words("nft list tables"), std::string(" ") + k_masquerade_table);
    for (const char* program : {"iptables", "ip6tables"}) out += lines_having(run_words(std::string(program) + " -S"), k_forward_chain);
  });
  return out;
}

}  // namespace slipway::test
