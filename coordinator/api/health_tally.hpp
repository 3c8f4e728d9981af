#pragma once
// The checks of health as they are made; private to this folder.
#include <cstddef>
#include <string>
#include <vector>

#include "coordinator/api/health.hpp"

namespace slipway::api {

struct Tally {
  proto::HealthReport report;
  void add(std::string name, bool ok, std::string message, std::string cure = {});
  // Nothing has failed yet; what will and its cure stand in the message.
  void warn(std::string name, const std::string& message, const std::string& cure);
  // Single failures stand as checks of their own; when there is none, one line says so for all.
  void sum_up(const std::string& name, std::size_t failed, std::size_t all, const std::string& what);
};

// "a, b, c and 4 more"
std::string some_of(const std::vector<std::string>& names);

// Clock, store, audit log, authorities and the coordinator's own certificates (health_coordinator.cpp).
void check_coordinator(const HealthInput& input, Tally& tally);
// Usages of the coordinator's own certificates, which no agent renews.
bool is_of_coordinator(const std::string& usage);
// How much of its life a certificate has behind it, 1 at the end; 0 of one without a beginning or an end.
double life_spent(const proto::CertificateView& certificate, WallTime now);
// How late in its life a certificate may be; who renews does so at two thirds.
bool is_overdue(const proto::CertificateView& certificate, WallTime now);
// "ends in 3d", "ended 5m ago"
std::string end_text(const std::string& not_after, WallTime now);

}  // namespace slipway::api
