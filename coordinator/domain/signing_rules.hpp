#pragma once
// What a signer holds every request against, whoever asks: the settings of the cluster, and that a
// specification is one that profile() makes. Pure. The signer decides by this in a process of its own
// (docs/decisions/0017-signer-process.md).
#include "coordinator/domain/cert_profile.hpp"

namespace slipway {

struct SigningRules {
  ProfileCluster cluster;
  Lifetimes lifetimes;
};

// Whether settings may follow these: what is fixed on a living cluster is the same, no life is longer than
// any setting may be. Errc::denied.
Status check_rules_change(const SigningRules& before, const SigningRules& after);
// The lives alone. Errc::denied.
Status check_lifetimes(const Lifetimes& lifetimes);

// Makes the specification anew by its profile, from the few facts in it that are not the profile's (node,
// addresses, user): Errc::denied when the two differ in anything. A signer does not know who is a master:
// what only masters may bear is allowed to every node here.
Status check_profile(const CertSpec& spec, const ProfileCluster& cluster);

// Whether it may begin and end like that by the signer's own clock: not backdated further than we do, not
// dated ahead, no longer than its class lives. Errc::denied.
Status check_validity(const CertSpec& spec, Validity validity, const Lifetimes& lifetimes, WallTime now);

// The coordinator's serving certificate is also for operators on its own host. Fixed names: nothing that a
// client sends ever adds one.
void add_own_host(CertSpec& spec);

}  // namespace slipway
