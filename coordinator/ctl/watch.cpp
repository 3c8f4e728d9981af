// Watches. `node list --watch`: a line for each node, and one more whenever it changes.
#include <sstream>

#include "common/config/yaml_to_json.hpp"
#include "coordinator/ctl/commands.hpp"
#include "coordinator/ctl/event_reader.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

class Printer {
 public:
  Printer(const CommandLine& line, Console& console) : line_(line), console_(console) {}

  Status operator()(const Event& event) {
    if (event.name == "synced") return flush();
    const auto node = proto::decode<proto::NodeView>(event.data);
    if (!node) return error_of(node, "reading an event of the watch");
    if (line_.format == Format::json || line_.format == Format::yaml) return print_document(event);
    proto::NodeView shown = *node;
    if (event.name == "removed") shown.phase = "(removed)";
    pending_.items.push_back(std::move(shown));
    return synced_ ? flush() : Status();
  }

 private:
  // JSON: one line an event. YAML: one document of a stream (YAML 1.2, 9.2).
  Status print_document(const Event& event) {
    const std::string json = "{\"event\":\"" + event.name + "\",\"node\":" + event.data + "}";
    if (line_.format == Format::json) {
      console_.out << json << "\n" << std::flush;
      return {};
    }
    const auto yaml = json_to_yaml(json);
    if (!yaml) return error_of(yaml, "reading an event of the watch");
    console_.out << "---\n" << *yaml << std::flush;
    return {};
  }

  // The first table sets the columns; later lines keep to its widths as far as they can.
  Status flush() {
    synced_ = true;
    const WallTime now = console_.clock ? console_.clock() : console_.now;
    const Table table = node_table(pending_, line_.format == Format::wide, now);
    pending_.items.clear();
    const std::string text = render_rows(table, widths_, first_);
    first_ = false;
    console_.out << text << std::flush;
    return {};
  }

  const CommandLine& line_;
  Console& console_;
  proto::NodeList pending_;
  std::vector<std::size_t> widths_;
  bool synced_ = false;
  bool first_ = true;
};

constexpr std::chrono::milliseconds k_interval{2'000};
constexpr char k_clear[] = "\x1b[H\x1b[2J";  // ECMA-48: cursor home, erase all

const char* between(Format format) {
  if (format == Format::yaml) return "---\n";
  return format == Format::json ? "" : "\n";
}

}  // namespace

int redraw(Format format, const std::function<int(Console& console)>& once, Console& console) {
  std::string result;
  std::string shown;
  for (bool first = true;; first = false) {
    std::ostringstream out;
    std::ostringstream err;
    Console inner{out, err, false, console.clock ? console.clock() : console.now, {}, console.clock, {}, false};
    const int code = once(inner);
    const std::string trouble = err.str();
    if (!trouble.empty() && (first || code == k_denied)) {
      console.err << trouble;
      return code;
    }
    if (trouble.empty()) result = out.str();
    const std::string text = result + trouble;
    if (console.screen) console.out << k_clear << text << std::flush;
    else if (text != shown) console.out << (first ? "" : between(format)) << text << std::flush;
    shown = text;
    if (!console.pause || !console.pause(k_interval)) return code;
  }
}

int watch_nodes(const std::string& target, const CommandLine& line, Connection& connection, Console& console) {
  Printer printer(line, console);
  EventReader reader([&printer](const Event& event) { return printer(event); });
  const auto response = connection.stream(make_request(http::Method::get, target),
                                          [&reader](std::string_view part) { return reader.feed(part); });
  if (!response) return fail(console, response.error());
  if (response->status == 200) {
    return fail(console, make_error(Errc::unavailable, "the coordinator ended the watch: start it again"));
  }
  return fail(console, proto::from_problem(response->status, response->body));
}

}  // namespace slipway::ctl
