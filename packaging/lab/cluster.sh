# shellcheck shell=bash
# The steps from hosts to a cluster, as an operator would take them: packages, `init`, artifacts,
# tokens, boot. Source after common.sh and hosts.sh. Settings: cluster, net, cross_subnet (yes: the last node is in
# the next network, behind a router), node_count, node_ttl, renew_at, runtime, kubernetes_version,
# kubernetes_fetched (yes: from a release site, at kubernetes_from or else upstream's);
# the folders debs_dir, artifacts_dir, base_dir, and kubernetes_tarball, of lab_ingredients.

pause_image=slipway/pause:1
busybox_image=slipway/busybox:1

net_prefix() { printf '%s\n' "${net%.0/24}"; }
master_address() { printf '%s.10\n' "$(net_prefix)"; }
# A.B.C+1 of A.B.C.0/24.
far_prefix() {
    local prefix
    prefix=$(net_prefix)
    printf '%s.%d\n' "${prefix%.*}" $((${prefix##*.} + 1))
}
node_address() {
    local prefix
    prefix=$(net_prefix)
    if [[ $cross_subnet == yes && $1 -eq $node_count ]]; then prefix=$(far_prefix); fi
    printf '%s.%d\n' "$prefix" $((10 + $1))
}
on_master() { host_exec "$cluster" master "$@"; }
in_master_kubectl() { on_master kubectl "$@"; }
ctr_on() { host_exec "$cluster" "$1" /opt/slipway/containerd/current/ctr -n k8s.io "${@:2}"; }
docker_on() { host_exec "$cluster" "$1" /opt/slipway/docker/current/docker "${@:2}"; }

all_hosts() {
    local i
    say master
    for ((i = 1; i <= node_count; i++)); do say "node$i"; done
}

# Everything that is built or fetched, each cached on its own.
lab_ingredients() {
    # SLIPWAY_DEBS: packages that were made elsewhere.
    debs_dir=${SLIPWAY_DEBS:-$("$repo_dir/packaging/build-deb")}
    base_dir=$("$lab_dir/base-tree")
    artifacts_dir=$("$lab_dir/build-artifacts")
    if [[ $kubernetes_fetched == no ]]; then kubernetes_tarball=$("$lab_dir/build-kubernetes"); fi
}

create_hosts() {
    local i host
    network_up "$cluster" "$net"
    if [[ $cross_subnet == yes ]]; then far_network_up "$cluster" "$(far_prefix).0/24"; fi
    host_create "$cluster" master "$(master_address)" "$base_dir"
    for ((i = 1; i <= node_count; i++)); do host_create "$cluster" "node$i" "$(node_address "$i")" "$base_dir"; done
    for host in $(all_hosts); do host_boot "$cluster" "$host"; done
}

# install_debs HOST PACKAGE...: with dpkg inside the host, like an admin without a package server.
install_debs() {
    local host=$1 root package files=()
    shift
    root=$(host_root "$cluster" "$host")
    mkdir -p "$root/var/tmp/slipway-debs"
    for package in "$@"; do
        cp "$debs_dir/$package"_*.deb "$root/var/tmp/slipway-debs/"
        files+=("/var/tmp/slipway-debs/$(basename "$debs_dir/$package"_*.deb)")
    done
    host_exec "$cluster" "$host" env DEBIAN_FRONTEND=noninteractive dpkg -i "${files[@]}"
    rm -rf "$root/var/tmp/slipway-debs"
}

# The nodes are switched off again: the boot with a token in place is what makes them join.
install_packages() {
    local host
    install_debs master slipway-coordinator slipway-agent slipway-ctl
    for host in $(all_hosts); do
        [[ $host != master ]] || continue
        install_debs "$host" slipway-agent
        host_poweroff "$cluster" "$host"
    done
    if [[ $kubernetes_fetched == no ]]; then install_kubectl "$(dirname "$kubernetes_tarball")/kubectl"; fi
}

install_kubectl() { install -m 0755 "$1" "$(host_root "$cluster" master)/usr/local/bin/kubectl"; }

# The versions of the runtime, and the runc that takes oom_score_adj.
write_runtime_versions() {
    if [[ $runtime == containerd ]]; then
        printf '  containerd: %s\n  runc: %s\n' "$k_containerd_version" "$k_runc_version"
    else
        printf '  docker: %s\n' "$k_docker_version"
    fi
}

write_runtime_config() {
    if [[ $runtime == containerd ]]; then
        cat <<YAML
containerd:
  config:
    plugins:
      io.containerd.grpc.v1.cri:
        containerd: {runtimes: {runc: {options: {BinaryName: /usr/local/sbin/slipway-lab-runc}}}}
YAML
    else
        cat <<YAML
docker:
  config:
    runtimes: {lab-runc: {path: /usr/local/sbin/slipway-lab-runc}}
    default-runtime: lab-runc
YAML
    fi
}

# From 1.35 on the kubelet starts on cgroup v1 only when it is told to.
write_cgroup_config() {
    [[ $(kubernetes_minor "$kubernetes_version") -lt 35 || -e /sys/fs/cgroup/cgroup.controllers ]] || say '    failCgroupV1: false'
}

write_node_networks() {
    if [[ $cross_subnet == no ]]; then
        say "  nodeCIDRs: [$net]"
    else
        say "  nodeCIDRs: [$net, $(far_prefix).0/24]"
        say '  crossSubnet: true'
    fi
}

write_second_family() { [[ $dual_stack == no ]] || say '  pools: [{name: six, ranges: ["fd00:10:10::/48"]}]'; }

# What is under kubelet, kubeProxy and the runtime is for hosts that share one kernel without all privileges:
# relaxed eviction, no conntrack sizes (not a name space's own), and the runc that takes oom_score_adj.
write_cluster_yaml() {
    cat <<YAML
metadata: {name: $cluster}
apiServer: {endpoint: "https://$(master_address):6443"}
coordinator: {addresses: [$(master_address)], port: 7443}
network:
  podCIDR: 10.10.0.0/16
  nodePrefixLength: 24
  serviceCIDR: 10.0.0.0/16
  dnsDomain: cluster.local
  dnsIP: 10.0.0.10
  backend: $backend
$(write_node_networks)
$(write_second_family)
certificates: {nodeTTL: $node_ttl, renewAt: $renew_at}
runtime: $runtime
versions:
  kubernetes: $kubernetes_version
  etcd: $k_etcd_version
  cniPlugins: $k_cni_version
$(write_runtime_versions)
kubelet:
  podInfraContainerImage: "$pause_image"
  config:
    failSwapOn: false
$(write_cgroup_config)
    imageGCHighThresholdPercent: 100
    evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
kubeProxy:
  config:
    conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
$(write_runtime_config)
YAML
}

start_coordinator() {
    local root
    root=$(host_root "$cluster" master)
    write_cluster_yaml >"$root/etc/slipway/cluster.yaml"
    on_master slipway-coordinator init --config /etc/slipway/cluster.yaml
    on_master systemctl start slipway-coordinator.service
    if ! wait_for 60 "slipway-coordinator to answer slipwayctl" on_master slipwayctl cluster get; then
        host_journal "$cluster" master slipway-coordinator
        return 1
    fi
}

# import_artifact FILE ARG...: from a folder in the master, as it would come from a download.
import_artifact() {
    local file=$1 dir
    shift
    dir=$(host_root "$cluster" master)/var/tmp/slipway-import
    mkdir -p "$dir"
    cp "$file" "$dir/"
    on_master slipwayctl artifact import "$@" "/var/tmp/slipway-import/$(basename "$file")"
    rm -rf "$dir"
}

# From here, as from an operator's machine: the hosts reach nothing but each other and this machine.
fetch_kubernetes() {
    local root from=() slipwayctl downloads
    root=$(host_root "$cluster" master)
    slipwayctl=$root/usr/bin/slipwayctl
    downloads=$(cluster_dir "$cluster")/kubectl
    [[ -z $kubernetes_from ]] || from=(--from "$kubernetes_from")
    "$slipwayctl" --config "$root/etc/slipway/admin.conf" artifact fetch --kubernetes "$kubernetes_version" --arch amd64 "${from[@]}"
    "$slipwayctl" artifact fetch --kubernetes "$kubernetes_version" --arch amd64 "${from[@]}" --only kubectl --to "$downloads"
    install_kubectl "$downloads/kubectl"
    rm -rf "$downloads"
}

import_artifacts() {
    if [[ $kubernetes_fetched == no ]]; then
        import_artifact "$kubernetes_tarball" --version "$kubernetes_version"
    else
        fetch_kubernetes
    fi
    if [[ $runtime == containerd ]]; then
        import_artifact "$artifacts_dir/containerd-$k_containerd_version-linux-amd64.tar.gz" --component containerd --version "$k_containerd_version"
        import_artifact "$artifacts_dir/runc" --component runc --version "$k_runc_version"
    else
        import_artifact "$artifacts_dir/docker-$k_docker_version.tgz" --component docker --version "$k_docker_version"
    fi
    import_artifact "$artifacts_dir/cni-plugins-$k_cni_version.tgz" --component cni-plugins --version "$k_cni_version"
    import_artifact "$artifacts_dir/etcd" --component etcd --version "$k_etcd_version"
    on_master slipwayctl artifact list
}

# write_agent_config HOST TOKEN_FILE [ROLE]
write_agent_config() {
    cat >"$(host_root "$cluster" "$1")/etc/slipway/agent.yaml" <<YAML
coordinators: ["https://$(master_address):7443"]
tokenFile: $2
role: ${3:-node}
YAML
}

# The token goes from the coordinator's answer into files that only root can read, never into an argument.
hand_over_tokens() {
    local host root
    write_agent_config master /etc/slipway/master.token master
    [[ $node_count -gt 0 ]] || return 0
    (
        umask 077
        on_master slipwayctl token create --ttl 24h --max-uses "$node_count" --quiet >"$(cluster_dir "$cluster")/join.token"
    )
    for host in $(all_hosts); do
        [[ $host != master ]] || continue
        root=$(host_root "$cluster" "$host")
        write_agent_config "$host" /etc/slipway/join.token
        install -m 0600 "$(cluster_dir "$cluster")/join.token" "$root/etc/slipway/join.token"
    done
    rm -f "$(cluster_dir "$cluster")/join.token"
}

boot_nodes() {
    local host
    on_master systemctl start --no-block slipway-agent.service
    for host in $(all_hosts); do host_boot "$cluster" "$host"; done
}

# --- from joined to Ready --------------------------------------------------------------------------

write_kubeconfig() {
    on_master mkdir -p /root/.kube
    (umask 077 && on_master slipwayctl cluster kubeconfig >"$(host_root "$cluster" master)/root/.kube/config")
}

ready_nodes() {
    in_master_kubectl get nodes --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l
}

all_ready() { [[ $(ready_nodes) -eq $((node_count + 1)) ]]; }

# And knows the operators' group: the coordinator binds it a few seconds after the API server has come up.
api_answers() { in_master_kubectl get --raw /readyz && in_master_kubectl auth can-i '*' '*' --all-namespaces --quiet; }

wait_api() {
    write_kubeconfig
    wait_for "$1" "kube-apiserver on the master" api_answers && return
    on_master slipwayctl node list || true
    host_journal "$cluster" master slipway-agent slipway-coordinator etcd kube-apiserver
    return 1
}

# wait_ready SECONDS
wait_ready() {
    local host
    wait_for "$1" "all $((node_count + 1)) nodes Ready" all_ready && return
    on_master slipwayctl node list || true
    in_master_kubectl get nodes -o wide || true
    for host in $(all_hosts); do host_journal "$cluster" "$host" slipway-agent "$runtime" kubelet; done
    return 1
}

# Nothing can be pulled in the lab: the two images go straight into each host's runtime.
load_images() {
    local host image=$artifacts_dir/busybox-image.tar
    for host in $(all_hosts); do
        if [[ $runtime == containerd ]]; then
            ctr_on "$host" images import - <"$artifacts_dir/pause-archive.tar"
            ctr_on "$host" images import - <"$artifacts_dir/busybox-archive.tar"
            continue
        fi
        docker_on "$host" import -c 'ENTRYPOINT ["/bin/busybox","sleep","2147483647"]' - "$pause_image" <"$image"
        docker_on "$host" import -c 'ENV PATH=/bin' - "$busybox_image" <"$image"
    done
}
