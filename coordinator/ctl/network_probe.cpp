// `health network`.
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

using http::Method;

constexpr const char* k_path = "/v1/network/probe";
constexpr const char* k_waiting = "/v1/network/probe?wait=5";
constexpr int k_most_waits = 12;  // a minute: the coordinator ends a probe within half of it

std::string progress_text(const proto::NetworkProbe& probe) {
  if (probe.state == "gathering")
    return "asking " + std::to_string(probe.nodes) + " nodes where their pods are";
  return "nodes ping each other: " + std::to_string(probe.reported) + " of " + std::to_string(probe.nodes) +
         " are done";
}

// Tells how far it is; its end, or why it cannot be known.
Result<proto::NetworkProbe> await_end(proto::NetworkProbe probe, Connection& connection, Console& console) {
  std::string told;
  for (int waits = 0; probe.state != "done"; ++waits) {
    const std::string text = progress_text(probe);
    if (text != told) console.err << text << "\n" << std::flush;
    told = text;
    if (waits == k_most_waits)
      return make_error(Errc::timeout,
                        "the probe of the network did not end in time: slipwayctl health network --last "
                        "shows it when it has");
    auto next = ask<proto::NetworkProbe>(connection, make_request(Method::get, k_waiting));
    if (!next) return context(next.error(), "waiting for the probe of the network");
    probe = std::move(*next);
  }
  return probe;
}

}  // namespace

int probe_network(const HealthNetwork& wish, Format format, Connection& connection, Console& console) {
  auto begun =
      ask<proto::NetworkProbe>(connection, make_request(wish.last ? Method::get : Method::post, k_path));
  if (!begun) return fail(console, begun.error());
  const auto probe = wish.last ? std::move(begun) : await_end(std::move(*begun), connection, console);
  if (!probe) return fail(console, probe.error());
  const bool document = format == Format::json || format == Format::yaml;
  console.out << (document ? render_document(proto::encode(*probe), format)
                           : network_text(*probe, format == Format::wide));
  if (probe->state == "done" && probe->reported == 0 && probe->nodes > 0)
    console.err << "slipwayctl: no node took part: slipwayctl node list says whether their agents are in "
                   "contact, and how old they are\n";
  return probe->ok ? k_ok : k_failed;
}

}  // namespace slipway::ctl
