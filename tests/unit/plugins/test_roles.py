"""Roles: defaults equal specifications, tables are fresh, and every role of the plan is there."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from heiiki.plan.model import Role

ROLES = Path(__file__).resolve().parents[3] / "roles"
ON_THE_CONTROLLER = {"pki"}
"""Roles that reach no node: they run once, for the service."""
OF_ITS_OWN = {
    "pki": ["heiiki.network.vault_pki"],
    "vault_server": ["heiiki.network.device", "heiiki.network.vault_ca"],
}
EXPRESSION = re.compile(r"{{(.*?)}}")
NAME = re.compile(r"\b[a-z_]\w*\b")
STRING = re.compile(r"'[^']*'|\|\s*\w+")
OF_JINJA = {"omit", "true"}
UNPROVISIONED = {Role.MOBILE_CORE, Role.LAN_SWITCH, Role.ESP, Role.TEST_EQUIPMENT}


def readme() -> ModuleType:
    spec = spec_from_file_location("role_readme", Path(__file__).with_name("role_readme.py"))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def private_variables(role: Path) -> dict[str, Any]:
    path = role / "vars/main.yml"
    return load(path) if path.exists() else {}


@pytest.fixture(params=sorted(path.name for path in ROLES.iterdir() if path.is_dir()))
def role(request: pytest.FixtureRequest) -> Path:
    path: Path = ROLES / request.param
    return path


def test_every_role_that_the_plan_provisions_is_there() -> None:
    assert {path.name for path in ROLES.iterdir()} - ON_THE_CONTROLLER == {
        str(role) for role in Role if role not in UNPROVISIONED
    }


def test_defaults_are_those_of_the_specification(role: Path) -> None:
    options = readme().options(role)
    assert load(role / "defaults/main.yml") == {name: option["default"] for name, option in options.items()}


def test_only_a_default_that_is_a_template_of_no_text_is_left_out_of_the_specification(role: Path) -> None:
    """The schema of `ansible-doc` takes no template as the default of a truth value or of dictionaries."""
    specified = load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    silent = {name for name, option in specified.items() if "default" not in option}
    no_text = {
        name
        for name, option in specified.items()
        if "dict" in (option["type"], option.get("elements")) or option["type"] == "bool"
    }
    defaults = load(role / "defaults/main.yml")
    assert silent == {name for name in no_text if str(defaults[name]).startswith("{{")}


def test_public_variables_carry_the_roles_name_and_private_ones_a_line_before_it(role: Path) -> None:
    assert {
        name for name in load(role / "defaults/main.yml") if not name.startswith(f"{role.name}_")
    } == set()
    assert {name for name in private_variables(role) if not name.startswith(f"_{role.name}_")} == set()


def test_the_table_of_variables_is_fresh(role: Path) -> None:
    assert (role / "README.md").read_text(encoding="utf-8") == readme().rendered(role)


def test_every_entry_point_is_specified(role: Path) -> None:
    entries = {path.stem for path in (role / "tasks").iterdir()}
    assert set(load(role / "meta/argument_specs.yml")["argument_specs"]) == entries


def test_a_role_uses_no_variable_that_is_not_its_own(role: Path) -> None:
    """Variables of the inventory are named in the defaults, where a user of the role alone sets them."""
    known = {*load(role / "defaults/main.yml"), *private_variables(role), *OF_JINJA}
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((role / "tasks").iterdir()))
    used = {name for found in EXPRESSION.findall(text) for name in NAME.findall(STRING.sub("", found))}
    assert used - known == set()


def test_a_device_is_provisioned_in_one_task(role: Path) -> None:
    steps = yaml.safe_load((role / "tasks/main.yml").read_text(encoding="utf-8"))
    modules = [next(key for key in step if "." in key) for step in steps]
    assert modules == OF_ITS_OWN.get(role.name, ["heiiki.network.device"])
    assert all(step["tags"] == [role.name] for step in steps)
