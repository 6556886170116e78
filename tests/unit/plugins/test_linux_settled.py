"""linux_settled: a node is passed over only when every part of its role would find nothing to do."""

import getpass
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import (
    ManagedFile,
    ManagedService,
    apply,
)
from ansible_collections.heiiki.network.plugins.modules import linux_settled
from ansible_collections.heiiki.network.plugins.modules.linux_settled import unsettled
from ansible_collections.heiiki.network.plugins.plugin_utils.build import expected

SESSION = {"peer": "one", "address": "10.0.0.1", "vrf": "default"}
CERTIFICATE: dict[str, Any] = {
    "names": {"dns": ["a.b"]},
    "renew_share": 0.66,
    "issuer_sha256": "aa",
    "force": False,
    "anchors": [],
    "server_anchors": [],
}
STATUS: dict[str, Any] = {
    "certificate": {"names": {"dns": ["a.b"]}, "share_used": 0.1, "issuer_sha256": "aa"},
    "problems": [],
    "loaded": True,
}


@dataclass
class Services:
    """Services that start when told."""

    running: set[str] = field(default_factory=set)

    def start(self, name: str) -> None:
        self.running.add(name)

    reload = restart = start

    def stop(self, name: str) -> None:
        self.running.discard(name)

    def is_active(self, name: str) -> bool:
        return name in self.running


class Node:
    """A node to which two files and a service were applied, as the role does it."""

    def __init__(self, root: Path) -> None:
        self.root, self.manager = root, Services()
        self.loaded = root / "loaded"
        self.loaded.write_text("as applied")
        owner = getpass.getuser()
        self._files = [ManagedFile(f"/etc/{name}", f"{name}\n", owner=owner, service="d") for name in "ab"]
        self.service = ManagedService("d", "reload", running=("cat", str(self.loaded)))
        apply(self._files, [self.service], secrets={}, manager=self.manager, root=root)

    def wanted(self, **more: Any) -> dict[str, Any]:
        files = [
            {
                "path": file.path,
                "sha256": hashlib.sha256(file.content.encode()).hexdigest(),
                "mode": file.mode,
                "owner": file.owner,
                "service": file.service,
                "secret": False,
            }
            for file in self._files
        ]
        services = [{"name": "d", "on_change": "reload", "running": list(self.service.running)}]
        base = {"files": files, "services": services, "sessions": [], "wanted": {}, "links": {}}
        return base | {"program": "/none.py", "config": "/none.json"} | more

    def why(self, **more: Any) -> list[str]:
        return list(unsettled(self.wanted(**more), self.manager, self.root))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_what_was_just_applied_is_settled(node: Node) -> None:
    assert node.why() == []


def test_a_node_that_nothing_was_applied_to_is_not(tmp_path: Path) -> None:
    assert list(unsettled({}, Services(), tmp_path)) == ["nothing was applied yet"]


def test_each_difference_is_seen(node: Node) -> None:
    (node.root / "etc/a").write_text("other\n")
    (node.root / "etc/b").chmod(0o600)
    node.loaded.write_text("changed by hand")
    assert node.why() == [
        "/etc/a differs",
        "/etc/b has another owner or mode",
        "the running configuration of d is not what was applied",
    ]
    (node.root / "etc/a").unlink()
    node.manager.stop("d")
    assert node.why()[::2] == ["/etc/a differs", "d does not run"]


def test_a_build_with_more_or_fewer_files_or_services_is_another(node: Node) -> None:
    fewer = node.wanted()["files"][:1]
    assert node.why(files=fewer) == ["other files than those of the build were applied"]
    assert node.why(services=[]) == ["other services than those of the build were applied"]


def test_a_link_that_leads_elsewhere_is_seen(node: Node) -> None:
    (node.root / "etc/program").symlink_to("/opt/one")
    assert node.why(links={"/etc/program": "/opt/one"}) == []
    assert node.why(links={"/etc/program": "/opt/two", "/etc/a": "/opt/one"}) == [
        "/etc/program does not lead to /opt/two",
        "/etc/a does not lead to /opt/one",
    ]


def test_a_run_that_was_cut_off_is_for_the_role(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_settled.Journal, "found", lambda _: True)
    assert node.why() == ["an earlier run was cut off"]


def test_a_session_that_is_down_is_for_the_role_to_wait_for(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = {"default": {"ipv4Unicast": {"peers": {"10.0.0.1": {"state": "Active"}}}}}
    monkeypatch.setattr(linux_settled, "run", lambda _: json.dumps(summary))
    assert node.why(sessions=[SESSION]) == ["one (10.0.0.1, VRF default): Active"]


@pytest.mark.parametrize(
    ("status", "wanted", "why"),
    [
        ({}, {}, []),
        ({"certificate": None}, {}, ["there is no certificate"]),
        ({"loaded": False}, {}, ["what uses the certificate has not loaded it"]),
        ({}, {"issuer_sha256": "bb"}, ["CN=I, which issued it, is no longer the issuing CA"]),
    ],
)
def test_the_certificate_is_looked_at(
    node: Node,
    monkeypatch: pytest.MonkeyPatch,
    status: dict[str, Any],
    wanted: dict[str, Any],
    why: list[str],
) -> None:
    found = STATUS | status
    if found["certificate"]:
        found["certificate"] = {**found["certificate"], "issuer": "CN=I"}
    monkeypatch.setattr(linux_settled, "Program", lambda *_: lambda _: found)
    assert node.why(wanted=CERTIFICATE | wanted) == why


@pytest.mark.parametrize(("content", "secret"), [("{{secret:a/b:c}}", False), ("plain", True)])
def test_the_controller_knows_no_digest_of_a_secret(tmp_path: Path, content: str, secret: bool) -> None:
    entry = {"path": "/etc/a", "sha256": "1", "mode": "0644", "owner": "root", "service": "", "validate": []}
    (tmp_path / "d/etc").mkdir(parents=True)
    (tmp_path / "d/etc/a").write_text(content)
    manifest = {"files": [{**entry, "secret": secret}], "services": []}
    (tmp_path / "d/manifest.json").write_text(json.dumps(manifest))
    assert expected(tmp_path, "d") == (None, [])
    (tmp_path / "d/etc/a").write_text("plain")
    manifest["files"][0]["secret"] = False
    (tmp_path / "d/manifest.json").write_text(json.dumps(manifest))
    files, _ = expected(tmp_path, "d")
    assert files == [{key: value for key, value in manifest["files"][0].items() if key != "validate"}]
