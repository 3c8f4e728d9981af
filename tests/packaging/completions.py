#!/usr/bin/python3
"""What `slipwayctl completion` prints, shown to the shells that are here: each reads it without a complaint, bash and fish complete a command with it,
and each shell is shown to complain of a broken script.
usage: completions.py BIN"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from common import check, finish, need

SHELLS = ("bash", "zsh", "fish")
# Completes "slipwayctl node l" from the script that is its first argument.
BASH = 'source "$1"; COMP_WORDS=(slipwayctl node l) COMP_CWORD=2; _slipwayctl; echo "${COMPREPLY[*]}"'
FISH = 'source $argv[1]; complete -C "slipwayctl node l"'


def ask(folder, *argv):
    environment = dict(os.environ, HOME=folder, XDG_CONFIG_HOME=folder, XDG_DATA_HOME=folder)
    return subprocess.run([str(a) for a in argv], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def is_read(shell, script, folder):
    read = ask(folder, shell, "-n", script)
    check(read.returncode == 0 and not read.stdout, f"{shell} -n: exit {read.returncode}: {read.stdout}")
    broken = pathlib.Path(folder) / "broken"
    broken.write_text(script.read_text() + "\nif true\n")
    check(ask(folder, shell, "-n", broken).returncode != 0, f"{shell} -n takes a broken script, so its word says nothing")


def main(binaries):
    need("bash")
    for shell in SHELLS:
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / f"slipwayctl.{shell}"
            done = subprocess.run([f"{binaries}/slipwayctl", "completion", shell], stdout=subprocess.PIPE, text=True)
            check(done.returncode == 0 and done.stdout.count("\n") > 10, f"slipwayctl completion {shell}: exit {done.returncode}")
            script.write_text(done.stdout)
            if not shutil.which(shell):
                print(f"!!! {shell} IS NOT HERE: its completion was not shown to it")
                continue
            is_read(shell, script, folder)
            if shell == "bash":
                said = ask(folder, "bash", "-c", BASH, "bash", script).stdout.split()
                check(said == ["list"], f"bash completes \"slipwayctl node l\" to {said}")
            if shell == "fish":
                said = ask(folder, "fish", "-c", FISH, script).stdout
                check(said.startswith("list\t"), f"fish completes \"slipwayctl node l\" to {said[:300]!r}")
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
