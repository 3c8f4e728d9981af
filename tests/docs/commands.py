#!/usr/bin/python3
"""Commands in README.md and docs/*.md: every block of them is run here, or says why not; every call of our programs, in blocks and in the text, has
commands and options that the programs know (their manual pages, which are made from their command tables).
usage: commands.py BIN [ROOT]          BIN: folder of the programs; ROOT: of the pages (default: the source)

A line right before a block says what is done with it:
  <!-- run -->                 its lines are run by sh -eu, in an empty folder that the blocks of a page share; each must end with 0
  <!-- run: exit 3 -->         the same, and the last one must end with 3
  <!-- not run: REASON -->
  <!-- file: NAME -->          it is put into that folder as NAME, for blocks that run later
  <!-- said -->                each of its lines is one of what the last block that was run has printed
Blocks of a language that holds no commands (yaml, json, text, ...) need no such line."""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

PROGRAMS = ("slipwayctl", "slipway-agent", "slipway-coordinator")
SHELL = ("", "sh", "bash", "console")
TIMEOUT = 60  # seconds for a block


class Block:
    def __init__(self, page, line, language, mark, text):
        self.page, self.line, self.language, self.mark, self.text = page, line, language, mark, text

    def where(self):
        return f"{self.page}:{self.line}"


def blocks_and_prose(page, text):
    """The fenced blocks, and the lines beside them with their numbers."""
    blocks, prose, lines = [], [], text.split("\n")
    start = None
    for i, line in enumerate(lines):
        fence = re.match(r"\s*```(\S*)", line)
        if fence and start is None:
            start = i
        elif fence:
            before = lines[start - 1].strip() if start else ""
            mark = re.fullmatch(r"<!-- (.*) -->", before)
            language = re.match(r"\s*```(\S*)", lines[start]).group(1)
            blocks.append(Block(page, start + 1, language, mark.group(1) if mark else "", "\n".join(lines[start + 1:i]) + "\n"))
            start = None
        elif start is None:
            prose.append((i + 1, line))
    if start is not None:
        raise SystemExit(f"{page}:{start + 1}: a block without an end")
    return blocks, prose


class Commands:
    """What a program knows: its commands with their options, from its manual page."""

    def __init__(self, program, manual):
        self.program, self.options, self.positionals = program, {(): {}}, {(): False}
        at = ()
        for line in manual.split("\n"):
            plain = line.replace("\\-", "-")
            command = re.match(r'\.SS "' + re.escape(program) + r' (.*)"', plain)
            if command:
                at = tuple(command.group(1).split())
                self.options[at] = {}
                self.positionals[at] = False
            elif plain.startswith(".SH "):
                at = ()
            elif plain.startswith("\\fB-"):
                takes = "\\fI" in plain
                for name in re.findall(r"\\fB(--?[A-Za-z0-9-]+)\\fR", plain):
                    self.options[at][name] = takes
            elif plain.startswith("\\fI") and at:
                self.positionals[at] = True
        self.options[()].update({"--help": False, "-h": False, "--version": False})

    def is_prefix(self, words):
        return any(known[:len(words)] == words for known in self.options)

    def problem(self, words):
        """What is wrong with the words after the program's name; None: nothing."""
        at, rest = (), list(words)
        while rest and not rest[0].startswith("-") and self.is_prefix(at + (rest[0],)):
            at += (rest.pop(0),)
        while rest and rest[0].startswith("-") and at not in self.options:
            rest.pop(0)
        if at not in self.options or (at == () and rest and not rest[0].startswith("-")):
            if rest:
                return f'"{rest[0]}" is no command of {" ".join((self.program,) + at)}'
            return None if at else "a command is missing"
        known = dict(self.options[()])
        for length in range(1, len(at) + 1):
            known.update(self.options.get(at[:length], {}))
        i = 0
        while i < len(rest):
            name, has_value = rest[i].split("=", 1)[0], "=" in rest[i]
            if name == "--":
                break
            if name.startswith("-") and len(name) > 1 and not re.fullmatch(r"-\d+", name):
                if name not in known:
                    return f'"{name}" is no option of {" ".join((self.program,) + at)}'
                if known[name] and not has_value:
                    i += 1
            elif not self.positionals.get(at):
                return f'{" ".join((self.program,) + at)} takes no "{rest[i]}"'
            i += 1
        return None


def load_programs(folder):
    found = {}
    for program in PROGRAMS:
        manual = subprocess.run([f"{folder}/{program}", "manual-page"], stdout=subprocess.PIPE, text=True, check=True).stdout
        found[program] = Commands(program, manual)
    return found


def variants(word):
    """viewer|operator|admin, as pages write it."""
    return word.split("|") if re.fullmatch(r"[\w-]+(\|[\w-]+)+", word) else [word]


def calls(line):
    """Calls of our programs in a line of shell, each as its words; what pages write around them is taken off."""
    line = re.sub(r"(^|\s)#.*", "", line)
    line = line.replace("[", " ").replace("]", " ").replace("...", " ").replace("…", " ")
    for part in re.split(r"\||(?<=\s)&&|;|\$\(|\)", re.sub(r"(\w)\|(\w)", "\\1\0\\2", line)):
        part = part.replace("\0", "|")
        try:
            words = shlex.split(part)
        except ValueError:
            words = part.split()
        words = [re.sub(r",$", "", w) for w in words if w != "sudo"]
        words = [w for i, w in enumerate(words) if not re.match(r"\d?[<>]", w) and not (i and re.fullmatch(r"\d?[<>]+", words[i - 1]))]
        while words and re.match(r"\w+=", words[0]):
            words.pop(0)
        if words and words[0].rsplit("/", 1)[-1] in PROGRAMS:
            yield words[0].rsplit("/", 1)[-1], words[1:]


def expand(words):
    """All ways to read a line with alternatives."""
    out = [[]]
    for word in words:
        out = [done + [one] for done in out for one in variants(word)]
    return out


def check_line(programs, where, line, problems):
    checked = 0
    for program, words in calls(line):
        if not words:
            continue
        for way in expand(words):
            checked += 1
            problem = programs[program].problem(way)
            if problem:
                problems.append(f"{where}: {problem}: {line.strip()}")
    return checked


def joined_lines(text):
    return re.sub(r"\\\n\s*", " ", text).split("\n")


def run_block(block, folder, binaries):
    wanted = 0
    exit_code = re.fullmatch(r"run: exit (\d+)", block.mark)
    if exit_code:
        wanted = int(exit_code.group(1))
    env = {"PATH": f"{binaries}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": folder, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(["/bin/sh", "-eu", "-c", block.text], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"{block.where()}: still runs after {TIMEOUT} s", ""
    if done.returncode != wanted:
        return f"{block.where()}: ended with {done.returncode}, not {wanted}:\n{block.text}{done.stdout}", done.stdout
    return None, done.stdout


def check_said(block, output, problems):
    printed = output.split("\n")
    for line in block.text.rstrip("\n").split("\n"):
        if line not in printed:
            problems.append(f"{block.where()}: the commands before did not print: {line}\nbut:\n{output}")
            return


def check_page(path, name, programs, binaries, problems, counts):
    blocks, prose = blocks_and_prose(name, path.read_text())
    output = ""
    with tempfile.TemporaryDirectory() as folder:
        for block in blocks:
            mark = block.mark
            if mark.startswith("file: "):
                pathlib.Path(folder, mark[len("file: "):]).write_text(block.text)
                counts["files"] += 1
                continue
            if mark == "said":
                counts["said"] += 1
                check_said(block, output, problems)
                continue
            runs = mark == "run" or mark.startswith("run: exit ")
            if block.language in SHELL and not runs and not re.match(r"not run: \S", mark):
                problems.append(f"{block.where()}: a block of commands needs a line before it: <!-- run -->, or <!-- not run: REASON -->")
            if block.language not in SHELL:
                continue
            for i, line in enumerate(joined_lines(block.text)):
                counts["calls"] += check_line(programs, block.where(), line, problems)
            counts["run" if runs else "not run"] += 1
            if runs:
                problem, output = run_block(block, folder, binaries)
                if problem:
                    problems.append(problem)
    for number, line in prose:
        for code in re.findall(r"`([^`]+)`", line):
            counts["calls"] += check_line(programs, f"{name}:{number}", code, problems)


def main(binaries, root=None):
    root = pathlib.Path(root or pathlib.Path(__file__).resolve().parents[2])
    binaries = os.path.abspath(binaries)
    programs, problems = load_programs(binaries), []
    counts = {"run": 0, "not run": 0, "files": 0, "said": 0, "calls": 0}
    pages = [root / "README.md"] + sorted((root / "docs").glob("*.md"))
    for path in pages:
        check_page(path, str(path.relative_to(root)), programs, binaries, problems, counts)
    print(f"{len(pages)} pages: {counts['run']} blocks run, {counts['not run']} not, {counts['files']} files, {counts['said']} outputs, {counts['calls']} calls of our programs looked at")
    if problems:
        sys.exit("\n".join(problems))
    if not counts["calls"]:
        sys.exit("no call of a program was found: the test would pass by looking at nothing")


if __name__ == "__main__":
    main(*sys.argv[1:])
