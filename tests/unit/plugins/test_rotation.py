"""The action that replaces a CA: what it answers Ansible, what it keeps, and what the run forgets."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.action import rotation as action
from ansible_collections.heiiki.network.plugins.plugin_utils import enrolment

from heiiki.errors import RotationError
from heiiki.pki import rotation
from heiiki.pki.rotation import Done, Kind, Rotation, Step
from heiiki.service import Service

Run = Callable[..., dict[str, Any]]


class _Action(action.ActionModule):
    """The action without Ansible around it."""

    def __init__(self, arguments: dict[str, Any], *, check: bool) -> None:
        self._task = SimpleNamespace(check_mode=check)
        self._arguments = arguments

    def validate_argument_spec(self, spec: dict[str, Any], **_: Any) -> tuple[None, dict[str, Any]]:
        assert set(self._arguments) <= set(spec)
        return None, {**{name: option.get("default") for name, option in spec.items()}, **self._arguments}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Kind, bool, bool, Step]]:
    """The steps that are taken; RETIRE finds a device that is not ready."""
    seen: list[tuple[Kind, bool, bool, Step]] = []

    def take(self: Rotation, step: Step) -> Done:
        seen.append((self.kind, self.again, self.check, step))
        if step is Step.RETIRE:
            raise RotationError("1 of 9 devices are not known to use it")
        change = ("issuing-2", "CN=old\n", "CN=new\n")
        return Done("issuing-2", (change,), "1 of 3", "renew", {"dras": "has it"}, ("namba-gw is away",))

    monkeypatch.setattr(Rotation, "take", take)
    return seen


@pytest.fixture
def run(lab_inventory: Path, tmp_path: Path, taken: object, monkeypatch: pytest.MonkeyPatch) -> Run:
    assert taken == []

    @contextmanager
    def no_fleet(*_: Any) -> Any:
        yield None

    monkeypatch.setattr(Service, "fleet", no_fleet)
    monkeypatch.setattr(Service, "vault", lambda *_: None)
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})

    def call(*, check: bool = False, **arguments: Any) -> dict[str, Any]:
        common = {"service_dir": str(lab_inventory), "artifacts": str(tmp_path), "authority": "issuing"}
        return _Action({**common, "secret_state": str(tmp_path), **arguments}, check=check).run()

    return call


def test_the_answer_and_the_evidence(run: Run, taken: list[Any], tmp_path: Path) -> None:
    answer = run(step="begin", again=True)
    assert taken == [(Kind.ISSUING, True, False, Step.BEGIN)]
    assert (answer["changed"], answer["authority"], answer["phase"]) == (True, "issuing-2", "1 of 3")
    assert (answer["next"], answer["warnings"]) == ("renew", ["namba-gw is away"])
    assert answer["diff"][0]["after"] == "CN=new\n"
    assert json.loads(Path(answer["evidence"]).read_text())["steps"][0]["devices"] == {"dras": "has it"}
    assert Path(answer["evidence"]).parent == tmp_path / rotation.FOLDER


def test_the_evidence_says_when_it_is_over_and_then_stays_as_it_is(run: Run) -> None:
    run(step="begin")
    path = Path(run(step="finish")["evidence"])
    assert json.loads(path.read_text())["over"]
    assert "evidence" not in run(step="finish")
    assert [step["step"] for step in json.loads(path.read_text())["steps"]] == ["begin", "finish"]


def test_check_mode_keeps_nothing(run: Run, taken: list[Any], tmp_path: Path) -> None:
    assert "evidence" not in run(step="begin", check=True)
    assert taken[0][2]
    assert not (tmp_path / rotation.FOLDER).exists()


@pytest.mark.parametrize("step", ["begin", "retire"])
def test_the_run_asks_anew_who_signs_even_after_a_failure(
    run: Run, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {}

    def asked() -> None:
        enrolment.shared(tmp_path / "run", "key", make)

    asked()
    asked()
    assert len(made) == 1
    if step == "retire":
        with pytest.raises(AnsibleError, match=r"^1 of 9 devices are not known to use it$"):
            run(step=step)
    else:
        run(step=step)
    asked()
    assert len(made) == 2


def test_the_playbook_has_the_steps_in_their_order(root: Path) -> None:
    plays = yaml.safe_load((root / "playbooks/rotate.yml").read_text(encoding="utf-8"))
    steps = [
        task.get("vars", {}).get("rotation_step", "devices")
        for play in plays
        for task in play.get("tasks", ())
        if "ansible.builtin.debug" not in task
    ]
    assert steps == ["begin", "devices", "sign", "devices", "retire", "devices", "finish"]
