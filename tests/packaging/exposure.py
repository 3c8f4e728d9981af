#!/usr/bin/python3
"""The units' sandbox: what systemd-analyze security makes of it is at most what was reached, and each setting that it finds open stands
in the unit with its reason, "# Open: NAME: why", NAME as it is printed. A reason for what is not open is an error, too.
usage: exposure.py [FOLDER-OF-UNITS | --planted]
--planted: shows on copies of the units that offences are found."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from common import REPO, check, finish, need

# In tenths, as --threshold takes it.
LIMITS = {"slipway-coordinator.service": 20, "slipway-agent.service": 43, "slipway-pods.service": 15}


def analyze(unit, *options):
    return subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", *options, str(unit)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def open_settings(unit):
    done = analyze(unit, "--json=short")
    check(done.returncode == 0, f"systemd-analyze reads {unit.name}: {done.stderr}")
    return {row["name"] for row in json.loads(done.stdout or "[]") if row["set"] is False and float(row["exposure"] or 0) > 0}


def reasons(text):
    """name -> reason, of the comments."""
    found = {}
    for line in re.findall(r"^# Open: (.*)$", text, re.M):
        name, _, reason = line.partition(": ")
        found[name] = reason.strip()
    return found


def look_at(unit, limit):
    done = analyze(unit, f"--threshold={limit}")
    level = re.search(r"Overall exposure level.*", done.stdout)
    print(level.group(0) if level else done.stdout + done.stderr)
    check(done.returncode == 0, f"{unit.name} is more open than {limit / 10}: {level.group(0) if level else done.stderr}")
    found = open_settings(unit)
    given = reasons(unit.read_text())
    for name in sorted(found - given.keys()):
        check(False, f"{unit.name}: {name} is open and has no reason (a comment: # Open: {name}: why)")
    for name in sorted(given.keys() - found):
        check(False, f"{unit.name}: a reason for {name}, which is not open")
    for name, reason in given.items():
        check(len(reason) >= 10, f"{unit.name}: {name}: \"{reason}\" is no reason")
    check("LimitCORE=0" in unit.read_text(), f"{unit.name} may leave core dumps")


# Replaced in slipway-coordinator.service -> what must be said then.
OFFENCES = {
    ("MemoryDenyWriteExecute=yes\n", ""): "MemoryDenyWriteExecute= is open and has no reason",
    ("CapabilityBoundingSet=\n", ""): "more open than 2.0",
    ("# Open: IPAddressDeny=", "# IPAddressDeny="): "IPAddressDeny= is open and has no reason",
    ("# Open: PrivateUsers=: .*", "# Open: PrivateUsers=: why?"): "is no reason",
    ("PrivateTmp=yes\n", "PrivateTmp=yes\n# Open: PrivateTmp=: nobody knows why\n"): "a reason for PrivateTmp=, which is not open",
    ("LimitCORE=0\n", ""): "core dumps",
}


def planted():
    for (old, new), said in OFFENCES.items():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(REPO / "systemd", folder, dirs_exist_ok=True)
            unit = pathlib.Path(folder) / "slipway-coordinator.service"
            text = re.sub(old, new, unit.read_text(), count=1)
            check(text != unit.read_text(), f"{old!r} is not in the unit any more")
            unit.write_text(text)
            done = subprocess.run([sys.executable, "-B", __file__, folder], stdout=subprocess.PIPE, text=True)
            check(done.returncode == 1 and said in done.stdout, f"{old!r} -> {new!r} is not found: {done.stdout}")
    finish()


def main(folder=REPO / "systemd"):
    need("systemd-analyze")
    if folder == "--planted":
        return planted()
    units = sorted(pathlib.Path(folder).glob("*.service"))
    check({u.name for u in units} == LIMITS.keys(), f"{folder} has other units than this test knows: {[u.name for u in units]}")
    for unit in units:
        look_at(unit, LIMITS[unit.name])
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
