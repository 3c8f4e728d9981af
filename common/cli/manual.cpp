#include "common/cli/manual.hpp"

#include <algorithm>
#include <cctype>

namespace slipway::cli {

namespace {

// A line of text for roff: no line of ours is a request, no hyphen becomes a dash.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else if (c == '\n') out += ' ';
    else out += c;
  }
  if (!out.empty() && (out.front() == '.' || out.front() == '\'')) out.insert(0, "\\&");
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty() && !sub->get_name().empty(); });
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
  std::vector<const CLI::Option*> options = app.get_options([](const CLI::Option* option) { return !option->get_group().empty(); });
  // Options that exclude each other are, to CLI11, those of a command without a name.
  for (const CLI::App* group : app.get_subcommands([](const CLI::App* sub) { return sub->get_name().empty(); })) {
    for (const CLI::Option* option : group->get_options([group](const CLI::Option* one) { return one != group->get_help_ptr() && !one->get_group().empty(); }))
      options.push_back(option);
  }
  return options;
}

// "-o, --output TEXT"
std::string option_head(const CLI::Option& option) {
  if (option.get_positional()) return "\\fI" + roff(option.get_name(true)) + "\\fR";
  std::string head;
  for (const std::string& name : option.get_snames()) head += (head.empty() ? "" : ", ") + ("\\fB" + roff("-" + name) + "\\fR");
  for (const std::string& name : option.get_lnames()) head += (head.empty() ? "" : ", ") + ("\\fB" + roff("--" + name) + "\\fR");
  if (option.get_items_expected_max() > 0) head += " \\fI" + roff(option.get_type_name()) + "\\fR";
  return head;
}

std::string options_text(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : options_of(app)) {
    std::string text = option->get_description();
    if (!option->get_default_str().empty()) text += " [" + option->get_default_str() + "]";
    out += ".TP\n" + option_head(*option) + "\n" + roff(text) + "\n";
  }
  return out;
}

std::string positionals(const CLI::App& app) {
  std::string out;
  for (const CLI::Option* option : options_of(app)) {
    if (option->get_positional()) out += " \\fI" + roff(option->get_name(true)) + "\\fR";
  }
  return out;
}

// Every command that does something, with the words that lead to it.
void append_commands(std::string& out, const CLI::App& app, const std::string& path) {
  for (const CLI::App* sub : commands_of(app)) {
    const std::string words = path + " " + sub->get_name();
    const bool has_commands = !commands_of(*sub).empty();
    if (has_commands && sub->get_require_subcommand_min() > 0) {  // does nothing by itself
      append_commands(out, *sub, words);
      continue;
    }
    out += ".SS \"" + roff(words) + "\"\n";
    const std::string taken = positionals(*sub);
    if (!taken.empty()) out += "\\fB" + roff(words) + "\\fR" + taken + "\n.PP\n";
    out += roff(sub->get_description()) + "\n" + options_text(*sub);
    if (has_commands) append_commands(out, *sub, words);
  }
}

void append_pairs(std::string& out, const std::string& title, const Pairs& pairs) {
  if (pairs.empty()) return;
  out += ".SH " + title + "\n";
  for (const auto& [head, text] : pairs) out += ".TP\n\\fB" + roff(head) + "\\fR\n" + roff(text) + "\n";
}

struct Place {
  std::string path;   // " token create", "" for the program itself
  std::string words;  // what may follow: commands and options
};

void collect_places(std::vector<Place>& places, const CLI::App& app, const std::string& path) {
  Place place{path, ""};
  for (const CLI::App* sub : commands_of(app)) place.words += (place.words.empty() ? "" : " ") + sub->get_name();
  for (const CLI::Option* option : options_of(app)) {
    for (const std::string& name : option->get_lnames()) place.words += (place.words.empty() ? "--" : " --") + name;
  }
  places.push_back(place);
  for (const CLI::App* sub : commands_of(app)) collect_places(places, *sub, path + " " + sub->get_name());
}

std::string bash_function(const CLI::App& app) {
  std::vector<Place> places;
  collect_places(places, app, "");
  std::string known;
  std::string cases;
  for (const Place& place : places) {
    if (!place.path.empty()) known += (known.empty() ? "\"" : "|\"") + place.path + "\"";
    cases += "    \"" + place.path + "\") words=\"" + place.words + "\" ;;\n";
  }
  const std::string name = app.get_name();
  std::string function = "_" + name;
  std::replace(function.begin(), function.end(), '-', '_');
  return function + "() {\n  local cur=${COMP_WORDS[COMP_CWORD]} at=\"\" words=\"\" i\n" +
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"$at ${COMP_WORDS[i]}\" in\n      " + known +
         ") at+=\" ${COMP_WORDS[i]}\" ;;\n    esac\n  done\n  case \"$at\" in\n" + cases + "  esac\n" +
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n" +
         "  [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n}\ncomplete -o filenames -F " + function + " " +
         name + "\n";
}

std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

void append_fish(std::string& out, const CLI::App& app, const std::string& program, const std::string& condition) {
  const std::string head = "complete -c " + program + " -n " + fish_quoted(condition.empty() ? "true" : condition);
  for (const CLI::Option* option : options_of(app)) {
    for (const std::string& name : option->get_lnames())
      out += head + " -l " + name + " -d " + fish_quoted(option->get_description()) + "\n";
  }
  const std::string commands_here = condition.empty() ? "__fish_use_subcommand" : condition;
  for (const CLI::App* sub : commands_of(app)) {
    out += "complete -c " + program + " -f -n " + fish_quoted(commands_here) + " -a " + sub->get_name() + " -d " +
           fish_quoted(sub->get_description()) + "\n";
  }
  for (const CLI::App* sub : commands_of(app)) {
    const std::string seen = "__fish_seen_subcommand_from " + sub->get_name();
    append_fish(out, *sub, program, condition.empty() ? seen : condition + "; and " + seen);
  }
}

}  // namespace

std::string manual_page(const CLI::App& app, const ManualFrame& frame) {
  const std::string name = app.get_name();
  std::string out = ".TH " + upper(roff(name)) + " " + std::to_string(frame.section) + " \"\" \"Slipway " + roff(frame.version) +
                    "\" \"Slipway\"\n";
  out += ".SH NAME\n" + roff(name) + " \\- " + roff(frame.purpose) + "\n";
  out += ".SH SYNOPSIS\n\\fB" + roff(name) + "\\fR [\\fIOPTION\\fR...] \\fICOMMAND\\fR ...\n";
  out += ".SH DESCRIPTION\n";
  for (const std::string& paragraph : frame.description) out += ".PP\n" + roff(paragraph) + "\n";
  out += ".SH OPTIONS\n" + options_text(app) + ".SH COMMANDS\n";
  append_commands(out, app, name);
  append_pairs(out, "EXIT STATUS", frame.exit_codes);
  append_pairs(out, "ENVIRONMENT", frame.environment);
  append_pairs(out, "FILES", frame.files);
  if (!frame.see_also.empty()) {
    out += ".SH SEE ALSO\n";
    for (std::size_t i = 0; i < frame.see_also.size(); ++i)
      out += (i == 0 ? "" : ",\n") + roff(frame.see_also[i]);
    out += "\n";
  }
  return out;
}

std::string completion(const CLI::App& app, const std::string& shell) {
  if (shell == "bash") return "# bash completion of " + app.get_name() + "\n" + bash_function(app);
  if (shell == "zsh") {
    return "#compdef " + app.get_name() + "\nautoload -U +X bashcompinit && bashcompinit\n" + bash_function(app);
  }
  if (shell != "fish") return {};
  std::string out = "# fish completion of " + app.get_name() + "\n";
  append_fish(out, app, app.get_name(), "");
  return out;
}

}  // namespace slipway::cli
