// What the kernel does when it is changed faster than it is read: news are lost, lists are overtaken.
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>

#include "agent/net/change_watch.hpp"
#include "agent/net/rtnetlink.hpp"
#include "tests/support/cancelable.hpp"
#include "tests/support/netns.hpp"

using namespace slipway;
using namespace slipway::test;

namespace {

bool has_news(IoTest& io, net::ChangeWatch& watch) {
  Cancelable<NetworkNews> waiting(io, watch.changed());
  io.poll();
  if (waiting.ended()) return true;
  (void)waiting.cancel();
  return false;
}

void add_bridge_port() {
  run_words("ip link add br9 type bridge");
  run_words("ip link add p9 type vxlan id 9 dstport 4789");
  run_words("ip link set p9 master br9");
  run_words("ip link set p9 up");  // of interfaces that are down the kernel tells less
}

// A hundred changes of a bridge's port, none of which concerns us.
void flood() {
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "link set p9 alias change" + std::to_string(i) + "\n";
  run_tool({"ip", "-batch", "-"}, lines);
}

template <class T>
std::string bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

// The kernel's end of a netlink socket: what it answers is put there before it is asked.
class Kernel {
 public:
  Kernel() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
    own_.reset(ends[0]);
    other_.reset(ends[1]);
  }
  UniqueFd other() { return std::move(other_); }
  // The whole answer to the question number `sequence`: these interfaces.
  void answer_links(std::uint32_t sequence, bool overtaken, const std::vector<std::string>& names) {
    const auto flags = static_cast<std::uint16_t>(NLM_F_MULTI | (overtaken ? NLM_F_DUMP_INTR : 0));
    net::MessageWriter writer;
    int index = 0;
    for (const std::string& name : names) {
      ifinfomsg head{};
      head.ifi_index = ++index;
      writer.begin(RTM_NEWLINK, flags, sequence, bytes_of(head));
      writer.attribute(IFLA_IFNAME, name + '\0');
      writer.end();
    }
    writer.begin(NLMSG_DONE, flags, sequence, bytes_of(std::int32_t{0}));
    writer.end();
    const std::string_view bytes = writer.bytes();
    REQUIRE(::send(own_.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }

 private:
  UniqueFd own_, other_;
};

}  // namespace

TEST_CASE("kernel network: news that were lost for want of room are told as news of links", "[network][kernel][drift]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root (a network namespace)");
    return;
  }
  const NetNamespace alone;
  IoTest io;
  add_bridge_port();
  auto roomy = net::ChangeWatch::open(io.executor());
  auto narrow = net::ChangeWatch::open(io.executor(), 0, 1);  // the least that the kernel gives
  REQUIRE(roomy);
  REQUIRE(narrow);
  flood();
  CHECK_FALSE(has_news(io, *roomy));
  const auto lost = io.run(narrow->changed());
  REQUIRE(lost);
  CHECK(*lost == NetworkNews::links);
  // Once for all that was lost; and what comes now is heard again.
  CHECK_FALSE(has_news(io, *narrow));
  run_words("ip link set br9 up");
  const auto heard = io.run(narrow->changed());
  REQUIRE(heard);
  CHECK(*heard == NetworkNews::links);
}

TEST_CASE("kernel network: who waits is woken by the loss", "[network][kernel][drift]") {
  if (!is_root()) {
    WARN("SKIPPED: needs root (a network namespace)");
    return;
  }
  const NetNamespace alone;
  IoTest io;
  add_bridge_port();
  auto narrow = net::ChangeWatch::open(io.executor(), 0, 1);
  REQUIRE(narrow);
  Cancelable<NetworkNews> waiting(io, narrow->changed());
  io.poll();
  REQUIRE_FALSE(waiting.ended());
  flood();
  CHECK(waiting.wait());
}

TEST_CASE("a list that a change has overtaken is read again, and nothing of it is kept", "[network][netlink]") {
  Kernel kernel;
  kernel.answer_links(1, true, {"gone0", "eth0"});
  kernel.answer_links(2, true, {"gone1"});
  kernel.answer_links(3, false, {"lo", "eth0"});
  kernel.answer_links(4, false, {});  // their addresses
  auto netlink = net::Rtnetlink::over(kernel.other());
  const auto links = netlink.links();
  REQUIRE(links);
  REQUIRE(links->size() == 2);
  CHECK(links->at(0).name == "lo");
  CHECK(links->at(1).name == "eth0");
}

TEST_CASE("a network that changes faster than it can be read is an error in the end", "[network][netlink]") {
  Kernel kernel;
  for (std::uint32_t sequence = 1; sequence <= 10; ++sequence) kernel.answer_links(sequence, true, {"eth0"});
  auto netlink = net::Rtnetlink::over(kernel.other());
  const auto links = netlink.links();
  REQUIRE_FALSE(links);
  CHECK(links.error().code == Errc::unavailable);
  CHECK(links.error().message.find("changes faster than it can be read") != std::string::npos);
}
