# shellcheck shell=bash
# Lab hosts: systemd-nspawn machines with an overlay over the base tree each, on one bridge a cluster.
# Everything of a cluster lies in $SLIPWAY_CACHE/clusters/CLUSTER and in cgroups slipway-lab/CLUSTER-HOST,
# so that it can be found again, by another process too, and removed. Source after common.sh.

clusters_dir=$SLIPWAY_CACHE/clusters

cluster_dir() { printf '%s\n' "$clusters_dir/$1"; }
host_dir() { printf '%s\n' "$clusters_dir/$1/hosts/$2"; }
host_root() { printf '%s\n' "$clusters_dir/$1/hosts/$2/root"; }
machine_name() { printf '%s\n' "$1-$2"; }
# A network device's name has at most 15 characters.
bridge_name() { printf 'sw-%s\n' "$1"; }
# Of the network behind a router, which this machine is: only where it was asked for.
far_bridge_name() { printf 'sx-%s\n' "$1"; }
cluster_bridges() { printf '%s\n%s\n' "$(bridge_name "$1")" "$(far_bridge_name "$1")"; }

check_cluster_name() {
    [[ $1 =~ ^[a-z][a-z0-9]{0,11}$ ]] || die "cluster name '$1': 1 to 12 of a-z and 0-9, a letter first"
}

# --- the cluster's network -------------------------------------------------------------------------

# network_up CLUSTER NET, as in `network_up demo 10.77.0.0/24`: the bridge with address .1.
network_up() { bridge_up "$1" "$2" "$(bridge_name "$1")" net; }

# A second network: this machine routes between the two.
far_network_up() {
    local near far
    near=$(bridge_name "$1")
    far=$(far_bridge_name "$1")
    bridge_up "$1" "$2" "$far" far-net
    if [[ $(</proc/sys/net/ipv4/ip_forward) == 0 ]]; then
        : >"$(cluster_dir "$1")/forwarding-was-off"
        printf '1\n' >/proc/sys/net/ipv4/ip_forward
    fi
    accept_forwarded "$near" "$far"
    accept_forwarded "$far" "$near"
}

# bridge_up CLUSTER NET BRIDGE FILE: FILE in the cluster's folder says which network it is.
bridge_up() {
    local cluster=$1 net=$2 bridge=$3 base
    [[ $net =~ ^([0-9]+\.[0-9]+\.[0-9]+)\.0/24$ ]] || die "network '$net': expected A.B.C.0/24"
    base=${BASH_REMATCH[1]}
    mkdir -p "$(cluster_dir "$cluster")"
    printf '%s\n' "$net" >"$(cluster_dir "$cluster")/$4"
    if ! ip link show "$bridge" >/dev/null 2>&1; then
        [[ -z $(ip -o route show "$net") ]] || die "the network $net is in use here: $(ip -o route show "$net" | head -n 1); choose another with --net"
        ip link add "$bridge" type bridge
    fi
    ip address replace "$base.1/24" dev "$bridge"
    ip link set "$bridge" up
    accept_forwarded "$bridge" "$bridge"
}

# accept_forwarded BRIDGE BRIDGE: a Docker on this machine sets the policy of FORWARD to DROP; with br_netfilter that cuts bridged frames too.
accept_forwarded() {
    command -v iptables >/dev/null || return 0
    iptables -C FORWARD -i "$1" -o "$2" -j ACCEPT 2>/dev/null || iptables -I FORWARD -i "$1" -o "$2" -j ACCEPT
}

network_down() {
    local from to
    for from in $(cluster_bridges "$1"); do
        for to in $(cluster_bridges "$1"); do
            if command -v iptables >/dev/null; then
                while iptables -D FORWARD -i "$from" -o "$to" -j ACCEPT 2>/dev/null; do :; done
            fi
        done
        if ip link show "$from" >/dev/null 2>&1; then ip link delete "$from"; fi
    done
    if [[ -e $(cluster_dir "$1")/forwarding-was-off ]]; then printf '0\n' >/proc/sys/net/ipv4/ip_forward; fi
}

# Whether the address is of the cluster's second network.
is_far() {
    local file
    file=$(cluster_dir "$1")/far-net
    [[ -e $file && $2 == "$(sed 's/0\/24$//' "$file")"* ]]
}
host_net() { if is_far "$1" "$2"; then cat "$(cluster_dir "$1")/far-net"; else cat "$(cluster_dir "$1")/net"; fi; }
host_bridge() { if is_far "$1" "$2"; then far_bridge_name "$1"; else bridge_name "$1"; fi; }

# --- making a host ---------------------------------------------------------------------------------

# host_create CLUSTER HOST ADDRESS BASE_TREE: a host that is switched off; its root can be written to.
host_create() {
    host_folders "$@"
    host_mount "$1" "$2"
    host_write_identity "$1" "$2" "$3"
}

host_folders() {
    local cluster=$1 host=$2 address=$3 base=$4 dir
    dir=$(host_dir "$cluster" "$host")
    [[ ! -e $dir ]] || die "host $host of cluster $cluster exists already"
    [[ $host =~ ^[a-z][a-z0-9-]{0,30}$ ]] || die "host name '$host': a-z, 0-9 and dashes, a letter first"
    # Docker cannot put its overlays on top of an overlay, so these folders come from the real file system.
    mkdir -p "$dir"/{upper,work,root,docker,containerd}
    printf '%s\n' "$address" >"$dir/address"
    printf '%s\n' "$base" >"$dir/base"
}

# host_clone CLUSTER HOST ADDRESS IMAGE: a copy of the disk of host IMAGE, which is off. Name and address are given to it, as
# DHCP would; its machine id is what is on the disk.
host_clone() {
    local cluster=$1 host=$2 address=$3 image
    image=$(host_dir "$cluster" "$4")
    [[ -d $image ]] || die "no host $4 in cluster $cluster"
    host_is_off "$cluster" "$4" || die "host $4 is up: switch it off before it is copied"
    host_folders "$cluster" "$host" "$address" "$(<"$image/base")"
    cp -a "$image/upper/." "$(host_dir "$cluster" "$host")/upper/"
    host_mount "$cluster" "$host"
    host_write_identity "$cluster" "$host" "$address" "$(cat "$(host_root "$cluster" "$host")/etc/machine-id")"
}

# host_credential CLUSTER HOST NAME: from standard input; given to the host's systemd at its boots, as firmware would.
host_credential() {
    local dir
    dir=$(host_dir "$1" "$2")/credentials
    [[ $3 =~ ^[a-z][a-z0-9.-]*$ ]] || die "name of a credential '$3'"
    mkdir -p -m 0700 "$dir"
    (umask 077 && cat >"$dir/$3")
}

host_mount() {
    local dir base
    dir=$(host_dir "$1" "$2")
    base=$(<"$dir/base")
    mountpoint -q "$dir/root" ||
        mount -t overlay "slipway-lab-$1-$2" -o "lowerdir=$base,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
}

# The address, the name, and the unit that sets them up at each boot without any help from outside.
host_write_identity() {
    local cluster=$1 host=$2 address=$3 machine_id=${4-$(systemd-id128 new)} root net
    root=$(host_root "$cluster" "$host")
    net=$(host_net "$cluster" "$address")
    mkdir -p "$root/etc/slipway-lab"
    printf 'ADDRESS=%s\nPREFIX_LENGTH=%s\nGATEWAY=%s\n' "$address" "${net#*/}" "${net%.0/*}.1" >"$root/etc/slipway-lab/address"
    printf '%s\n' "$host" >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n%s %s\n' "$address" "$host" >"$root/etc/hosts"
    # Nothing answers there; without a name server Docker would ask public ones.
    printf 'nameserver %s\n' "${net%.0/*}.1" >"$root/etc/resolv.conf"
    printf '%s' "${machine_id:+$machine_id$'\n'}" >"$root/etc/machine-id"
    # Pods whose first process ignores SIGTERM would hold up each shutdown for 90 s.
    mkdir -p "$root/etc/systemd/system.conf.d"
    printf '[Manager]\nDefaultTimeoutStopSec=10s\n' >"$root/etc/systemd/system.conf.d/lab.conf"
    install -m 0755 "$lab_dir/in-host.sh" "$root/usr/local/sbin/slipway-lab-host"
    install -m 0755 "$lab_dir/runc-wrapper" "$root/usr/local/sbin/slipway-lab-runc"
    cat >"$root/etc/systemd/system/slipway-lab.service" <<UNIT
[Unit]
Description=Slipway lab: address, cgroups and mounts of this host
DefaultDependencies=no
Before=sysinit.target network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/slipway-lab-host
UNIT
    mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
    ln -sf ../slipway-lab.service "$root/etc/systemd/system/sysinit.target.wants/slipway-lab.service"
}

# --- cgroups ---------------------------------------------------------------------------------------

# Each host gets cgroups of its own: kubelets that share one tree would remove each other's pods.
# Only on machines with cgroup v1 and without systemd; elsewhere the service manager does it.
host_cgroups() { find /sys/fs/cgroup -mindepth 2 -maxdepth 3 -type d -path "*/slipway-lab/$(machine_name "$1" "$2")" 2>/dev/null || true; }

cgroup_controllers() {
    awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts
}

# enter_cgroups MACHINE: moves the calling process.
enter_cgroups() {
    local controller parent group file
    for controller in $(cgroup_controllers); do
        parent=$controller/slipway-lab
        group=$parent/$1
        mkdir -p "$group"
        for file in cpuset.cpus cpuset.mems; do
            [[ ! -e $parent/$file ]] || cat "$controller/$file" >"$parent/$file"
            [[ ! -e $group/$file ]] || cat "$parent/$file" >"$group/$file"
        done
        # $BASHPID: this runs in a subshell, and $$ would be the script.
        printf '%s\n' "$BASHPID" >"$group/cgroup.procs"
    done
}

remove_cgroups() {
    local group
    for group in $(host_cgroups "$1" "$2"); do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
        rmdir --ignore-fail-on-non-empty "${group%/*}" 2>/dev/null || true
    done
}

# --- power -----------------------------------------------------------------------------------------

# A process that the host's folder names and that is still what it was: PIDs are used again.
recorded_pid() {
    local file pid
    file=$(host_dir "$1" "$2")/$3.pid
    [[ -s $file ]] || return 1
    pid=$(<"$file")
    [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$4"* ]] || return 1
    printf '%s\n' "$pid"
} 2>/dev/null

nspawn_pid() { recorded_pid "$1" "$2" nspawn "-M $(machine_name "$1" "$2") "; }
runner_pid() { recorded_pid "$1" "$2" runner "host-run $1 $2 "; }

# The host's PID 1, as this machine counts.
leader_pid() {
    local nspawn pid
    nspawn=$(nspawn_pid "$1" "$2") || return 1
    for pid in $(ps -o pid= --ppid "$nspawn"); do
        # While it starts up, nspawn has a helper child that is not PID 1 of a name space.
        if [[ $(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status" 2>/dev/null) == 1 ]]; then
            printf '%s\n' "$pid"
            return 0
        fi
    done
    return 1
}

host_is_up() { leader_pid "$1" "$2" >/dev/null; }

# Runs the host's systemd-nspawn in the foreground until the host is switched off. A reboot from inside
# ends systemd-nspawn with status 133 (with --keep-unit it leaves the restart to its caller).
host_run() {
    local cluster=$1 host=$2 dir machine nspawn status credential
    dir=$(host_dir "$cluster" "$host")
    machine=$(machine_name "$cluster" "$host")
    nspawn=(systemd-nspawn --quiet --settings=no --register=no --keep-unit -M "$machine" --hostname="$host" -D "$dir/root" -b
        --network-bridge="$(host_bridge "$cluster" "$(<"$dir/address")")" --capability=all --system-call-filter='@privileged add_key keyctl bpf'
        --resolv-conf=off --timezone=off --link-journal=no --console=read-only
        --bind=/dev/kmsg --bind=/dev/net/tun
        --bind="$dir/docker:/var/lib/docker" --bind="$dir/containerd:/var/lib/containerd")
    for credential in "$dir"/credentials/*; do
        [[ ! -f $credential ]] || nspawn+=(--load-credential="${credential##*/}:$credential")
    done
    export SYSTEMD_NSPAWN_API_VFS_WRITABLE=1
    [[ -d /run/systemd/system ]] || enter_cgroups "$machine"
    while :; do
        "${nspawn[@]}" &
        printf '%s\n' "$!" >"$dir/nspawn.pid"
        status=0
        wait "$!" || status=$?
        [[ $status -eq 133 ]] || return "$status"
    done
}

# host_boot CLUSTER HOST: returns when its service manager answers and its address is set.
host_boot() {
    local cluster=$1 host=$2 dir
    dir=$(host_dir "$cluster" "$host")
    [[ -d $dir ]] || die "no host $host in cluster $cluster"
    ! host_is_up "$cluster" "$host" || return 0
    host_mount "$cluster" "$host"
    mkdir -p "$dir"/{docker,containerd}
    : >"$dir/console.log"
    start_runner "$cluster" "$host" "$dir"
    if ! wait_for 60 "boot of $host" host_answers "$cluster" "$host"; then
        tail -n 20 "$dir/console.log" >&2
        return 1
    fi
}

# In a session of its own: an interrupt on the terminal must not switch the hosts off.
start_runner() {
    local scope=()
    if [[ -d /run/systemd/system ]]; then
        scope=(systemd-run --quiet --scope --unit="slipway-lab-$(machine_name "$1" "$2")" -p Delegate=yes)
    fi
    setsid "${scope[@]}" "$lab_dir/host-run" "$1" "$2" "" </dev/null >>"$3/console.log" 2>&1 &
    disown
}

host_answers() { host_exec "$1" "$2" systemctl is-active --quiet slipway-lab.service basic.target; }

# host_poweroff CLUSTER HOST: an orderly shutdown; after two minutes the cord is pulled.
host_poweroff() {
    host_is_up "$1" "$2" || return 0
    host_exec "$1" "$2" systemctl poweroff --no-block || true
    wait_for 120 "shutdown of $2" host_is_off "$1" "$2" || host_kill "$1" "$2"
}

host_is_off() { ! nspawn_pid "$1" "$2" >/dev/null && ! runner_pid "$1" "$2" >/dev/null; }

# host_kill CLUSTER HOST: a power cut. Killing PID 1 ends every process of the host.
host_kill() {
    local pid
    if pid=$(leader_pid "$1" "$2"); then kill -KILL "$pid"; fi
    if wait_for 20 "end of $2" host_is_off "$1" "$2"; then return 0; fi
    if pid=$(runner_pid "$1" "$2"); then kill_tree "$pid"; fi
    if pid=$(nspawn_pid "$1" "$2"); then kill_tree "$pid"; fi
    wait_for 10 "end of $2" host_is_off "$1" "$2"
}

# host_reboot CLUSTER HOST: from inside, as an admin would; returns when it answers again.
host_reboot() {
    local before
    before=$(leader_pid "$1" "$2") || die "host $2 is not up"
    host_exec "$1" "$2" systemctl reboot --no-block
    wait_for 120 "restart of $2" leader_is_new "$1" "$2" "$before"
    wait_for 60 "boot of $2" host_answers "$1" "$2"
}

leader_is_new() {
    local now
    now=$(leader_pid "$1" "$2") && [[ $now != "$3" ]]
}

# host_exec CLUSTER HOST COMMAND [ARG...]: as root in all of the host's name spaces, with a clean environment.
host_exec() {
    local pid
    pid=$(leader_pid "$1" "$2") || {
        printf 'error: host %s of cluster %s is not up\n' "$2" "$1" >&2
        return 125
    }
    shift 2
    nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup -- \
        /usr/bin/env -i --chdir=/ PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" "$@"
}

# host_journal CLUSTER HOST [UNIT...]: the last lines, for error messages.
host_journal() {
    local cluster=$1 host=$2 unit args=()
    shift 2
    for unit in "$@"; do args+=(-u "$unit"); done
    printf -- '--- journal of %s%s ---\n' "$host" "${*:+: $*}"
    host_exec "$cluster" "$host" journalctl --no-pager -q -n 60 -o short-monotonic "${args[@]}" || true
}

# --- removal ---------------------------------------------------------------------------------------

host_destroy() {
    local dir
    dir=$(host_dir "$1" "$2")
    host_kill "$1" "$2"
    remove_cgroups "$1" "$2"
    if mountpoint -q "$dir/root"; then umount -R "$dir/root" || umount -R -l "$dir/root"; fi
    rm -rf --one-file-system "$dir"
    rm -rf "/run/systemd/nspawn/propagate/$(machine_name "$1" "$2")" "/run/systemd/nspawn/unix-export/$(machine_name "$1" "$2")"
}

cluster_hosts() {
    local dir
    for dir in "$(cluster_dir "$1")"/hosts/*/; do
        [[ ! -d $dir ]] || basename "$dir"
    done
}

# Removes a cluster and says so only after looking.
cluster_destroy() {
    local cluster=$1 host left
    for host in $(cluster_hosts "$cluster"); do host_destroy "$cluster" "$host"; done
    network_down "$cluster"
    rm -rf --one-file-system "$(cluster_dir "$cluster")"
    rmdir --ignore-fail-on-non-empty "$clusters_dir" 2>/dev/null || true
    left=$(cluster_traces "$cluster")
    [[ -z $left ]] || die "cluster $cluster is not wholly removed; left over:"$'\n'"$left"
}

# Every process, mount, network device, cgroup and file that belongs to the cluster, one a line.
cluster_traces() {
    local cluster=$1 bridge
    pgrep -af -- "systemd-nspawn .* -M $cluster-[a-z0-9-]+ |lab/host-run $cluster [a-z0-9-]+" | sed 's/^/process /' || true
    grep -E "$(cluster_dir "$cluster")/| slipway-lab-$cluster-" /proc/self/mounts | sed 's/^/mount /' || true
    for bridge in $(cluster_bridges "$cluster"); do ip -o link show "$bridge" 2>/dev/null | sed 's/^/device /' || true; done
    find /sys/fs/cgroup -type d -path "*/slipway-lab/$cluster-*" 2>/dev/null | sed 's/^/cgroup /' || true
    find "$(cluster_dir "$cluster")" 2>/dev/null | head -n 5 | sed 's/^/file /' || true
}
