#!/usr/bin/python3
"""The AppArmor profile: AppArmor's own parser takes it, it has the name by which the unit asks for it, and names the places that the
unit and the program have. Whether it fits only a kernel with AppArmor can tell."""
import re
import subprocess

from common import REPO, check, finish, need, run

PROFILE = REPO / "packaging/apparmor/slipway-coordinator"


def parse(path):
    return subprocess.run(["apparmor_parser", "-Q", "--skip-kernel-load", "--skip-cache", str(path)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def main():
    need("apparmor_parser")
    done = parse(PROFILE)
    check(done.returncode == 0, f"apparmor_parser: {done.stdout}")
    # It would take anything, if this went through.
    broken = PROFILE.read_text().replace("network inet stream,", "network inet stream", 1)
    done = subprocess.run(["apparmor_parser", "-Q", "--skip-kernel-load", "--skip-cache"], input=broken, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(done.returncode != 0, "apparmor_parser takes a profile with a mistake")
    names = run("apparmor_parser", "-N", PROFILE).split()[-1:]  # before it, the parser may complain of the kernel
    unit = (REPO / "systemd/slipway-coordinator.service").read_text()
    wanted = re.search(r"^AppArmorProfile=-(\S+)$", unit, re.M)
    check(wanted and names == [wanted.group(1)], f"the unit asks for {wanted and wanted.group(1)}, the profile is {names}")
    text = PROFILE.read_text()
    state = re.search(r"^StateDirectory=(\S+)$", unit, re.M).group(1)
    program = re.search(r"^ExecStart=(\S+)", unit, re.M).group(1)
    for place in (f"/var/lib/{state}/** rw", f"{program} mrix", "/run/credentials/slipway-coordinator.service/** r"):
        check(place in text, f"the profile does not have {place}")
    finish()


if __name__ == "__main__":
    main()
