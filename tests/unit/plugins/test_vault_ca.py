"""vault_ca: what the node says is kept, compared, shown; what is no certificate is refused."""

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.heiiki.network.plugins.action.vault_ca import ActionModule

from heiiki.state import FileSecrets

LAB = Path(__file__).parents[3] / "inventories" / "lab"
ONE, TWO = (f"-----BEGIN CERTIFICATE-----\n{word}\n-----END CERTIFICATE-----\n" for word in ("one", "two"))


class _Action(ActionModule):
    """The action without Ansible around it: the node answers as told."""

    def __init__(self, state: Path, answer: dict[str, Any], *, check: bool) -> None:
        self._arguments = {
            "path": "/run/heiiki/vault-anchors.pem",
            "service_dir": str(LAB),
            "secret_state": str(state),
        }
        self._answer = answer
        self._task = type("Task", (), {"check_mode": check})()

    def validate_argument_spec(self, *_: Any, **__: Any) -> tuple[None, dict[str, Any]]:
        return None, self._arguments

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        assert call["module_name"] == "ansible.builtin.slurp"
        assert call["module_args"] == {"src": "/run/heiiki/vault-anchors.pem"}
        return self._answer


@pytest.fixture(autouse=True)
def _no_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})


def run(state: Path, text: str, *, check: bool = False) -> dict[str, Any]:
    return answered(state, {"content": base64.b64encode(text.encode()).decode()}, check=check)


def answered(state: Path, answer: dict[str, Any], *, check: bool = False) -> dict[str, Any]:
    return _Action(state, answer, check=check).run(task_vars={})


def test_what_vouches_for_the_server_is_kept(tmp_path: Path) -> None:
    result = run(tmp_path, ONE + TWO)
    assert (result["changed"], result["certificates"]) == (True, 2)
    assert (result["diff"]["before"], result["diff"]["after"]) == ("", ONE + TWO)
    assert FileSecrets(tmp_path).read("vault/ca", "pem") == ONE + TWO


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path, ONE)
    assert run(tmp_path, ONE) == {"changed": False, "certificates": 1}


def test_another_one_takes_its_place(tmp_path: Path) -> None:
    run(tmp_path, ONE)
    assert run(tmp_path, TWO)["diff"]["before"] == ONE
    assert FileSecrets(tmp_path).read("vault/ca", "pem") == TWO


def test_check_mode_keeps_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, ONE, check=True)["changed"]
    assert not FileSecrets(tmp_path).has("vault/ca")


def test_a_server_that_never_started_is_a_failure_but_in_check_mode(tmp_path: Path) -> None:
    missing = {"failed": True, "msg": "file not found"}
    assert answered(tmp_path, missing)["failed"]
    assert answered(tmp_path, missing, check=True)["changed"]
    assert "failed" not in answered(tmp_path, missing, check=True)


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    run(tmp_path, ONE)
    result = run(tmp_path, "nothing of use")
    assert result["failed"]
    assert (
        result["msg"] == "/run/heiiki/vault-anchors.pem holds no certificate: see whether heiiki-vault runs"
    )
    assert FileSecrets(tmp_path).read("vault/ca", "pem") == ONE
