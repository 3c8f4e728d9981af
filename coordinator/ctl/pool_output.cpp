#include <array>
#include <cstdio>

#include "common/core/text.hpp"
#include "coordinator/ctl/output.hpp"

namespace slipway::ctl {

namespace {

std::string percent(double value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.1f %%", value);
  return text.data();
}

std::string for_whom(const proto::PoolView& pool) {
  std::vector<std::string> parts;
  if (!pool.role.empty()) parts.push_back("role " + pool.role);
  if (!pool.name_pattern.empty()) parts.push_back("names " + pool.name_pattern);
  if (pool.only_by_name) parts.push_back("tokens that name it");
  return parts.empty() ? "all nodes" : join(parts, ", ");
}

std::string state_of(const proto::PoolView& pool) {
  return pool.draining ? "draining" : pool.level;
}

std::string forecast(const proto::PoolView& pool, WallTime now) {
  if (pool.available == 0) return "full";
  return pool.exhausted_at.empty() ? "-" : when(pool.exhausted_at, now);
}

}  // namespace

Table pool_table(const proto::PoolList& list, bool wide, WallTime now) {
  Table table{{"NAME", "RANGES", "SIZE", "USED", "FREE", "NODES", "STATE", "FULL", "FOR"}, {}};
  if (wide) table.header.insert(table.header.end(), {"RESERVED", "QUARANTINED", "LARGEST-FREE"});
  for (const proto::PoolView& pool : list.items) {
    std::vector<std::string> row = {pool.name,
                                    join(pool.ranges, ","),
                                    "/" + std::to_string(pool.node_prefix_length),
                                    percent(pool.used_percent),
                                    std::to_string(pool.available) + "/" + std::to_string(pool.capacity),
                                    std::to_string(pool.allocated),
                                    state_of(pool),
                                    forecast(pool, now),
                                    for_whom(pool)};
    if (wide) {
      row.insert(row.end(), {std::to_string(pool.reserved), std::to_string(pool.quarantined),
                             pool.largest_free == 0 ? "-" : "/" + std::to_string(pool.largest_free)});
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string pool_text(const proto::PoolView& pool, WallTime now) {
  std::string out = render_pairs({{"Name", pool.name},
                                  {"Ranges", join(pool.ranges, ", ")},
                                  {"Blocks", "/" + std::to_string(pool.node_prefix_length) + ", " + std::to_string(pool.capacity) + " in all"},
                                  {"For", for_whom(pool)},
                                  {"State", state_of(pool)},
                                  {"Used", percent(pool.used_percent) + ": " + std::to_string(pool.allocated) + " by nodes (slipwayctl pool nodes " + pool.name + "), " +
                                               std::to_string(pool.reserved) + " reserved, " + std::to_string(pool.quarantined) + " in quarantine"},
                                  {"Free", std::to_string(pool.available)},
                                  {"Full", forecast(pool, now)}});
  Table reservations{{"RESERVED", "FOR", "IN-USE", "SINCE", "NOTE"}, {}};
  for (const proto::Reservation& kept : pool.reservations) {
    reservations.rows.push_back({kept.block, kept.node.empty() ? "nobody" : kept.node + (kept.imported ? " (imported)" : ""), kept.in_use ? "yes" : "no",
                                 when(kept.since, now), kept.note.empty() ? "-" : kept.note});
  }
  if (!reservations.rows.empty()) out += "\n" + render(reservations);
  return out;
}

Table pool_node_table(const proto::PoolTenantList& list) {
  Table table{{"NODE", "BLOCK"}, {}};
  for (const proto::PoolTenant& tenant : list.items) table.rows.push_back({tenant.node, tenant.block});
  return table;
}

}  // namespace slipway::ctl
