#!/usr/bin/python3
"""docs/exit-codes.md against what the programs say of themselves (EXIT STATUS of their manual pages), docs/rest-api.md against proto/openapi.json,
docs/api-errors.md against the table of the source, and the list of pages in README.md against docs/. With SLIPWAY_WRITE_DOCS=1 the tables of exit
codes and of the API are written anew.
usage: reference.py BIN [ROOT]"""
import os
import pathlib
import re
import subprocess
import sys

import rest_api

PROGRAMS = ("slipwayctl", "slipway-agent", "slipway-coordinator")
END = "<!-- end -->"


def exit_codes(binaries, program):
    manual = subprocess.run([f"{binaries}/{program}", "manual-page"], stdout=subprocess.PIPE, text=True, check=True).stdout
    section = manual.split(".SH EXIT STATUS\n", 1)[1].split(".SH ", 1)[0].replace("\\-", "-").replace("\\e", "\\")
    return re.findall(r"\.TP\n\\fB(\d+)\\fR\n(.*)\n", section)


def table(binaries):
    rows = ["| program | exit code | meaning |", "|---|---|---|"]
    for program in PROGRAMS:
        codes = exit_codes(binaries, program)
        if len(codes) < 3:
            sys.exit(f"{program} names only {len(codes)} exit codes: its manual page is read wrongly")
        rows += [f"| `{program}` | {code} | {text} |" for code, text in codes]
    return "\n".join(rows) + "\n"


def check_generated(page, name, wanted, problems):
    """The part of the page between the generated mark of this name and the end mark."""
    head = f"<!-- generated: {name} -->\n"
    text = page.read_text()
    if head not in text or END not in text.split(head, 1)[1]:
        problems.append(f"docs/{page.name} needs the lines {head.strip()} and {END}")
        return
    before, rest = text.split(head, 1)
    now, after = rest.split(END, 1)
    if os.environ.get("SLIPWAY_WRITE_DOCS"):
        page.write_text(before + head + wanted + END + after)
    elif now != wanted:
        problems.append(f"docs/{page.name} is not what the programs say; SLIPWAY_WRITE_DOCS=1 tests/docs/reference.py BIN writes it anew:\n{first_difference(now, wanted)}")


def first_difference(now, wanted):
    for have, want in zip(now.splitlines() + [""], wanted.splitlines() + [""]):
        if have != want:
            return f"it says:  {have}\nis to be: {want}"
    return "it is longer or shorter"


def check_errors(root, problems):
    source = re.findall(r'^    \{"(\w+)", (\d{3}), ', (root / "proto/problem.cpp").read_text(), re.M)
    page = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", (root / "docs/api-errors.md").read_text(), re.M)
    if not source or sorted((status, code) for code, status in source) != sorted(page):
        problems.append("docs/api-errors.md has other codes than proto/problem.cpp")


def check_pages(root, problems):
    """Every page can be reached from README.md, directly or through a page that it names."""
    pages = {path.name for path in (root / "docs").glob("*.md")}
    seen, ahead = set(), set(re.findall(r"\(docs/([\w-]+\.md)", (root / "README.md").read_text()))
    while ahead:
        name = ahead.pop()
        if name in seen:
            continue
        if name not in pages:
            problems.append(f"a page names docs/{name}, which is not there")
            continue
        seen.add(name)
        ahead |= set(re.findall(r"\((?:docs/)?([\w-]+\.md)[#)]", (root / "docs" / name).read_text()))
    for name in sorted(pages - seen):
        problems.append(f"no page that can be reached from README.md names docs/{name}")


def main(binaries, root=None):
    root = pathlib.Path(root or pathlib.Path(__file__).resolve().parents[2])
    problems = []
    check_generated(root / "docs/exit-codes.md", "exit codes", table(binaries), problems)
    check_generated(root / "docs/rest-api.md", "operations and types", rest_api.tables(root), problems)
    check_errors(root, problems)
    check_pages(root, problems)
    if problems:
        sys.exit("\n".join(problems))
    print("exit codes, operations, error codes and the list of pages are the programs'")


if __name__ == "__main__":
    main(*sys.argv[1:])
