# shellcheck shell=bash
# Packages and source packages from the mirrors this machine is configured for, without changing its
# apt configuration: the lists live in the cache, and so do the downloads.
# Source after common.sh.

# Of the release that choose_release() chose. This machine is of another one, perhaps; Debian's mirrors have all of them.
apt_state() { printf '%s\n' "$SLIPWAY_CACHE/apt-$SLIPWAY_RELEASE"; }

# The mirrors that apt knows here, with the suites of the chosen release: "URI SUITE COMPONENT" a line.
apt_mirrors() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$SLIPWAY_RELEASE" '$2 ~ /^(bookworm|trixie)/ { sub(/^[a-z]+/, release, $2); print }' | sort -u
}

apt_main_mirror() {
    local uri
    uri=$(apt_mirrors | awk -v release="$SLIPWAY_RELEASE" '$2 == release && $3 == "main" && !seen { print $1; seen = 1 }')
    [[ -n $uri ]] || die "apt knows no mirror of Debian here: run apt-get update, or add one to /etc/apt/sources.list"
    printf '%s\n' "$uri"
}

# apt-get with lists of its own: source packages beside binary ones.
lab_apt_get() {
    local state
    state=$(apt_state)
    apt-get -q \
        -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$state/lists" -o APT::Sandbox::User=root "$@"
}

# One at a time: apt refuses a second process on the same lists.
lab_apt_update() { with_lock apt lab_apt_update_unlocked; }

lab_apt_update_unlocked() {
    local state
    state=$(apt_state)
    mkdir -p "$state/lists/partial"
    [[ -n $(apt_mirrors) ]] || apt-get -q update
    apt_main_mirror >/dev/null
    apt_mirrors | sed 's/^/deb /;p;s/^deb /deb-src /' >"$state/sources.list"
    lab_apt_get update
}

# fetch_debs DIR PACKAGE...: the newest versions into DIR, unless they are there already.
fetch_debs() {
    local dir=$1
    shift
    mkdir -p "$dir"
    (cd "$dir" && lab_apt_get download "$@")
}
