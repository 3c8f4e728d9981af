#!/usr/bin/python3
"""What is there for Prometheus and Grafana: the metrics pass Prometheus' own check, the example alerts and their tests too, and every
metric that alerts, dashboard and docs/monitoring.md name is one that the coordinator has (the table in docs/metrics.md is a unit test's).
What the coordinator has stands in tests/contract/golden/metrics.prom, which a unit test holds against the code.
promtool: of the path, or where packaging/lab/promtool has put it; without it the rest is looked at, and the test says so."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from common import REPO, check, finish, skip

try:
    import yaml
except ImportError:
    skip("python3-yaml is not installed")

GOLDEN = REPO / "tests/contract/golden/metrics.prom"
ALERTS = REPO / "packaging/examples/prometheus/slipway-alerts.yaml"
ALERT_TESTS = REPO / "packaging/examples/prometheus/slipway-alerts-test.yaml"
SCRAPE = REPO / "packaging/examples/prometheus/scrape.yaml"
DASHBOARD = REPO / "packaging/examples/grafana/slipway.json"
DOCUMENT = REPO / "docs/monitoring.md"
OF_HISTOGRAMS = ("_bucket", "_sum", "_count")
METRIC = re.compile(r"\bslipway_[a-z_]+")


def families():
    """name -> type"""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", GOLDEN.read_text(), re.M))


def series(known):
    return set(known) | {name + end for name, kind in known.items() if kind == "histogram" for end in OF_HISTOGRAMS}


def labels():
    """series -> the names of its labels"""
    found = {}
    for name, inside in re.findall(r"^(slipway_\w+)(?:\{([^}]*)\})? \S+$", GOLDEN.read_text(), re.M):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', inside or ""))
    return found


def expressions():
    rules = yaml.safe_load(ALERTS.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]
            yield f"alert {rule['alert']}", " ".join(rule["annotations"].values()).replace("slipway-", "")
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield f"panel {panel['title']}", target["expr"]


def known_names(known):
    mentioned = set()
    have = labels()
    for where, text in expressions():
        for name in METRIC.findall(text):
            check(name in series(known), f"{where}: there is no metric {name}")
            mentioned.add(name)
        for name, inside in re.findall(r"(slipway_[a-z_]+)\{([^}]*)\}", text):
            for label in re.findall(r"(\w+)\s*(?:=|!)", inside):
                check(label in have.get(name, set()), f"{where}: {name} has no label {label}")
    check(len(mentioned) > 10, f"only {len(mentioned)} metrics are named, so little was compared")


def every_alert_is_tested():
    names = {rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}
    text = ALERT_TESTS.read_text()
    for name in names:
        check(name in text, f"no test of the alert {name}")
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            check(set(rule["annotations"]) == {"summary", "description"}, f"{rule['alert']} says not what and what to do")
            check(rule["labels"]["severity"] in ("page", "ticket"), f"{rule['alert']} has the severity {rule['labels']['severity']}")


def dashboard():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    check(len({panel["id"] for panel in panels}) == len(panels), "panels of the dashboard have one id")
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    check(len(places) == len(panels), "panels of the dashboard lie on each other")


def document(known):
    for name in METRIC.findall(DOCUMENT.read_text()):
        check(name in series(known), f"docs/monitoring.md names {name}, which is no metric")


def find_promtool():
    cache = pathlib.Path(os.environ.get("SLIPWAY_CACHE", "/var/cache/slipway")) / "promtool/promtool"
    return shutil.which("promtool") or (str(cache) if os.access(cache, os.X_OK) else None)


def ask(promtool, *words, text=None):
    done = subprocess.run([promtool, *map(str, words)], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(f"promtool {words[0]} {words[1]}: exit {done.returncode}\n{done.stdout}")
    return done.returncode == 0


def promtool_says(promtool):
    golden = GOLDEN.read_text()
    check(ask(promtool, "check", "metrics", text=golden), "promtool check metrics is not content")
    # It would take anything, if this went through.
    check(not ask(promtool, "check", "metrics", text=golden.replace("restarts_total", "restarts")), "promtool takes a counter without _total")
    check(ask(promtool, "check", "rules", ALERTS), "promtool check rules is not content")
    check(ask(promtool, "test", "rules", ALERT_TESTS), "the alerts' tests fail")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ca.pem", "client.pem", "client.key"):
            (pathlib.Path(folder) / name).touch()
        config = pathlib.Path(folder) / "prometheus.yml"
        config.write_text(SCRAPE.read_text().replace("/etc/prometheus/slipway-alerts.yaml", str(ALERTS)).replace("/etc/prometheus/slipway/", folder + "/"))
        check(ask(promtool, "check", "config", "--syntax-only", config), "promtool check config is not content")


def main():
    known = families()
    check(len(known) > 20, f"{GOLDEN} has {len(known)} metrics")
    known_names(known)
    every_alert_is_tested()
    dashboard()
    document(known)
    promtool = find_promtool()
    if promtool:
        promtool_says(promtool)
    else:
        print("!!! promtool IS NOT HERE: metrics, alerts and their tests were not shown to it (packaging/lab/promtool fetches it)")
    finish()


if __name__ == "__main__":
    main()
