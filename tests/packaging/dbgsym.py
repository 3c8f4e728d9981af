#!/usr/bin/python3
"""The .deb's with debug symbols (build-deb --dbgsym) belong to the programs beside them: a debugger that has a program's build id finds its
symbols there and nowhere else.
usage: dbgsym.py DEBS"""
import pathlib
import re
import sys
import tempfile

from common import PACKAGES, PROGRAMS, check, extract, finish, need, package_file, run, skip


def build_id(file):
    found = re.search(r"Build ID: ([0-9a-f]{8,})", run("readelf", "-nW", file))
    return found.group(1) if found else ""


def sections(file):
    return set(re.findall(r"^\s*\[\s*\d+\] (\.\S+)", run("readelf", "-SW", file), re.M))


def debug_package(folder, package):
    found = list(pathlib.Path(folder).glob(f"{package}-dbgsym_*.deb"))
    if len(found) != 1:
        skip(f"{folder} has {len(found)} packages with symbols for {package}, not one: packaging/build-deb --dbgsym makes it")
    return found[0]


def look_at(package, folder, tree):
    deb, symbols = package_file(folder, package, "deb"), debug_package(folder, package)
    extract(deb, tree)
    extract(symbols, tree)
    program = tree / "usr/bin" / PROGRAMS[package]
    mine = build_id(program)
    check(mine, f"{program.name} has no build id")
    check(not sections(program) & {".debug_info", ".symtab"}, f"{program.name} was not stripped")
    file = tree / f"usr/lib/debug/.build-id/{mine[:2]}/{mine[2:]}.debug"
    check(file.is_file(), f"{symbols.name} has no symbols for {program.name}, build id {mine}")
    if file.is_file():
        check(build_id(file) == mine, f"{file.name} says that it is of {build_id(file)}")
        check({".debug_info", ".debug_line", ".symtab"} <= sections(file), f"{file.name} has only {sorted(sections(file))}")
    version = run("dpkg-deb", "-f", deb, "Version").strip()
    needs = run("dpkg-deb", "-f", symbols, "Depends").strip()
    check(needs == f"{package} (= {version})", f"{symbols.name} goes with \"{needs}\", not with {package} {version}")
    print(f"{package:20} {symbols.stat().st_size // 1024:8} KiB {mine}")


def main(folder):
    need("dpkg-deb", "readelf")
    with tempfile.TemporaryDirectory() as tree:
        for package in PACKAGES:
            look_at(package, folder, pathlib.Path(tree))
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
