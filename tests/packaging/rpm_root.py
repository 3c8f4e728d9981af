#!/usr/bin/python3
"""Installs, upgrades and erases the .rpm's in a root made by rpm, with a database of its own and without a network. What a
distribution brings comes from one package made here of this machine's libraries, so dependencies are resolved for real.
usage: rpm_root.py RPMS RPMS-OF-A-LATER-RELEASE"""
import os
import pathlib
import sys
import tempfile

import tree
from common import PACKAGES, PROGRAMS, check, extract, finish, need, package_file, rpm_entries, run, skip

BASE_SPEC = r"""
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
%global _binary_payload w1.gzdio
Name: slipway-test-base
Version: 1
Release: 1
Summary: What the tested packages expect of a distribution
License: Apache-2.0
AutoReq: no
Provides: /bin/sh systemd iptables conntrack-tools ethtool util-linux rtld(GNU_HASH)
%description
For a test only.
%install
cp -a {root}/. %{{buildroot}}/
%files -f {listing}
"""
DATA = {"etc/slipway/agent.yaml": "mine\n", "etc/slipway/cluster.yaml": "mine\n", "var/lib/slipway/agent/identity.key": "key\n",
        "var/lib/slipway/agent/ledger/changes": "{}\n", "var/lib/slipway/coordinator/ca/fabric.key": "key\n",
        "etc/systemd/system/kubelet.service": "[Service]\n", "opt/slipway/kubelet/current/kubelet": "program\n"}


def base_package(work, programs):
    root = tree.make(work / "base", programs)
    files = [f"/{p.relative_to(root)}" for p in root.rglob("*") if p.is_symlink() or p.is_file()]
    (work / "listing").write_text("".join(f'"{name}"\n' for name in sorted(files)))
    (work / "base.spec").write_text(BASE_SPEC.format(root=root, listing=work / "listing"))
    run("rpmbuild", "-bb", "--define", f"_topdir {work}/rpmbuild", "--define", f"_dbpath {work}/db", work / "base.spec")
    return next((work / "rpmbuild/RPMS").rglob("*.rpm"))


class Host:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.root.mkdir()

    def rpm(self, *arguments):
        return run("rpm", "--root", self.root, *arguments)

    def install(self, *files):
        return self.rpm("-U", *files)


def start(work, name, base):
    host = Host(work / name)
    host.install(base)
    # Folders that every distribution has and no package of ours owns.
    for folder in ("run/systemd/system", "var/log", "var/tmp", "opt", "tmp", "etc/systemd/system-preset", "etc/systemd/system",
                   "usr/lib/systemd/system-preset", "usr/lib/systemd/system", "usr/lib/sysusers.d", "usr/share/licenses",
                   "usr/share/man/man1", "usr/share/man/man8"):
        (host.root / folder).mkdir(parents=True, exist_ok=True)
    return host


def refused_without_its_needs(work, files):
    host = Host(work / "empty")
    for package, wanted in (("slipway-agent", ("iptables", "conntrack-tools", "ethtool", "util-linux", "libcrypto.so.3", "systemd")),
                            ("slipway-coordinator", ("libsqlite3.so.0", "systemd"))):
        said = os.popen(f"rpm --root {host.root} -i {files[package]} 2>&1").read()
        for word in wanted:
            check(word in said, f"rpm does not ask for {word} before it installs {package}")


def installed(host, files):
    host.install(*files.values())
    check(host.rpm("-V", *PACKAGES) == "", "rpm -V finds files that differ from the packages")
    for package, program in PROGRAMS.items():
        for name, entry in rpm_entries(files[package]).items():
            found = (host.root / name.lstrip("/")).lstat()
            check(found.st_mode & 0o7777 == entry.mode and found.st_uid == 0, f"{name} is {found.st_mode:o} of {found.st_uid}")
        run("chroot", host.root, f"/usr/bin/{program}", "--version")
    passwd = (host.root / "etc/passwd").read_text()
    check("slipway:" in passwd and ":/var/lib/slipway:" in passwd, f"there is no user slipway: {passwd}")
    check(tree.enabled(host.root) == ["slipway-agent.service", "slipway-coordinator.service", "slipway-pods.service"],
          f"enabled are {tree.enabled(host.root)}")
    check(not list((host.root / "etc/slipway").iterdir()), "the packages wrote into /etc/slipway")
    check(not (host.root / "var/lib/slipway").exists(), "the packages wrote into /var/lib/slipway")
    jobs = tree.jobs(host.root)
    for unit in ("slipway-coordinator", "slipway-agent", "slipway-pods"):
        check(f"start {unit}.service" in jobs, f"{unit} was not started: {jobs}")


def upgraded(host, later):
    for path, text in DATA.items():
        tree.write(host.root, path, text)
    host.install(*later.values())
    jobs = tree.jobs(host.root)
    check("try-restart slipway-agent.service" in jobs, f"the agent was not restarted: {jobs}")
    check("try-restart slipway-coordinator.service" in jobs, f"the coordinator was not restarted: {jobs}")
    for job in jobs:
        ends = job.startswith(("stop", "restart", "try-restart", "kill"))
        check(not (ends and "slipway-pods" in job), f"an upgrade touches slipway-pods.service: {job}")
        check(not job.startswith("stop") and "kubelet" not in job, f"an upgrade stops: {job}")
    unchanged(host, "an upgrade")
    check(len(tree.enabled(host.root)) == 3, f"after an upgrade enabled are {tree.enabled(host.root)}")


def unchanged(host, what):
    for path, text in DATA.items():
        file = host.root / path
        check(file.exists() and file.read_text() == text, f"{what} touches {path}")


def kept_disabled(host, files):
    """A unit that an administrator has disabled stays so at an upgrade."""
    run("chroot", host.root, "/usr/bin/systemctl", "disable", "slipway-pods.service")
    tree.jobs(host.root)
    host.rpm("-U", "--oldpackage", *files.values())
    check("slipway-pods.service" not in tree.enabled(host.root), "an upgrade enables what an administrator has disabled")
    check("start slipway-pods.service" not in tree.jobs(host.root), "an upgrade starts what an administrator has disabled")


def erased(host, before):
    said = host.rpm("-e", "slipway-agent")
    check("slipway-agent reset" in said, f"erasing the agent of a node says nothing of reset: {said}")
    jobs = tree.jobs(host.root)
    check("stop slipway-agent.service slipway-pods.service" in jobs, f"the agent was not stopped: {jobs}")
    check(not any("kubelet" in job for job in jobs), f"erasing touches the kubelet: {jobs}")
    unchanged(host, "erasing slipway-agent")
    said = host.rpm("-e", "slipway-coordinator", "slipway-ctl")
    check("/var/lib/slipway/coordinator" in said, f"erasing the coordinator does not say what stays: {said}")
    check("stop slipway-coordinator.service" in tree.jobs(host.root), "the coordinator was not stopped")
    unchanged(host, "erasing slipway-coordinator")
    data = {f"/{path}" for path in DATA} | {f"/{parent}" for path in DATA for parent in pathlib.Path(path).parents}
    left = {p for p in tree.snapshot(host.root).keys() - before.keys() - data if not p.startswith(("/usr/lib/sysimage/rpm", "/var/lib/rpm"))}
    # What systemd-sysusers keeps, and the folder that systemctl made.
    left -= {"/etc/shadow", "/etc/gshadow", "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock"}
    left -= {p for p in left if p.startswith("/etc/systemd/system/multi-user.target.wants") and not p.endswith(".service")}
    check(not left, f"erasing leaves {sorted(left)}")


def administrator_says_no(work, base, files):
    host = start(work, "preset", base)
    tree.write(host.root, "etc/systemd/system-preset/10-site.preset", "disable slipway-agent.service\n")
    host.install(*files.values())
    check("slipway-agent.service" not in tree.enabled(host.root), "the administrator's preset does not count")
    check("start slipway-agent.service" not in tree.jobs(host.root), "the agent is started against the administrator's preset")


def main(folder, later_folder):
    need("rpm", "rpmbuild", "rpm2archive", "systemd-sysusers")
    if os.geteuid() != 0:
        skip("rpm --root needs root")
    files = {package: package_file(folder, package, "rpm") for package in PACKAGES}
    later = {package: package_file(later_folder, package, "rpm") for package in PACKAGES}
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        for file in files.values():
            extract(file, work / "programs")
        base = base_package(work, [work / "programs/usr/bin" / name for name in PROGRAMS.values()])
        refused_without_its_needs(work, files)
        host = start(work, "host", base)
        before = tree.snapshot(host.root)
        installed(host, files)
        upgraded(host, later)
        kept_disabled(host, files)
        erased(host, before)
        administrator_says_no(work, base, files)
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
