# shellcheck shell=bash
# Can this machine run lab hosts? Source after common.sh.

# What is missing, one a line; nothing when all is there. Packages that can be installed are not counted.
lab_missing() {
    if [[ $(id -u) -ne 0 ]]; then
        say "root: run it with sudo"
        return
    fi
    [[ $(uname -m) == x86_64 ]] || say "an x86_64 machine (this is $(uname -m))"
    command -v apt-get >/dev/null || say "apt-get: the lab is made from Debian packages"
    unshare --mount --net --pid --fork true 2>/dev/null || say "the right to make name spaces (CAP_SYS_ADMIN; an unprivileged container has it not)"
    lab_missing_kernel
    lab_missing_space
}

lab_missing_kernel() {
    local device
    grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || say "overlayfs in the kernel"
    # In a name space of its own: nothing is left behind. iproute2 may not have been installed yet.
    if command -v ip >/dev/null; then
        unshare --net ip link add probe type bridge 2>/dev/null || say "network bridges in the kernel"
        unshare --net ip link add probe0 type veth peer name probe1 2>/dev/null || say "veth devices in the kernel"
    fi
    for device in /dev/kmsg /dev/net/tun; do [[ -c $device ]] || say "the device $device"; done
    if [[ ! -d /run/systemd/system ]] && ! grep -qE ' cgroup2? ' /proc/self/mounts; then say "cgroups mounted below /sys/fs/cgroup"; fi
}

lab_missing_space() {
    local free_mib memory_mib
    mkdir -p "$SLIPWAY_CACHE"
    free_mib=$(df --output=avail -m "$SLIPWAY_CACHE" | tail -n 1)
    ((free_mib >= 12000)) || say "12 GB of free disk space below $SLIPWAY_CACHE (there are $((free_mib / 1000)) GB)"
    memory_mib=$(($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo) / 1024))
    ((memory_mib >= 3000)) || say "3 GB of available memory (there are $memory_mib MiB)"
}

# Prints what is missing and fails, or says nothing.
lab_preflight() {
    local missing
    missing=$(lab_missing)
    [[ -n $missing ]] || return 0
    printf 'error: this machine cannot run lab hosts; missing:\n' >&2
    printf '  - %s\n' "${missing//$'\n'/$'\n'  - }" >&2
    return 2
}
