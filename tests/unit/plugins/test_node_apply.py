"""The node's side of a role, in a temporary root: compare, validate, install, apply, check, restore."""

import base64
import contextlib
import getpass
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import pytest
from ansible_collections.heiiki.network.plugins.module_utils.journal import Journal
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import (
    Outcome,
    apply,
)
from ansible_collections.heiiki.network.plugins.module_utils.node_files import NodeError
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import (
    ManagedFile,
    ManagedService,
    parse,
)
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import ServiceError

from heiiki.render.model import RenderedFile, Service

ME = getpass.getuser()
KEY = "{{secret:sims/umeda:k}}"
VALUE = "00112233445566778899aabbccddeeff"


@dataclass
class Manager:
    """Services as files, so that what they are survives the process that started them."""

    root: Path
    refuses: str = ""
    calls: list[str] = field(default_factory=list)
    prepared: list[tuple[list[str], list[str]]] = field(default_factory=list)

    def _do(self, verb: str, name: str, state: str | None) -> None:
        self.calls.append(f"{verb} {name}")
        if f"{verb} {name}" == self.refuses:
            self.refuses = ""
            raise ServiceError(f"{name} refuses to {verb}")
        path = self.root / f"service.{name}"
        if state is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(state)

    def _config(self, name: str) -> str:
        path = self.root / f"etc/{name}.conf"
        return path.read_text() if path.exists() else ""

    def prepare(self, names: Sequence[str], starting: Sequence[str]) -> None:
        assert set(starting) <= set(names)
        self.prepared.append((list(names), list(starting)))

    def start(self, *names: str) -> None:
        for name in names:
            self._do("start", name, self._config(name))

    def reload(self, name: str) -> None:
        self._do("reload", name, self._config(name))

    def restart(self, name: str) -> None:
        self._do("restart", name, self._config(name))

    def stop(self, name: str) -> None:
        self._do("stop", name, None)

    def is_active(self, name: str) -> bool:
        return (self.root / f"service.{name}").exists()


def file(name: str, content: str, **more: object) -> ManagedFile:
    made = ManagedFile(f"/etc/{name}.conf", content, "0644", ME, service=name)
    return replace(made, **more)


@dataclass
class Node:
    root: Path
    manager: Manager
    values: dict[str, str] = field(default_factory=lambda: {KEY: VALUE})

    def service(self, name: str, **more: object) -> ManagedService:
        return replace(ManagedService(name, running=("cat", str(self.root / f"service.{name}"))), **more)

    def apply(
        self, files: Sequence[ManagedFile], services: Sequence[ManagedService] = (), *, check: bool = False
    ) -> Outcome:
        self.manager.calls.clear()
        return apply(files, services, secrets=self.values, manager=self.manager, root=self.root, check=check)

    def text(self, name: str) -> str | None:
        path = self.root / f"etc/{name}.conf"
        return path.read_text() if path.exists() else None

    def tree(self) -> dict[str, bytes]:
        """Everything on the node but the lock."""
        found = (path for path in sorted(self.root.rglob("*")) if path.is_file() and path.name != "lock")
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a disk keeps after a power cut is not tried here; waiting for it would take most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, Manager(tmp_path))


def test_the_schema_of_the_manifest_is_the_compilers() -> None:
    def known(kind: type) -> dict[str, object]:
        return {found.name: found.default for found in fields(kind)}

    compiled = {name: default for name, default in known(RenderedFile).items() if name != "requirements"}
    assert known(ManagedFile) == compiled
    assert known(ManagedService) == known(Service)


def test_an_entry_of_a_manifest_is_read_by_the_same_fields() -> None:
    entry = {"path": "/etc/a", "content": "x", "validate": ["true", "{path}"], "requirements": ["R-GAP"]}
    assert parse(ManagedFile, [entry]) == [ManagedFile("/etc/a", "x", validate=("true", "{path}"))]
    with pytest.raises(
        ValueError, match=r"^an entry of the manifest is incomplete \(.*'path'.*compile again$"
    ):
        parse(ManagedFile, [{"content": "x"}])


def test_a_bare_node_gets_its_files_and_services(node: Node) -> None:
    outcome = node.apply([file("a", "one\n")], [node.service("a")])
    assert (outcome.changed, outcome.files, outcome.services) == (True, ("/etc/a.conf",), {"a": "started"})
    assert node.text("a") == "one\n"
    assert node.manager.calls == ["start a"]


def test_a_second_run_changes_nothing(node: Node) -> None:
    node.apply([file("a", "one\n")], [node.service("a")])
    before = node.tree()
    assert node.apply([file("a", "one\n")], [node.service("a")]) == Outcome(changed=False)
    assert (node.manager.calls, node.tree()) == ([], before)


def test_check_mode_says_the_same_and_touches_nothing(node: Node) -> None:
    told = node.apply([file("a", "one\n")], [node.service("a")], check=True)
    assert node.tree() == {}
    assert told == node.apply([file("a", "one\n")], [node.service("a")])


def test_owner_and_mode_are_set_and_compared(node: Node) -> None:
    node.apply([file("a", "one\n", mode="0600")])
    path = node.root / "etc/a.conf"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o666)
    outcome = node.apply([file("a", "one\n", mode="0600")])
    assert outcome.diff[0]["prepared"].startswith("/etc/a.conf: ")
    assert outcome.diff[0]["prepared"].endswith(" 0600\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_unknown_owner_is_refused_by_name(node: Node) -> None:
    with pytest.raises(NodeError) as caught:
        node.apply([file("a", "one\n", owner="nobody-at-all")])
    assert str(caught.value) == (
        "/etc/a.conf: the node has no user nobody-at-all: install the package that brings it"
    )
    assert node.tree() == {}


def test_a_changed_file_asks_of_its_service_what_the_manifest_says(node: Node) -> None:
    services = [node.service("a", on_change="reload"), node.service("b"), node.service("c")]
    node.apply([file(name, "one\n") for name in "abc"], services)
    outcome = node.apply([file("a", "two\n"), file("b", "two\n"), file("c", "one\n")], services)
    assert outcome.services == {"a": "reloaded", "b": "restarted"}
    assert node.manager.calls == ["reload a", "restart b"]
    assert node.manager.prepared[-1] == (["a", "b"], [])


def test_what_is_read_at_the_start_only_asks_for_a_restart(node: Node) -> None:
    read_once = ManagedFile("/etc/frr/daemons", "bgpd=yes\n", owner=ME, service="frr")
    service = replace(node.service("frr", on_change="reload", running=()), restart_on=(read_once.path,))
    node.manager._do("start", "frr", "")
    assert node.apply([read_once], [service]).services == {"frr": "restarted"}


def test_a_file_that_services_share_restarts_each_that_names_it(node: Node) -> None:
    path = "/usr/local/lib/heiiki/shared.pyz"
    shared = ManagedFile(path, base64.b64encode(b"\xffPK1").decode(), owner=ME, encoding="base64")
    services = [
        replace(node.service(name, on_change="reload"), restart_on=(path,) if name < "c" else ())
        for name in "abc"
    ]
    node.apply([shared, file("c", "one\n")], services)
    assert (node.root / path.lstrip("/")).read_bytes() == b"\xffPK1"
    newer = replace(shared, content=base64.b64encode(b"\xffPK2").decode())
    outcome = node.apply([newer, file("c", "one\n")], services)
    assert outcome.services == {"a": "restarted", "b": "restarted"}
    assert "not text, sha256" in outcome.diff[0]["after"]


def test_a_changed_unit_asks_for_a_restart(node: Node) -> None:
    unit = ManagedFile("/etc/systemd/system/a.service", "[Service]\n", owner=ME, service="a")
    service = node.service("a", on_change="reload")
    node.apply([unit], [service])
    outcome = node.apply([replace(unit, content="[Service]\nNice=1\n")], [service])
    assert outcome.services == {"a": "restarted"}


def test_a_service_that_died_is_started_although_no_file_changed(node: Node) -> None:
    node.apply([file("a", "one\n")], [node.service("a")])
    (node.root / "service.a").unlink()
    outcome = node.apply([file("a", "one\n")], [node.service("a")])
    assert (outcome.changed, outcome.files, outcome.services) == (True, (), {"a": "started"})


def test_a_running_configuration_that_drifted_is_reloaded_and_told(node: Node) -> None:
    node.apply([file("a", "one\n")], [node.service("a")])
    (node.root / "service.a").write_text("changed by hand")
    outcome = node.apply([file("a", "one\n")], [node.service("a")])
    assert (outcome.changed, outcome.services) == (True, {"a": "reloaded"})
    assert "its running configuration is not what was applied" in outcome.diff[0]["prepared"]
    assert node.apply([file("a", "one\n")], [node.service("a")]).changed is False


def test_what_runs_is_compared_with_the_files_where_they_say_it(node: Node) -> None:
    service = node.service("a", on_change="reload", wanted=("cat", str(node.root / "etc/a.conf")))
    node.apply([file("a", "one\ntwo\n")], [service])
    assert node.apply([file("a", "one\ntwo\n")], [service]).changed is False
    (node.root / "service.a").write_text("one\nby hand\ntwo\n")
    seen = node.apply([file("a", "one\ntwo\n")], [service], check=True)
    assert (seen.changed, seen.services) == (True, {"a": "reloaded"})
    assert "-by hand\n" in seen.diff[0]["prepared"]
    assert (node.root / "service.a").read_text() == "one\nby hand\ntwo\n"
    assert node.apply([file("a", "one\ntwo\n")], [service]).services == {"a": "reloaded"}
    assert node.apply([file("a", "one\ntwo\n")], [service]).changed is False


def test_what_runs_is_not_compared_with_files_that_change(node: Node) -> None:
    """An earlier file may be one from which nothing can be had: it is replaced, not an obstacle."""
    service = node.service("a", on_change="reload", wanted=("cat", str(node.root / "etc/a.conf")))
    node.apply([file("a", "one\n")], [service])
    (node.root / "etc/a.conf").unlink()
    outcome = node.apply([file("a", "one\n")], [service])
    assert (outcome.files, outcome.services) == (("/etc/a.conf",), {"a": "reloaded"})


def test_drift_of_one_service_is_seen_beside_a_change_of_another(node: Node) -> None:
    services = [node.service("a"), node.service("b")]
    node.apply([file("a", "one\n"), file("b", "one\n")], services)
    (node.root / "service.a").write_text("changed by hand")
    outcome = node.apply([file("a", "one\n"), file("b", "two\n")], services)
    assert outcome.services == {"a": "reloaded", "b": "restarted"}


def test_files_and_services_that_left_the_manifest_go(node: Node) -> None:
    node.apply([file("a", "one\n"), file("b", "one\n")], [node.service("a"), node.service("b")])
    outcome = node.apply([file("a", "one\n")], [node.service("a")])
    assert (outcome.files, outcome.services) == (("/etc/b.conf",), {"b": "stopped"})
    assert (node.text("b"), node.manager.is_active("b")) == (None, False)
    assert node.apply([file("a", "one\n")], [node.service("a")]).changed is False


def test_a_file_that_was_never_ours_stays(node: Node) -> None:
    (node.root / "etc").mkdir()
    (node.root / "etc/other.conf").write_text("theirs")
    node.apply([file("a", "one\n")])
    node.apply([])
    assert (node.text("a"), node.text("other")) == (None, "theirs")


def test_every_candidate_is_validated_before_the_first_is_installed(node: Node) -> None:
    good = file("a", "good\n", validate=("grep", "-q", "good", "{path}"))
    bad = file("b", "bad\n", validate=("grep", "-q", "good", "{path}"))
    with pytest.raises(NodeError, match=r"^/etc/b\.conf is refused, nothing was changed: "):
        node.apply([good, bad], [node.service("a")])
    assert (node.tree(), node.manager.calls) == ({}, [])


def test_the_candidate_stands_where_no_service_can_change_it(node: Node) -> None:
    """A folder of /etc may be a service's own: it could put another text there after the validation."""
    look = (
        "sh",
        "-c",
        f"cd $(dirname $1); pwd > {node.root}/seen; stat -c %a . .. >> {node.root}/seen",
        "sh",
        "{path}",
    )
    node.apply([file("a", "one\n", mode="0640", validate=look)])
    assert (node.root / "seen").read_text() == f"{node.root}/var/lib/heiiki/journal/staged\n700\n700\n"
    assert (node.root / "etc/a.conf").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("verb", ["reload", "restart"])
def test_a_refused_change_brings_the_old_files_and_services_back(node: Node, verb: str) -> None:
    services = [node.service("a", on_change=verb), node.service("b")]
    node.apply([file("a", "one\n"), file("b", "one\n")], services)
    before = node.tree()
    node.manager.refuses = f"{verb} a"
    with pytest.raises(NodeError) as caught:
        node.apply([file("a", "two\n"), file("b", "two\n"), file("c", "new\n")], services)
    assert str(caught.value) == f"a refuses to {verb} (the node is as it was)"
    assert node.tree() == before


def test_a_refused_first_start_leaves_a_bare_node(node: Node) -> None:
    node.manager.refuses = "start b"
    with pytest.raises(NodeError, match="the node is as it was"):
        node.apply([file("a", "one\n"), file("b", "one\n")], [node.service("a"), node.service("b")])
    assert node.tree() == {}


def test_an_unhealthy_service_brings_the_old_state_back(node: Node) -> None:
    healthy = ("grep", "-q", "one", str(node.root / "service.a"))
    service = node.service("a", health=healthy, health_s=0.3)
    node.apply([file("a", "one\n")], [service])
    before = node.tree()
    with pytest.raises(NodeError, match=r"^a is not healthy after 0\.3 s: "):
        node.apply([file("a", "two\n")], [service])
    assert node.tree() == before


def test_what_cannot_be_restored_is_said(node: Node) -> None:
    service = node.service("a", on_change="reload")
    node.apply([file("a", "one\n")], [service])

    def refuse(name: str) -> None:
        raise ServiceError(f"{name} is broken")

    node.manager.reload = refuse  # type: ignore[method-assign]
    with pytest.raises(NodeError) as caught:
        node.apply([file("a", "two\n")], [service])
    assert str(caught.value) == ("a is broken (restored, but service a could not be restored: a is broken)")
    assert node.text("a") == "one\n"


def test_a_link_is_refused(node: Node) -> None:
    (node.root / "etc").mkdir()
    (node.root / "etc/a.conf").symlink_to("/dev/null")
    with pytest.raises(NodeError, match="is not a plain file: move it away"):
        node.apply([file("a", "one\n")])


def test_a_second_run_at_the_same_time_is_refused(node: Node) -> None:
    with Journal(node.root).alone(), pytest.raises(NodeError, match="another run is at work on this node"):
        node.apply([file("a", "one\n")])


class TestSecrets:
    def test_a_placeholder_becomes_its_value_on_the_node(self, node: Node) -> None:
        node.apply([file("a", f"k={KEY}\n", mode="0600")])
        assert node.text("a") == f"k={VALUE}\n"

    def test_a_placeholder_without_a_value_is_refused(self, node: Node) -> None:
        with pytest.raises(NodeError) as caught:
            node.apply([file("a", "k={{secret:sims/namba:k}}\n")])
        assert str(caught.value) == "/etc/a.conf: no value was sent for {{secret:sims/namba:k}}"

    @pytest.mark.parametrize("secret", [True, False])
    def test_no_diff_shows_a_secret(self, node: Node, secret: bool) -> None:
        for run in (1, 2):
            outcome = node.apply([file("a", f"k={KEY}\nrun {run}\n", secret=secret)])
            assert outcome.changed
            assert VALUE not in repr(outcome)

    def test_a_file_whose_secrets_are_keys_of_routing_is_shown_without_them(self, node: Node) -> None:
        text = "router bgp 1\n neighbor 10.0.0.1 remote-as {}\n neighbor 10.0.0.1 password {}\n"
        node.apply([file("a", text.format(2, "canary-of-before"))])
        outcome = node.apply([file("a", text.format(3, KEY))])
        (entry,) = (one for one in outcome.diff if "before" in one)
        for side, number in (("before", 2), ("after", 3)):
            assert entry[side].splitlines()[1:3] == [
                f" neighbor 10.0.0.1 remote-as {number}",
                " neighbor 10.0.0.1 password (hidden)",
            ]
        assert VALUE not in repr(outcome)
        assert "canary" not in repr(outcome)
        before = entry["after"].splitlines()[-1]
        node.values[KEY] = "another value of it"
        (again,) = (one for one in node.apply([file("a", text.format(3, KEY))]).diff if "before" in one)
        assert again["before"].splitlines()[-1] == before != again["after"].splitlines()[-1]

    def test_no_error_shows_a_secret(self, node: Node) -> None:
        """A program that refuses a file, or fails to load it, prints lines of it."""
        show = ("sh", "-c", "cat {path}; exit 1")
        with pytest.raises(NodeError) as caught:
            node.apply([replace(file("a", f"k={KEY}\n"), validate=show)])
        assert "k=(hidden)" in str(caught.value)
        assert VALUE not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__

    def test_a_file_that_was_secret_is_not_shown_when_it_goes_or_is_secret_no_more(self, node: Node) -> None:
        node.apply([file("a", f"k={KEY}\n"), file("b", f"k={KEY}\n")])
        outcome = node.apply([file("a", "open\n")])
        assert VALUE not in repr(outcome)
        assert {entry["before"][:7] for entry in outcome.diff} == {"(secret"}

    def test_nothing_kept_on_the_node_beside_the_file_holds_the_secret(self, node: Node) -> None:
        node.apply([file("a", f"k={KEY}\n", mode="0600")])
        holders = [path for path, data in node.tree().items() if VALUE.encode() in data]
        assert holders == ["etc/a.conf"]


class _KilledError(BaseException):
    """Stands for SIGKILL: nothing in the product catches it."""


STEPS = ("replace", "unlink", "fsync", "mkdir", "rename", "rmdir")


def _cut_off(number: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Let the run die before its disk-changing system call `number`; tells how many there were."""
    count = 0

    def wrap(original: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count >= number:
                raise _KilledError
            return original(*args, **kwargs)

        return call

    for name in STEPS:
        monkeypatch.setattr(os, name, wrap(getattr(os, name)))
    return lambda: count


class TestKilled:
    """The process dies at each point in turn; the next run finds the old node or the new, never half."""

    def _first(self, node: Node) -> list[ManagedService]:
        services = [node.service("a", on_change="reload"), node.service("b"), node.service("old")]
        node.apply([file("a", "one\n"), file("b", "one\n"), file("old", "one\n")], services)
        return [*services[:2], node.service("new")]

    def _second(self, node: Node, services: Sequence[ManagedService]) -> Outcome:
        deep = replace(file("new", "two\n"), path="/etc/deep/er/new.conf")
        return node.apply([file("a", "two\n"), file("b", "two\n"), file("new", "two\n"), deep], services)

    def _configs(self, node: Node) -> dict[str, bytes]:
        return {
            path: data
            for path, data in node.tree().items()
            if "candidate" not in path and "journal" not in path
        }

    @pytest.mark.parametrize("number", range(1, 70))
    def test_at_every_step(self, node: Node, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        services = self._first(node)
        old = self._configs(node)
        with monkeypatch.context() as patched:
            steps = _cut_off(number, patched)
            with contextlib.suppress(_KilledError):
                self._second(node, services)
            reached = steps() >= number
        # The next run asks for the old manifest: it rolls back what it finds, and then has nothing else to
        # do, or, when the cut-off run had come to its end, all of it.
        again = [services[0], services[1], node.service("old")]
        first = [file("a", "one\n"), file("b", "one\n"), file("old", "one\n")]
        found = Journal(node.root).found()
        outcome = node.apply(first, again)
        assert self._configs(node) == old
        assert not [path for path in node.tree() if "journal/" in path]
        assert outcome.recovered == found
        if found:
            assert (outcome.files, outcome.services) == ((), {})
        elif reached:
            assert {len(outcome.files)} <= {0, 5}
        assert node.apply(first, again) == Outcome(changed=False)

    def test_the_steps_above_cover_the_whole_run(self, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        services = self._first(node)
        with monkeypatch.context() as patched:
            steps = _cut_off(1000, patched)
            self._second(node, services)
            assert 40 < steps() < 70

    def test_a_rollback_that_is_cut_off_is_done_again(
        self, node: Node, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        services = self._first(node)
        old = self._configs(node)
        with monkeypatch.context() as patched:
            _cut_off(38, patched)
            with pytest.raises(_KilledError):
                self._second(node, services)
        assert Journal(node.root).found()
        for number in range(1, 12):
            with monkeypatch.context() as patched:
                _cut_off(number, patched)
                with pytest.raises(_KilledError):
                    self._second(node, services)
        first = [file("a", "one\n"), file("b", "one\n"), file("old", "one\n")]
        assert node.apply(first, [*services[:2], node.service("old")]).recovered
        assert self._configs(node) == old

    def test_check_mode_tells_and_leaves_it(self, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        services = self._first(node)
        with monkeypatch.context() as patched:
            _cut_off(38, patched)
            with pytest.raises(_KilledError):
                self._second(node, services)
        before = node.tree()
        deep = file("a", "two\n")
        assert node.apply([deep], [], check=True).recovered
        assert node.tree() == before


def test_the_record_says_what_is_ours(node: Node) -> None:
    node.apply([file("a", f"k={KEY}\n")], [node.service("a", on_change="reload")])
    record = json.loads((node.root / "var/lib/heiiki/owned.json").read_text())
    assert record["files"] == {"/etc/a.conf": {"service": "a", "secret": True, "keyed": False}}
    assert record["services"] == [{"name": "a", "on_change": "reload"}]
    assert set(record["running"]) == {"a"}
