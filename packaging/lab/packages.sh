# shellcheck shell=bash
# What packaging/build-deb and packaging/build-rpm share: which sources end in a package, and the cache of
# what was built. Source it after common.sh and deps.sh. The caller has set: output, programs (may be
# empty), packaging (the folders of its own kind), and the function build_packages.

# Everything that ends in the packages; uncommitted changes too, but nothing that git ignores. With
# programs that are there already no C++ counts.
source_files() {
    local -a what=(LICENSE proto/openapi.json systemd packaging/install-tree "${packaging[@]}")
    if [[ -z $programs ]]; then what+=(CMakeLists.txt CMakePresets.json agent common coordinator proto tests/lint/functions.cmake); fi
    git -c safe.directory="$repo_dir" -C "$repo_dir" ls-files -z --cached --others --exclude-standard -- "${what[@]}" |
        (cd "$repo_dir" && while IFS= read -r -d '' file; do [[ ! -f $file ]] || printf '%s\0' "$file"; done) | sort -zu
}

source_hash() {
    {
        (cd "$repo_dir" && source_files | xargs -0 sha256sum)
        printf '%s\n' "$SLIPWAY_RELEASE" "${options[@]}"
        if [[ -n $programs ]]; then (cd "$programs" && sha256sum slipway-coordinator slipway-agent slipwayctl); fi
    } | short_hash
}

# copy_sources FOLDER
copy_sources() {
    mkdir -p "$1"
    (cd "$repo_dir" && source_files | tar --null -T - -cf -) | tar -C "$1" -xf -
}

# publish FILE...: the packages come to their place at once, with the hash of what they were made from.
publish() {
    rm -rf "$output.part"
    mkdir -p "$output.part"
    mv "$@" "$output.part/"
    printf '%s\n' "$hash" >"$output.part/.source-hash"
    rm -rf "$output"
    mv "$output.part" "$output"
}

# build_cached TEXT: the folder is always the same, for ccache's sake.
build_cached() {
    hash=$(source_hash)
    if [[ -f $output/.source-hash && $(<"$output/.source-hash") == "$hash" ]]; then return 0; fi
    install_build_deps nolab
    rm -rf "$work"
    stage "$1" build_packages
    rm -rf "$work"
}
