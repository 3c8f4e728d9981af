#include "agent/net/checksum_offload.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "common/core/unique_fd.hpp"

namespace slipway::net {

namespace {

constexpr char k_feature[] = "tx-checksum-ip-generic";  // the kernel's name; it may have any number
constexpr std::size_t k_most_features = 1024;           // kernels have about 60

// A command whose answer has a length of the kernel's choice after its head.
template <class Head>
struct Command {
  std::vector<char> bytes;
  explicit Command(const Head& head, std::size_t more) : bytes(sizeof(Head) + more) {
    std::memcpy(bytes.data(), &head, sizeof head);
  }
};

// errno; 0: done.
int call(int fd, const std::string& interface, void* command) {
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), sizeof request.ifr_name - 1);
  request.ifr_data = static_cast<char*>(command);
  return ::ioctl(fd, SIOCETHTOOL, &request) == 0 ? 0 : errno;
}

struct Features {
  std::size_t count = 0;
  std::optional<std::size_t> ours;
};

Result<std::size_t> count_features(int fd, const std::string& interface) {
  ethtool_sset_info head{};
  head.cmd = ETHTOOL_GSSET_INFO;
  head.sset_mask = std::uint64_t{1} << ETH_SS_FEATURES;
  Command<ethtool_sset_info> command(head, sizeof(std::uint32_t));
  if (const int error = call(fd, interface, command.bytes.data()); error != 0)
    return from_errno("count the offloads of " + interface, error);
  std::uint32_t count = 0;
  std::memcpy(&count, command.bytes.data() + sizeof head, sizeof count);
  if (count > k_most_features) return make_error(Errc::corrupt, "the kernel tells of too many offloads of " + interface);
  return std::size_t{count};
}

Result<Features> find_feature(int fd, const std::string& interface) {
  const auto count = count_features(fd, interface);
  if (!count) return count.error();
  ethtool_gstrings head{};
  head.cmd = ETHTOOL_GSTRINGS;
  head.string_set = ETH_SS_FEATURES;
  head.len = static_cast<std::uint32_t>(*count);
  Command<ethtool_gstrings> command(head, *count * ETH_GSTRING_LEN);
  if (const int error = call(fd, interface, command.bytes.data()); error != 0)
    return from_errno("name the offloads of " + interface, error);
  Features features{*count, std::nullopt};
  for (std::size_t i = 0; i < *count; ++i) {
    const char* name = command.bytes.data() + sizeof head + i * ETH_GSTRING_LEN;
    if (std::strncmp(name, k_feature, ETH_GSTRING_LEN) == 0) features.ours = i;
  }
  return features;
}

std::size_t blocks_for(std::size_t features) {
  return (features + 31) / 32;
}

Result<UniqueFd> any_socket() {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return from_errno("open a socket", errno);
  return fd;
}

}  // namespace

Result<std::optional<bool>> checksum_offload(const std::string& interface) {
  const auto fd = any_socket();
  if (!fd) return fd.error();
  const auto features = find_feature(fd->get(), interface);
  // Not there any more, or older than the switch.
  if (!features || !features->ours) return std::optional<bool>();
  ethtool_gfeatures head{};
  head.cmd = ETHTOOL_GFEATURES;
  head.size = static_cast<std::uint32_t>(blocks_for(features->count));
  Command<ethtool_gfeatures> command(head, head.size * sizeof(ethtool_get_features_block));
  if (const int error = call(fd->get(), interface, command.bytes.data()); error != 0)
    return from_errno("read the offloads of " + interface, error);
  ethtool_get_features_block block{};
  std::memcpy(&block, command.bytes.data() + sizeof head + *features->ours / 32 * sizeof block, sizeof block);
  return std::optional((block.active >> (*features->ours % 32) & 1U) != 0);
}

Status set_checksum_offload(const std::string& interface, bool on) {
  const auto fd = any_socket();
  if (!fd) return fd.error();
  const auto features = find_feature(fd->get(), interface);
  if (!features) return features.error();
  if (!features->ours) return make_error(Errc::not_found, interface + " has no switch " + k_feature);
  ethtool_sfeatures head{};
  head.cmd = ETHTOOL_SFEATURES;
  head.size = static_cast<std::uint32_t>(blocks_for(features->count));
  Command<ethtool_sfeatures> command(head, head.size * sizeof(ethtool_set_features_block));
  const std::uint32_t bit = std::uint32_t{1} << (*features->ours % 32);
  const ethtool_set_features_block block{bit, on ? bit : 0};
  std::memcpy(command.bytes.data() + sizeof head + *features->ours / 32 * sizeof block, &block, sizeof block);
  if (const int error = call(fd->get(), interface, command.bytes.data()); error != 0)
    return from_errno(std::string("turn ") + k_feature + " of " + interface + (on ? " on" : " off"), error);
  return {};
}

}  // namespace slipway::net
