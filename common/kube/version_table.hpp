#pragma once
// The flags that Slipway writes on command lines of Kubernetes' programs and etcd, each with the minors that
// have it: an unknown flag kills a program at its start. The one place of these facts: renderers ask it
// (known_flag finds a name at compile time), tests hold every rendered command against it. What 1.20 has was
// compared with its programs' --help.
#include <array>
#include <cstddef>
#include <string_view>

#include "common/kube/versions.hpp"

namespace slipway::kube {

struct Flag {
  std::string_view program;
  std::string_view name;  // without hyphens
  Span span = {};         // minors of the program
};

inline constexpr int k_oldest_etcd_minor = 4;
inline constexpr Span k_etcd{k_oldest_etcd_minor, k_still};

// clang-format off
inline constexpr std::array k_flags = std::to_array<Flag>({
    {"kubelet", "cert-dir"},
    {"kubelet", "config"},
    {"kubelet", "hostname-override"},
    {"kubelet", "kubeconfig"},
    {"kubelet", "node-ip"},
    {"kubelet", "root-dir"},
    // dockershim and what belonged to it: KEP-2221, kubernetes/kubernetes #97252, #106907, #107317
    {"kubelet", "docker-endpoint", {k_oldest_minor, 23}},
    {"kubelet", "network-plugin", {k_oldest_minor, 23}},
    {"kubelet", "cni-bin-dir", {k_oldest_minor, 23}},
    {"kubelet", "cni-conf-dir", {k_oldest_minor, 23}},
    {"kubelet", "container-runtime", {k_oldest_minor, 26}},  // #114017
    // Still read from 1.27 on, but as a field of the configuration there: #112136.
    {"kubelet", "container-runtime-endpoint", {k_oldest_minor, 26}},
    // Does nothing from 1.29 on (#118544), gone with 1.35: #133779, CHANGELOG-1.35
    {"kubelet", "pod-infra-container-image", {k_oldest_minor, 34}},

    {"kube-proxy", "config"},

    {"kube-apiserver", "advertise-address"},
    {"kube-apiserver", "allow-privileged"},
    {"kube-apiserver", "anonymous-auth"},
    {"kube-apiserver", "audit-log-maxage"},
    {"kube-apiserver", "audit-log-maxbackup"},
    {"kube-apiserver", "audit-log-maxsize"},
    {"kube-apiserver", "audit-log-path"},
    {"kube-apiserver", "audit-policy-file"},
    {"kube-apiserver", "authorization-mode"},
    {"kube-apiserver", "bind-address"},
    {"kube-apiserver", "client-ca-file"},
    {"kube-apiserver", "enable-admission-plugins"},
    {"kube-apiserver", "etcd-cafile"},
    {"kube-apiserver", "etcd-certfile"},
    {"kube-apiserver", "etcd-keyfile"},
    {"kube-apiserver", "etcd-servers"},
    // Without it plain HTTP is served up to 1.19; only 0 is taken from 1.20 (#95856) to 1.23 (CHANGELOG-1.24).
    {"kube-apiserver", "insecure-port", {k_oldest_minor, 23}},
    {"kube-apiserver", "kubelet-certificate-authority"},
    {"kube-apiserver", "kubelet-client-certificate"},
    {"kube-apiserver", "kubelet-client-key"},
    {"kube-apiserver", "kubelet-preferred-address-types"},
    {"kube-apiserver", "profiling"},
    {"kube-apiserver", "proxy-client-cert-file"},
    {"kube-apiserver", "proxy-client-key-file"},
    {"kube-apiserver", "requestheader-allowed-names"},
    {"kube-apiserver", "requestheader-client-ca-file"},
    {"kube-apiserver", "requestheader-extra-headers-prefix"},
    {"kube-apiserver", "requestheader-group-headers"},
    {"kube-apiserver", "requestheader-username-headers"},
    {"kube-apiserver", "secure-port"},
    // The two that are required from 1.20 on (CHANGELOG-1.20, #93533); before, they turn on the tokens that 1.20 has always.
    {"kube-apiserver", "service-account-issuer"},
    {"kube-apiserver", "service-account-signing-key-file"},
    {"kube-apiserver", "service-account-key-file"},
    {"kube-apiserver", "service-cluster-ip-range"},
    {"kube-apiserver", "tls-cert-file"},
    {"kube-apiserver", "tls-min-version"},
    {"kube-apiserver", "tls-private-key-file"},

    {"kube-controller-manager", "allocate-node-cidrs"},
    {"kube-controller-manager", "authentication-kubeconfig"},
    {"kube-controller-manager", "authorization-kubeconfig"},
    {"kube-controller-manager", "bind-address"},
    {"kube-controller-manager", "client-ca-file"},
    {"kube-controller-manager", "cluster-name"},
    {"kube-controller-manager", "kubeconfig"},
    {"kube-controller-manager", "leader-elect"},
    {"kube-controller-manager", "port", {k_oldest_minor, 23}},  // #106860
    {"kube-controller-manager", "profiling"},
    {"kube-controller-manager", "requestheader-client-ca-file"},
    {"kube-controller-manager", "root-ca-file"},
    {"kube-controller-manager", "service-account-private-key-file"},
    {"kube-controller-manager", "service-cluster-ip-range"},
    {"kube-controller-manager", "use-service-account-credentials"},

    {"kube-scheduler", "authentication-kubeconfig"},
    {"kube-scheduler", "authorization-kubeconfig"},
    {"kube-scheduler", "bind-address"},
    {"kube-scheduler", "client-ca-file"},
    {"kube-scheduler", "kubeconfig"},
    {"kube-scheduler", "leader-elect"},
    {"kube-scheduler", "port", {k_oldest_minor, 23}},  // #106865
    {"kube-scheduler", "profiling"},
    {"kube-scheduler", "requestheader-client-ca-file"},

    // In minors of etcd 3. 3.4.23 takes all of them; --logger came with 3.4 (etcd CHANGELOG-3.4).
    {"etcd", "advertise-client-urls", k_etcd},
    {"etcd", "cert-file", k_etcd},
    {"etcd", "client-cert-auth", k_etcd},
    {"etcd", "data-dir", k_etcd},
    {"etcd", "initial-advertise-peer-urls", k_etcd},
    {"etcd", "initial-cluster", k_etcd},
    {"etcd", "initial-cluster-state", k_etcd},
    {"etcd", "initial-cluster-token", k_etcd},
    {"etcd", "key-file", k_etcd},
    {"etcd", "listen-client-urls", k_etcd},
    {"etcd", "listen-peer-urls", k_etcd},
    {"etcd", "logger", k_etcd},
    {"etcd", "name", k_etcd},
    {"etcd", "peer-cert-file", k_etcd},
    {"etcd", "peer-client-cert-auth", k_etcd},
    {"etcd", "peer-key-file", k_etcd},
    {"etcd", "peer-trusted-ca-file", k_etcd},
    {"etcd", "trusted-ca-file", k_etcd},
});
// clang-format on

constexpr const Flag* find_flag(std::string_view program, std::string_view name) {
  for (const Flag& flag : k_flags) {
    if (flag.program == program && flag.name == name) return &flag;
  }
  return nullptr;
}

// A flag that stands in the table: whoever writes another one does not compile.
class KnownFlag {
 public:
  // A place and no pointer: with its undefined behaviour sanitizer GCC 12 takes no comparison of a pointer into a table for a constant.
  consteval KnownFlag(std::string_view program, std::string_view name) : place_(place_of(program, name)) {
    if (place_ == k_flags.size()) throw "no such flag in k_flags";
  }
  constexpr std::string_view name() const { return k_flags[place_].name; }
  constexpr bool exists_in(int minor) const { return k_flags[place_].span.contains(minor); }

 private:
  static consteval std::size_t place_of(std::string_view program, std::string_view name) {
    std::size_t place = 0;
    while (place < k_flags.size() && (k_flags[place].program != program || k_flags[place].name != name)) ++place;
    return place;
  }
  std::size_t place_;
};

// Config files that Slipway writes, the same in all minors that it knows: kubelet reads v1beta1 since 1.10
// and kube-proxy v1alpha1 still (k8s.io/kubelet/config, k8s.io/kube-proxy/config); the audit policy is v1
// since 1.12.
inline constexpr char k_kubelet_api[] = "kubelet.config.k8s.io/v1beta1";
inline constexpr char k_kube_proxy_api[] = "kubeproxy.config.k8s.io/v1alpha1";
inline constexpr char k_audit_api[] = "audit.k8s.io/v1";

}  // namespace slipway::kube
