#!/usr/bin/python3
"""Installs, upgrades, removes and purges the .deb's in a root with a dpkg database of its own and without a network: what the
maintainer scripts do, and what they leave. Dependencies are apt's work on a real host, so they are forced here.
usage: deb_root.py DEBS"""
import os
import pathlib
import re
import sys
import tempfile

import tree
from common import PACKAGES, PROGRAMS, check, extract, finish, need, package_file, run, skip

ADMIN_CONF = "clusters:\n  - name: one\n    server: https://192.0.2.1:7443\n    clientKey: secret\ncurrent: one\n"
OTHER_CLUSTER = "clusters:\n  - name: two\n    server: https://192.0.2.2:7443\n"
NODE = {"var/lib/slipway/agent/identity.key": "key\n", "var/lib/slipway/agent/ledger/changes": "{}\n",
        "etc/systemd/system/kubelet.service": "[Service]\n", "opt/slipway/kubelet/current/kubelet": "program\n", "run/slipway/cni/pod": "10.0.0.2\n"}
# As reset leaves a host: no ledger, no programs.
AFTER_RESET = {"var/lib/slipway/agent/cache/half": "x", "run/slipway/agent-status.json": "{}\n"}
CLUSTER = {"var/lib/slipway/coordinator/state.db": "db", "var/lib/slipway/coordinator/ca/fabric.key": "key\n",
           "etc/slipway/admin.conf": ADMIN_CONF, "etc/slipway/master.token": "token\n"}
# systemd-sysusers keeps these beside the files that it changes.
ACCOUNTS = {f"/etc/{name}" for name in ("passwd", "group", "shadow", "gshadow", "passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock")}


# Links of enabled units, and the part of the AppArmor profile that is a site's.
MADE_BY_SCRIPTS = ("/etc/systemd/system/multi-user.target.wants", "/var/lib/systemd/deb-systemd-helper", "/etc/apparmor.d/local")
CONFFILES = {"slipway-coordinator": ["/etc/apparmor.d/slipway-coordinator"]}


def conffiles(deb):
    names = run("dpkg-deb", "-I", deb)
    return run("dpkg-deb", "-I", deb, "conffiles").split() if re.search(r"\bconffiles\b", names) else []


class Host:
    def __init__(self, root, files, programs):
        self.root, self.files = tree.make(root, programs, debian=True), files
        for folder in ("dpkg/info", "dpkg/updates", "dpkg/triggers", "systemd"):
            (self.root / "var/lib" / folder).mkdir(parents=True)
        tree.write(self.root, "var/lib/dpkg/status", "")
        self.before = tree.snapshot(self.root)

    def dpkg(self, *arguments):
        return run("dpkg", f"--root={self.root}", "--log=/dev/null", "--force-depends", *arguments)

    def install(self, *packages):
        return self.dpkg("-i", *(self.files[p] for p in packages))

    def write(self, files):
        for path, text in files.items():
            tree.write(self.root, path, text)

    def has(self, files, what):
        for path, text in files.items():
            file = self.root / path
            check(file.exists() and file.read_text() == text, f"{what} touches {path}")

    def left(self):
        """What was not there before, apart from dpkg's own notes and the user's account."""
        tree.jobs(self.root)
        now = tree.snapshot(self.root)
        changed = {p for p in now if now[p] != self.before.get(p) and not p.startswith("/var/lib/dpkg/")} - ACCOUNTS
        return sorted(p for p in changed if not os.path.isdir(f"{self.root}{p}") or p not in self.before)


def unowned(host):
    """What an installation made that no package has: nobody would take it away, were it not for the scripts."""
    owned = {line for package in PACKAGES for line in host.dpkg("-L", package).splitlines()}
    owned |= {line.replace("/lib/systemd", "/usr/lib/systemd", 1) for line in owned if line.startswith("/lib/systemd")}
    return [path for path in host.left() if path not in owned and not path.startswith(MADE_BY_SCRIPTS)]


def dangling(host):
    """Links of ours that lead nowhere. Links of units are read by systemd within the root."""
    found = []
    for path in host.left():
        file = host.root / path.lstrip("/")
        if file.is_symlink():
            target = os.readlink(file)
            there = host.root / target.lstrip("/") if target.startswith("/") else file.parent / target
            if not there.exists():
                found.append(f"{path} -> {target}")
    return found


def installed(host):
    host.install(*PACKAGES)
    check(tree.enabled(host.root) == ["slipway-agent.service", "slipway-coordinator.service", "slipway-pods.service"],
          f"enabled are {tree.enabled(host.root)}")
    jobs = tree.jobs(host.root)
    for unit in ("slipway-coordinator", "slipway-agent", "slipway-pods"):
        check(f"start {unit}.service" in jobs, f"{unit} was not started: {jobs}")
    check("slipway:" in (host.root / "etc/passwd").read_text(), "there is no user slipway")
    for path in ("etc/slipway", "var/lib/slipway"):
        folder = host.root / path
        check(not folder.exists() or not list(folder.iterdir()), f"the packages wrote into /{path}")
    for package, program in PROGRAMS.items():
        run("chroot", host.root, f"/usr/bin/{program}", "--version")
        check(conffiles(host.files[package]) == CONFFILES.get(package, []), f"{package} has the configuration files {conffiles(host.files[package])}")
    check(not unowned(host), f"no package owns {unowned(host)}")
    check(not dangling(host), f"links lead nowhere: {dangling(host)}")
    local = host.root / "etc/apparmor.d/local/slipway-coordinator"
    check(local.exists(), "there is no place for what a site adds to the AppArmor profile")


def upgraded(host):
    """The scripts are those of an upgrade, also when the version is the same."""
    host.write(NODE | CLUSTER)
    host.install(*PACKAGES)
    jobs = tree.jobs(host.root)
    check("restart slipway-agent.service" in jobs, f"the agent was not restarted: {jobs}")
    for job in jobs:
        ends = job.startswith(("stop", "restart", "try-restart", "kill"))
        check(not (ends and "slipway-pods" in job), f"an upgrade touches slipway-pods.service: {job}")
        check("kubelet" not in job and not job.startswith("stop"), f"an upgrade stops: {job}")
    host.has(NODE | CLUSTER, "an upgrade")


def removed(host):
    said = host.dpkg("-r", *PACKAGES)
    check("slipway-agent reset" in said, f"removing the agent of a node says nothing of reset: {said}")
    check("stay in /var/lib/slipway/coordinator" in said, f"removing the coordinator does not say what stays: {said}")
    jobs = tree.jobs(host.root)
    for unit in ("slipway-coordinator", "slipway-agent"):
        check(f"stop {unit}.service" in jobs, f"{unit} was not stopped: {jobs}")
    check(not any("kubelet" in job for job in jobs), f"removing touches the kubelet: {jobs}")
    host.has(NODE | CLUSTER, "removing")


def purged_node(host):
    """A host that was not reset: nothing that its pods need goes, and that is said."""
    said = host.dpkg("-P", "slipway-agent", "slipway-ctl")
    check("still a node" in said and "slipway-agent reset" in said, f"purging the agent of a node says nothing: {said}")
    host.has(NODE, "purging the agent of a node")


def purged_cluster(host):
    said = host.dpkg("-P", "slipway-coordinator")
    for word in ("/var/lib/slipway/coordinator", "state.db", "ca"):
        check(word in said, f"purging does not say that {word} goes: {said}")
    check(not (host.root / "var/lib/slipway/coordinator").exists(), "purging leaves the cluster's data")
    host.has(NODE, "purging the coordinator")
    unwanted = [p for p in host.left() if p.startswith("/etc/slipway") and p != "/etc/slipway"]
    check(not unwanted, f"purging the coordinator leaves {unwanted}")


def nothing_left(work, files, programs):
    """Installed, set up, reset, purged: as before. Also when there was an upgrade, or a removal, in between."""
    between = {"once": lambda host: None, "upgraded": lambda host: host.install(*PACKAGES),
               "removed": lambda host: (host.dpkg("-r", *PACKAGES), host.install(*PACKAGES)), "removed-first": lambda host: host.dpkg("-r", *PACKAGES)}
    for name, step in between.items():
        host = Host(work / name, files, programs)
        host.install(*PACKAGES)
        host.write(AFTER_RESET | CLUSTER)
        step(host)
        host.dpkg("-P", *PACKAGES)
        check(not host.left(), f"purging ({name}) leaves {host.left()}")


def each_alone(work, files, programs):
    """Each package by itself, and none leaves a thing."""
    host = Host(work / "alone", files, programs)
    for package in PACKAGES:
        host.install(package)
        host.dpkg("-P", package)
        check(not host.left(), f"purging {package} leaves {host.left()}")


def site_changed_profile(work, files, programs):
    """What an administrator wrote into the AppArmor profile and its local part outlives upgrade and removal, not a purge."""
    host = Host(work / "apparmor", files, programs)
    host.install(*PACKAGES)
    mine = {"etc/apparmor.d/slipway-coordinator": "# mine\n", "etc/apparmor.d/local/slipway-coordinator": "/srv/hook rix,\n"}
    host.write(mine)
    host.dpkg("--force-confold", "-i", host.files["slipway-coordinator"])
    host.has(mine, "an upgrade")
    host.dpkg("-r", "slipway-coordinator")
    host.has(mine, "removing")
    host.dpkg("-P", *PACKAGES)
    check(not host.left(), f"purging leaves {host.left()}")


def others_stay(work, files, programs):
    """What an operator wrote, and credentials for other clusters."""
    host = Host(work / "others", files, programs)
    host.install(*PACKAGES)
    mine = {"etc/slipway/cluster.yaml": "mine\n", "etc/slipway/admin.conf": ADMIN_CONF + OTHER_CLUSTER}
    host.write(CLUSTER | mine)
    said = host.dpkg("-P", *PACKAGES)
    host.has(mine, "purging")
    check("admin.conf stays" in said, f"purging does not say that admin.conf stays: {said}")
    check(set(host.left()) == {"/etc/slipway", *(f"/{path}" for path in mine)}, f"purging leaves {host.left()}")


def main(folder):
    need("dpkg", "dpkg-deb", "deb-systemd-helper", "systemd-sysusers")
    if os.geteuid() != 0:
        skip("dpkg --root needs root")
    files = {package: package_file(folder, package, "deb") for package in PACKAGES}
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        for file in files.values():
            extract(file, work / "programs")
        programs = [work / "programs/usr/bin" / name for name in PROGRAMS.values()]
        host = Host(work / "host", files, programs)
        installed(host)
        upgraded(host)
        removed(host)
        purged_node(host)
        purged_cluster(host)
        nothing_left(work, files, programs)
        each_alone(work, files, programs)
        site_changed_profile(work, files, programs)
        others_stay(work, files, programs)
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
