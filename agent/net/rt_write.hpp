#pragma once
// Steps as rtnetlink requests, and the kernel's answers as statuses. Pure.
#include <cstdint>

#include "agent/domain/network_plan.hpp"
#include "agent/net/nl_message.hpp"

namespace slipway::net {

// Routes, neighbours and forwarding entries: there are thousands of them, and they go to the kernel in batches.
bool is_batched(const NetworkStep& step);

// Appends the request of a batched step. `overlay` stands for k_overlay_to_come.
void write_step(MessageWriter& writer, const NetworkStep& step, int overlay, std::uint32_t sequence);
// What the answer to it means. Removing what is not there is success.
Status status_of(const Ack& ack, const NetworkStep& step);

void write_overlay(MessageWriter& writer, const PutOverlay& put, std::uint32_t sequence);
// Without the interface identifier the kernel gives the device no IPv6 address of its own.
void write_no_own_address(MessageWriter& writer, int link, std::uint32_t sequence);
void write_mend(MessageWriter& writer, const MendOverlay& mend, std::uint32_t sequence);
void write_address(MessageWriter& writer, int link, const LinkAddress& address, bool remove,
                   std::uint32_t sequence);

}  // namespace slipway::net
