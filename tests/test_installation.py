"""Wheel and collection work far from the checkout and its settings: what an engineer does first."""

import json
import shutil
from pathlib import Path

import pytest
from installed import ROOT, Installation

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def service(installation: Installation) -> str:
    """A service of the user's own; returns its folder as it would be typed."""
    shutil.copytree(ROOT / "inventories/lab", installation.folder / "my/service")
    return "my/service"


def test_the_tarball_holds_what_a_play_needs_and_nothing_of_the_workshop(installation: Installation) -> None:
    collection = installation.folder / "collections/ansible_collections/heiiki/network"
    assert sorted(path.name for path in collection.iterdir()) == [
        "CHANGELOG.md",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "bindep.txt",
        "meta",
        "playbooks",
        "plugins",
        "requirements.txt",
        "roles",
    ]


def test_the_packages_are_those_that_were_installed(installation: Installation) -> None:
    where = "import heiiki, heiiki_agent; print(heiiki.__file__, heiiki_agent.__path__[0])"
    said = installation.python_says(where)
    assert [Path(path).is_relative_to(installation.folder / "venv") for path in said.split()] == [True, True]


def test_modules_and_roles_have_their_documentation(installation: Installation) -> None:
    documented = json.loads(installation.ansible("doc", "-t", "module", "--json", "heiiki.network.verify"))
    assert documented["heiiki.network.verify"]["doc"]["collection"] == "heiiki.network"
    role = json.loads(installation.ansible("doc", "-t", "role", "--json", "heiiki.network.ce_router"))
    assert "main" in role["heiiki.network.ce_router"]["entry_points"]


def test_the_service_is_the_inventory(installation: Installation, service: str) -> None:
    listed = json.loads(installation.ansible("inventory", "-i", service, "--list"))
    assert listed["umeda"]["hosts"] == ["umeda-ce-a", "umeda-gw-b", "umeda-bems"]


def test_the_design_is_examined(installation: Installation, service: str) -> None:
    said = installation.ansible("playbook", "-i", service, "heiiki.network.design")
    assert "R-GAP" in said
    assert "failed=0" in said


def test_the_service_is_compiled_and_its_roles_are_found(installation: Installation, service: str) -> None:
    """No device is reached: of every role only the variables are examined."""
    compiled = ("--check", "--diff", "--tags", "compile", "-e", "heiiki_build=build")
    said = installation.ansible("playbook", "-i", service, "heiiki.network.site", *compiled)
    assert "(compiled now)" in said
    assert "validating arguments" in said.lower()
    manifest = installation.folder / "build.check/umeda-ce-a/manifest.json"
    assert json.loads(manifest.read_text())["device"] == "umeda-ce-a"


def test_a_device_that_is_not_there_is_unreachable_and_nothing_else(
    installation: Installation, service: str
) -> None:
    play = ("playbook", "-i", service, "heiiki.network.site", "--check", "--limit", "umeda")
    said = installation.ansible(*play, code=4)
    assert said.count("unreachable=1") == 3
    assert "failed=1" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("heiiki.network.revoke",), "Name the device: -e heiiki_device=NAME"),
        (("heiiki.network.enrol",), "Name the device: -e heiiki_device=NAME"),
        (
            ("heiiki.network.verify", "--limit", "umeda"),
            "works for the whole service; run it without --limit",
        ),
    ],
)
def test_a_forgotten_variable_and_a_limit_are_errors(
    installation: Installation, service: str, arguments: tuple[str, ...], said: str
) -> None:
    assert said in installation.ansible("playbook", "-i", service, *arguments, code=2)
