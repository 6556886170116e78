"""Roles: defaults equal specifications, tables are fresh, and every role of the plan is there."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from heiiki.plan.model import Role

ROLES = Path(__file__).resolve().parents[3] / "roles"
OF_ITS_OWN = {"vault_server": {"apply.yml": 4, "verify.yml": 2}}
"""Steps of a file that has more than one: the server's account, its program, whom to trust for it."""
ON_THE_CONTROLLER = {"pki"}
"""Roles that reach no node: they run once, for the service."""
# Its play is no free one: for every other role the play itself looks first.
LOOKS_FIRST = {"vault_server"}
WITHOUT_ENROLMENT = {"apn_gateway", "vault_server"}
"""The carrier's own, and the server, which is enrolled when it knows the service."""
UNPROVISIONED = {Role.MOBILE_CORE, Role.LAN_SWITCH, Role.TEST_EQUIPMENT}


def readme() -> ModuleType:
    spec = spec_from_file_location("role_readme", Path(__file__).with_name("role_readme.py"))
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(path: Path) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


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


def test_public_variables_carry_the_roles_name_and_private_ones_a_line_before_it(role: Path) -> None:
    assert {
        name for name in load(role / "defaults/main.yml") if not name.startswith(f"{role.name}_")
    } == set()
    private = role / "vars/main.yml"
    names = load(private) if private.exists() else {}
    assert {name for name in names if not name.startswith(f"_{role.name}_")} == set()


def test_the_table_of_variables_is_fresh(role: Path) -> None:
    assert (role / "README.md").read_text(encoding="utf-8") == readme().rendered(role)


def test_a_role_reaches_a_node_four_times_at_most(role: Path) -> None:
    steps = yaml.safe_load((role / "tasks/main.yml").read_text(encoding="utf-8"))
    files = [step["ansible.builtin.import_tasks"] for step in steps]
    wanted = ["preflight.yml", "apply.yml", "enrol.yml", "verify.yml"]
    if role.name in ON_THE_CONTROLLER:
        wanted = ["apply.yml"]
    elif role.name in WITHOUT_ENROLMENT:
        wanted.remove("enrol.yml")
    if role.name in LOOKS_FIRST:
        wanted = ["settled.yml", *wanted]
    assert files == wanted
    steps_of = {
        file: len(yaml.safe_load((role / "tasks" / file).read_text(encoding="utf-8"))) for file in files
    }
    assert steps_of == {**dict.fromkeys(files, 1), **OF_ITS_OWN.get(role.name, {})}
