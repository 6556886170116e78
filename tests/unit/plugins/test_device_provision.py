"""The steps that a node takes in one call: which follow which, and what a failure leaves of the answer."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.heiiki.network.plugins.module_utils import device_provision
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import DeviceError
from ansible_collections.heiiki.network.plugins.module_utils.device_provision import enrol, provision
from ansible_collections.heiiki.network.plugins.module_utils.node_apply import Outcome
from ansible_collections.heiiki.network.plugins.module_utils.node_files import NodeError
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import ServiceError

SEEN: dict[str, Any] = {"apply": "", "unprepared": False, "missing": [], "certificate": {}, "ready": []}
DUE = SEEN | {"apply": "/etc/a differs"}
GOOD: dict[str, Any] = {"changed": False, "reasons": [], "certificate": {"serial": "01"}}
ASKED = GOOD | {"reasons": ["there is no certificate"], "made": {"csr": "CSR"}}
WANTED = {"names": {}, "request": True}


class Steps:
    """The steps, each answered as told, in the order in which they were taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken: list[str] = []
        self.answers: dict[str, Any] = {
            "look": SEEN,
            "apply": Outcome(changed=True, files=("/etc/a",), services={"frr": "started"}),
            "assess": GOOD,
            "install": {"changed": True, "certificate": {"serial": "02"}},
            "examine": {"services": ["frr"], "waited_s": 1.0},
        }
        monkeypatch.setattr(device_provision.device_look, "look", self._step("look"))
        for name in ("apply", "assess", "install", "examine"):
            monkeypatch.setattr(device_provision, name, self._step(name))

    def _step(self, name: str) -> Any:
        def take(*_: Any, **__: Any) -> Any:
            self.taken.append(name)
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return take

    def provision(self, *, check: bool = False, **given: Any) -> dict[str, Any]:
        base = {"device": "d", "sent": "", "steps": ["apply", "certificate", "ready"], "sessions": []}
        base |= {"wait_s": 5.0, "program": "/p", "config": "/c", "certificate_wanted": {}}
        return provision(base | given, manager=None, check=check, root=Path("/none"))  # type: ignore[arg-type]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def test_a_node_that_is_as_compiled_is_only_looked_at(steps: Steps) -> None:
    answer = steps.provision(certificate_wanted=WANTED)
    assert answer == {"changed": False, "due": {}, "assessed": GOOD}
    assert steps.taken == ["look", "assess"]


def test_a_bare_node_is_brought_to_its_request_and_waits_for_the_certificate(steps: Steps) -> None:
    steps.answers |= {"look": DUE, "assess": ASKED}
    answer = steps.provision(certificate_wanted=WANTED)
    assert steps.taken == ["look", "apply", "assess"]
    assert answer["due"] == {"apply": ["/etc/a differs"], "certificate": ["there is no certificate"]}
    assert (answer["changed"], answer["services"]) == (True, {"frr": "started"})
    assert answer["assessed"]["made"] == {"csr": "CSR"}
    assert "awaited" not in answer


def test_readiness_is_awaited_at_once_where_no_certificate_is_needed(steps: Steps) -> None:
    steps.answers["look"] = DUE
    answer = steps.provision()
    assert steps.taken == ["look", "apply", "examine"]
    assert (answer["waited_s"], answer["awaited"], answer["services"]) == (1.0, True, {"frr": "started"})
    assert "awaited" not in steps.provision(steps=["apply"])


def test_sessions_that_are_down_are_awaited(steps: Steps) -> None:
    steps.answers["look"] = SEEN | {"ready": ["a: Active"]}
    answer = steps.provision()
    assert (steps.taken, answer["due"]) == (["look", "examine"], {"ready": ["a: Active"]})


def test_trust_anchors_that_were_mended_are_a_change(steps: Steps) -> None:
    steps.answers["assess"] = GOOD | {"changed": True}
    answer = steps.provision(certificate_wanted=WANTED)
    assert answer["due"] == {"certificate": ["its trust anchors, or what uses it, are not up to date"]}
    assert steps.taken == ["look", "assess", "examine"]


def test_what_a_node_lacks_is_named_before_anything_is_changed(steps: Steps) -> None:
    steps.answers["look"] = DUE | {"missing": ["program a", "feature b"], "unprepared": True}
    answer = steps.provision(certificate_wanted=WANTED)
    assert (steps.taken, answer["failed"], answer["changed"]) == (["look"], True, False)
    assert answer["msg"] == "d: nothing was changed; this node lacks: program a; feature b"


def test_what_the_files_rely_on_is_left_to_the_action(steps: Steps) -> None:
    steps.answers["look"] = DUE | {"unprepared": True}
    answer = steps.provision()
    assert (steps.taken, answer["unprepared"]) == (["look"], True)


def test_an_application_that_fails_is_the_last_step(steps: Steps) -> None:
    steps.answers |= {"look": DUE, "apply": NodeError("refused (the node is as it was)")}
    answer = steps.provision(certificate_wanted=WANTED)
    assert steps.taken == ["look", "apply"]
    assert (answer["failed"], answer["changed"]) == (True, False)
    assert answer["msg"] == "d: refused (the node is as it was)"


@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        ("assess", DeviceError("no way to the server"), "d: no way to the server"),
        ("examine", ServiceError("not established after 5 s: a"), "not established after 5 s: a"),
    ],
)
def test_what_was_changed_is_told_beside_a_later_failure(
    steps: Steps, step: str, error: Exception, message: str
) -> None:
    steps.answers |= {"look": DUE, step: error}
    answer = steps.provision(certificate_wanted=WANTED)
    assert (answer["failed"], answer["msg"]) == (True, message)
    assert (answer["changed"], answer["files"]) == (True, ["/etc/a"])


def test_check_mode_takes_the_look_for_the_assessment_and_awaits_nothing(steps: Steps) -> None:
    steps.answers["look"] = DUE | {"certificate": ASKED}
    answer = steps.provision(check=True, certificate_wanted=WANTED)
    assert (steps.taken, answer["assessed"]) == (["look", "apply"], ASKED)


def test_a_certificate_is_installed_and_readiness_awaited_in_one_call(steps: Steps) -> None:
    given = {
        "device": "d",
        "steps": ["ready"],
        "sessions": [],
        "wait_s": 5.0,
        "program": "/p",
        "config": "/c",
    }
    answer = enrol(given)
    assert steps.taken == ["install", "examine"]
    assert answer == {"changed": True, "certificate": {"serial": "02"}, "waited_s": 1.0, "awaited": True}
    steps.answers["install"] = DeviceError("refused")
    assert enrol(given) == {"failed": True, "msg": "d: refused"}


def test_what_is_sent_is_unpacked(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    monkeypatch.setattr(
        device_provision.device_look, "look", lambda wanted, *_, **__: looked.append(wanted) or SEEN
    )
    sent = {"files": [{"path": "/a"}], "services": [], "secrets": {"x": "y"}}
    steps.provision(sent=base64.b64encode(zlib.compress(json.dumps(sent).encode())).decode())
    assert {key: looked[0][key] for key in sent} == sent
