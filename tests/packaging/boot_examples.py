#!/usr/bin/python3
"""The examples for hosts that join at boot: cloud-init's user data is YAML with the modules that it names, the shell parts of preseed and
kickstart do what they are for when they are executed in a folder, and files, modes and fields are those that the agent takes."""
import pathlib
import re
import subprocess
import tempfile

from common import REPO, check, finish, skip

try:
    import yaml
except ImportError:
    skip("python3-yaml is not installed")

EXAMPLES = REPO / "packaging/examples"
CONFIG, TOKEN = "/etc/slipway/agent.yaml", "/etc/slipway/join.token"
# Modules of cloud-init that are used, with the keys of their entries.
CLOUD_INIT = {"write_files": {"path", "permissions", "content", "owner", "encoding", "append", "defer"},
              "apt": {"sources", "preserve_sources_list", "conf"}, "package_update": set(), "package_upgrade": set(), "packages": set(),
              "hostname": set(), "runcmd": set()}


def agent_fields():
    """The names in the field list of agent.yaml, by which the agent itself decodes it."""
    text = "".join(p.read_text() for p in sorted((REPO / "proto").glob("*.hpp")))
    body = re.search(r"fields\(V& v, (?:[A-Za-z:]*)?AgentConfig& \w+\) \{(.*?)\n\}", text, re.S)
    check(body, "proto has no field list of AgentConfig")
    return set(re.findall(r'"(\w+)"', body.group(1))) if body else set()


def constant(name):
    """A path as the agent has it."""
    found = [m for p in (REPO / "agent").rglob("*.hpp") for m in re.findall(rf'{name}\[?\]? = "([^"]+)"', p.read_text())]
    found += [m for p in (REPO / "proto").rglob("*.hpp") for m in re.findall(rf'{name} = "([^"]+)"', p.read_text())]
    return found[0] if found else None


def config_is_right(text, where):
    settings = yaml.safe_load(text)
    check(isinstance(settings, dict) and settings.get("coordinators"), f"{where}: agent.yaml names no coordinator")
    unknown = set(settings or {}) - agent_fields()
    check(not unknown, f"{where}: agent.yaml has no field {unknown}")
    for url in (settings or {}).get("coordinators", []):
        check(re.fullmatch(r"https://[0-9a-z.:-]+:7443", url), f"{where}: {url} is no coordinator's address")


def waits_for_network(unit):
    """After alone orders what nobody has asked for: a host would join before it has its address, and fail its first tries."""
    for word in ("Wants", "After"):
        named = " ".join(re.findall(rf"^{word}=(.*)$", unit, re.M)).split()
        check("network-online.target" in named, f"slipway-agent.service has no {word}=network-online.target")


def cloud_init():
    file = EXAMPLES / "cloud-init/user-data"
    check(file.read_text().startswith("#cloud-config\n"), "user-data does not begin with #cloud-config: it would be taken for something else")
    data = yaml.safe_load(file.read_text())
    unknown = set(data) - set(CLOUD_INIT)
    check(not unknown, f"user-data uses {unknown}, which this test does not know")
    files = {entry["path"]: entry for entry in data["write_files"]}
    for entry in files.values():
        check(set(entry) <= CLOUD_INIT["write_files"], f"write_files has no {set(entry) - CLOUD_INIT['write_files']}")
        check(isinstance(entry["permissions"], str), f"{entry['path']}: permissions must be quoted, or YAML reads a number")
    check(set(files) == {CONFIG, TOKEN}, f"user-data writes {sorted(files)}")
    check(files[TOKEN]["permissions"] == "0600", "others can read the token")
    config_is_right(files[CONFIG]["content"], "user-data")
    check(data["packages"] == ["slipway-agent"], f"user-data installs {data['packages']}")
    key = data["apt"]["sources"]["slipway.list"]
    check("signed-by=$KEY_FILE" in key["source"] and "key" in key, "packages are taken from a source without a key")


def executed(script, where, target):
    """What the script writes, in a folder that stands for the host."""
    with tempfile.TemporaryDirectory() as root:
        script = script.replace(target + "/etc", root + "/etc")
        done = subprocess.run(["sh", "-eu", "-c", "umask 022\n" + script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        check(done.returncode == 0, f"{where}: {done.stdout}")
        config, token = pathlib.Path(root + CONFIG), pathlib.Path(root + TOKEN)
        check(config.exists() and token.exists(), f"{where}: writes not both files")
        if config.exists() and token.exists():
            check(token.stat().st_mode & 0o777 == 0o600, f"{where}: the token's mode is {token.stat().st_mode:o}")
            config_is_right(config.read_text(), where)
            check(token.read_text().count("\n") == 1, f"{where}: the token is no line")


def preseed():
    text = (EXAMPLES / "preseed/preseed.cfg").read_text()
    lines = re.sub(r"\\\n", "", text).splitlines()
    for line in lines:
        check(not line or line.startswith("#") or re.match(r"d-i [a-z-]+/[a-z0-9/_-]+ (string|boolean|select) ", line), f"preseed.cfg: {line}")
    late = [line.split(" string ", 1)[1] for line in lines if line.startswith("d-i preseed/late_command ")]
    check(len(late) == 1, "preseed.cfg has not one late_command: the last would win")
    check(any(line == "d-i pkgsel/include string slipway-agent" for line in lines), "preseed.cfg does not install the agent")
    executed(late[0], "preseed.cfg", "/target")


def kickstart():
    text = (EXAMPLES / "kickstart/slipway.ks").read_text()
    sections = dict(re.findall(r"^%(\w+)[^\n]*\n(.*?)^%end$", text, re.S | re.M))
    check(len(re.findall(r"^%end$", text, re.M)) == len(sections) == 2, f"slipway.ks has the sections {sorted(sections)}")
    check(sections["packages"].split() == ["slipway-agent"], "slipway.ks does not install the agent")
    executed(sections["post"], "slipway.ks", "")


def main():
    check(constant("k_agent_config_file") == CONFIG, f"the agent's configuration is {constant('k_agent_config_file')}")
    check(constant("token_file") == TOKEN, f"the token's file is {constant('token_file')}")
    unit = (REPO / "systemd/slipway-agent.service").read_text()
    name = constant("k_token_credential")
    check(name and f"LoadCredential={name}\n" in unit, f"the unit does not ask for the credential {name}")
    check(f"ConditionPathExists={CONFIG}\n" in unit, "the unit waits for another file")
    waits_for_network(unit)
    cloud_init()
    preseed()
    kickstart()
    finish()


if __name__ == "__main__":
    main()
