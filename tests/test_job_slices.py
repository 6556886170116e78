"""Past one machine: job slices travel to workers and come back, as AWX does it with ansible-runner."""

import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from installed import ROOT, Installation

pytestmark = pytest.mark.timeout(300)
# Relative: a worker unpacks the project wherever it likes, and Ansible runs in the project's folder.
PLACES = {
    "heiiki_service_dir": "service",
    "heiiki_artifacts": "artifacts",
    "heiiki_build": "artifacts/build",
}


@dataclass(frozen=True)
class Runner:
    """A controller that only sends and receives, and workers that do the work."""

    installation: Installation

    def job(self, name: str, playbook: str, hosts: list[str], *options: str) -> "Job":
        """Send a job to a worker of its own; `hosts` is the slice of the inventory."""
        sent = self._packed(name, hosts, options)
        folder = self.installation.folder / name
        runner = f"{shlex.quote(str(self.installation.python))} -m ansible_runner"
        steps = (
            f"{runner} transmit {sent} -p {playbook}",
            f"{runner} worker --private-data-dir {folder / 'worker'}",
            f"{runner} process {folder / 'received'}",
        )
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", " | ".join(steps)],
            cwd=self.installation.folder,
            env=self.installation.environment | {"ANSIBLE_INVENTORY_ENABLED": "ansible.builtin.yaml"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return Job(folder, process)

    def _packed(self, name: str, hosts: list[str], options: tuple[str, ...]) -> Path:
        """Return the folder of a job, with the service as its project and a slice as its inventory."""
        folder = self.installation.folder / name / "sent"
        shutil.copytree(ROOT / "inventories/lab", folder / "project/service")
        for part in ("env", "inventory"):
            (folder / part).mkdir()
        (folder / "env/extravars").write_text(json.dumps(PLACES))
        (folder / "env/cmdline").write_text(" ".join(options))
        (folder / "inventory/slice.yml").write_text(json.dumps(self._slice(hosts)))
        return folder

    def _slice(self, hosts: list[str]) -> dict[str, Any]:
        """Return the inventory as AWX keeps it after a synchronisation, without the hosts of other slices."""
        whole = self.inventory
        variables = whole["_meta"]["hostvars"]
        groups = {
            group: {"hosts": {host: {} for host in members.get("hosts", ()) if host in hosts}}
            for group, members in whole.items()
            if group not in {"_meta", "all", "ungrouped"}
        }
        return {"all": {"hosts": {host: variables[host] for host in hosts}, "children": groups}}

    @property
    def inventory(self) -> dict[str, Any]:
        plugin = {"ANSIBLE_INVENTORY_ENABLED": "heiiki.network.intent"}
        listed = self.installation.ansible("inventory", "-i", ROOT / "inventories/lab", "--list", **plugin)
        found: dict[str, Any] = json.loads(listed)
        return found


@dataclass(frozen=True)
class Job:
    """What came back of a job."""

    folder: Path
    process: "subprocess.Popen[bytes]"

    def said(self) -> str:
        printed = self.process.communicate()[0].decode()
        assert self.process.returncode == 0, printed
        return printed

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the events that the worker sent back, in their order."""
        paths = (self.folder / "received").glob("artifacts/job_events/*.json")
        return sorted((json.loads(path.read_text()) for path in paths), key=lambda event: event["counter"])

    @property
    def hosts(self) -> set[str]:
        """Return the devices whose roles were examined."""
        return {
            event["event_data"]["host"]
            for event in self.events
            if event["event"] == "runner_on_ok" and "Validating" in event["event_data"]["task"]
        }


@pytest.fixture
def runner(installation: Installation, tmp_path: Path) -> Runner:
    folder = installation.folder
    for name in ("design", "first", "second"):
        shutil.rmtree(folder / name, ignore_errors=True)
    return Runner(installation)


def test_a_playbook_for_the_whole_service_runs_on_a_worker(runner: Runner) -> None:
    job = runner.job("design", "heiiki.network.design", runner.inventory["managed"]["hosts"])
    assert "failed=0" in job.said()
    assert [event["event"] for event in job.events].count("runner_on_ok") == 2


def test_two_slices_on_two_workers_are_the_whole_service(runner: Runner) -> None:
    """Each compiles the service for itself; the devices of the other slice are none of its affair."""
    managed = runner.inventory["managed"]["hosts"]
    slices = (managed[::2], managed[1::2])
    options = ("--check", "--tags", "compile")
    jobs = [
        runner.job(name, "heiiki.network.site", hosts, *options)
        for name, hosts in zip(("first", "second"), slices, strict=True)
    ]
    assert ["failed=0" in job.said() for job in jobs] == [True, True]
    assert [job.hosts for job in jobs] == [set(hosts) for hosts in slices]
    for job in jobs:
        built = job.folder / "worker/project/artifacts/build.check"
        assert sorted(path.parent.name for path in built.glob("*/manifest.json")) == sorted(managed)
