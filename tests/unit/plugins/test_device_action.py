"""The action of module `device`: which steps are taken for which look, and what their answers come to."""

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.action import device as device_action
from ansible_collections.heiiki.network.plugins.action.device import ActionModule
from ansible_collections.heiiki.network.plugins.modules.device import STEPS

NOTHING: dict[str, Any] = {"apply": "", "missing": [], "certificate": {}, "ready": []}
GOOD: dict[str, Any] = {"changed": False, "reasons": [], "certificate": {"serial": "01"}}
SESSIONS = [{"peer": "a", "address": "10.0.0.1", "vrf": "default"}, {"peer": "z", "address": "10.0.0.2"}]


class FakeEnrolment:
    """What a run shares about certificates."""

    problem = ""

    def __init__(self, *_: Any) -> None:
        self.warnings: list[str] = ["the CA is to be rotated"]

    def wanted(self, _device: str) -> dict[str, Any]:
        return {"names": {}}

    def revoked(self, certificate: dict[str, Any] | None) -> bool:
        return certificate == {"serial": "99"}


class Action(ActionModule):
    """The action without Ansible around it: calls are kept, and answered as told."""

    def __init__(self, seen: dict[str, Any], *, check: bool = False, **given: Any) -> None:
        nothing = {"device": None, "build": "/build", "service_dir": "/s", "secret_state": None}
        base = {"certificate": False, "sessions": [], "wait_s": 5.0, "programs": {}, "features": []}
        base |= {"account": "", "links": {}, "steps": STEPS, "program": "/p", "config": "/c"}
        self._arguments = nothing | base | given
        self._seen = seen
        self._task = type("Task", (), {"check_mode": check})()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, dict[str, Any]] = {
            "heiiki.network.linux_node": {
                "changed": True,
                "diff": [{"prepared": "x"}],
                "services": {"frr": "started"},
            },
            "heiiki.network.certificate": {"changed": True, "certificate": {"serial": "02"}},
            "heiiki.network.linux_ready": {"changed": False, "waited_s": 1.0, "services": ["frr"]},
        }

    def validate_argument_spec(self, *_: Any, **__: Any) -> tuple[None, dict[str, Any]]:
        return None, self._arguments

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.calls.append((call["module_name"], call["module_args"]))
        if call["module_name"] == "heiiki.network.device":
            return {"changed": False, "seen": self._seen, "invocation": {}}
        return dict(self.answers.get(call["module_name"], {"changed": True}))

    def _action(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((name, arguments))
        return dict(self.answers[name])

    @property
    def steps(self) -> list[str]:
        return [name.rpartition(".")[2] for name, _ in self.calls]

    def play(self) -> dict[str, Any]:
        hosts = ["a", "d", "z"]
        return self.run(task_vars={"inventory_hostname": "d", "ansible_play_hosts_all": hosts})


@pytest.fixture(autouse=True)
def controller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})
    monkeypatch.setattr(device_action, "Enrolment", FakeEnrolment)
    monkeypatch.setattr(ActionModule, "_build", lambda _: {"files": [], "services": []})


def test_a_device_that_is_as_compiled_is_reached_once() -> None:
    action = Action(NOTHING | {"certificate": GOOD}, certificate=True, sessions=SESSIONS)
    result = action.play()
    assert (action.steps, result["changed"], result["due"]) == (["device"], False, {})
    assert result["certificate"] == {"serial": "01"}
    assert result["warnings"] == ["the CA is to be rotated"]


def test_a_new_device_gets_every_step_and_the_answers_are_put_together() -> None:
    action = Action(NOTHING | {"apply": "/etc/a differs"}, certificate=True, sessions=SESSIONS)
    result = action.play()
    assert action.steps == ["device", "linux_node", "certificate", "linux_ready"]
    assert (result["changed"], result["diff"]) == (True, [{"prepared": "x"}])
    assert (result["services"], result["waited_s"]) == ({"frr": "started"}, 1.0)
    assert result["due"] == {"apply": ["/etc/a differs"]}


def test_only_sessions_with_devices_earlier_in_the_play_are_awaited() -> None:
    action = Action(NOTHING | {"ready": ["a: Active"]}, sessions=SESSIONS)
    action.play()
    assert action.steps == ["device", "linux_ready"]
    assert [call["sessions"] for _, call in action.calls] == [SESSIONS[:1]] * 2


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (GOOD | {"changed": True, "reasons": ["67% of its life is gone"]}, ["67% of its life is gone"]),
        (GOOD | {"changed": True}, ["its trust anchors, or what uses it, are not up to date"]),
        (GOOD | {"certificate": {"serial": "99"}}, ["its CA has revoked it"]),
    ],
)
def test_a_certificate_that_is_due_is_seen_to_and_nothing_applied(
    seen: dict[str, Any], why: list[str]
) -> None:
    action = Action(NOTHING | {"certificate": seen}, certificate=True)
    result = action.play()
    assert action.steps == ["device", "certificate", "linux_ready"]
    assert (result["due"], result["changed"]) == ({"certificate": why}, True)


def test_what_a_node_lacks_is_named_before_anything_is_changed() -> None:
    action = Action(NOTHING | {"apply": "x", "missing": ["program a", "feature b"]}, certificate=True)
    result = action.play()
    assert (action.steps, result["failed"], result["changed"]) == (["device"], True, False)
    assert result["msg"] == "d: nothing was changed; this node lacks: program a; feature b"


def test_a_step_that_fails_is_the_last() -> None:
    action = Action(NOTHING | {"apply": "x"}, certificate=True)
    action.answers["heiiki.network.linux_node"] = {"failed": True, "msg": "refused"}
    result = action.play()
    assert (action.steps, result["failed"], result["msg"]) == (["device", "linux_node"], True, "refused")


def test_a_look_that_fails_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    action = Action({})
    monkeypatch.setattr(action, "_execute_module", lambda **_: {"failed": True, "msg": "no systemd"})
    assert action.play() == {"failed": True, "msg": "no systemd", "changed": False, "diff": []}


def test_the_account_and_links_come_before_the_files() -> None:
    action = Action(
        NOTHING | {"apply": "x"}, account="heiiki-vault", links={"/usr/local/lib/h/vault": "/bin/bao"}
    )
    action.play()
    assert action.steps == ["device", "user", "file", "file", "linux_node", "linux_ready"]
    assert action.calls[2][1]["path"] == "/usr/local/lib/h"
    assert action.calls[3][1] == {"path": "/usr/local/lib/h/vault", "src": "/bin/bao", "state": "link"}


def test_check_mode_compares_no_files_of_an_account_that_is_not_there_yet() -> None:
    action = Action(NOTHING | {"apply": "x"}, check=True, account="heiiki-vault")
    assert (action.play()["changed"], action.steps) == (True, ["device", "user"])


def test_check_mode_awaits_nothing_and_examines_no_certificate_of_a_bare_node() -> None:
    unexamined = {"changed": True, "reasons": ["there is no /p"], "certificate": None, "unexamined": True}
    action = Action(NOTHING | {"apply": "x", "certificate": unexamined}, check=True, certificate=True)
    result = action.play()
    assert action.steps == ["device", "linux_node"]
    assert result["warnings"] == ["d: the certificate is not examined: the build is not applied yet"]


def test_one_step_alone_can_be_asked_for() -> None:
    action = Action(
        NOTHING | {"certificate": GOOD | {"reasons": ["due"]}}, certificate=True, steps=["certificate"]
    )
    action.play()
    assert action.steps == ["device", "certificate"]
    assert "files" not in action.calls[0][1]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"service_dir": None, "certificate": True}, "d: service_dir is missing: it says what"),
        ({"build": None}, "d: build is missing: the folder that heiiki.network.compile wrote"),
    ],
)
def test_what_was_not_given_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], why: str
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})
    with pytest.raises(AnsibleError, match=why):
        Action(NOTHING, **given).play()


def test_the_look_sends_no_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})
    (tmp_path / "d/etc").mkdir(parents=True)
    (tmp_path / "d/etc/a").write_text("text")
    digest = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    entry = {
        "path": "/etc/a",
        "mode": "0644",
        "owner": "root",
        "service": "",
        "secret": False,
        "encoding": "utf-8",
    }
    entry |= {"sha256": digest, "validate": [], "requirements": []}
    manifest = str({"device": "d", "files": [entry], "services": []}).replace("'", '"')
    (tmp_path / "d/manifest.json").write_text(manifest.replace("False", "false"))
    action = Action(NOTHING, build=str(tmp_path), service_dir=None)
    action.play()
    (sent,) = action.calls[0][1]["files"]
    kept = entry.keys() - {"validate", "requirements", "encoding"}
    assert sent == {key: entry[key] for key in kept}
