"""The zip application of the device: the same bytes from the same sources, and each part of it starts."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import build
from heiiki.render import agent, compile_plan
from heiiki_agent.__main__ import PROGRAMS
from heiiki_agent.mms.__main__ import PROGRAMS as MMS
from heiiki_agent.openadr.__main__ import PROGRAMS as OPENADR

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


@pytest.fixture
def application(tmp_path: Path) -> Path:
    path = tmp_path / "heiiki-agent.pyz"
    path.write_bytes(agent.archive())
    return path


def run(application: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # -I: nothing but the archive and the standard library can be imported.
    command = [sys.executable, "-I", str(application), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    digest = (
        "import hashlib; from heiiki.render import agent; print(hashlib.sha256(agent.archive()).hexdigest())"
    )
    command = [sys.executable, "-c", digest]
    done = subprocess.run(command, cwd=tmp_path, env={"TZ": "Asia/Tokyo"}, capture_output=True, check=True)
    assert done.stdout.decode().strip() == hashlib.sha256(agent.archive()).hexdigest()


def test_members_are_sorted_stored_and_bear_one_time(application: Path) -> None:
    with zipfile.ZipFile(application) as archive:
        members = archive.infolist()
    names = [member.filename for member in members]
    assert names == sorted(names)
    assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("part", sorted(PROGRAMS))
def test_each_part_starts(application: Path, part: str) -> None:
    done = run(application, part, "--help")
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["usage:", "heiiki-agent", part])


def test_an_unknown_part_is_told_the_known_ones(application: Path) -> None:
    done = run(application, "dance")
    assert done.returncode == 2
    assert done.stderr == f"usage: heiiki-agent {{{','.join(PROGRAMS)}}} ...\n"


def test_what_runs_by_the_application_is_restarted_for_it_except_the_vault_server() -> None:
    """A restarted Vault server comes back sealed; others use it beside daemons of their own."""
    for made in compile_plan(build(load(EXAMPLE))):
        sent = agent.PATH in {file.path for file in made.files}
        units = {
            file.service: file.content for file in made.files if file.path.startswith("/etc/systemd/system/")
        }
        users = {name for name, unit in units.items() if agent.PATH in unit}
        restarted = {service.name for service in made.services if agent.PATH in service.restart_on}
        others = {"frr", "strongswan", "prosody", "heiiki-access-point", "heiiki-station"}
        assert restarted == users - {"heiiki-vault", *others}
        assert sent or not users


@pytest.mark.parametrize("part", sorted(OPENADR))
def test_each_end_of_openadr_starts_from_its_own_application(tmp_path: Path, part: str) -> None:
    application = tmp_path / "heiiki-openadr.pyz"
    application.write_bytes(agent.service_archive("openadr"))
    done = run(application, part, "--help")
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["usage:", "openadr", part]), done.stderr


def test_the_application_of_openadr_has_what_its_ends_use_over_xmpp(tmp_path: Path) -> None:
    application = tmp_path / "heiiki-openadr.pyz"
    application.write_bytes(agent.service_archive("openadr"))
    code = (
        f"import sys; sys.path.insert(0, {str(application)!r})\n"
        "from heiiki_agent.openadr import session\n"
        "from heiiki_agent.openadr.vtn import push\n"
        "from heiiki_agent.openadr.ven import xmpp\n"
        "print(session.__file__)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(application)), done.stderr


def test_service_programs_stay_with_the_hosts_of_the_service(application: Path) -> None:
    with zipfile.ZipFile(application) as archive:
        assert [name for name in archive.namelist() if "openadr" in name] == []


@pytest.mark.parametrize("part", sorted(MMS))
def test_each_end_of_direct_control_brings_its_package(tmp_path: Path, part: str) -> None:
    application = tmp_path / "heiiki-mms.pyz"
    application.write_bytes(agent.service_archive("mms"))
    # -S: no package of this environment is found.
    command = [sys.executable, "-I", "-S", str(application), part, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[:3]) == (0, ["usage:", "mms", part])


def test_a_package_that_is_brought_comes_with_its_licence_and_no_more_than_is_used(tmp_path: Path) -> None:
    application = tmp_path / "heiiki-mms.pyz"
    application.write_bytes(agent.service_archive("mms"))
    with zipfile.ZipFile(application) as archive:
        brought = [name for name in archive.namelist() if name.startswith("open61850/")]
        assert b"Apache License" in archive.read("open61850/LICENSE")
    assert not [name for name in brought if "goose" in name or "capture" in name]
