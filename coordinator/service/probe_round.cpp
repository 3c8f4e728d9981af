#include "coordinator/service/probe_round.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "coordinator/domain/probe_peers.hpp"

namespace slipway {

namespace {

constexpr std::size_t k_bridges = 2;  // one of each family
constexpr std::size_t k_pods = 4;     // two of each family
constexpr std::size_t k_note = 256;   // bytes
constexpr std::size_t k_ways =
    6;  // node, bridge and pod in two families: what is lost small is not told again for large
constexpr std::size_t k_most_losses = 200'000;  // of all nodes: some ten megabytes while it is judged
constexpr std::size_t k_shown = 1'000;
constexpr std::size_t k_shown_notes = 20;
constexpr std::uint64_t k_longest_packet = 65'535;

const std::string k_none;

Error over(std::string_view what) {
  return make_error(Errc::conflict, "the network probe with this id " + std::string(what) +
                                        ": there is nothing to do for it any more");
}

// An agent's word, for people: one line, and not a long one.
std::string line_of(const std::string& text) {
  std::string line = text.substr(0, k_note);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

std::uint8_t families_of(const std::vector<IpAddress>& addresses) {
  std::uint8_t bits = 0;
  for (const IpAddress& address : addresses)
    bits = static_cast<std::uint8_t>(bits | (address.is_v4() ? 1U : 2U));
  return bits;
}

Result<std::vector<IpAddress>> own_addresses(const std::vector<std::string>& texts, std::size_t most,
                                             const std::vector<Cidr>& blocks, const std::string& field) {
  if (texts.size() > most) return field_error(field, " has more than " + std::to_string(most) + " entries");
  std::vector<IpAddress> addresses;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string here = field + "/" + std::to_string(i);
    const auto address = IpAddress::parse(texts[i]);
    if (!address) return at_field(here, address.error());
    if (std::none_of(blocks.begin(), blocks.end(),
                     [&](const Cidr& block) { return block.contains(*address); }))
      return field_error(here, " is not in this node's own pod ranges");
    addresses.push_back(*address);
  }
  return addresses;
}

std::vector<std::string> texts_of(const std::vector<IpAddress>& addresses) {
  std::vector<std::string> texts;
  for (const IpAddress& address : addresses) texts.push_back(address.to_string());
  return texts;
}

proto::NetworkPair pair_of(const ProbePicture& picture, const PairVerdict& verdict) {
  const ProbeLoss& loss = verdict.loss;
  return {picture.nodes[verdict.from].name,
          picture.nodes[verdict.to].name,
          std::string(verdict.what),
          loss.address.is_v4() ? "IPv4" : "IPv6",
          loss.address.to_string(),
          loss.bytes,
          std::string(to_string(loss.kind)),
          verdict.cause,
          verdict.cure};
}

}  // namespace

bool ProbeRound::under_way(SteadyTime now) {
  advance(now);
  return phase_ == Phase::gathering || phase_ == Phase::probing;
}

bool ProbeRound::done(SteadyTime now) {
  advance(now);
  return phase_ == Phase::done;
}

void ProbeRound::start(std::string id, std::vector<ProbeMember> members, proto::NetworkSettings settings,
                       SteadyTime now, WallTime wall) {
  id_ = std::move(id);
  members_ = std::move(members);
  taking_.assign(members_.size(), {});
  by_uid_.clear();
  by_name_.clear();
  offers_ = reports_ = 0;
  picture_ = {std::move(settings), {}, {}};
  for (std::uint32_t place = 0; place < members_.size(); ++place) {
    const ProbeMember& member = members_[place];
    by_uid_[member.uid] = place;
    by_name_[member.name] = place;
    picture_.nodes.push_back(
        {member.name, member.heard, false, member.unready, {families_of(member.addresses), 0, 0}});
  }
  result_ = {};
  result_.id = id_;
  result_.started_at = to_rfc3339(wall);
  result_.nodes = members_.size();
  result_.sampled = members_.size() > k_probe_peers + 1;
  enter(Phase::gathering, now + times_.gather);
}

void ProbeRound::enter(Phase phase, SteadyTime ends) {
  phase_ = phase;
  ends_ = ends;
  ++changes_;
  if (phase == Phase::done) finish();
}

bool ProbeRound::all_offered() const {
  for (std::size_t place = 0; place < members_.size(); ++place)
    if (members_[place].heard && !taking_[place].offered) return false;
  return offers_ > 0;
}

void ProbeRound::advance(SteadyTime now) {
  if (phase_ == Phase::gathering && (now >= ends_ || all_offered()))
    enter(offers_ > 0 ? Phase::probing : Phase::done, now + times_.probe);
  if (phase_ == Phase::probing && (now >= ends_ || reports_ == offers_)) enter(Phase::done, now);
}

std::optional<std::uint32_t> ProbeRound::place_of(const std::string& uid) const {
  const auto found = by_uid_.find(uid);
  return found == by_uid_.end() ? std::nullopt : std::optional(found->second);
}

const std::string& ProbeRound::news_for(const std::string& uid, const std::string& known, SteadyTime now) {
  advance(now);
  const auto place = place_of(uid);
  if (phase_ != Phase::gathering || !place || known == id_) return k_none;
  taking_[*place].told = true;
  return id_;
}

Status ProbeRound::offer(const std::string& uid, const proto::ProbeOffer& offer, SteadyTime now) {
  advance(now);
  const auto place = place_of(uid);
  if (phase_ == Phase::none || phase_ == Phase::done || offer.probe != id_ || !place) return over("is over");
  Taking& taking = taking_[*place];
  if (phase_ == Phase::probing)
    return taking.offered ? Status{} : Status(over("has begun without this node"));
  const std::vector<Cidr>& blocks = members_[*place].blocks;
  auto bridges = own_addresses(offer.bridges, k_bridges, blocks, "/bridges");
  if (!bridges) return bridges.error();
  auto pods = own_addresses(offer.pods, k_pods, blocks, "/pods");
  if (!pods) return pods.error();
  if (!taking.offered) ++offers_;
  taking.offered = true;
  picture_.nodes[*place].offered[static_cast<std::size_t>(ProbeGoal::bridge)] = families_of(*bridges);
  picture_.nodes[*place].offered[static_cast<std::size_t>(ProbeGoal::pod)] = families_of(*pods);
  taking.bridges = std::move(*bridges);
  taking.pods = std::move(*pods);
  taking.note = line_of(offer.note);
  advance(now);
  return {};
}

Result<std::uint32_t> ProbeRound::taker(const std::string& uid, const std::string& id) const {
  const auto place = place_of(uid);
  if ((phase_ != Phase::gathering && phase_ != Phase::probing) || id != id_) return over("is over");
  if (!place || !taking_[*place].offered) return over("has no part for this node");
  return *place;
}

Result<std::optional<proto::ProbeTargets>> ProbeRound::targets(const std::string& uid, const std::string& id,
                                                               SteadyTime now) {
  advance(now);
  const auto place = taker(uid, id);
  if (!place) return place.error();
  if (phase_ == Phase::gathering) return std::optional<proto::ProbeTargets>();
  proto::ProbeTargets out{id_, {}};
  for (const std::size_t peer : probe_peers(members_.size(), *place)) {
    const Taking& taking = taking_[peer];
    out.targets.push_back({members_[peer].name, texts_of(members_[peer].addresses), texts_of(taking.bridges),
                           texts_of(taking.pods)});
  }
  return std::optional(std::move(out));
}

const std::vector<IpAddress>& ProbeRound::offered(std::uint32_t node, ProbeGoal goal) const {
  if (goal == ProbeGoal::node) return members_[node].addresses;
  return goal == ProbeGoal::bridge ? taking_[node].bridges : taking_[node].pods;
}

Result<ProbeLoss> ProbeRound::loss_of(std::uint32_t from, const proto::ProbeLoss& told) const {
  const auto to = by_name_.find(told.node);
  const auto goal = probe_goal_from_string(told.what);
  const auto address = IpAddress::parse(told.address);
  if (!goal) return field_error("/what", " " + goal.error().message);
  if (!address) return at_field("/address", address.error());
  if (to == by_name_.end()) return field_error("/node", " is no node of this probe");
  const auto& known = offered(to->second, *goal);
  if (std::find(known.begin(), known.end(), *address) == known.end())
    return field_error("/address", " was not asked for");
  if (told.bytes > k_longest_packet || told.mtu > k_longest_packet)
    return field_error("/bytes", " or mtu is more than an IP packet has");
  return ProbeLoss{from,
                   to->second,
                   *goal,
                   loss_kind_from_string(told.result),
                   static_cast<std::uint32_t>(told.bytes),
                   static_cast<std::uint32_t>(told.mtu),
                   *address};
}

Status ProbeRound::report(const std::string& uid, const proto::ProbeReport& report, SteadyTime now) {
  advance(now);
  const auto from = taker(uid, report.probe);
  if (!from) return from.error();
  if (phase_ != Phase::probing) return over("has not begun");
  if (taking_[*from].reported) return {};
  const std::vector<std::size_t> peers = probe_peers(members_.size(), *from);
  if (report.losses.size() > peers.size() * k_ways)
    return field_error("/losses", " has more entries than there was to lose");
  std::vector<ProbeLoss> losses;
  std::set<std::tuple<std::uint32_t, ProbeGoal, bool>> seen;
  for (std::size_t i = 0; i < report.losses.size(); ++i) {
    const auto loss = loss_of(*from, report.losses[i]);
    if (!loss) return at_field("/losses/" + std::to_string(i) + loss.error().pointer, loss.error());
    const bool asked = std::find(peers.begin(), peers.end(), loss->to) != peers.end();
    if (!asked || !seen.emplace(loss->to, loss->goal, loss->address.is_v4()).second)
      return field_error("/losses/" + std::to_string(i), " was not asked for, or stands twice");
    losses.push_back(*loss);
  }
  Taking& taking = taking_[*from];
  taking.reported = true;
  ++reports_;
  if (!report.note.empty()) taking.note = line_of(report.note);
  if (picture_.losses.size() + losses.size() <= k_most_losses) {
    picture_.losses.insert(picture_.losses.end(), losses.begin(), losses.end());
    picture_.nodes[*from].reported = true;
  }
  result_.pings += std::min<std::uint64_t>(report.pings, peers.size() * k_ways * 4);
  result_.pairs += peers.size();
  advance(now);
  return {};
}

void ProbeRound::finish() {
  result_.reported = reports_;
  const Judgement judgement = judge_pairs(picture_, k_shown);
  result_.failing = judgement.failing;
  result_.ok = reports_ > 0 && judgement.failing == 0;
  for (const PairVerdict& verdict : judgement.first) result_.failed.push_back(pair_of(picture_, verdict));
  for (std::uint32_t node = 0; node < members_.size() && result_.silent.size() < k_shown; ++node)
    if (!picture_.nodes[node].reported) result_.silent.push_back(silence_of(node));
  result_.notes = notes();
  picture_.losses = {};
}

proto::SilentNode ProbeRound::silence_of(std::uint32_t node) const {
  const ProbeMember& member = members_[node];
  const Taking& taking = taking_[node];
  const std::string again = "try again; on " + member.name + ": journalctl -u slipway-agent";
  if (taking.reported)
    return {member.name, "more failed than the coordinator keeps", "mend what is named, and try again"};
  if (taking.offered) return {member.name, "its agent began and brought no results in time", again};
  if (taking.told) return {member.name, "its agent was told and did not answer in time", again};
  if (!member.heard)
    return {member.name, "its agent is not in contact",
            "on " + member.name + ": systemctl status slipway-agent"};
  const std::string version = member.version.empty() ? std::string() : " (" + member.version + ")";
  return {member.name, "its agent" + version + " did not come for it: older than this command, or busy",
          "upgrade the agent, or try again"};
}

// What was not tried, and why.
std::vector<std::string> ProbeRound::notes() const {
  std::vector<std::string> out;
  if (picture_.settings.backend == "external")
    out.emplace_back("backend external: pods are the plugin's, only the nodes' own addresses were tried");
  std::size_t more = 0;
  for (std::size_t node = 0; node < members_.size(); ++node) {
    if (taking_[node].note.empty()) continue;
    if (out.size() < k_shown_notes)
      out.push_back(members_[node].name + ": " + taking_[node].note);
    else
      ++more;
  }
  if (more > 0) out.push_back("and " + std::to_string(more) + " more nodes have such notes");
  return out;
}

std::optional<proto::NetworkProbe> ProbeRound::view(SteadyTime now) {
  advance(now);
  if (phase_ == Phase::none) return std::nullopt;
  result_.state = phase_ == Phase::gathering ? "gathering" : phase_ == Phase::probing ? "probing" : "done";
  result_.reported = reports_;
  return result_;
}

}  // namespace slipway
