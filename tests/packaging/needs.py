#!/usr/bin/python3
"""What the programs in packages need of the host, held against the table in docs/packages.md: sonames, and the newest
version of a symbol of each library. And how they are hardened.
usage: needs.py FOLDER [--on-debian] [--development]
The folder has .rpm's or .deb's. --on-debian also allows the libraries of the Debian release they were built on: .deb's, and programs that
are not linked for other distributions. --development: programs that were not compiled for release, without _FORTIFY_SOURCE."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from common import DOCS, PACKAGES, PROGRAMS, check, extract, finish, need, package_file, run, skip

# Not in the .rpm's: they link them statically.
DEBIAN_ONLY = re.compile(r"lib(yaml-cpp|spdlog|fmt|stdc\+\+)\.so\.")
ROW = re.compile(r"^\| `((?:lib|ld-)[^`]+)` \| (?:`([^`]+)`|-) \|", re.M)


def allowed():
    """soname -> the newest symbol version that docs/packages.md speaks of, or None."""
    table = dict(ROW.findall(DOCS.read_text()))
    if "libc.so.6" not in table:
        sys.exit("docs/packages.md has no table of libraries any more")
    return table


def number(version):
    return tuple(int(part) for part in re.findall(r"\d+", version))


def newest(program):
    """soname -> newest needed symbol version, "" without any."""
    sonames = re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "-dW", program))
    found = dict.fromkeys(sonames, "")
    of_file = ""
    for line in run("readelf", "-VW", program).splitlines():
        if match := re.search(r"File: (\S+)", line):
            of_file = match.group(1)
        elif (match := re.search(r"Name: (\S+) .*Version:", line)) and of_file:
            if number(match.group(1)) > number(found.get(of_file, "")):
                found[of_file] = match.group(1)
    return found


def check_needs(name, program, table, on_debian):
    for soname, version in sorted(newest(program).items()):
        print(f"{name:20} {soname:26} {version or '-'}")
        if on_debian and DEBIAN_ONLY.match(soname):
            continue
        check(soname in table, f"{name} needs {soname}, of which docs/packages.md says nothing")
        limit = table.get(soname, "")
        check(number(version) <= number(limit),
              f"{name} needs {version} of {soname}, docs/packages.md says {limit or 'none'}: {users(program, version)}")


def check_weak(name, program):
    """OpenSSL's engines are missing on newer distributions: programs have to start without."""
    strong = re.findall(r" GLOBAL \S+ +UND (ENGINE_\w+)", run("readelf", "--dyn-syms", "-W", program))
    check(not strong, f"{name} does not start where OpenSSL has no engines: {', '.join(strong)}")


def users(program, version):
    """The symbols that want this version: whoever reads the failure looks for them first."""
    symbols = re.findall(r"UND (\S+)@" + re.escape(version) + r"\b", run("readelf", "--dyn-syms", "-W", program))
    return ", ".join(symbols[:10]) + (" ..." if len(symbols) > 10 else "")


def check_hardening(name, program, release):
    dynamic = run("readelf", "-dW", program)
    headers = run("readelf", "-hlW", program)
    symbols = run("readelf", "--dyn-syms", "-W", program)
    check("DYN" in headers and "PIE" in dynamic, f"{name} is not position independent")
    check("GNU_RELRO" in headers and "BIND_NOW" in dynamic, f"{name} has no full RELRO")
    check(not re.search(r"GNU_STACK.* RWE ", headers), f"{name} has an executable stack")
    check(not re.search(r"RPATH|RUNPATH", dynamic), f"{name} looks for libraries in a folder of its own")
    check("__stack_chk_fail" in symbols, f"{name} has no stack protector")
    if release:
        check(re.search(r"UND __\w+_chk@", symbols), f"{name} was not compiled with _FORTIFY_SOURCE")
    # The property note of the whole program is missing where the C library's start files have none (Debian); the code is marked.
    check(endbr_count(program) > 1000, f"{name} was not compiled with -fcf-protection")


def endbr_count(program):
    """x86 only: functions that an indirect call may reach begin with endbr64."""
    if b"X86-64" not in run("readelf", "-h", program).encode():
        return sys.maxsize
    return pathlib.Path(program).read_bytes().count(b"\xf3\x0f\x1e\xfa")


def main(folder, *options):
    need("readelf")
    if not os.path.isdir(folder):
        skip(f"{folder} is not there: packaging/build-rpm makes it, and tests/run --release-packages calls that")
    kind = "rpm" if list(pathlib.Path(folder).glob("*.rpm")) else "deb"
    need(*(("rpm2archive",) if kind == "rpm" else ("dpkg-deb",)))
    table = allowed()
    with tempfile.TemporaryDirectory() as tree:
        for package in PACKAGES:
            extract(package_file(folder, package, kind), tree)
        for name in PROGRAMS.values():
            program = f"{tree}/usr/bin/{name}"
            check_needs(name, program, table, "--on-debian" in options)
            check_weak(name, program)
            check_hardening(name, program, release="--development" not in options)
            started = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            check(started.returncode == 0, f"{name} --version: exit {started.returncode}: {started.stdout}")
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
