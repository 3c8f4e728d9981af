# shellcheck shell=bash
# Packages and source packages from the mirrors this machine is configured for, without changing its
# apt configuration: the lists live in the cache, and so do the downloads.
# Source after common.sh.

apt_state=$SLIPWAY_CACHE/apt

# The first mirror of the bookworm suite that apt knows here: "URI SUITE COMPONENT" a line.
apt_mirrors() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk '$2 ~ /^bookworm/' | sort -u
}

apt_main_mirror() {
    local uri
    uri=$(apt_mirrors | awk '$2 == "bookworm" && $3 == "main" && !seen { print $1; seen = 1 }')
    [[ -n $uri ]] || die "apt knows no mirror of Debian bookworm here: run apt-get update, or add one to /etc/apt/sources.list"
    printf '%s\n' "$uri"
}

# apt-get with lists of its own: source packages beside binary ones.
lab_apt_get() {
    apt-get -q \
        -o Dir::Etc::sourcelist="$apt_state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$apt_state/lists" -o APT::Sandbox::User=root "$@"
}

# One at a time: apt refuses a second process on the same lists.
lab_apt_update() { with_lock apt lab_apt_update_unlocked; }

lab_apt_update_unlocked() {
    mkdir -p "$apt_state/lists/partial"
    [[ -n $(apt_mirrors) ]] || apt-get -q update
    apt_main_mirror >/dev/null
    apt_mirrors | sed 's/^/deb /;p;s/^deb /deb-src /' >"$apt_state/sources.list"
    lab_apt_get update
}

# fetch_debs DIR PACKAGE...: the newest versions into DIR, unless they are there already.
fetch_debs() {
    local dir=$1
    shift
    mkdir -p "$dir"
    (cd "$dir" && lab_apt_get download "$@")
}
