#!/usr/bin/python3
"""The .deb's and the .rpm's hold the same: files, modes, owners, bytes, and what they depend on.
usage: contents.py DEBS RPMS"""
import re
import sys

from common import PACKAGES, PROGRAMS, REPO, check, deb_entries, finish, need, package_file, rpm_entries, run

# Places that distributions have agreed on differently.
RENAMED = ((re.compile(r"^/lib/systemd/system/"), "/usr/lib/systemd/system/"),
           (re.compile(r"^/usr/share/zsh/vendor-completions/"), "/usr/share/zsh/site-functions/"))
# What the rules of one kind of packages want: licence and changelog in Debian's place, presets instead of
# deb-systemd-helper; AppArmor, for distributions of the other kind have SELinux.
APPARMOR = "/etc/apparmor.d/slipway-coordinator"
DEB_ONLY = re.compile(r"^/usr/share/(doc|lintian/overrides)/|^/etc/apparmor.d/")
RPM_ONLY = re.compile(r"^/usr/share/licenses/|^/usr/lib/systemd/system-preset/80-slipway-(coordinator|agent)\.preset$")
# Folders of the system's; a .deb lists every parent.
OUR_FOLDERS = ("/etc/slipway", "/usr/share/slipway")

DEPENDS = {"iptables": "iptables", "conntrack": "conntrack-tools", "ethtool": "ethtool", "mount": "util-linux",
           "socat": "socat", "ebtables": "ebtables", "ipset": "ipset", "slipway-ctl": "slipway-ctl",
           "libengine-pkcs11-openssl": "openssl-pkcs11"}


def ours(entries, ignored):
    def wanted(name, entry):
        return not ignored.search(name) and (entry.digest is not None or name in OUR_FOLDERS)

    return {name: entry for name, entry in entries.items() if wanted(name, entry)}


def renamed(name):
    for pattern, place in RENAMED:
        name = pattern.sub(place, name)
    return name


def same_files(package, deb, rpm):
    mine = {renamed(name): entry for name, entry in ours(deb_entries(deb), DEB_ONLY).items()}
    theirs = ours(rpm_entries(rpm), RPM_ONLY)
    check(len(mine) >= 3, f"{package}: only {len(mine)} files found, so nothing was compared")
    for name in sorted(mine.keys() | theirs.keys()):
        if name not in theirs or name not in mine:
            check(False, f"{package}: {name} is in the {'.deb' if name in mine else '.rpm'} only")
            continue
        a, b = mine[name], theirs[name]
        check((a.mode, a.owner) == (b.mode, b.owner), f"{package}: {name}: .deb {a}, .rpm {b}")
        # Programs are compiled once for each kind.
        if not name.startswith("/usr/bin/"):
            check(a.digest == b.digest, f"{package}: {name} has other bytes in the .rpm")
        print(f"{package:20} {a.mode:5o} {a.owner} {name}")
    check(f"/usr/bin/{PROGRAMS[package]}" in mine, f"{package}: its program is missing")
    for name, entry in {**mine, **theirs}.items():
        check(entry.owner == "root:root", f"{package}: {name} belongs to {entry.owner}")
        check(not entry.mode & 0o7022, f"{package}: {name} has mode {entry.mode:o}")


def words(text):
    return {word for word in (re.sub(r"[ (<>=:].*", "", part.strip()) for part in text.split(",")) if word}


def same_relations(package, deb, rpm):
    for field, query in (("Depends", "--requires"), ("Recommends", "--recommends"), ("Suggests", "--suggests")):
        # Libraries are the tools' work: shlibs here, sonames there.
        debian = {DEPENDS.get(w, w) for w in words(run("dpkg-deb", "-f", deb, field)) if w in DEPENDS or not w.startswith("lib")}
        found = {line.split()[0] for line in run("rpm", "-qp", query, rpm).splitlines()}
        found = {w for w in found if not re.search(r"[(/]|\.so", w)} - {"systemd"}
        # Debian's scripts find systemd by deb-systemd-helper, which is always there.
        check(debian - {"init-system-helpers", "systemd", "systemd-standalone-sysusers"} - {w for w in debian if "|" in w} == found,
              f"{package}: {field} of the .deb {sorted(debian)}, of the .rpm {sorted(found)}")


def presets(package, rpm):
    """Each unit that the package has is enabled, as deb-systemd-helper does it."""
    units = {n.rsplit("/", 1)[1] for n in rpm_entries(rpm) if n.startswith("/usr/lib/systemd/system/")}
    text = (REPO / f"packaging/rpm/80-{package}.preset").read_text() if units else ""
    enabled = set(re.findall(r"^enable (\S+)$", text, re.M))
    check(units == enabled, f"{package}: units {sorted(units)}, enabled by its preset {sorted(enabled)}")


def versions(debs, rpms):
    cmake = re.search(r"project\(slipway VERSION (\S+)", (REPO / "CMakeLists.txt").read_text()).group(1)
    for package in PACKAGES:
        deb = run("dpkg-deb", "-f", package_file(debs, package, "deb"), "Version").strip()
        rpm = run("rpm", "-qp", "--qf", "%{VERSION}", package_file(rpms, package, "rpm"))
        check(cmake == deb == rpm, f"{package}: version {cmake} in CMakeLists.txt, {deb} in the .deb, {rpm} in the .rpm")


def main(debs, rpms):
    need("dpkg-deb", "rpm")
    for package in PACKAGES:
        deb, rpm = package_file(debs, package, "deb"), package_file(rpms, package, "rpm")
        same_files(package, deb, rpm)
        same_relations(package, deb, rpm)
        presets(package, rpm)
        check(not run("rpm", "-qp", "--configfiles", rpm), f"{package}.rpm has configuration files")
        conffiles = {name for name, entry in deb_entries(deb).items() if name.startswith("/etc/") and entry.digest is not None}
        check(conffiles == ({APPARMOR} if package == "slipway-coordinator" else set()), f"{package}.deb has the configuration files {conffiles}")
    versions(debs, rpms)
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
