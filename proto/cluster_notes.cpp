// cluster.yaml, field by field.
#include "proto/config_reference.hpp"

namespace slipway::proto {

namespace {

// clang-format off
constexpr FieldNote k_cluster[] = {
    {"metadata.name", "short, unique among your clusters: a DNS label of at most 40 characters; names kubectl contexts"},
    {"apiServer.endpoint", "`https://MASTER_IP:6443`: static, in the API server's certificate; HTTP is refused"},
    {"coordinator.addresses", "names and addresses in the coordinator's certificate; the first is what join commands name"},
    {"coordinator.port", "where it listens", {}, {}, 1, 65535},
    {"network.podCIDR", "block that nodes' pod subnets are cut from: the pool `default`; may grow around what it is; IPv4 (`slipwayctl plan` proposes one)"},
    {"network.nodePrefixLength", "size of a node's subnet: /24 holds 253 pods, /26 61, /27 29 (network, broadcast and gateway taken off)"},
    {"network.serviceCIDR", "service addresses, /12 to /28; may grow later keeping its first address, never shrink or move"},
    {"network.dnsDomain", "the domain of services"},
    {"network.dnsIP", "an address of `serviceCIDR`", "tenth address of `serviceCIDR`"},
    {"network.backend", "how pods on different nodes reach each other ([the pod network](network.md)); fixed once the cluster lives", {}, "host-gw vxlan external routes"},
    {"network.nodeCIDRs", "where nodes' own addresses may lie", "anywhere outside the other ranges"},
    {"network.pools", "more [pools](pools.md). What stands here is made or grown; taking one out deletes nothing (`slipwayctl pool delete`)"},
    {"network.pools[].name", "a DNS label; not `default`"},
    {"network.pools[].ranges", "blocks of one address family; one of IPv6 makes the cluster dual-stack"},
    {"network.pools[].nodePrefixLength", "size of a node's block", "24, for IPv6 64"},
    {"network.pools[].role", "only nodes of this role", "any", "node master"},
    {"network.pools[].namePattern", "only nodes with such names, as in `gpu-*`", "any"},
    {"network.pools[].onlyByName", "only joins whose token names the pool"},
    {"network.adoptNodes", "nobody joins before the pod ranges of Node objects that are there were read; only for a cluster that was there before"},
    {"network.serviceReserve", "room for `serviceCIDR` to grow: a wider range on the same first address, `/12` at the widest, which pools and node ranges must keep clear of"},
    {"network.addressChange", "a node that comes from another address moves there with its pod range (`follow`), or not (`refuse`): [nodes](nodes.md#a-node-with-another-address). Masters never move", {}, "follow refuse"},
    {"network.natSources", "translated addresses (NAT) that hosts come from, up to 16, each of /24 or /64 at the widest. Who comes from there says itself which address it has: a free one of `nodeCIDRs`, which must then be set. May change at any time; no addresses of pods or services, of the nodes' network a gateway's own one ([who may, what it costs](threat-model.md#agents-behind-nat))"},
    {"network.crossSubnet", "with `host-gw`: nodes that are no direct neighbours reach each other through the tunnel of `network.vxlan`"},
    {"network.vxlan.id", "VXLAN network identifier of the tunnel; fixed once it is in use", {}, {}, 1, 16'777'215},
    {"network.vxlan.port", "UDP port of the tunnel; fixed once it is in use", {}, {}, 1, 65535},
    {"network.mtu", "MTU of pods' interfaces, 576 (dual-stack 1280) to 65535; 0: the least that any node's own interface and the backend leave"},
    {"network.noMasquerade", "ranges beside the cluster's own that see pods by their own addresses, at most 64"},
    {"network.acceptForward", "nodes accept pods' traffic in FORWARD whatever policy docker sets; `false` where another policy engine decides"},
    {"runtime", "[runtimes](runtimes.md); fixed once the cluster lives; rkt was retired in 2019 and is refused", {}, "docker containerd"},
    {"versions.kubernetes", "must match imported artifacts, as do the others; 1.18 to 1.37"},
    {"versions.etcd", "3.4 or newer"},
    {"versions.docker", "with `runtime: docker`"},
    {"versions.cniPlugins", "of containernetworking's plugins"},
    {"versions.containerd", "with `runtime: containerd`"},
    {"versions.runc", "with `runtime: containerd`"},
    {"versions.criDockerd", "with `runtime: docker` from Kubernetes 1.24 on"},
    {"kubelet.maxPods", "must fit the node's subnet"},
    {"kubelet.podInfraContainerImage", "the pause image, for sites without a registry"},
    {"kubelet.config", "merged over the rendered KubeletConfiguration; names that its version does not know are refused"},
    {"kubelet.extraArgs", "appended to kubelet's command line"},
    {"kubeProxy.config", "merged over the rendered KubeProxyConfiguration"},
    {"kubeProxy.extraArgs", "appended to kube-proxy's command line"},
    {"docker.config", "merged over the rendered daemon.json; with `runtime: docker` only"},
    {"certificates.nodeTTL", "client certificates of nodes and control plane; at least 15m ([why](decisions/0006-certificate-lives.md))"},
    {"certificates.servingTTL", "serving certificates"},
    {"certificates.adminTTL", "kubeconfigs (`slipwayctl cluster kubeconfig`); at most 12h ([why](decisions/0014-administrators.md))"},
    {"certificates.operatorTTL", "operators' credentials for slipwayctl, which can be revoked at any time"},
    {"certificates.renewAt", "fraction of its life after which a certificate is renewed, between 0.1 and 0.95"},
    {"admission", "`token`: a valid join token is enough; `manual`: an operator approves each new node ([admission](admission.md))", {}, "token manual"},
    {"nodeLabels", "of every Node object: [node settings](node-settings.md); `null` takes a label away"},
    {"nodeTaints", "of every Node object, as `KEY=VALUE:EFFECT`"},
    {"nodeGroups", "settings for some nodes, at most 64 groups ([node settings](node-settings.md))"},
    {"nodeGroups[].name", "a DNS label"},
    {"nodeGroups[].match.role", "nodes of this role; all that is given must fit", "any", "node master"},
    {"nodeGroups[].match.pool", "nodes whose block lies in this pool of pod addresses", "any"},
    {"nodeGroups[].match.namePattern", "nodes with such names, as in `gpu-*`", "any"},
    {"nodeGroups[].kubelet.config", "as `kubelet.config`, over it"},
    {"nodeGroups[].kubelet.extraArgs", "as `kubelet.extraArgs`, behind them"},
    {"nodeGroups[].kubeProxy.config", "as `kubeProxy.config`, over it"},
    {"nodeGroups[].kubeProxy.extraArgs", "as `kubeProxy.extraArgs`, behind them"},
    {"nodeGroups[].labels", "as `nodeLabels`"},
    {"nodeGroups[].taints", "as `nodeTaints`; `KEY:EFFECT-` takes one away"},
    {"rollout.maxUnavailable", "nodes that may be away at once while new settings come to them: a number or a part, rounded down, at least one"},
    {"rollout.paused", "nobody begins with new settings or versions, who has begun finishes; `slipwayctl upgrade pause` and `resume` set it ([upgrades](upgrade.md#kubernetes))"},
    {"containerd.config", "merged over the rendered config.toml ([how](runtimes.md#containerds-configuration)); with `runtime: containerd` only"},
    {"artifacts.signers", "Ed25519 public keys in base64: agents install only what a manifest names that enough of them have signed ([artifacts](artifacts.md))"},
    {"artifacts.threshold", "how many of `artifacts.signers`"},
    {"artifacts.mirrors", "web servers that are asked for content before the coordinator: `https://HOST[:PORT][/PATH]`"},
    {"artifacts.mirrorCA", "PEM that the mirrors' certificates end in", "the hosts' list"},
};
// clang-format on

}  // namespace

std::span<const FieldNote> cluster_notes() { return k_cluster; }

}  // namespace slipway::proto
