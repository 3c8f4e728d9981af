"""A root folder with just what the packages' scripts call, from this machine's own programs: no network, no mirror."""
import os
import pathlib
import re
import shutil
import subprocess

from common import run

TOOLS = ("/bin/sh", "/bin/ls", "/bin/rm", "/bin/rmdir", "/bin/cat", "/bin/grep", "/bin/sed", "/bin/mkdir", "/bin/true", "/usr/bin/du",
         "/usr/bin/env", "/bin/systemd-sysusers")
DEBIAN_TOOLS = ("/usr/bin/dirname", "/usr/bin/install", "/usr/bin/perl", "/usr/bin/deb-systemd-helper", "/usr/bin/deb-systemd-invoke")
# Answers as on a host that runs: files are changed by the real one, jobs are only written down.
SYSTEMCTL = """#!/bin/sh
echo "$*" >>/var/log/systemctl
case "$*" in
    *preset* | *disable* | *enable* | *is-enabled*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl.real "$@" ;;
esac
exit 0
"""


def libraries(program):
    listed = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return re.findall(r"(/\S+) \(0x", listed)


def copy_in(root, path, to=None):
    target = pathlib.Path(f"{root}{to or path}")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy(os.path.realpath(path), target)


def with_libraries(root, path, to=None):
    if not os.path.exists(path):
        return
    copy_in(root, path, to)
    for library in libraries(path):
        copy_in(root, library)


def usr_merged(root):
    (root / "usr/bin").mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")


def make(root, programs, debian=False):
    """programs: whose libraries have to be there. debian: also what Debian's maintainer scripts call."""
    root = pathlib.Path(root)
    usr_merged(root)
    for tool in TOOLS + (DEBIAN_TOOLS if debian else ()):
        with_libraries(root, tool)
    for program in programs:
        for library in libraries(program):
            copy_in(root, library)
    if debian:
        for path in run("dpkg", "-L", "perl-base").splitlines():
            if os.path.isfile(path):
                copy_in(root, path)
    with_libraries(root, "/bin/systemctl", "/usr/bin/systemctl.real")
    write(root, "usr/bin/systemctl", SYSTEMCTL, 0o755)
    write(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    write(root, "etc/group", "root:x:0:\n")
    write(root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    for folder in ("run/systemd/system", "var/log", "var/lib", "tmp", "dev", "opt", "etc/systemd/system"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    # Not the device: nothing in the tree may reach the machine.
    (root / "dev/null").touch()
    return root


def write(root, path, text, mode=0o644):
    file = pathlib.Path(root) / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def jobs(root):
    """What systemctl was asked since the last call, without questions."""
    log = pathlib.Path(root) / "var/log/systemctl"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    asked = [re.sub(r"--(system|quiet|no-reload) ?", "", line) for line in lines]
    return [line for line in asked if not line.startswith("is-")]


def snapshot(root):
    """path -> what it is; for comparing before and after."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            what = os.lstat(path)
            link = os.readlink(path) if os.path.islink(path) else ""
            found[path.removeprefix(str(root))] = (what.st_mode, what.st_uid, link or (what.st_size if os.path.isfile(path) else 0))
    return found


def enabled(root):
    wants = pathlib.Path(root) / "etc/systemd/system/multi-user.target.wants"
    return sorted(p.name for p in wants.glob("slipway-*")) if wants.exists() else []
