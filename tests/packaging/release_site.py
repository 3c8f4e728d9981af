#!/usr/bin/python3
"""What `packaging/quickstart --kubernetes vX.Y.Z --from URL` fetches, without hosts: packaging/lab/serve-release lays out a site of programs
that are none, packaging/lab/cluster.sh fetches Kubernetes from it into a real coordinator and kubectl into the master's files. In a network
name space of its own. And what the quickstart refuses.
usage: release_site.py BIN          BIN: folder of the programs"""
import functools
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

from common import REPO, check, finish, need, skip

LAB = REPO / "packaging/lab"
QUICKSTART = REPO / "packaging/quickstart"
COMPONENTS = ("kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
NET, MASTER = "10.77.0.0/24", "10.77.0.10"
CLUSTER = "fetched"
PATIENCE = 60  # seconds, for the coordinator to come up
# The settings that the quickstart has set when it calls the functions of cluster.sh.
SETTINGS = f"cluster={CLUSTER} net={NET} node_count=0 node_ttl=24h renew_at=0.667 runtime=docker backend=host-gw cross_subnet=no dual_stack=no"


def run(*argv, **options):
    return subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def write(path, text, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def pack(archive, mode, files):
    """files: name in the archive -> file"""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, mode) as tar:
        for name, file in files.items():
            tar.add(file, name)


def program(name):
    return f"#!/bin/false\nnot really {name}\n" + "." * 100_000


class Lab:
    """A cache with everything that the lab would have built or packed; the scripts find it there and make nothing."""

    def __init__(self, folder, programs):
        self.cache, self.work = folder / "cache", folder / "work"
        self.root = self.cache / "clusters" / CLUSTER / "hosts/master/root"
        self.environment = {**os.environ, "SLIPWAY_CACHE": str(self.cache), "SLIPWAY_RELEASE": "bookworm", "TMPDIR": str(folder)}
        names = ("kubernetes", "docker", "cni", "etcd", "containerd", "runc")
        said = self.functions("say " + " ".join(f'"$k_{name}_version"' for name in names))
        self.versions = dict(zip(names, said.stdout.split()))
        self.pack_kubernetes()
        self.pack_others()
        (self.root / "usr/local/bin").mkdir(parents=True)
        (self.root / "usr/bin").mkdir()
        (self.root / "usr/bin/slipwayctl").symlink_to(programs / "slipwayctl")

    def functions(self, commands):
        sources = "".join(f'. "{LAB}/{name}.sh"; ' for name in ("common", "hosts", "cluster"))
        return run("bash", "-c", f"set -euo pipefail; {sources}{SETTINGS}; {commands}", env=self.environment)

    def pack_kubernetes(self):
        files = {f"kubernetes/server/bin/{n}": write(self.work / n, program(n), 0o755) for n in COMPONENTS + ("kubectl",)}
        folder = self.cache / "kubernetes" / self.versions["kubernetes"]
        pack(folder / "kubernetes-server-linux-amd64.tar.gz", "w:gz", files)
        shutil.copy(self.work / "kubectl", folder / "kubectl")

    def pack_others(self):
        hashed = hashlib.sha256((LAB / "build-artifacts").read_bytes()).hexdigest()[:12]
        folder, some = self.cache / f"artifacts-bookworm-{hashed}", write(self.work / "some", program("some"), 0o755)
        pack(folder / f"containerd-{self.versions['containerd']}-linux-amd64.tar.gz", "w:gz", {"bin/containerd": some})
        pack(folder / f"cni-plugins-{self.versions['cni']}.tgz", "w:gz", {"./bridge": some})
        pack(folder / "busybox-image.tar", "w", {"./bin/busybox": some})
        for name in ("runc", "etcd"):
            shutil.copy(some, folder / name)

    def site(self):
        made = run(LAB / "serve-release", "--only-make", env=self.environment)
        check(made.returncode == 0, f"serve-release: exit {made.returncode}: {made.stdout}")
        return pathlib.Path(made.stdout.strip().splitlines()[-1])


class Coordinator:
    """Of the cluster.yaml that the quickstart writes."""

    def __init__(self, lab, folder, programs):
        self.lab, etc = lab, lab.root / "etc/slipway"
        settings = lab.functions(f"kubernetes_version={lab.versions['kubernetes']}; write_cluster_yaml")
        check(settings.returncode == 0, f"write_cluster_yaml: {settings.stdout}")
        write(etc / "cluster.yaml", settings.stdout)
        write(folder / "coordinator.yaml", f"listen: {MASTER}:7443\ndataDir: {folder}/data\n")
        made = run(programs / "slipway-coordinator", "init", "--config", etc / "cluster.yaml", "--data-dir", folder / "data",
                   "--admin-conf", etc / "admin.conf", "--master-token-file", etc / "master.token")
        check(made.returncode == 0, f"slipway-coordinator init: {made.stdout}")
        self.log = open(folder / "coordinator.log", "w")
        self.process = subprocess.Popen([programs / "slipway-coordinator", "run", "--config", folder / "coordinator.yaml"],
                                        stdout=self.log, stderr=subprocess.STDOUT)

    def __enter__(self):
        deadline = time.monotonic() + PATIENCE
        while self.ctl("cluster", "get").returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                sys.exit(f"FAILED: the coordinator does not answer:\n{pathlib.Path(self.log.name).read_text()}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def ctl(self, *arguments):
        return run(self.lab.root / "usr/bin/slipwayctl", "--config", self.lab.root / "etc/slipway/admin.conf", *arguments)

    def artifacts(self):
        """component -> (version, digest)"""
        listed = self.ctl("artifact", "list", "-o", "json")
        check(listed.returncode == 0, f"artifact list: {listed.stdout}")
        return {a["component"]: (a["version"], a["sha256"]) for a in json.loads(listed.stdout)["items"]}


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def fetches_kubernetes(lab, site, coordinator):
    address, version = serve(site), lab.versions["kubernetes"]
    fetch = f"kubernetes_version={version} kubernetes_fetched=yes kubernetes_from={address}/kubernetes; fetch_kubernetes"
    kubectl = lab.root / "usr/local/bin/kubectl"
    scheduler = site / f"kubernetes/v{version}/bin/linux/amd64/kube-scheduler"
    scheduler.write_text("other bytes")
    refused = lab.functions(fetch)
    check(refused.returncode != 0 and "verifying kube-scheduler" in refused.stdout, f"bytes that are not the published ones: {refused.stdout}")
    check(not coordinator.artifacts() and not kubectl.exists(), "something came of a site with wrong bytes")

    scheduler.write_text(program("kube-scheduler"))
    fetched = lab.functions(fetch)
    check(fetched.returncode == 0, f"fetch_kubernetes: {fetched.stdout}")
    wanted = {name: (version, hashlib.sha256(program(name).encode()).hexdigest()) for name in COMPONENTS}
    check(coordinator.artifacts() == wanted, f"imported were {coordinator.artifacts()}, not {wanted}")
    check(kubectl.exists() and kubectl.read_text() == program("kubectl"), "kubectl did not come into the master")
    check(kubectl.exists() and kubectl.stat().st_mode & 0o7777 == 0o755, "kubectl cannot be called")
    check(not (lab.cache / "clusters" / CLUSTER / "kubectl").exists(), "the download of kubectl stays")


def has_all_projects(lab, site, folder):
    """As https://dl.k8s.io and the releases of the other projects are laid out, each with its own form of checksums."""
    address, wish = serve(site), []
    for project, name in (("kubernetes", "kubernetes"), ("containerd", "containerd"), ("runc", "runc"), ("cni-plugins", "cni"), ("etcd", "etcd")):
        wish += [f"--{project}", lab.versions[name], "--from" if project == "kubernetes" else f"--{project}-from", f"{address}/{project}"]
    saved = run(lab.root / "usr/bin/slipwayctl", "artifact", "fetch", *wish, "--arch", "amd64", "--to", folder / "saved")
    check(saved.returncode == 0, f"fetching all that serve-release offers: {saved.stdout}")
    names = sorted(path.name for path in (folder / "saved").glob("*"))
    check(len(names) == len(COMPONENTS) + 4, f"saved were {names}")


# Arguments -> what the quickstart says before it does anything.
REFUSALS = {
    ("--from", "http://127.0.0.1/"): "--from goes with --kubernetes",
    ("--kubernetes", "latest"): "expected a version such as v1.30.4",
    ("--kubernetes",): "--kubernetes needs a value",
    ("--kubernetes", "v1.30.4", "--runtime", "docker"): "does not speak to docker without cri-dockerd",
}


def refuses():
    for arguments, said in REFUSALS.items():
        done = run(QUICKSTART, *arguments)
        check(done.returncode == 3 and said in done.stdout, f"quickstart {' '.join(arguments)}: exit {done.returncode}: {done.stdout}")


def main(programs):
    if os.environ.get("SLIPWAY_IN_NAMESPACE") != "yes":
        need("unshare", "ip", "bash")
        if os.geteuid() != 0:
            skip("network name spaces and packaging/lab need root")
        sys.exit(subprocess.run(["unshare", "--net", sys.executable, "-B", *sys.argv],
                                env={**os.environ, "SLIPWAY_IN_NAMESPACE": "yes"}).returncode)
    for words in ("link set lo up", f"address add {MASTER}/24 dev lo"):
        check(run("ip", *words.split()).returncode == 0, f"ip {words}")
    refuses()
    programs = pathlib.Path(programs).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        lab = Lab(folder, programs)
        site = lab.site()
        with Coordinator(lab, folder, programs) as coordinator:
            fetches_kubernetes(lab, site, coordinator)
        has_all_projects(lab, site, folder)
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
