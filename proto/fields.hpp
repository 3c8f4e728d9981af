#pragma once
// One field list a type: v(name, member) is required, v.optional(name, member) may be absent and keeps its default.
// Encoding, decoding and the check against openapi.json all visit these lists. All fields are here since /v1.
#include "proto/address_plan.hpp"
#include "proto/audit.hpp"
#include "proto/cluster_types.hpp"
#include "proto/desired_types.hpp"
#include "proto/drain.hpp"
#include "proto/fetch_report.hpp"
#include "proto/file_types.hpp"
#include "proto/join_types.hpp"
#include "proto/network_probe.hpp"
#include "proto/preflight.hpp"
#include "proto/report_types.hpp"
#include "proto/upgrade_report.hpp"
#include "proto/view_types.hpp"

namespace slipway::proto {

template <class V> void fields(V& v, ClusterMetadata& x) { v("name", x.name); }
template <class V> void fields(V& v, ApiServerSettings& x) { v("endpoint", x.endpoint); }
template <class V> void fields(V& v, CoordinatorSettings& x) { v("addresses", x.addresses); v.optional("port", x.port); }
template <class V> void fields(V& v, PoolSettings& x) {
  v("name", x.name); v("ranges", x.ranges); v.optional("nodePrefixLength", x.node_prefix_length); v.optional("role", x.role);
  v.optional("namePattern", x.name_pattern); v.optional("onlyByName", x.only_by_name);
}
template <class V> void fields(V& v, VxlanSettings& x) { v.optional("id", x.id); v.optional("port", x.port); }
template <class V> void fields(V& v, NetworkSettings& x) {
  v("podCIDR", x.pod_cidr); v.optional("nodePrefixLength", x.node_prefix_length); v("serviceCIDR", x.service_cidr);
  v.optional("dnsDomain", x.dns_domain); v.optional("dnsIP", x.dns_ip); v.optional("backend", x.backend);
  v.optional("nodeCIDRs", x.node_cidrs); v.optional("pools", x.pools); v.optional("adoptNodes", x.adopt_nodes);
  v.optional("serviceReserve", x.service_reserve); v.optional("addressChange", x.address_change);
  v.optional("natSources", x.nat_sources); v.optional("crossSubnet", x.cross_subnet); v.optional("vxlan", x.vxlan);
  v.optional("mtu", x.mtu); v.optional("noMasquerade", x.no_masquerade); v.optional("acceptForward", x.accept_forward);
}
template <class V> void fields(V& v, Versions& x) {
  v("kubernetes", x.kubernetes); v("etcd", x.etcd); v.optional("docker", x.docker); v("cniPlugins", x.cni_plugins);
  v.optional("containerd", x.containerd); v.optional("runc", x.runc); v.optional("criDockerd", x.cri_dockerd);
}
template <class V> void fields(V& v, KubeletSettings& x) {
  v.optional("maxPods", x.max_pods); v.optional("podInfraContainerImage", x.pod_infra_container_image);
  v.optional("config", x.config); v.optional("extraArgs", x.extra_args);
}
template <class V> void fields(V& v, RawConfig& x) { v.optional("config", x.config); }
template <class V> void fields(V& v, ComponentSettings& x) { v.optional("config", x.config); v.optional("extraArgs", x.extra_args); }
template <class V> void fields(V& v, NodeSettings& x) {
  v.optional("kubelet", x.kubelet); v.optional("kubeProxy", x.kube_proxy); v.optional("labels", x.labels); v.optional("taints", x.taints);
}
template <class V> void fields(V& v, NodeGroupMatch& x) {
  v.optional("role", x.role); v.optional("pool", x.pool); v.optional("namePattern", x.name_pattern);
}
template <class V> void fields(V& v, NodeGroup& x) { v("name", x.name); v.optional("match", x.match); fields(v, x.settings); }
template <class V> void fields(V& v, RolloutSettings& x) { v.optional("maxUnavailable", x.max_unavailable); v.optional("paused", x.paused); }
// In the desired state there may be thousands: settings that are none take no room there.
template <class V> void fields(V& v, NodeOverrides& x) {
  v.optional("groups", x.groups);
  std::optional<NodeSettings> own;
  if (x.settings != NodeSettings{}) own = x.settings;
  v.optional("settings", own);
  if (own && *own != x.settings) x.settings = std::move(*own);
}
template <class V> void fields(V& v, SettingsStatus& x) { v("state", x.state); v.optional("message", x.message); v.optional("running", x.running); v.optional("host", x.host); }
template <class V> void fields(V& v, SettingValue& x) { v("path", x.path); v("value", x.value); v("level", x.level); }
template <class V> void fields(V& v, SettingDifference& x) {
  v("path", x.path); v("running", x.running); v("wanted", x.wanted); v("level", x.level);
}
template <class V> void fields(V& v, NodeConfigView& x) {
  v("name", x.name); v("groups", x.groups); v("settings", x.settings); v("effective", x.effective); v("values", x.values);
  v("state", x.state); v("message", x.message); v("differences", x.differences);
}
template <class V> void fields(V& v, RolloutView& x) {
  v("nodes", x.nodes); v("applied", x.applied); v("waiting", x.waiting); v("restarting", x.restarting);
  v("maxUnavailable", x.max_unavailable); v("failed", x.failed); v.optional("paused", x.paused);
}
template <class V> void fields(V& v, RestartRequest& x) { v.optional("done", x.done); v.optional("components", x.components); }
template <class V> void fields(V& v, RestartReply& x) {
  v("granted", x.granted); v("reason", x.reason); v.optional("retryAfterSeconds", x.retry_after_seconds);
}
template <class V> void fields(V& v, CertificateSettings& x) {
  v.optional("nodeTTL", x.node_ttl); v.optional("servingTTL", x.serving_ttl); v.optional("adminTTL", x.admin_ttl);
  v.optional("operatorTTL", x.operator_ttl); v.optional("renewAt", x.renew_at);
}
template <class V> void fields(V& v, ArtifactSettings& x) {
  v.optional("signers", x.signers); v.optional("threshold", x.threshold); v.optional("mirrors", x.mirrors);
  v.optional("mirrorCA", x.mirror_ca);
}
template <class V> void fields(V& v, ClusterSpec& x) {
  v("metadata", x.metadata); v("apiServer", x.api_server); v("coordinator", x.coordinator); v("network", x.network);
  v.optional("runtime", x.runtime); v("versions", x.versions); v.optional("kubelet", x.kubelet);
  v.optional("kubeProxy", x.kube_proxy); v.optional("docker", x.docker); v.optional("certificates", x.certificates);
  v.optional("admission", x.admission); v.optional("nodeLabels", x.node_labels); v.optional("nodeTaints", x.node_taints);
  v.optional("nodeGroups", x.node_groups); v.optional("rollout", x.rollout); v.optional("containerd", x.containerd);
  v.optional("artifacts", x.artifacts);
}
template <class V> void fields(V& v, ClusterCapacity& x) {
  v("maxNodes", x.max_nodes); v("nodes", x.nodes); v("quarantined", x.quarantined); v("podsPerNode", x.pods_per_node);
  v("services", x.services);
}
template <class V> void fields(V& v, ClusterView& x) {
  v("id", x.id); v("epoch", x.epoch); v("revision", x.revision); v("caSha256", x.ca_sha256); v("spec", x.spec);
  v("capacity", x.capacity); v.optional("desiredRevision", x.desired_revision); v.optional("rollout", x.rollout);
}

template <class V> void fields(V& v, NodeFacts& x) {
  v.optional("machineId", x.machine_id); v.optional("os", x.os); v.optional("kernel", x.kernel);
  v.optional("architecture", x.architecture); v.optional("cpus", x.cpus); v.optional("memoryBytes", x.memory_bytes);
  v.optional("agentVersion", x.agent_version); v.optional("hostRoutes", x.host_routes);
  v.optional("productUuid", x.product_uuid); v.optional("podMtu", x.pod_mtu);
}
template <class V> void fields(V& v, PreflightFinding& x) {
  v("check", x.check); v("severity", x.severity); v("message", x.message); v("cure", x.cure); v("ignored", x.ignored);
}
template <class V> void fields(V& v, PreflightReport& x) { v("ok", x.ok); v("findings", x.findings); }
template <class V> void fields(V& v, ResetLeftover& x) { v("kind", x.kind); v("name", x.name); v("why", x.why); }
template <class V> void fields(V& v, ResetReport& x) {
  v("clean", x.clean); v("dryRun", x.dry_run); v("node", x.node); v("steps", x.steps); v("leftovers", x.leftovers);
}
template <class V> void fields(V& v, JoinRequest& x) {
  v.optional("token", x.token); v("nodeName", x.node_name); v.optional("role", x.role); v("address", x.address);
  v.optional("facts", x.facts); v("csrs", x.csrs);
}
template <class V> void fields(V& v, JoinReply& x) {
  v("clusterName", x.cluster_name); v("clusterId", x.cluster_id); v("nodeName", x.node_name); v("nodeUid", x.node_uid);
  v("generation", x.generation); v("role", x.role); v("address", x.address); v("podCIDR", x.pod_cidr);
  v("certificates", x.certificates); v("caBundles", x.ca_bundles); v("renewAt", x.renew_at);
}
template <class V> void fields(V& v, RenewRequest& x) { v("csrs", x.csrs); v.optional("address", x.address); }
template <class V> void fields(V& v, RenewReply& x) {
  v("certificates", x.certificates); v("caBundles", x.ca_bundles); v.optional("address", x.address);
}
template <class V> void fields(V& v, MasterSecrets& x) { v("serviceAccountKey", x.service_account_key); }
template <class V> void fields(V& v, JoinAttempt& x) {
  v("time", x.time); v("nodeName", x.node_name); v("address", x.address); v("tokenId", x.token_id);
  v("accepted", x.accepted); v("reason", x.reason); v.optional("stage", x.stage); v.optional("cure", x.cure);
  v.optional("count", x.count);
}
template <class V> void fields(V& v, JoinAttemptList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, PendingNodeView& x) {
  v("name", x.name); v("role", x.role); v("address", x.address); v("fingerprint", x.fingerprint); v("state", x.state);
  v("since", x.since); v("tokenId", x.token_id); v("pool", x.pool); v("facts", x.facts); v("decidedAt", x.decided_at);
  v("decidedBy", x.decided_by); v("reason", x.reason);
}
template <class V> void fields(V& v, PendingNodeList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, ApproveRequest& x) { v.optional("fingerprint", x.fingerprint); }
template <class V> void fields(V& v, DenyRequest& x) { v.optional("reason", x.reason); }
template <class V> void fields(V& v, ReplaceRequest& x) { v.optional("ttl", x.ttl); }

template <class V> void fields(V& v, ArtifactRef& x) { v("sha256", x.sha256); v("size", x.size); v("format", x.format); }
template <class V> void fields(V& v, ComponentRef& x) {
  v("name", x.name); v("version", x.version); v("role", x.role); v.optional("artifact", x.artifact);
}
template <class V> void fields(V& v, PeerNode& x) {
  v("name", x.name); v("uid", x.uid); v("generation", x.generation); v("role", x.role); v("address", x.address);
  v("podCIDR", x.pod_cidr); v.optional("renewBefore", x.renew_before);
  v.optional("secondPodCIDR", x.second_pod_cidr);
}
template <class V> void fields(V& v, DesiredState& x) {
  v("epoch", x.epoch); v("revision", x.revision); v("cluster", x.cluster); v("components", x.components); v("nodes", x.nodes);
  v.optional("podRanges", x.pod_ranges);
  v.optional("cas", x.cas); v.optional("overrides", x.overrides);
  v.optional("artifactManifest", x.artifact_manifest);
  v.optional("form", x.form); v.optional("nodeCount", x.node_count); v.optional("nodesHash", x.nodes_hash);
}
template <class V> void fields(V& v, GoneNode& x) { v("uid", x.uid); v("generation", x.generation); v.optional("podCIDRs", x.pod_cidrs); }
template <class V> void fields(V& v, DesiredDelta& x) {
  v("epoch", x.epoch); v("from", x.from); v("to", x.to); v.optional("form", x.form); v.optional("paceMs", x.pace_ms);
  v("nodeCount", x.node_count); v("nodesHash", x.nodes_hash); v.optional("up", x.up); v.optional("del", x.del);
  v.optional("upOverrides", x.up_overrides); v.optional("cluster", x.cluster); v.optional("components", x.components);
  v.optional("podRanges", x.pod_ranges); v.optional("cas", x.cas); v.optional("overrides", x.overrides);
  v.optional("artifactManifest", x.artifact_manifest);
}
template <class V> void fields(V& v, CaRef& x) {
  v("kind", x.kind); v("bundleSha256", x.bundle_sha256); v("keyId", x.key_id);
}
template <class V> void fields(V& v, CaBundles& x) { v("caBundles", x.ca_bundles); }

template <class V> void fields(V& v, Condition& x) {
  v("type", x.type); v("ok", x.ok); v.optional("reason", x.reason); v.optional("message", x.message);
}
template <class V> void fields(V& v, ComponentEnd& x) {
  v.optional("at", x.at); v("reason", x.reason); v.optional("exitCode", x.exit_code); v.optional("signal", x.signal);
  v.optional("lines", x.lines);
}
template <class V> void fields(V& v, ComponentStatus& x) {
  v("name", x.name); v.optional("version", x.version); v("state", x.state); v.optional("restarts", x.restarts);
  v.optional("pid", x.pid); v.optional("message", x.message);
  v.optional("since", x.since); v.optional("starts", x.starts); v.optional("pauseSeconds", x.pause_seconds);
  v.optional("ends", x.ends);
}
template <class V> void fields(V& v, CertificateStatus& x) {
  v("usage", x.usage); v("serial", x.serial); v("notAfter", x.not_after);
}
template <class V> void fields(V& v, NodeStatusReport& x) {
  v("phase", x.phase); v("appliedRevision", x.applied_revision); v.optional("conditions", x.conditions);
  v.optional("components", x.components); v.optional("certificates", x.certificates); v.optional("facts", x.facts);
  v.optional("lastError", x.last_error); v.optional("caBundles", x.ca_bundles);
  v.optional("settings", x.settings);
}

template <class V> void fields(V& v, NodeView& x) {
  v("name", x.name); v("uid", x.uid); v("generation", x.generation); v("role", x.role); v("address", x.address);
  v("podCIDR", x.pod_cidr); v("phase", x.phase); v("joinedAt", x.joined_at); v("tokenId", x.token_id);
  v("lastContact", x.last_contact); v("podCIDRPublished", x.pod_cidr_published); v("appliedRevision", x.applied_revision);
  v("conditions", x.conditions); v("components", x.components); v("certificates", x.certificates); v("facts", x.facts);
  v("lastError", x.last_error); v.optional("labels", x.labels); v.optional("pool", x.pool); v.optional("podCIDRs", x.pod_cidrs);
  v.optional("unschedulable", x.unschedulable); v.optional("renewBefore", x.renew_before);
  v.optional("settings", x.settings); v.optional("settingsMessage", x.settings_message);
}
template <class V> void fields(V& v, Reservation& x) {
  v("block", x.block); v("node", x.node); v("imported", x.imported); v("inUse", x.in_use); v("note", x.note); v("since", x.since);
}
template <class V> void fields(V& v, ReservationRequest& x) { v("block", x.block); v.optional("node", x.node); v.optional("note", x.note); }
template <class V> void fields(V& v, PoolTenant& x) { v("node", x.node); v("block", x.block); }
template <class V> void fields(V& v, PoolView& x) {
  v("name", x.name); v("ranges", x.ranges); v("nodePrefixLength", x.node_prefix_length); v("role", x.role);
  v("namePattern", x.name_pattern); v("onlyByName", x.only_by_name); v("draining", x.draining); v("capacity", x.capacity);
  v("available", x.available); v("allocated", x.allocated); v("reserved", x.reserved); v("quarantined", x.quarantined);
  v("usedPercent", x.used_percent); v("level", x.level); v("exhaustedAt", x.exhausted_at); v("largestFree", x.largest_free);
  v("reservations", x.reservations);
}
template <class V> void fields(V& v, PoolList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, PoolTenantList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, PoolGrowRequest& x) { v.optional("ranges", x.ranges); v.optional("nodePrefixLength", x.node_prefix_length); }
template <class V> void fields(V& v, PoolDrainRequest& x) { v.optional("draining", x.draining); }
template <class V> void fields(V& v, NodeList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, TokenRequest& x) {
  v.optional("ttl", x.ttl); v.optional("maxUses", x.max_uses); v.optional("role", x.role); v.optional("node", x.node);
  v.optional("pool", x.pool); v.optional("sources", x.sources);
}
template <class V> void fields(V& v, TokenReply& x) {
  v("id", x.id); v("token", x.token); v("expiresAt", x.expires_at); v("joinCommand", x.join_command);
}
template <class V> void fields(V& v, ReplaceReply& x) {
  v("nodeName", x.node_name); v("generation", x.generation); v("podCIDR", x.pod_cidr); v("token", x.token);
}
template <class V> void fields(V& v, TokenView& x) {
  v("id", x.id); v("role", x.role); v("node", x.node); v("uses", x.uses); v("maxUses", x.max_uses);
  v("createdAt", x.created_at); v("expiresAt", x.expires_at); v("state", x.state);
  v.optional("pool", x.pool); v.optional("sources", x.sources);
}
template <class V> void fields(V& v, TokenList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, Artifact& x) {
  v("component", x.component); v("version", x.version); v.optional("format", x.format); v("sha256", x.sha256);
  v("size", x.size); v.optional("importedAt", x.imported_at);
}
template <class V> void fields(V& v, ArtifactList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, ManifestUpload& x) { v("text", x.text); }
template <class V> void fields(V& v, ManifestView& x) {
  v("number", x.number); v("expiresAt", x.expires_at); v("signedBy", x.signed_by); v("artifacts", x.artifacts); v("text", x.text);
}
template <class V> void fields(V& v, CollectRequest& x) { v.optional("minAge", x.min_age); v.optional("dryRun", x.dry_run); }
template <class V> void fields(V& v, CollectedBlob& x) { v("sha256", x.sha256); v("size", x.size); }
template <class V> void fields(V& v, CollectReply& x) { v("removed", x.removed); v("bytes", x.bytes); v("dryRun", x.dry_run); }
template <class V> void fields(V& v, CertificateView& x) {
  v("node", x.node); v("usage", x.usage); v("serial", x.serial); v("notBefore", x.not_before); v("notAfter", x.not_after);
  v("sha256", x.sha256);
}
template <class V> void fields(V& v, CertificateList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, CaCertificateView& x) {
  v("number", x.number); v("subject", x.subject); v("sha256", x.sha256); v("notBefore", x.not_before);
  v("notAfter", x.not_after);
}
template <class V> void fields(V& v, CaView& x) {
  v("kind", x.kind); v("phase", x.phase); v("signing", x.signing); v.optional("other", x.other);
  v("bundleSha256", x.bundle_sha256); v("changedAt", x.changed_at); v("waitingFor", x.waiting_for); v("heldBy", x.held_by);
  v("next", x.next);
}
template <class V> void fields(V& v, CaList& x) { v("items", x.items); }
template <class V> void fields(V& v, CaChangeRequest& x) {
  v("action", x.action); v.optional("force", x.force); v.optional("import", x.from_files);
}
template <class V> void fields(V& v, KubeconfigRequest& x) { v("csr", x.csr); v.optional("user", x.user); }
template <class V> void fields(V& v, KubeconfigReply& x) {
  v("clusterName", x.cluster_name); v("server", x.server); v("caCertificate", x.ca_certificate);
  v("certificate", x.certificate); v("notAfter", x.not_after);
}
template <class V> void fields(V& v, OperatorRequest& x) { v("csr", x.csr); v("user", x.user); v.optional("role", x.role); }
template <class V> void fields(V& v, OperatorReply& x) {
  v("clusterName", x.cluster_name); v("server", x.server); v("caCertificate", x.ca_certificate);
  v("certificate", x.certificate); v("role", x.role); v("notAfter", x.not_after);
}
template <class V> void fields(V& v, OperatorView& x) {
  v("user", x.user); v("role", x.role); v("serial", x.serial); v("notBefore", x.not_before); v("notAfter", x.not_after);
}
template <class V> void fields(V& v, OperatorList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, HealthCheck& x) {
  v("name", x.name); v("ok", x.ok); v("message", x.message); v("cure", x.cure);
  v.optional("warning", x.warning);
}
template <class V> void fields(V& v, HealthReport& x) { v("ok", x.ok); v("checks", x.checks); }
template <class V> void fields(V& v, ProbeOffer& x) {
  v("probe", x.probe); v.optional("bridges", x.bridges); v.optional("pods", x.pods); v.optional("note", x.note);
}
template <class V> void fields(V& v, ProbeTarget& x) {
  v("node", x.node); v("addresses", x.addresses); v.optional("bridges", x.bridges); v.optional("pods", x.pods);
}
template <class V> void fields(V& v, ProbeTargets& x) { v("probe", x.probe); v("targets", x.targets); }
template <class V> void fields(V& v, ProbeLoss& x) {
  v("node", x.node); v("what", x.what); v("address", x.address); v.optional("bytes", x.bytes); v("result", x.result); v.optional("mtu", x.mtu);
}
template <class V> void fields(V& v, ProbeReport& x) {
  v("probe", x.probe); v("pings", x.pings); v.optional("losses", x.losses); v.optional("note", x.note);
}
template <class V> void fields(V& v, NetworkPair& x) {
  v("from", x.from); v("to", x.to); v("what", x.what); v("family", x.family); v("address", x.address); v("bytes", x.bytes);
  v("result", x.result); v("cause", x.cause); v("cure", x.cure);
}
template <class V> void fields(V& v, SilentNode& x) { v("node", x.node); v("reason", x.reason); v("cure", x.cure); }
template <class V> void fields(V& v, NetworkProbe& x) {
  v("id", x.id); v("state", x.state); v("startedAt", x.started_at); v("ok", x.ok); v("nodes", x.nodes); v("reported", x.reported);
  v("pairs", x.pairs); v("pings", x.pings); v("failing", x.failing); v("sampled", x.sampled); v("failed", x.failed);
  v("silent", x.silent); v("notes", x.notes);
}
template <class V> void fields(V& v, VersionInfo& x) { v("version", x.version); v("apiVersion", x.api_version); }
template <class V> void fields(V& v, Problem& x) {
  v("type", x.type); v("title", x.title); v("status", x.status); v("detail", x.detail); v("code", x.code);
  v.optional("pointer", x.pointer); v.optional("parameter", x.parameter);
}

template <class V> void fields(V& v, AdminCluster& x) {
  v("name", x.name); v("server", x.server); v("caCertificate", x.ca_certificate);
  v("clientCertificate", x.client_certificate); v("clientKey", x.client_key);
}
template <class V> void fields(V& v, AdminConfig& x) { v("clusters", x.clusters); v.optional("current", x.current); }
template <class V> void fields(V& v, ConnectionLimits& x) {
  v.optional("connections", x.connections); v.optional("knownConnections", x.known_connections);
  v.optional("anonymousConnections", x.anonymous_connections); v.optional("connectionsPerAddress", x.connections_per_address);
}
template <class V> void fields(V& v, RoutesHook& x) {
  v("command", x.command); v.optional("timeout", x.timeout); v.optional("concurrency", x.concurrency); v.optional("period", x.period);
}
template <class V> void fields(V& v, HookRoute& x) {
  v("destination", x.destination); v("nextHop", x.next_hop); v("node", x.node); v("name", x.name);
  v.optional("replaces", x.replaces);
}
template <class V> void fields(V& v, HookRequest& x) {
  v("version", x.version); v("action", x.action); v("clusterName", x.cluster_name); v("clusterId", x.cluster_id); v.optional("route", x.route);
}
template <class V> void fields(V& v, HookFound& x) { v("destination", x.destination); v("nextHop", x.next_hop); }
template <class V> void fields(V& v, HookAnswer& x) { v("routes", x.routes); }
template <class V> void fields(V& v, SetRoute& x) { v("destination", x.destination); v("nextHops", x.next_hops); }
template <class V> void fields(V& v, SetRoutes& x) { v("routes", x.routes); }
template <class V> void fields(V& v, CoordinatorConfig& x) {
  v.optional("listen", x.listen); v.optional("dataDir", x.data_dir); v.optional("ioThreads", x.io_threads);
  v.optional("logLevel", x.log_level); v.optional("caPassphraseFile", x.ca_passphrase_file);
  v.optional("quarantineMinAge", x.quarantine_min_age);
  v.optional("limits", x.limits); v.optional("routesHook", x.routes_hook);
}
template <class V> void fields(V& v, KubeconfigClusterData& x) {
  v("server", x.server); v("certificate-authority-data", x.ca_data);
}
template <class V> void fields(V& v, KubeconfigCluster& x) { v("name", x.name); v("cluster", x.cluster); }
template <class V> void fields(V& v, KubeconfigUserData& x) {
  v("client-certificate-data", x.certificate_data); v("client-key-data", x.key_data);
}
template <class V> void fields(V& v, KubeconfigUser& x) { v("name", x.name); v("user", x.user); }
template <class V> void fields(V& v, KubeconfigContextData& x) { v("cluster", x.cluster); v("user", x.user); }
template <class V> void fields(V& v, KubeconfigContext& x) { v("name", x.name); v("context", x.context); }
template <class V> void fields(V& v, KubeconfigFile& x) {
  v("apiVersion", x.api_version); v("kind", x.kind); v("clusters", x.clusters); v("users", x.users);
  v("contexts", x.contexts); v("current-context", x.current_context);
}

template <class V> void fields(V& v, AgentConfig& x) {
  v.optional("coordinators", x.coordinators); v.optional("tokenFile", x.token_file); v.optional("role", x.role);
  v.optional("nodeName", x.node_name); v.optional("nodeAddress", x.node_address); v.optional("dataDir", x.data_dir);
  v.optional("logLevel", x.log_level); v.optional("cgroupDriver", x.cgroup_driver);
  v.optional("localGroup", x.local_group);
  v.optional("artifactSigners", x.artifact_signers); v.optional("artifactThreshold", x.artifact_threshold);
  v.optional("artifactMirrors", x.artifact_mirrors); v.optional("artifactMirrorCAFile", x.artifact_mirror_ca_file);
}
template <class V> void fields(V& v, ArtifactTrust& x) {
  v("signers", x.signers); v("threshold", x.threshold); v("number", x.number); v("manifest", x.manifest);
}
template <class V> void fields(V& v, LocalError& x) {
  v("source", x.source); v("message", x.message); v("cure", x.cure); v("since", x.since); v.optional("ended", x.ended);
}
template <class V> void fields(V& v, LocalCertificate& x) {
  v("usage", x.usage); v("serial", x.serial); v("notBefore", x.not_before); v("notAfter", x.not_after); v("renewAt", x.renew_at);
}
template <class V> void fields(V& v, LocalDrift& x) { v("at", x.at); v("what", x.what); }
template <class V> void fields(V& v, AgentLocalStatus& x) {
  v("joined", x.joined); v("updatedAt", x.updated_at); v("cluster", x.cluster); v("nodeName", x.node_name);
  v("role", x.role); v("address", x.address); v("podCIDR", x.pod_cidr); v("message", x.message);
  v("lastContact", x.last_contact); v("desiredRevision", x.desired_revision); v("report", x.report);
  v.optional("joinState", x.join_state); v.optional("agentVersion", x.agent_version); v.optional("coordinator", x.coordinator);
  v.optional("coordinatorError", x.coordinator_error); v.optional("certificates", x.certificates);
  v.optional("componentSince", x.component_since); v.optional("errors", x.errors); v.optional("lastError", x.last_error);
  v.optional("drift", x.drift);
}
template <class V> void fields(V& v, AppliedSettings& x) {
  v("nodeUid", x.node_uid); v("cluster", x.cluster); v.optional("own", x.own); v.optional("host", x.host);
  v.optional("podRanges", x.pod_ranges); v.optional("components", x.components);
}
template <class V> void fields(V& v, NodeOverview& x) { v("nodes", x.nodes); v("pending", x.pending); v("joins", x.joins); }
template <class V> void fields(V& v, FetchedFile& x) {
  v("component", x.component); v("version", x.version); v("url", x.url); v("checksumUrl", x.checksum_url); v("sha256", x.sha256);
  v.optional("size", x.size); v("result", x.result);
}
template <class V> void fields(V& v, AddressPlanReport& x) {
  v("podCIDR", x.pod_cidr); v("nodePrefixLength", x.node_prefix_length); v("serviceCIDR", x.service_cidr);
  v("serviceReserve", x.service_reserve); v("ipv6Range", x.ipv6_range); v("wantedNodes", x.wanted_nodes); v("maxNodes", x.max_nodes);
  v("wantedPodsPerNode", x.wanted_pods); v("podAddressesPerNode", x.addresses_per_node); v("maxServices", x.max_services);
  v("kubernetesIP", x.kubernetes_ip); v("dnsIP", x.dns_ip); v("arithmetic", x.arithmetic);
}
template <class V> void fields(V& v, FetchReport& x) { v("dryRun", x.dry_run); v("files", x.files); }
template <class V> void fields(V& v, UpgradeComponent& x) { v("name", x.name); v("running", x.running); v("target", x.target); }
template <class V> void fields(V& v, UpgradeNode& x) {
  v("name", x.name); v("role", x.role); v.optional("turn", x.turn); v("components", x.components); v.optional("note", x.note);
}
template <class V> void fields(V& v, MissingArtifact& x) { v("component", x.component); v("version", x.version); v("cure", x.cure); }
template <class V> void fields(V& v, UpgradeRefusal& x) { v("reason", x.reason); v("cure", x.cure); }
template <class V> void fields(V& v, UpgradePlanReport& x) {
  v("version", x.version); v("target", x.target); v("paused", x.paused); v("maxUnavailable", x.max_unavailable);
  v("nodes", x.nodes); v("missing", x.missing); v("refusals", x.refusals); v("notes", x.notes); v("imported", x.imported);
}
template <class V> void fields(V& v, UpgradeStatusNode& x) {
  v("name", x.name); v("role", x.role); v("state", x.state); v("kubelet", x.kubelet); v.optional("apiServer", x.api_server);
  v.optional("reason", x.reason);
}
template <class V> void fields(V& v, UpgradeStatusReport& x) {
  v("version", x.version); v("paused", x.paused); v("maxUnavailable", x.max_unavailable); v("done", x.done);
  v("waiting", x.waiting); v("restarting", x.restarting); v("failed", x.failed); v("silent", x.silent); v("nodes", x.nodes);
}

}  // namespace slipway::proto

// Every type that stands in openapi.json's components.schemas.
#define SLIPWAY_WIRE_TYPES(X) \
  X(ClusterMetadata) X(ApiServerSettings) X(CoordinatorSettings) X(VxlanSettings) X(NetworkSettings) X(Versions) X(KubeletSettings) \
  X(RawConfig) X(CertificateSettings) X(ClusterSpec) X(ClusterCapacity) X(ClusterView) X(NodeFacts) X(JoinRequest) \
  X(JoinReply) X(RenewRequest) X(RenewReply) X(MasterSecrets) X(JoinAttempt) X(JoinAttemptList) X(ArtifactRef) \
  X(ComponentRef) X(PeerNode) X(DesiredState) X(GoneNode) X(DesiredDelta) X(Condition) X(ComponentEnd) X(ComponentStatus) X(CertificateStatus) X(NodeStatusReport) \
  X(NodeView) X(NodeList) X(TokenRequest) X(TokenReply) X(TokenView) X(TokenList) X(Artifact) X(ArtifactList) \
  X(CertificateView) X(CertificateList) X(KubeconfigRequest) X(KubeconfigReply) X(OperatorRequest) X(OperatorReply) \
  X(OperatorView) X(OperatorList) X(HealthCheck) X(HealthReport) \
  X(VersionInfo) X(Problem) X(PendingNodeView) X(PendingNodeList) X(ApproveRequest) X(DenyRequest) X(ReplaceRequest) \
  X(ReplaceReply) X(AuditActor) X(AuditCertificate) X(AuditRecord) X(AuditList) X(AuditVerdict) \
  X(RevokedCertificate) X(RevokedList) X(PoolSettings) X(Reservation) X(ReservationRequest) X(PoolTenant) X(PoolView) X(PoolList) \
  X(PoolGrowRequest) X(PoolDrainRequest) X(CaRef) X(CaBundles) X(CaCertificateView) X(CaView) X(CaList) X(CaChangeRequest) \
  X(PoolTenantList) X(DrainRequest) X(DrainPod) X(DrainReport) X(RotateReply) X(ComponentSettings) X(NodeSettings) X(NodeGroupMatch) \
  X(NodeGroup) X(RolloutSettings) X(NodeOverrides) X(SettingsStatus) X(SettingValue) X(SettingDifference) X(NodeConfigView) \
  X(RolloutView) X(RestartRequest) X(RestartReply) \
  X(ArtifactSettings) X(ManifestUpload) X(ManifestView) X(CollectRequest) X(CollectedBlob) X(CollectReply) \
  X(ProbeOffer) X(ProbeTarget) X(ProbeTargets) X(ProbeLoss) X(ProbeReport) X(NetworkPair) X(SilentNode) X(NetworkProbe)

// Types of files: coded by the same lists, but no part of the API's contract.
#define SLIPWAY_FILE_TYPES(X) \
  X(AdminCluster) X(AdminConfig) X(ConnectionLimits) X(RoutesHook) X(HookRoute) X(HookRequest) X(HookFound) X(HookAnswer) X(SetRoute) X(SetRoutes) X(CoordinatorConfig) X(KubeconfigClusterData) X(KubeconfigCluster) X(KubeconfigUserData) \
  X(KubeconfigUser) X(KubeconfigContextData) X(KubeconfigContext) X(KubeconfigFile) X(AgentConfig) X(AgentLocalStatus) X(LocalError) X(LocalCertificate) X(LocalDrift) \
  X(NodeOverview) X(PreflightFinding) X(PreflightReport) X(ResetLeftover) X(ResetReport) X(AppliedSettings) X(ArtifactTrust) X(FetchedFile) X(FetchReport) X(AddressPlanReport) \
  X(UpgradeComponent) X(UpgradeNode) X(MissingArtifact) X(UpgradeRefusal) X(UpgradePlanReport) X(UpgradeStatusNode) X(UpgradeStatusReport)
