"""`heiiki lab devices` serves the routers of a service; `heiiki push` finds them by the file it writes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from vendor_service import FOLDER
from waiting import awaited

from heiiki.cli.main import cli
from heiiki.errors import LabError
from heiiki.service import opened
from heiiki.state import FileSecrets
from heiiki_lab.devices.of_service import ACCESS, FACTORY, specs
from heiiki_lab.devices.server import SHELLS

ROOT = Path(__file__).parents[4]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """The devices of the mixed service in a process of their own; the file by which they are found."""
    place = tmp_path / "devices"
    process = subprocess.Popen(
        [sys.executable, "-m", "heiiki", "lab", "devices", str(FOLDER), "--state", str(place)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HEIIKI_STATE": str(tmp_path / "own")},
    )
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(5)]
    assert lines[0].startswith("otemae-ce-a (cisco_iosxe): 127.0.0.1 port ")
    assert lines[4] == f"next: heiiki push {FOLDER} --access {place / ACCESS} --check --diff\n"
    yield place / ACCESS
    process.send_signal(signal.SIGINT)
    awaited("the simulator ended", lambda: process.poll() is not None)
    assert process.returncode == 0
    process.stdout.close()


def pushed(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["push", str(FOLDER), *map(str, arguments)])
    return done.exit_code, done.stdout


def test_a_user_looks_pushes_as_shown_and_pushes_again(served: Path) -> None:
    code, text = pushed("--access", served, "--check", "--diff")
    assert code == 0
    assert "otemae-ce-a: changed\n--- running\n+++ intended\n" in text
    digest = text.rstrip().rpartition("shown: ")[2]
    assert pushed("--access", served, "--shown", digest, "--without-rollback") == (
        0,
        "4 devices: 4 changed\n",
    )
    assert pushed("--access", served, "--without-rollback") == (0, "4 devices: 4 unchanged\n")


def test_what_it_writes_is_for_its_user_alone(served: Path) -> None:
    assert served.stat().st_mode & 0o777 == 0o600
    assert served.parent.stat().st_mode & 0o777 == 0o700
    secrets = list((served.parent / "secrets").glob("**/*.json"))
    assert {file.stat().st_mode & 0o777 for file in secrets} == {0o600}
    password = json.loads((served.parent / "secrets/login/otemae-ce-a.json").read_text())["password"]
    assert password not in served.read_text()


def test_every_platform_has_a_configuration_to_begin_with(tmp_path: Path) -> None:
    assert FACTORY.keys() == SHELLS.keys()
    made = specs(opened(FOLDER).plan, FileSecrets(tmp_path))
    assert [one.platform for one in made] == ["cisco_iosxe", "juniper_junos", "yamaha_rtx", "nec_ix"]
    assert len({one.password for one in made}) == 4


def test_a_service_without_such_routers_is_refused(tmp_path: Path) -> None:
    plan = opened(ROOT / "inventories/lab").plan
    with pytest.raises(LabError, match="has no router of a vendor's platform: write `platform:` below `a:`"):
        specs(plan, FileSecrets(tmp_path))


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = CliRunner().invoke(cli, ["lab", "devices", str(FOLDER), "--state", str(tmp_path)])
    assert done.exit_code == 1
    assert f"{tmp_path}: holds other files; name another folder by --state" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
