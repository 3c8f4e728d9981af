#pragma once
// The live nodes, by name, and found by uid, address and machine id, with the order in which they changed last. A value: a copy has indexes of
// its own. Pure.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

#include "coordinator/domain/change_history.hpp"
#include "coordinator/domain/node.hpp"

namespace slipway {

class NodeTable {
 public:
  NodeTable() = default;
  NodeTable(const NodeTable& other);
  NodeTable& operator=(const NodeTable& other);
  NodeTable(NodeTable&&) = default;  // the nodes stay where they are
  NodeTable& operator=(NodeTable&&) = default;

  const std::map<std::string, Node>& by_name() const { return nodes_; }
  // Null: there is none. Valid until that node is erased; put() of its name changes it in place.
  const Node* find(const std::string& name) const;
  const Node* by_uid(std::string_view uid) const { return found(uids_, uid); }
  const Node* by_address(const IpAddress& address) const { return found(addresses_, address); }
  const Node* by_machine_id(std::string_view id) const { return found(machine_ids_, id); }

  // In the place of the node of this name. Of several with one uid, address or machine id the last one put is found by it. `revision`: of the
  // change, for the history.
  void put(Node node, std::uint64_t revision);
  // From the store: no change.
  void load(Node node);
  void erase(const std::string& name, std::uint64_t revision);  // one that is not there is no error

  const ChangeHistory& history() const { return history_; }
  ChangeHistory& history() { return history_; }

  bool operator==(const NodeTable& other) const { return nodes_ == other.nodes_; }

 private:
  struct UidOf {
    using Key = std::string_view;
    static Key of(const Node& node) { return node.uid; }
    static std::size_t hash(Key uid) { return std::hash<std::string_view>()(uid); }
  };
  struct MachineIdOf {
    using Key = std::string_view;
    static Key of(const Node& node) { return node.machine_id; }
    static std::size_t hash(Key id) { return std::hash<std::string_view>()(id); }
  };
  struct AddressOf {
    using Key = IpAddress;
    static const Key& of(const Node& node) { return node.address; }
    static std::size_t hash(const Key& address) { return std::hash<std::string>()(address.bytes()); }
  };
  // Pointers into nodes_ found by a part of the node: a text of its own in an index would take more than the node's share here.
  template <class Part> struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Node* node) const { return Part::hash(Part::of(*node)); }
    std::size_t operator()(const typename Part::Key& key) const { return Part::hash(key); }
  };
  template <class Part> struct Equal {
    using is_transparent = void;
    bool operator()(const Node* a, const Node* b) const { return Part::of(*a) == Part::of(*b); }
    bool operator()(const typename Part::Key& key, const Node* node) const { return key == Part::of(*node); }
    bool operator()(const Node* node, const typename Part::Key& key) const { return key == Part::of(*node); }
  };
  template <class Part> using Index = std::unordered_set<const Node*, Hash<Part>, Equal<Part>>;

  template <class Set, class Key> static const Node* found(const Set& set, const Key& key) {
    const auto it = set.find(key);
    return it == set.end() ? nullptr : *it;
  }
  void index(const Node& node);
  void unindex(const Node& node);

  std::map<std::string, Node> nodes_;
  Index<UidOf> uids_;
  Index<AddressOf> addresses_;
  Index<MachineIdOf> machine_ids_;
  ChangeHistory history_;
};

}  // namespace slipway
