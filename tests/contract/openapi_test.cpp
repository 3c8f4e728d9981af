// proto/openapi.json is the contract for others; here it is held against what the code does: routes, types
// and examples.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "common/core/text.hpp"
#include "proto/codec.hpp"
#include "proto/fields.hpp"
#include "proto/problem.hpp"
#include "proto/routes.hpp"
#include "slipway_test_paths.hpp"

namespace slipway::proto {
namespace {

using nlohmann::json;

std::string file_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

const json& document() {
  static const json parsed = json::parse(file_text(std::string(SLIPWAY_SOURCE_DIR) + "/proto/openapi.json"));
  return parsed;
}

std::string lower_method(std::string_view method) {
  std::string text(method);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// The kind of a property in the words of proto::describe().
std::string kind_of(const json& property) {
  if (property.contains("$ref")) {
    const auto ref = property.at("$ref").get<std::string>();
    return ref.substr(ref.rfind('/') + 1);
  }
  const json& type = property.at("type");
  if (!type.is_array()) return type.get<std::string>();
  std::string kinds;
  for (const json& one : type) kinds += (kinds.empty() ? "" : "|") + one.get<std::string>();
  return kinds;
}

std::string last_segment(const json& reference) {
  const auto text = reference.at("$ref").get<std::string>();
  return text.substr(text.rfind('/') + 1);
}

void collect_references(const json& node, std::set<std::string>& found) {
  if (node.is_object() && node.contains("$ref")) found.insert(node.at("$ref").get<std::string>());
  if (node.is_structured()) {
    for (const json& child : node) collect_references(child, found);
  }
}

template <class T>
void check_type(const std::string& name) {
  INFO("schema " << name);
  const json& schemas = document().at("components").at("schemas");
  REQUIRE(schemas.contains(name));
  const json& schema = schemas.at(name);
  std::map<std::string, std::pair<bool, std::string>> expected;
  for (const FieldInfo& field : describe<T>()) expected[field.name] = {field.required, field.kind};
  std::map<std::string, std::pair<bool, std::string>> written;
  const json required = schema.contains("required") ? schema.at("required") : json::array();
  for (const auto& [field, property] : schema.at("properties").items()) {
    const bool needed = std::find(required.begin(), required.end(), json(field)) != required.end();
    written[field] = {needed, kind_of(property)};
    CHECK(property.contains("description"));
  }
  CHECK(written == expected);
}

template <class T>
void check_examples(const std::string& name) {
  const json& schema = document().at("components").at("schemas").at(name);
  REQUIRE(schema.contains("examples"));
  REQUIRE(!schema.at("examples").empty());
  for (const json& example : schema.at("examples")) {
    INFO("example of " << name << ": " << example.dump());
    const auto value = decode_strict<T>(example.dump());
    REQUIRE((value ? std::string() : value.error().message) == "");
    CHECK(json::parse(encode(*value)) == example);
  }
}

TEST_CASE("openapi.json has exactly the routes of the table", "[openapi]") {
  using Key = std::tuple<std::string, std::string, std::string, std::string>;
  std::set<Key> expected;
  for (const Route& route : routes()) {
    expected.insert(Key(lower_method(route.method), route.path, route.operation, to_string(route.role)));
  }
  CHECK(expected.size() == routes().size());
  std::set<Key> written;
  for (const auto& [path, methods] : document().at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      written.insert(Key(method, path, operation.at("operationId").get<std::string>(),
                         operation.at("x-slipway-role").get<std::string>()));
    }
  }
  CHECK(written == expected);
}

TEST_CASE("openapi.json has exactly the keys of the query that each route knows", "[openapi]") {
  for (const Route& route : routes()) {
    INFO(route.operation);
    const json& operation = document().at("paths").at(std::string(route.path)).at(lower_method(route.method));
    std::set<std::string> written;
    for (const json& parameter : operation.value("parameters", json::array())) {
      if (parameter.at("in") == "query") written.insert(parameter.at("name").get<std::string>());
    }
    std::set<std::string> known;
    for (const std::string_view key : split(route.query, ' ')) known.emplace(key);
    known.erase("");
    CHECK(written == known);
    for (const std::string& key : known) CHECK(knows_query(route, key));
    CHECK_FALSE(knows_query(route, ""));
    CHECK_FALSE(knows_query(route, "nonsense"));
  }
}

TEST_CASE("every operation declares its success and the errors that its role and body bring", "[openapi]") {
  for (const Route& route : routes()) {
    INFO(route.operation);
    const json& operation = document().at("paths").at(std::string(route.path)).at(lower_method(route.method));
    const json& responses = operation.at("responses");
    CHECK(responses.contains(std::to_string(route.success)));
    CHECK(responses.contains("500"));
    // Who looks at files, the program itself or the audit log answers while the store takes nothing (api_failure_test).
    static const std::set<std::string_view> beside_the_store = {"getArtifactContent", "getCaCertificates", "getHealth", "getLivez",
                                                                "getOpenApi",         "getVersion",        "listAudit", "verifyAudit"};
    CHECK(responses.contains("503") == (beside_the_store.count(route.operation) == 0));
    CHECK((route.role == Role::none || (responses.contains("401") && responses.contains("403"))));
    // Joining: a host that was removed shows its old key.
    const bool of_nodes =
        route.role == Role::agent || route.role == Role::artifact || route.operation == "joinNode";
    CHECK(responses.contains("410") == of_nodes);
    CHECK(operation.contains("requestBody") == (route.body_limit > 0));
    CHECK(responses.contains("413") == (route.body_limit > 0));
    const bool open = operation.at("security") == json::array({json::object()});
    CHECK(open == (route.role == Role::none));
  }
}

TEST_CASE("every error is a problem document with the code of the table", "[openapi]") {
  const json& shared = document().at("components").at("responses");
  for (const auto& [path, methods] : document().at("paths").items()) {
    for (const auto& [method, operation] : methods.items()) {
      for (const auto& [status, response] : operation.at("responses").items()) {
        if (status < "400") continue;
        INFO(path << " " << method << " " << status);
        const json& content = shared.at(last_segment(response)).at("content").at("application/problem+json");
        CHECK(last_segment(content.at("schema")) == "Problem");
        const json& example = content.at("examples").at("default").at("value");
        const auto problem = decode_strict<Problem>(example.dump());
        REQUIRE(problem);
        CHECK(std::to_string(problem->status) == status);
      }
    }
  }
}

TEST_CASE("every code of the program has a response with its status", "[openapi]") {
  const Errc codes[] = {
      Errc::invalid,  Errc::unauthenticated, Errc::denied,  Errc::not_found,   Errc::conflict, Errc::gone,
      Errc::too_many, Errc::internal,        Errc::corrupt, Errc::unavailable, Errc::exhausted};
  std::set<std::string> statuses;
  for (const auto& [name, response] : document().at("components").at("responses").items()) {
    const json& example =
        response.at("content").at("application/problem+json").at("examples").at("default").at("value");
    statuses.insert(std::to_string(example.at("status").get<int>()) + " " +
                    example.at("code").get<std::string>());
  }
  for (const Errc code : codes) {
    CHECK(statuses.count(std::to_string(http_status(code)) + " " + std::string(to_string(code))) == 1);
  }
}

TEST_CASE("references of openapi.json lead somewhere and nothing is unused", "[openapi]") {
  std::set<std::string> references;
  collect_references(document(), references);
  for (const std::string& reference : references) {
    INFO(reference);
    REQUIRE(reference.starts_with("#/"));
    CHECK(document().contains(json::json_pointer(reference.substr(1))));
  }
  for (const auto& [name, response] : document().at("components").at("responses").items()) {
    CHECK(references.count("#/components/responses/" + name) == 1);
  }
}

TEST_CASE("schemas of openapi.json are the field lists of the wire types", "[openapi]") {
#define SLIPWAY_CHECK(T) check_type<T>(#T);
  SLIPWAY_WIRE_TYPES(SLIPWAY_CHECK)
#undef SLIPWAY_CHECK
  std::set<std::string> known;
#define SLIPWAY_COLLECT(T) known.insert(#T);
  SLIPWAY_WIRE_TYPES(SLIPWAY_COLLECT)
#undef SLIPWAY_COLLECT
  for (const auto& [name, schema] : document().at("components").at("schemas").items()) {
    INFO(name);
    CHECK(known.count(name) == 1);
  }
}

TEST_CASE("examples of openapi.json decode and encode to themselves", "[openapi]") {
#define SLIPWAY_CHECK(T) check_examples<T>(#T);
  SLIPWAY_WIRE_TYPES(SLIPWAY_CHECK)
#undef SLIPWAY_CHECK
}

// Golden files pin the bytes that older agents and scripts rely on: a change here is a change of the
// contract.
template <class T>
void check_golden(const std::string& name) {
  INFO("tests/contract/golden/" << name << ".json");
  const std::string text =
      file_text(std::string(SLIPWAY_SOURCE_DIR) + "/tests/contract/golden/" + name + ".json");
  const auto value = decode_strict<T>(text);
  REQUIRE((value ? std::string() : value.error().message) == "");
  CHECK(pretty(encode(*value)) + "\n" == text);
}

TEST_CASE("golden documents keep their bytes", "[openapi][golden]") {
  check_golden<JoinRequest>("join_request");
  check_golden<JoinReply>("join_reply");
  check_golden<DesiredState>("desired_state");
  check_golden<DesiredDelta>("desired_delta");
  check_golden<ClusterSpec>("cluster_spec");
  check_golden<Problem>("problem");
  check_golden<Problem>("problem_of_field");
}

TEST_CASE("cluster settings may leave out what has a default", "[openapi][golden]") {
  const std::string text =
      file_text(std::string(SLIPWAY_SOURCE_DIR) + "/tests/contract/golden/cluster_spec_minimal.json");
  const auto spec = decode_strict<ClusterSpec>(text);
  REQUIRE((spec ? std::string() : spec.error().message) == "");
  CHECK(spec->network.node_prefix_length == 24);
  CHECK(spec->network.dns_domain == "cluster.local");
  CHECK(spec->coordinator.port == 7443);
  CHECK(spec->runtime == "docker");
  CHECK(spec->certificates.node_ttl == "24h");
  CHECK(spec->kubelet.config.text == "{}");
}

}  // namespace
}  // namespace slipway::proto
