"""The action of module `device`: what follows from the node's answer, and what all answers come to."""

from typing import Any, ClassVar

import pytest
from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.heiiki.network.plugins.action import device as device_action
from ansible_collections.heiiki.network.plugins.action.device import ActionModule
from ansible_collections.heiiki.network.plugins.modules.device import STEPS

from heiiki.errors import VaultError, VaultFault

NOTHING: dict[str, Any] = {"changed": False, "due": {}}
APPLIED: dict[str, Any] = {
    "changed": True,
    "due": {"apply": ["/etc/a differs"]},
    "diff": [{"prepared": "x"}],
    "services": {"frr": "started"},
}
GOOD: dict[str, Any] = {"changed": False, "reasons": [], "certificate": {"serial": "01"}}
ASKED: dict[str, Any] = {
    "changed": False,
    "reasons": ["there is no certificate"],
    "certificate": None,
    "margin": False,
    "made": {"csr": "CSR", "generation": 7},
}
SESSIONS = [{"peer": "a", "address": "10.0.0.1", "vrf": "default"}, {"peer": "z", "address": "10.0.0.2"}]


class FakeEnrolment:
    """What a run shares about certificates."""

    problem = ""
    ordered: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, *_: Any, **_options: Any) -> None:
        self.warnings: list[str] = ["the CA is to be rotated"]

    def wanted(self, _device: str) -> dict[str, Any]:
        return {"names": {}}

    def refusal(self, device: str, certificate: dict[str, Any] | None) -> str:
        return f"{device} is revoked" if certificate == {"serial": "99"} else ""

    def order(self, device: str, csr: str) -> tuple[str, dict[str, Any]]:
        self.ordered.append((device, csr))
        return "TOKEN", {"url": "u"}


class Action(ActionModule):
    """The action without Ansible around it: calls are kept, and answered as told."""

    def __init__(self, *seen: dict[str, Any], check: bool = False, **given: Any) -> None:
        nothing = {"device": None, "build": "/build", "service_dir": "/s", "secret_state": None}
        base = {"certificate": False, "sessions": [], "wait_s": 5.0, "programs": {}, "features": []}
        base |= {"reinstate": False}
        base |= {"accounts": [], "links": {}, "steps": STEPS, "program": "/p", "config": "/c"}
        self._arguments = nothing | base | given
        self._seen = iter(seen)
        self._task = type("Task", (), {"check_mode": check})()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, dict[str, Any]] = {
            "heiiki.network.certificate": {"changed": True, "certificate": {"serial": "02"}},
            "heiiki.network.linux_ready": {"changed": False, "waited_s": 1.0, "services": ["frr"]},
        }

    def validate_argument_spec(self, *_: Any, **__: Any) -> tuple[None, dict[str, Any]]:
        return None, self._arguments

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        self.calls.append((call["module_name"], call["module_args"]))
        if call["module_name"] == "heiiki.network.device":
            return {**next(self._seen), "invocation": {}}
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
    monkeypatch.setattr(FakeEnrolment, "ordered", [])
    monkeypatch.setattr(ActionModule, "_build", lambda _: "packed")


def test_a_device_that_is_as_compiled_is_reached_once() -> None:
    action = Action(NOTHING | {"assessed": GOOD}, certificate=True, sessions=SESSIONS)
    result = action.play()
    assert (action.steps, result["changed"], result["due"]) == (["device"], False, {})
    assert result["certificate"] == {"serial": "01"}
    assert result["warnings"] == ["the CA is to be rotated"]


def test_a_new_device_is_called_twice_and_the_answers_are_put_together() -> None:
    installed = {"changed": True, "certificate": {"serial": "02"}, "waited_s": 1.0, "awaited": True}
    action = Action(APPLIED | {"assessed": ASKED}, installed, certificate=True, sessions=SESSIONS)
    result = action.play()
    assert action.steps == ["device", "device"]
    (_, first), (_, second) = action.calls
    assert first["certificate_wanted"] == {"names": {}, "request": True, "wait_s": 240}
    assert (first["sent"], "sent" in second) == ("packed", False)
    assert FakeEnrolment.ordered == [("d", "CSR")]
    assert (second["order"], second["token"]) == ({"url": "u", "generation": 7}, "TOKEN")
    assert second["sessions"] == SESSIONS[:1]
    assert (result["changed"], result["diff"]) == (True, [{"prepared": "x"}])
    assert (result["services"], result["waited_s"]) == ({"frr": "started"}, 1.0)
    assert (result["certificate"], result["reasons"]) == ({"serial": "02"}, ["there is no certificate"])
    assert not {"assessed", "awaited"} & result.keys()


def test_a_device_without_certificate_is_called_once() -> None:
    action = Action(APPLIED | {"waited_s": 2.0, "awaited": True}, sessions=SESSIONS)
    result = action.play()
    assert (action.steps, result["changed"], result["waited_s"]) == (["device"], True, 2.0)
    assert "awaited" not in result


def test_only_sessions_with_devices_earlier_in_the_play_are_awaited() -> None:
    action = Action(NOTHING, sessions=SESSIONS)
    action.play()
    assert action.calls[0][1]["sessions"] == SESSIONS[:1]


def test_what_becomes_of_a_revoked_device_is_for_the_action_that_issues() -> None:
    action = Action(NOTHING | {"assessed": GOOD | {"certificate": {"serial": "99"}}}, certificate=True)
    result = action.play()
    assert action.steps == ["device", "certificate", "linux_ready"]
    assert (result["due"], result["changed"]) == ({"certificate": ["d is revoked"]}, True)


def test_without_a_server_who_can_wait_is_left_alone_and_readiness_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeEnrolment, "problem", "it is sealed")
    kept = {"margin": True, "certificate": {"days_left": 3.0}, "reasons": ["67% of its life is gone"]}
    action = Action(APPLIED | {"assessed": ASKED | kept}, certificate=True)
    result = action.play()
    assert action.steps == ["device", "linux_ready"]
    assert action.calls[0][1]["certificate_wanted"]["request"] is False
    assert result["warnings"] == [
        "d: 3.0 days are left, and its certificate cannot be renewed now: it is sealed"
    ]


def test_without_a_server_who_has_no_certificate_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeEnrolment, "problem", "it is sealed")
    action = Action(APPLIED | {"assessed": ASKED}, certificate=True)
    with pytest.raises(AnsibleError, match=r"^d needs a certificate: there is no certificate. it is sealed$"):
        action.play()


def test_a_step_that_fails_is_the_last() -> None:
    failed = {"failed": True, "msg": "d: refused", "changed": True}
    action = Action(APPLIED | failed | {"assessed": ASKED}, certificate=True)
    result = action.play()
    assert (action.steps, result["failed"], result["msg"]) == (["device"], True, "d: refused")
    assert (result["changed"], result["diff"]) == (True, [{"prepared": "x"}])


def test_a_call_that_fails_is_the_answer() -> None:
    action = Action({"failed": True, "msg": "no systemd"})
    assert action.play() == {"failed": True, "msg": "no systemd", "changed": False, "diff": []}


def test_the_account_and_links_come_before_the_files() -> None:
    links = {"/usr/local/lib/h/vault": "/bin/bao"}
    action = Action(
        NOTHING | {"unprepared": True}, APPLIED | {"awaited": True}, accounts=["heiiki-vault"], links=links
    )
    result = action.play()
    assert action.steps == ["device", "user", "file", "file", "device"]
    assert action.calls[2][1]["path"] == "/usr/local/lib/h"
    assert action.calls[3][1] == {"path": "/usr/local/lib/h/vault", "src": "/bin/bao", "state": "link"}
    assert (result["changed"], "unprepared" in result) == (True, False)


def test_what_stays_unprepared_is_a_failure() -> None:
    unprepared = {"changed": False, "due": {"apply": ["there is no account x"]}, "unprepared": True}
    result = Action(unprepared, unprepared, accounts=["x"]).play()
    assert (result["failed"], result["msg"]) == (True, "d: it was prepared, but still there is no account x")


def test_check_mode_compares_no_files_of_an_account_that_is_not_there_yet() -> None:
    action = Action(NOTHING | {"unprepared": True}, check=True, accounts=["heiiki-vault"])
    assert (action.play()["changed"], action.steps) == (True, ["device", "user"])


def test_check_mode_awaits_nothing_and_examines_no_certificate_of_a_bare_node() -> None:
    unexamined = {"changed": True, "reasons": ["there is no /p"], "certificate": None, "unexamined": True}
    action = Action(APPLIED | {"assessed": unexamined}, check=True, certificate=True)
    result = action.play()
    assert action.steps == ["device"]
    assert result["warnings"] == ["d: the certificate is not examined: the build is not applied yet"]


def test_check_mode_has_no_token_made() -> None:
    would = ASKED | {"changed": True, "diff": [{"after": "serial: (a new one)"}]}
    action = Action(NOTHING | {"assessed": would}, check=True, certificate=True)
    result = action.play()
    assert (action.steps, FakeEnrolment.ordered) == (["device"], [])
    assert (result["changed"], result["diff"]) == (True, [{"after": "serial: (a new one)"}])


def test_one_step_alone_can_be_asked_for() -> None:
    action = Action(NOTHING | {"assessed": ASKED}, {"changed": True}, certificate=True, steps=["certificate"])
    action.play()
    assert action.steps == ["device", "device"]
    assert action.calls[0][1]["sent"] == ""


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


def test_a_look_needs_no_secret_and_a_change_does(capsys: pytest.CaptureFixture[str]) -> None:
    """In check mode a device is looked at before there is a server that could give its keys."""

    def refuse(path: str, _field: str) -> str:
        raise VaultError(f"secret {path}: away", VaultFault.UNREACHABLE)

    looking, changing = Action(check=True, device="x"), Action(device="x")
    for action in (looking, changing):
        action._device, action._check = "x", action is looking
        action._display = Display()
    assert looking._foreseeing(refuse)("routing/bgp/a--b", "key") is None
    assert "x: secret routing/bgp/a--b: away" in capsys.readouterr().err
    with pytest.raises(VaultError):
        changing._foreseeing(refuse)("routing/bgp/a--b", "key")
    assert looking._foreseeing(lambda _path, _field: "value")("a", "b") == "value"
