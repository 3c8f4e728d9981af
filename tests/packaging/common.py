"""What the tests of the packages share. Each is a program: exit 0 passed, 1 failed, 77 skipped with the reason. With SLIPWAY_NO_SKIPS=yes in
the environment what would be skipped has failed: tests/run --release-packages."""
import hashlib
import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

REPO = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("slipway-coordinator", "slipway-agent", "slipway-ctl")
PROGRAMS = {"slipway-coordinator": "slipway-coordinator", "slipway-agent": "slipway-agent", "slipway-ctl": "slipwayctl"}
DOCS = REPO / "docs/packages.md"

_failures = []


def check(condition, text):
    """Notes a failure and goes on: one run shows all."""
    if not condition:
        _failures.append(text)
        print(f"FAILED: {text}")


def failed():
    return bool(_failures)


def finish():
    if _failures:
        print(f"{len(_failures)} checks failed")
        sys.exit(1)
    print("all checks passed")


def skip(reason):
    if os.environ.get("SLIPWAY_NO_SKIPS") == "yes":
        print(f"FAILED: {reason}; nothing may be skipped in this run")
        sys.exit(1)
    print(f"SKIPPED: {reason}")
    sys.exit(77)


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            skip(f"{tool} is not installed")


def run(*argv, **options):
    """The command's output, both streams. A command that fails ends the test."""
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        print(f"FAILED: {' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}")
        sys.exit(1)
    return done.stdout


def output(*argv):
    return subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, check=True).stdout


def package_file(folder, package, kind):
    found = [p for p in pathlib.Path(folder).glob(f"{package}[-_]*.{kind}") if f"{package}-dbgsym" not in p.name]
    if len(found) != 1:
        skip(f"{folder} has {len(found)} files for {package}.{kind}, not one")
    return found[0]


class Entry:
    """A file or folder in a package. digest is None for folders."""

    def __init__(self, mode, owner, digest):
        self.mode, self.owner, self.digest = mode, owner, digest

    def __str__(self):
        return f"{self.mode:o} {self.owner} {'folder' if self.digest is None else self.digest[:12]}"


def deb_entries(deb):
    entries = {}
    with tarfile.open(fileobj=io.BytesIO(output("dpkg-deb", "--fsys-tarfile", deb))) as tar:
        for member in tar:
            digest = hashlib.sha256(tar.extractfile(member).read()).hexdigest() if member.isfile() else None
            entries[member.name.removeprefix(".")] = Entry(member.mode, f"{member.uname}:{member.gname}", digest)
    return entries


def rpm_entries(rpm):
    query = r"[%{FILENAMES}\t%{FILEMODES:octal}\t%{FILEUSERNAME}:%{FILEGROUPNAME}\t%{FILEDIGESTS}\n]"
    entries = {}
    for line in run("rpm", "-qp", "--qf", query, rpm).splitlines():
        name, mode, owner, digest = line.split("\t")
        entries[name] = Entry(int(mode, 8) & 0o7777, owner, digest or None)
    return entries


def extract(package, into):
    """Unpacks a .deb or .rpm without its scripts."""
    os.makedirs(into, exist_ok=True)
    if str(package).endswith(".deb"):
        run("dpkg-deb", "-x", package, into)
    else:
        with subprocess.Popen(["rpm2archive", "-n", "-"], stdin=open(package, "rb"), stdout=subprocess.PIPE) as unpacking:
            run("tar", "-C", into, "-xf", "-", stdin=unpacking.stdout)
