# shellcheck shell=bash
# What every script of the lab shares: messages, progress, waiting, and where things are cached.
# Source it; it sets no shell options of its own (the caller has set -euo pipefail).

: "${SLIPWAY_CACHE:=/var/cache/slipway}"
lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo_dir=$(cd "$lab_dir/../.." && pwd)
log_dir=$SLIPWAY_CACHE/logs

say() { printf '%s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# choose_release NAME: the Debian release of the lab's hosts, and of the packages for them. The other programs' versions are
# those of that release; Kubernetes comes from the source package of Debian 12 for both, 13 has none.
choose_release() {
    k_kubernetes_version=1.20.2
    case $1 in
        bookworm)
            k_docker_version=20.10.24 k_cni_version=1.1.1 k_etcd_version=3.4.23 k_containerd_version=1.6.20 k_runc_version=1.1.5
            ;;
        trixie)
            k_docker_version=26.1.5 k_cni_version=1.1.1 k_etcd_version=3.5.16 k_containerd_version=1.7.24 k_runc_version=1.1.15
            ;;
        *) die "release '$1': expected bookworm or trixie" ;;
    esac
    export SLIPWAY_RELEASE=$1  # the lab's scripts call each other
}

need_root() { [[ $(id -u) -eq 0 ]] || die "this needs root: run it with sudo"; }

# stage TEXT COMMAND [ARG...]: runs the command with its output in a log file. On a terminal a line
# counts the seconds; elsewhere there is a line at the start, one each half minute, and one at the end.
# All on standard error: what a script prints is for its caller, such as the path of what it has built.
stage() {
    local text=$1 started=$SECONDS name log pid ticker=""
    shift
    name=$(printf '%s' "$text" | tr -c 'a-zA-Z0-9\n' '-' | tr -s '-')
    mkdir -p "$log_dir"
    log=$log_dir/$name.log
    ( "$@" ) >"$log" 2>&1 </dev/null &
    pid=$!
    # On an interrupt the running command must not be left behind.
    trap 'kill_tree "$pid"; exit 130' INT TERM
    stage_ticker "$text" "$started" >&2 &
    ticker=$!
    local status=0
    wait "$pid" || status=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    trap - INT TERM
    if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
    if [[ $status -ne 0 ]]; then
        printf '[%4d s] %s: FAILED (exit %d), the last lines of %s:\n' $((SECONDS - started)) "$text" "$status" "$log" >&2
        tail -n 150 "$log" | sed 's/^/    /' >&2
        return "$status"
    fi
    printf '[%4d s] %s\n' $((SECONDS - started)) "$text" >&2
}

stage_ticker() {
    local text=$1 started=$2
    if [[ -t 2 ]]; then
        while :; do
            printf '\r\033[K[%4d s] %s ...' $((SECONDS - started)) "$text"
            sleep 1
        done
    fi
    # Short stages need no second line.
    sleep 5
    printf '[ %s ] %s ... (%d s so far)\n' "..." "$text" $((SECONDS - started))
    while sleep 30; do
        printf '[ %s ] %s ... (%d s so far)\n' "..." "$text" $((SECONDS - started))
    done
}

# Ends a process and everything below it, children first.
kill_tree() {
    local child
    for child in $(ps -o pid= --ppid "$1" 2>/dev/null); do kill_tree "$child"; done
    kill "$1" 2>/dev/null || true
}

# wait_for SECONDS TEXT COMMAND [ARG...]: until the command succeeds; fails, saying so, after SECONDS.
wait_for() {
    local limit=$1 text=$2 deadline=$((SECONDS + $1))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            printf 'error: waited %d s for: %s\n' "$limit" "$text" >&2
            return 1
        fi
        sleep 0.2
    done
}

# "20" of "1.20.2"
kubernetes_minor() {
    local rest=${1#1.}
    printf '%s\n' "${rest%%.*}"
}

# A short hash of what is on standard input, for names in the cache.
short_hash() { sha256sum | cut -c1-12; }

# with_lock NAME COMMAND...: one builder of a cached thing at a time; a second one waits and then finds it.
with_lock() {
    local name=$1
    shift
    mkdir -p "$SLIPWAY_CACHE/locks"
    # Not `flock FILE COMMAND`: the commands are shell functions.
    (
        flock 9
        "$@" 9>&-
    ) 9>"$SLIPWAY_CACHE/locks/$name"
}

choose_release "${SLIPWAY_RELEASE:-bookworm}"
