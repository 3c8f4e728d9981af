#pragma once
// Certificates are renewed before they end, with new keys, without anybody noticing.
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>

#include "agent/service/enroll.hpp"

namespace slipway {

// State thread. After the node has joined.
class Renewer {
 public:
  // `enroller` brings a node back whose agent certificate has ended.
  Renewer(std::string role, Enroller::Deps deps, Enroller& enroller);

  // Renews what is due, or comes from a CA that is being replaced, or names an address that the host has no more, by one request. Returns when to look again. state.certificates is what is in use now.
  boost::asio::awaitable<Result<Seconds>> tick();
  // Also at each state.renew: the CAs have changed, or the coordinator wants new certificates.
  boost::asio::awaitable<Status> run();

 private:
  boost::asio::awaitable<Result<std::vector<CertificateLife>>> read_lives();
  boost::asio::awaitable<Result<Seconds>> renew_due();
  boost::asio::awaitable<Status> move();
  // With a move: a refusal of that must not let other certificates end, so it goes alone.
  boost::asio::awaitable<Status> renew(std::vector<std::string> usages, std::optional<IpAddress> moves_to = {});
  void has_moved(const NodeIdentity& moved);
  std::vector<std::string> from_old_ca(const std::vector<CertificateLife>& lives) const;
  Millis spread() const;
  Millis wait_after_failure() const;

  std::string role_;
  Enroller::Deps deps_;
  Enroller& enroller_;
  RepeatedError trouble_;
  int failures_ = 0;
};

}  // namespace slipway
