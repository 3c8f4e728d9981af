#!/usr/bin/python3
"""Shows that the checks of the pages fail on what they are there for: each offence is planted in a copy of the pages.
usage: planted.py commands|reference BIN"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def append(text):
    return lambda copy: (copy / "README.md").open("a").write(text)


def edit(page, old, new):
    def change(copy):
        text = (copy / page).read_text()
        if old not in text:
            sys.exit(f"{page} has no {old!r} to plant an offence in")
        (copy / page).write_text(text.replace(old, new, 1))
    return change


OFFENCES = {
    "commands": [
        ("a block without a mark", append("\n```\nls\n```\n"), "needs a line before it"),
        ("a mark without a reason", append("\n<!-- not run:  -->\n```\nls\n```\n"), "needs a line before it"),
        ("a command that is not there", append("\n<!-- not run: planted -->\n```\nslipwayctl node lst\n```\n"), '"lst" is no command'),
        ("an option that is not there", append("\nAsk `slipwayctl node list --al`.\n"), '"--al" is no option'),
        ("an option in the second of two ways", append("\nAsk `slipway-agent status|health --fix`.\n"), '"--fix" is no option'),
        ("a program's argument too many", append("\nAsk `slipwayctl node list web-1`.\n"), 'takes no "web-1"'),
        ("a command that fails", append("\n<!-- run -->\n```\nfalse\n```\n"), "ended with 1, not 0"),
        ("a failure that does not come", append("\n<!-- run: exit 3 -->\n```\ntrue\n```\n"), "ended with 0, not 3"),
        ("a failure before the last line", append("\n<!-- run -->\n```\nfalse\ntrue\n```\n"), "ended with 1, not 0"),
        ("an output that is another", append("\n<!-- run -->\n```\necho one\n```\n\n<!-- said -->\n```text\ntwo\n```\n"), "did not print: two"),
        ("a block without an end", append("\n```\nls\n"), "a block without an end"),
    ],
    "reference": [
        ("an exit code that is not there", edit("docs/exit-codes.md", "<!-- end -->", "| `slipwayctl` | 9 | never |\n<!-- end -->"), "not what the programs say"),
        ("an operation with another role", edit("docs/rest-api.md", "| Become a node | none |", "| Become a node | admin |"), "docs/rest-api.md is not what the programs say"),
        ("a type's field that is not there", edit("docs/rest-api.md", "<!-- end -->", "| `lost` | string | | |\n<!-- end -->"), "docs/rest-api.md is not what the programs say"),
        ("an error code that is not there", edit("docs/api-errors.md", "| 400 | `invalid` |", "| 400 | `invalit` |"), "other codes than"),
        ("a page that nobody names", lambda copy: (copy / "docs/lost.md").write_text("# Lost\n"), "names docs/lost.md"),
        ("a link to nothing", append("\n[x](docs/nothing.md)\n"), "docs/nothing.md, which is not there"),
    ],
}


def main(check, binaries):
    failures = 0
    for what, plant, said in OFFENCES[check]:
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder)
            shutil.copy(ROOT / "README.md", copy)
            (copy / "docs").mkdir()
            for page in (ROOT / "docs").glob("*.md"):
                shutil.copy(page, copy / "docs")
            (copy / "proto").mkdir()
            for source in ("problem.cpp", "openapi.json"):
                shutil.copy(ROOT / "proto" / source, copy / "proto")
            plant(copy)
            done = subprocess.run([sys.executable, "-B", ROOT / f"tests/docs/{check}.py", binaries, copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode == 0 or said not in done.stdout:
                failures += 1
                print(f"FAILED: {what} was not told of; exit {done.returncode}:\n{done.stdout}")
    if failures:
        sys.exit(1)
    print(f"{len(OFFENCES[check])} planted offences were told of")


if __name__ == "__main__":
    main(*sys.argv[1:])
