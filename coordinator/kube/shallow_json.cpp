#include "coordinator/kube/shallow_json.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace slipway::kube {

namespace {

using Json = nlohmann::json;

class ShallowReader final : public nlohmann::json_sax<Json> {
 public:
  explicit ShallowReader(int most) : most_(most) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(std::move(value)); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    if (!too_deep()) key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

  Json take() { return std::move(root_); }

 private:
  bool too_deep() const { return depth_ > most_; }

  Json* place(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }
  bool add(Json value) {
    if (!too_deep()) place(std::move(value));
    return true;
  }
  bool open(Json empty) {
    ++depth_;
    // A parent takes nothing else while its child is open, so the child stays where it is.
    if (!too_deep()) open_.push_back(place(std::move(empty)));
    return true;
  }
  bool close() {
    if (!too_deep()) open_.pop_back();
    --depth_;
    return true;
  }

  int most_;
  int depth_ = 0;  // of the map or list that is read now
  Json root_;
  std::vector<Json*> open_;
  std::string key_;
};

}  // namespace

Json parse_shallow(std::string_view text, int depth) {
  ShallowReader reader(depth);
  const bool read = Json::sax_parse(text.begin(), text.end(), &reader);
  return read ? reader.take() : Json(Json::value_t::discarded);
}

}  // namespace slipway::kube
