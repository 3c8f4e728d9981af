#!/usr/bin/python3
"""The example hooks for AWS, GCE and FRR against stand-ins for aws, gcloud and vtysh that keep a table in a file: what is set is listed, replaced
and removed, a route of somebody else's is neither deleted nor replaced, and the time that the head of each example gives a call is enough for the
tool's own limits."""
import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from common import REPO, check, finish, skip

try:
    import yaml
except ImportError:
    skip("python3-yaml is not installed")

EXAMPLES = REPO / "packaging/examples/routes-hook"
DESTINATION, FOREIGN = "10.10.3.0/24", "10.0.0.99"
NODES = ("10.0.0.13", "10.0.0.14")

# The stand-ins: argument lists as these tools document them. The table is a list of [destination, next hop, name].
COMMON = """#!/usr/bin/python3
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
table = json.loads((folder / "table").read_text())
def save():
    (folder / "table").write_text(json.dumps(table))
def option(name):
    return sys.argv[sys.argv.index(name) + 1]
"""
AWS = COMMON + """
interface = lambda hop: "eni-" + hop.replace(".", "-")
words = sys.argv[sys.argv.index("ec2") + 1:]
there = [r for r in table if "--destination-cidr-block" in words and r[0] == option("--destination-cidr-block")]
if words[0] == "describe-route-tables":
    routes = [{"DestinationCidrBlock": d, "NetworkInterfaceId": interface(h)} for d, h, name in table]
    print(json.dumps({"RouteTables": [{"Routes": routes + [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}]}]}))
elif words[0] == "describe-network-interfaces":
    hops = ["10.0.0.13", "10.0.0.14", "10.0.0.99"]
    if "--filters" in words:
        hops = [h for h in hops if option("--filters").endswith("Values=" + h)]
    print(json.dumps({"NetworkInterfaces": [{"NetworkInterfaceId": interface(h), "PrivateIpAddress": h} for h in hops]}))
elif words[0] == "create-route" and not there or words[0] == "replace-route" and there:
    table = [r for r in table if r not in there]
    table.append([option("--destination-cidr-block"), option("--network-interface-id")[4:].replace("-", "."), ""])
    save()
elif words[0] == "delete-route" and there:
    table.remove(there[0])
    save()
else:
    sys.exit("An error occurred: " + " ".join(words))
"""
GCLOUD = COMMON + """
words = sys.argv[sys.argv.index("routes") + 1:]
if words[0] == "list":
    print(json.dumps([{"name": n, "destRange": d, "nextHopIp": h, "network": "https://example/networks/net"} for d, h, n in table]))
elif words[0] == "create" and all(r[2] != words[1] for r in table):
    table.append([option("--destination-range"), option("--next-hop-address"), words[1]])
    save()
elif words[0] == "delete" and any(r[2] == words[1] for r in table):
    table = [r for r in table if r[2] != words[1]]
    save()
else:
    sys.exit("ERROR: (gcloud) " + " ".join(words))
"""
VTYSH = COMMON + """
commands = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "-c"]
for command in commands:
    words = command.split()
    if command == "show ip route static json":
        found = {}
        for d, h, name in table:
            found.setdefault(d, [{"nexthops": []}])[0]["nexthops"].append({"ip": h})
        print(json.dumps(found))
    elif command == "show ipv6 route static json":
        print("{}")
    elif words[:2] == ["ip", "route"] and words[4:] == ["tag", "77"]:
        table = [r for r in table if r[:2] != words[2:4]] + [[words[2], words[3], ""]]
    elif words[:3] == ["no", "ip", "route"] and words[5:] == ["tag", "77"]:
        table.remove([words[3], words[4], ""])
    elif command != "configure terminal":
        sys.exit("% Unknown command: " + command)
save()
"""
HOOKS = {"aws": ("aws", AWS, ["rtb-1", "eu-central-1"]), "gce": ("gcloud", GCLOUD, ["project", "net"]), "frr": ("vtysh", VTYSH, [])}


class Hook:
    """One example in a folder of its own, with its tool's stand-in first on the path."""

    def __init__(self, name, folder):
        tool, text, self.arguments = HOOKS[name]
        self.name, self.folder = name, pathlib.Path(folder)
        (self.folder / tool).write_text(text)
        (self.folder / tool).chmod(0o755)
        (self.folder / "calls").touch()
        self.most_calls = 0
        self.set_table([])

    def set_table(self, table):
        (self.folder / "table").write_text(json.dumps(table))

    def table(self):
        return [tuple(route[:2]) for route in json.loads((self.folder / "table").read_text())]

    def ask(self, action, next_hop=None, replaces=()):
        request = {"version": 1, "action": action, "clusterName": "demo", "clusterId": "7c9e6679-7425-40de-944b-e07fc1f90ae7"}
        if next_hop:
            request["route"] = {"destination": DESTINATION, "nextHop": next_hop, "node": "n3", "name": "slipway-demo-10-10-3-0-24", "replaces": list(replaces)}
        (self.folder / "calls").write_text("")
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        done = subprocess.run([sys.executable, EXAMPLES / self.name, *self.arguments], input=json.dumps(request), env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        self.most_calls = max(self.most_calls, (self.folder / "calls").read_text().count("\n"))
        return done

    def does(self, action, *words, **more):
        done = self.ask(action, *words, **more)
        check(done.returncode == 0, f"{self.name}: {action} {words} {more}: {done.stderr}")
        return done.stdout

    def refuses(self, action, *words, **more):
        done = self.ask(action, *words, **more)
        check(done.returncode != 0 and "not ours" in done.stderr, f"{self.name}: {action} {words} {more} was not refused: exit {done.returncode} {done.stderr}")

    def has(self, *hops):
        check(self.table() == [(DESTINATION, hop) for hop in hops], f"{self.name}: the table is {self.table()}, not {hops}")


def a_route_comes_moves_and_goes(hook):
    hook.does("create", NODES[0])
    hook.does("create", NODES[0])
    hook.has(NODES[0])
    found = json.loads(hook.does("list"))["routes"]
    check({"destination": DESTINATION, "nextHop": NODES[0]} in found, f"{hook.name}: list says {found}")
    hook.does("create", NODES[1], replaces=[NODES[0]])
    hook.has(NODES[1])
    hook.does("delete", NODES[0])
    hook.has(NODES[1])
    hook.does("delete", NODES[1])
    hook.does("delete", NODES[1])
    hook.has()


def others_routes_stay(hook):
    hook.set_table([[DESTINATION, FOREIGN, "slipway-demo-10-10-3-0-24"]])
    hook.does("delete", NODES[0])
    hook.has(FOREIGN)
    # Since the coordinator looked somebody has put a route there.
    hook.refuses("create", NODES[0])
    hook.refuses("create", NODES[0], replaces=[NODES[1]])
    hook.has(FOREIGN)


def time_is_enough(hook):
    text = (EXAMPLES / hook.name).read_text()
    head = ast.get_docstring(ast.parse(text))
    block = re.search(r"^coordinator\.yaml:\n((?:  .*\n)+)", head, re.M)
    settings = yaml.safe_load(block.group(1))["routesHook"]
    default = re.search(r"^\| `routesHook\.timeout` \| text \| `(\d+)s`", (REPO / "docs/agent-yaml.md").read_text(), re.M).group(1)
    given = int(str(settings.get("timeout", default)).rstrip("s"))
    of_tool = int(re.search(r"\btimeout=(\d+)", text).group(1))
    check(hook.most_calls > 0, f"{hook.name}: its tool was never called")
    check(given > of_tool * hook.most_calls, f"{hook.name}: {hook.most_calls} calls of {of_tool} s each, and the whole is killed after {given} s")


def main():
    for name in HOOKS:
        with tempfile.TemporaryDirectory() as folder:
            hook = Hook(name, folder)
            a_route_comes_moves_and_goes(hook)
            others_routes_stay(hook)
            time_is_enough(hook)
    finish()


if __name__ == "__main__":
    main()
