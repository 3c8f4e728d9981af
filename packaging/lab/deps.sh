# shellcheck shell=bash
# Packages that this machine lacks, from packaging/build-deps.txt. Source after common.sh.

# build_deps RELEASE [lab|nolab|lint]: what that release of Debian needs. nolab: only what stands before the list's parts; lab, which
# is the default: also its lab part; lint: its lint part instead.
build_deps() {
    local without
    case ${2:-lab} in
        nolab) without='/^# lab only/,$d' ;;
        lint) without='/^# lab only/,/^$/d' ;;
        *) without='/^# lint only/,$d' ;;
    esac
    sed -e "$without" -e 's/#.*//' -e "s/^$1: *//" -e '/^[a-z]*:/d' -e '/^[[:space:]]*$/d' "$repo_dir/packaging/build-deps.txt"
}

# Of this machine: what Slipway is compiled with here, whichever release the lab's hosts have. What is neither is treated as the older.
own_release() { (. /etc/os-release && if [[ ${VERSION_CODENAME:-} == trixie ]]; then say trixie; else say bookworm; fi); }

missing_packages() {
    local package
    build_deps "$(own_release)" "${1:-}" | while read -r package; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
    done
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    # Fresh machines have no lists, and old lists name packages that are gone.
    apt-get -q update || warn "apt-get update failed; trying with the lists that are here"
    apt-get -q install -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

# install_build_deps [lab|nolab|lint]
install_build_deps() {
    local missing
    mapfile -t missing < <(missing_packages "${1:-}")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if [[ $(id -u) -ne 0 ]]; then
        die "packages are missing, and without root they cannot be installed: sudo apt-get install ${missing[*]}"
    fi
    stage "install ${#missing[@]} missing packages" apt_install "${missing[@]}"
}
