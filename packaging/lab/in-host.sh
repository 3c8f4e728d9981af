#!/bin/sh
# Runs early in every boot of a lab host and does what firmware, kernel command line and DHCP do for
# a real machine: writable cgroup controllers, shared mounts, the address. Installed by hosts.sh.
set -eu
. /etc/slipway-lab/address

for controller in cpu cpuacct cpuset memory devices freezer blkio pids hugetlb net_cls net_prio perf_event; do
    if mountpoint -q "/sys/fs/cgroup/$controller" && [ ! -L "/sys/fs/cgroup/$controller" ]; then
        mount -o remount,bind,rw "/sys/fs/cgroup/$controller"
    fi
done
# kubelet passes mounts to and from its pods.
mount --make-rshared /

ip link set lo up
ip address replace "$ADDRESS/$PREFIX_LENGTH" dev host0
ip link set host0 up
ip route replace default via "$GATEWAY" dev host0
