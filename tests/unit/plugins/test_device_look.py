"""The look at a device: what each step of provisioning would find to do. It changes nothing."""

import getpass
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.heiiki.network.plugins.module_utils import device_look
from ansible_collections.heiiki.network.plugins.module_utils.device_look import look
from ansible_collections.heiiki.network.plugins.module_utils.journal import Journal
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import apply
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import (
    ManagedFile,
    ManagedService,
    parse,
)

KEY = "{{secret:sims/one:k}}"
SESSION = {"peer": "one", "address": "10.0.0.1", "vrf": "default"}
CERTIFICATE: dict[str, Any] = {
    "names": {"dns": ["a.b"]},
    "renew_share": 0.66,
    "handed": False,
    "issuer_sha256": "aa",
    "anchors": [],
    "server_anchors": [],
}
FOUND: dict[str, Any] = {
    "names": {"dns": ["a.b"]},
    "share_used": 0.1,
    "issuer": "CN=I",
    "issuer_sha256": "aa",
    "serial": "01",
    "not_before": "2026-11-01",
    "not_after": "2026-12-01",
}
STATUS: dict[str, Any] = {"certificate": FOUND, "problems": [], "loaded": True}


@dataclass
class Services:
    """Services that start when told."""

    running: set[str] = field(default_factory=set)

    def start(self, *names: str) -> None:
        self.running.update(names)

    reload = restart = start

    def stop(self, name: str) -> None:
        self.running.discard(name)

    def prepare(self, names: Sequence[str], starting: Sequence[str]) -> None:
        """Nothing to take up."""

    def is_active(self, name: str) -> bool:
        return name in self.running


class Node:
    """A node to which a build of two files, one with a secret, and a service was applied."""

    def __init__(self, root: Path) -> None:
        self.root, self.manager = root, Services()
        self.loaded = root / "loaded"
        self.loaded.write_text("as applied")
        owner = {"owner": getpass.getuser(), "mode": "0644", "service": "d", "secret": False, "validate": []}
        self.files = [
            {"path": f"/etc/{name}", "content": f"{name} {text}\n", "encoding": "utf-8", **owner}
            for name, text in (("a", "plain"), ("b", KEY))
        ]
        self.services = [
            {"name": "d", "on_change": "reload", "health": [], "running": ["cat", str(self.loaded)]}
        ]
        self.secrets = {KEY: "0011"}
        self.apply()

    def apply(self) -> None:
        files, services = parse(ManagedFile, self.files), parse(ManagedService, self.services)
        apply(files, services, secrets=self.secrets, manager=self.manager, root=self.root)

    def look(self, *, check: bool = False, **more: Any) -> dict[str, Any]:
        base: dict[str, Any] = {"files": self.files, "services": self.services, "secrets": self.secrets}
        base |= {"sessions": [], "certificate_wanted": {}}
        base |= {"device": "d", "program": "/none.py", "config": "/none.json", "accounts": [], "links": {}}
        base |= {"programs": {}, "features": [], "steps": ["apply", "certificate", "ready"]}
        before = self.tree()
        seen = look(base | more, self.manager, check=check, root=self.root)
        assert self.tree() == before
        return seen

    def tree(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(self.root.rglob("*")) if path.is_file()}


NOTHING = {"apply": "", "unprepared": False, "missing": [], "certificate": {}, "ready": []}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_device_that_was_just_provisioned_has_nothing_to_do(node: Node) -> None:
    assert node.look() == NOTHING


def test_each_difference_is_a_reason_to_apply(node: Node) -> None:
    (node.root / "etc/a").write_text("other\n")
    assert node.look()["apply"] == "/etc/a differs"
    node.apply()
    node.secrets = {KEY: "2233"}
    assert node.look()["apply"] == "/etc/b differs"
    node.apply()
    (node.root / "etc/b").chmod(0o600)
    assert node.look()["apply"] == "/etc/b differs"
    node.apply()
    node.manager.stop("d")
    assert node.look()["apply"] == "service d is to be started"
    node.apply()
    node.loaded.write_text("changed by hand")
    assert node.look()["apply"] == "service d is to be reloaded"


def test_a_bare_node_and_a_build_of_other_files_are_reasons_to_apply(node: Node, tmp_path: Path) -> None:
    node.files[0] = {**node.files[0], "service": ""}
    assert node.look()["apply"] == "the record of the last run names other files or services"
    del node.files[0]
    assert node.look()["apply"] == "/etc/a differs"
    node.root = tmp_path / "bare"
    assert node.look()["apply"] == "/etc/b differs"


def test_what_cannot_be_compared_is_a_reason_to_apply(node: Node) -> None:
    node.files[0] = {**node.files[0], "owner": "no-such-user"}
    assert node.look()["apply"] == (
        "/etc/a: the node has no user no-such-user: install the package that brings it"
    )


def test_a_run_that_was_cut_off_is_a_reason_to_apply(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Journal, "found", lambda _: True)
    assert node.look()["apply"] == "an earlier run was cut off"


def test_an_account_and_links_that_are_missing_are_reasons_to_apply(node: Node) -> None:
    seen = node.look(accounts=["no-such-user"])
    assert (seen["apply"], seen["unprepared"]) == ("there is no account no-such-user", True)
    (node.root / "etc/program").symlink_to("/opt/one")
    assert node.look(links={"/etc/program": "/opt/one"}) == NOTHING
    assert node.look(links={"/etc/program": "/opt/two"})["apply"] == "/etc/program does not lead to /opt/two"
    assert node.look(links={"/etc/a": "/opt/one"})["apply"] == "/etc/a does not lead to /opt/one"


def test_what_the_node_lacks_is_looked_for_only_where_something_is_to_be_applied(node: Node) -> None:
    lacks = {"no-such-program": "its-package"}
    assert node.look(programs=lacks) == NOTHING
    (node.root / "etc/a").unlink()
    assert node.look(programs=lacks)["missing"] == ["program no-such-program: install package its-package"]


def test_a_session_that_is_down_is_awaited(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = {"default": {"ipv4Unicast": {"peers": {"10.0.0.1": {"state": "Active"}}}}}
    monkeypatch.setattr(device_look, "bgp_summary", lambda: summary)
    assert node.look(sessions=[SESSION])["ready"] == ["one (10.0.0.1, VRF default): Active"]
    assert node.look(sessions=[SESSION], steps=["apply"])["ready"] == []
    monkeypatch.setattr(device_look, "bgp_summary", lambda: json.loads("no JSON"))
    assert node.look(sessions=[SESSION])["ready"] == ["Expecting value: line 1 column 1 (char 0)"]


@pytest.mark.parametrize(
    ("status", "wanted", "changed", "reasons"),
    [
        ({}, {}, False, []),
        ({"certificate": None}, {}, True, ["there is no certificate"]),
        ({"loaded": False}, {}, True, []),
        ({}, {"issuer_sha256": "bb"}, True, ["CN=I, which issued it, is no longer the issuing CA"]),
    ],
)
def test_the_certificate_is_assessed(
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    status: dict[str, Any],
    wanted: dict[str, Any],
    changed: bool,
    reasons: list[str],
) -> None:
    monkeypatch.setattr(device_look, "Program", lambda *_: lambda _: STATUS | status)
    seen = node.look(certificate_wanted=CERTIFICATE | wanted, check=True)["certificate"]
    assert (seen["changed"], seen["reasons"]) == (changed, reasons)


def test_a_certificate_that_cannot_be_assessed_is_due(node: Node) -> None:
    seen = node.look(certificate_wanted=CERTIFICATE, check=True)["certificate"]
    assert seen["unexamined"]
    assert seen["reasons"] == [
        "there is no /none.py: apply the device's build first (heiiki.network.linux_node)"
    ]


def test_only_check_mode_assesses_the_certificate(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_look, "Program", lambda *_: lambda _: STATUS | {"certificate": None})
    (node.root / "etc/a").unlink()
    assert node.look(certificate_wanted=CERTIFICATE)["certificate"] == {}
    seen = node.look(certificate_wanted=CERTIFICATE, check=True)
    assert (seen["apply"], seen["certificate"]["reasons"]) == ("/etc/a differs", ["there is no certificate"])
