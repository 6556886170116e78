"""site.yml has the first of two hosts of a VTN write, once, and asks in check mode alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.action import vtn_writer as action
from ansible_collections.heiiki.network.plugins.inventory.intent import host_variables
from two_dras import EXAMPLE, with_two

from heiiki.errors import HeiikiError
from heiiki.service import Service
from heiiki.vtn_hosts import Takeover

ROOT = Path(__file__).resolve().parents[3]


class _Action(action.ActionModule):
    """The action without Ansible around it."""

    def __init__(self, *, check: bool) -> None:
        self._task = SimpleNamespace(check_mode=check)

    def validate_argument_spec(self, spec: dict[str, Any], **_: Any) -> tuple[None, dict[str, Any]]:
        return None, {**dict.fromkeys(spec), "service_dir": str(EXAMPLE)}


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the hosts of the VTN answer, and how they were asked."""
    made = SimpleNamespace(answer=None, changing=[])

    def begin_writing(_service: Service, *, change: bool = True) -> Takeover | None:
        made.changing.append(change)
        if isinstance(made.answer, HeiikiError):
            raise made.answer
        found: Takeover | None = made.answer
        return found

    monkeypatch.setattr("heiiki.service.event.begin_writing", begin_writing)
    monkeypatch.setattr("heiiki.service.begin_writing", begin_writing, raising=False)
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    return made


def run(*, check: bool = False) -> dict[str, Any]:
    return _Action(check=check).run()


def test_a_host_is_made_the_writer_where_it_is_due(hosts: SimpleNamespace) -> None:
    hosts.answer = Takeover("dras", 1, changed=True, problem="dras writes alone")
    assert run() == {"changed": True, "writer": "dras", "epoch": 1}
    assert run(check=True) == {"changed": True, "writer": "dras", "epoch": 1}
    assert hosts.changing == [True, False]


def test_where_one_was_nothing_is_changed(hosts: SimpleNamespace) -> None:
    assert run() == {"changed": False}


def test_a_host_that_cannot_be_asked_is_an_error_and_a_warning_in_check_mode(hosts: SimpleNamespace) -> None:
    hosts.answer = HeiikiError("dras-2: the VTN does not answer")
    with pytest.raises(AnsibleError, match="dras-2: the VTN does not answer"):
        run()
    assert run(check=True) == {"changed": False, "warnings": ["dras-2: the VTN does not answer"]}


def test_the_playbook_asks_last_and_only_where_there_are_two() -> None:
    play = yaml.safe_load((ROOT / "playbooks/site.yml").read_text(encoding="utf-8"))[-1]
    (task,) = play["tasks"]
    assert task["heiiki.network.vtn_writer"] == {"service_dir": "{{ heiiki_service_dir }}"}
    assert (play["hosts"], task["run_once"]) == ("dras_server", True)
    assert task["when"].startswith("heiiki_doubled and ")
    plan = with_two()
    doubled = {one.name for one in plan.devices if host_variables(one, plan)["heiiki_doubled"]}
    assert doubled == {"dras", "dras-2"}
