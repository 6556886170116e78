"""renew.yml has the Vault server take the newest log-in of the registration authority, on its host alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.action import registrar_log_in as action
from vendor_service import FOLDER

from heiiki.errors import HeiikiError
from heiiki.service import Service, opened

ROOT = Path(__file__).resolve().parents[3]
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
def folder(tmp_path: Path) -> Path:
    """A service with a registration authority."""
    made = tmp_path / "service"
    shutil.copytree(FOLDER, made)
    text = (made / "service.yml").read_text(encoding="utf-8")
    (made / "service.yml").write_text(f"{text}\nenrolment: est\n", encoding="utf-8")
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The services whose registration authority was asked; each time it has a new log-in."""
    seen: list[str] = []

    def admit(service: Service) -> bool:
        seen.append(service.plan.service)
        return True

    monkeypatch.setattr("heiiki.service.enrolment.admit_registrar", admit)
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    return seen


def run(folder: Path, host: str, *, check: bool = False) -> dict[str, Any]:
    return _Action({"service_dir": str(folder)}, check=check).run(task_vars={"inventory_hostname": host})


def test_its_host_alone_renews_it(folder: Path, asked: list[str]) -> None:
    host = opened(folder).plan.pki.registrar
    assert host is not None
    assert run(folder, "umeda-ce-a") == {"changed": False}
    assert (asked, run(folder, host.device, check=True)) == ([], {"changed": False})
    assert run(folder, host.device) == {"changed": True}
    assert len(asked) == 1


def test_a_service_without_one_asks_nobody(asked: list[str]) -> None:
    assert run(FOLDER, "dras") == {"changed": False}
    assert asked == []


def test_what_goes_wrong_is_a_warning(
    folder: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_service: Service) -> bool:
        raise HeiikiError("dras: does not answer")

    monkeypatch.setattr("heiiki.service.enrolment.admit_registrar", away)
    told = "the log-in of the registration authority on dras was not renewed: dras: does not answer"
    assert run(folder, "dras") == {"changed": False, "warnings": [told]}
    assert asked == []


def test_the_playbook_renews_it_after_the_certificate_of_its_host(folder: Path) -> None:
    (play,) = yaml.safe_load((ROOT / "playbooks/renew.yml").read_text(encoding="utf-8"))
    certificate, log_in = play["tasks"]
    assert certificate["ansible.builtin.import_tasks"] == "tasks/certificate.yml"
    assert log_in["heiiki.network.registrar_log_in"] == {"service_dir": "{{ heiiki_service_dir }}"}
    plan = opened(folder).plan
    assert plan.pki.registrar is not None
    assert log_in["when"] == f"heiiki_role == '{plan.device(plan.pki.registrar.device).role}'"
