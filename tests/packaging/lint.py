#!/usr/bin/python3
"""What distributions' own tools say of the packages: lintian and rpmlint without errors or warnings, hardening-check without a
finding. None of them is a build dependency (they are large). What is not there is named, and the test counts as skipped then, unless one that
is there has found something; tests/run --release-packages installs all three and takes no skips.
usage: lint.py DEBS RPMS [--development]
--development: programs that were not compiled for release, so that hardening-check cannot ask for _FORTIFY_SOURCE."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

from common import PACKAGES, PROGRAMS, REPO, check, extract, failed, finish, package_file, skip


def ask(*argv):
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"{pathlib.Path(argv[0]).name}: exit {done.returncode}\n{done.stdout}")
    return done


def lintian(debs):
    done = ask("lintian", "--allow-root", "--fail-on", "error,warning", *(package_file(debs, p, "deb") for p in PACKAGES))
    check(done.returncode == 0, "lintian finds errors or warnings")


def rpmlint(rpms):
    spec = REPO / "packaging/rpm/slipway.spec"
    done = ask("rpmlint", "-c", REPO / "packaging/rpm/rpmlint.toml", spec, *(package_file(rpms, p, "rpm") for p in PACKAGES))
    check("0 errors, 0 warnings" in done.stdout, "rpmlint finds errors or warnings")


def hardening(folder, kind, development):
    # A whole program is marked for CET only if the C library's start files are: Debian's are not (needs.py looks at the code).
    options = ["--nocfprotection"] + (["--nofortify"] if development else [])
    with tempfile.TemporaryDirectory() as unpacked:
        for package, program in PROGRAMS.items():
            extract(package_file(folder, package, kind), unpacked)
            done = ask("hardening-check", *options, f"{unpacked}/usr/bin/{program}")
            check(done.returncode == 0, f"hardening-check is not content with {program} of the .{kind}")


def main(debs, rpms, development=""):
    kinds = ((debs, "deb"), (rpms, "rpm"))
    questions = {"lintian": lambda: lintian(debs), "rpmlint": lambda: rpmlint(rpms),
                 "hardening-check": lambda: [hardening(folder, kind, development) for folder, kind in kinds]}
    missing = [tool for tool in questions if not shutil.which(tool)]
    for tool, question in questions.items():
        if tool in missing:
            print(f"SKIPPED: {tool} is not installed")
        else:
            question()
    if missing and not failed():
        asked = ", ".join(tool for tool in questions if tool not in missing)
        skip(f"{', '.join(missing)} not installed (packages lintian, rpmlint, devscripts); asked and content: {asked or 'none'}")
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
