#!/usr/bin/python3
"""The lab's scripts print paths of what they have built, and their callers take them: that a stage of theirs took its time must not stand among
them, as it did when Kubernetes was compiled for the first time."""
import os
import subprocess
import tempfile

from common import REPO, check, finish

SCRIPT = '. "$1"; stage "A stage that $2" "$2" && say /what/was/built'


def run(command, folder):
    return subprocess.run(["bash", "-c", SCRIPT, "bash", REPO / "packaging/lab/common.sh", command],
                          env=dict(os.environ, SLIPWAY_CACHE=folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


with tempfile.TemporaryDirectory() as folder:
    well, ill = run("true", folder), run("false", folder)
check(well.returncode == 0 and well.stdout == "/what/was/built\n", f"standard output: {well.stdout!r}")
check("A stage that true" in well.stderr, f"no word of the stage: {well.stderr!r}")
check(ill.returncode != 0 and not ill.stdout and "FAILED (exit 1)" in ill.stderr, f"a stage that fails: {ill}")
finish()
