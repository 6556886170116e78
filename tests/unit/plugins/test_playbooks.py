"""Playbooks: where the controller works, what is refused, and what options are called."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.splitter import parse_kv
from ansible.template import Templar
from ansible_collections.heiiki.network.plugins.lookup import option
from ansible_collections.heiiki.network.plugins.lookup.option import LookupModule

ROOT = Path(__file__).resolve().parents[3]
GUARD = "whole_service.yml"
PLAYBOOKS = sorted(path for path in ROOT.glob("playbooks/*.yml") if path.name != GUARD)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_play_on_the_controller_is_guarded_against_a_limit(playbook: Path) -> None:
    """A limit would skip it without a word, and the play would seem to have done its work."""
    plays = load(playbook)
    on_controller = [play for play in plays if play.get("hosts") == "localhost"]
    guards = [place for place, play in enumerate(plays) if play.get("import_playbook") == GUARD]
    assert guards == ([0] if on_controller else [])
    assert {play["connection"] for play in on_controller} <= {"local"}


def test_every_module_of_the_action_group_takes_what_the_group_is_for() -> None:
    members = load(ROOT / "meta/runtime.yml")["action_groups"]["service"]
    fragments = ("heiiki.network.service\n", "  service_dir:\n")
    taking = {
        path.stem
        for path in ROOT.glob("plugins/modules/*.py")
        if any(text in path.read_text(encoding="utf-8") for text in fragments)
    }
    assert sorted(members) == sorted(taking)


def looked_up(variables: dict[str, Any], *names: str, **more: Any) -> list[Any]:
    module = LookupModule(loader=DataLoader(), templar=Templar(DataLoader(), variables=variables))
    module.set_options = lambda **_: None
    module.get_option = lambda _: more.get("default", "")
    return module.run(names, variables)


@pytest.mark.parametrize("given", ["heiiki_reason='stolen from the roof'", "heiiki_reason=a b"])
def test_a_value_that_ansible_cuts_at_a_blank_is_refused(given: str) -> None:
    with pytest.raises(AnsibleError, match=r"^-e: `.*` belongs to no variable, .* -e '\{\"heiiki_reason"):
        looked_up(parse_kv(given.replace("'", "")), "reason")


def test_a_value_with_blanks_that_is_quoted_inside_is_taken() -> None:
    assert looked_up(parse_kv("heiiki_reason='stolen from the roof'"), "reason") == ["stolen from the roof"]


def test_an_option_is_a_variable_with_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(option.display, "deprecated", lambda text, **_: told.append(text))
    variables = {"heiiki_device": "a", "device": "b", "reason": "lost"}
    assert looked_up(variables, "device") == ["a"]
    assert told == []
    assert looked_up(variables, "reason", "force", default=False) == ["lost", False]
    assert told == ["-e reason is called heiiki_reason"]
