"""NAPALM's driver of FRRouting, by NAPALM's own test framework and by ours, at a real bgpd."""

import os
import unittest
from pathlib import Path
from typing import Any

import napalm
import pytest
from frr_daemon import PASSWORD
from frr_host import MORE, FrrHost
from napalm.base.exceptions import (
    CommitConfirmException,
    CommitError,
    ConnectAuthError,
    ConnectionException,
    MergeConfigException,
    ReplaceConfigException,
)
from waiting import awaited

from heiiki.fleet import frr_facts
from heiiki.fleet.frr_driver import FrrDriver

# Its framework can compare with recorded answers or ask a device; this is read when it is imported.
os.environ["NAPALM_TEST_MOCK"] = "0"
from napalm.base.test.base import TestConfigNetworkDriver as NapalmConfig
from napalm.base.test.getters import BaseTestGetters


@pytest.fixture(scope="class")
def of_class(
    frr_host: FrrHost, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """What NAPALM's classes of tests find in their class."""
    folder = tmp_path_factory.mktemp("vendor")
    typo = frr_host.initial.replace("remote-as 65009", "remote-is 65009")
    files = {
        "initial.conf": frr_host.initial,
        "new_good.conf": frr_host.initial.replace("description the other", "description another"),
        "new_good.diff": "-router bgp 65001\n- no neighbor 127.0.0.2 description the other\n"
        "+router bgp 65001\n+ neighbor 127.0.0.2 description another",
        "new_typo.conf": typo,
        "merge_good.conf": MORE,
        # NAPALM compares on the way back.
        "merge_good.diff": "-router bgp 65001\n- no neighbor 192.0.2.8 remote-as 65008",
        "merge_typo.conf": MORE.replace("remote-as", "remote-is"),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    with frr_host.driver() as made:
        request.cls.device, request.cls.driver, request.cls.vendor = made, FrrDriver, str(folder)
        yield


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """NAPALM's tests of getters take the name of a recorded case; here there is the device."""
    if "test_case" in metafunc.fixturenames:
        metafunc.parametrize("test_case", ["device"])


@pytest.mark.usefixtures("of_class")
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestReturnNotNoneWarning"
)  # NAPALM's tests return what they saw
class TestGetters(BaseTestGetters):  # type: ignore[misc]  # not annotated
    """NAPALM's contract of getters; what the driver does not have is skipped by it."""


@pytest.mark.usefixtures("of_class")
class TestConfig(unittest.TestCase, NapalmConfig):  # type: ignore[misc]  # not annotated
    """NAPALM's contract of changes: replace, merge, compare, discard, roll back, mistakes."""

    test_load_template = None
    """The driver brings no templates: Heiiki's are rendered from the plan."""

    @classmethod
    def setUpClass(cls) -> None:
        """Leave it to the fixture."""

    @classmethod
    def tearDownClass(cls) -> None:
        """Leave it to the fixture."""


def test_napalm_finds_the_driver() -> None:
    assert napalm.get_network_driver("frr") is FrrDriver
    assert napalm.get_network_driver("napalm_frr") is FrrDriver


def test_a_session_that_is_up_is_told(driver: FrrDriver, frr_host: FrrHost) -> None:
    def up() -> bool:
        return bool(driver.get_bgp_neighbors()["global"]["peers"]["127.0.0.2"]["is_up"])

    awaited("the session is up", up, 120)
    peers = driver.get_bgp_neighbors()["global"]["peers"]
    assert driver.get_bgp_neighbors()["global"]["router_id"] == "192.0.2.1"
    assert peers["127.0.0.2"] | {"uptime": 0} == {
        "local_as": 65001,
        "remote_as": 65002,
        "remote_id": "192.0.2.2",
        "is_up": True,
        "is_enabled": True,
        "description": "the other",
        "uptime": 0,
        "address_family": {"ipv4": {"received_prefixes": -1, "accepted_prefixes": 0, "sent_prefixes": 0}},
    }
    assert (peers["192.0.2.9"]["is_up"], peers["192.0.2.9"]["is_enabled"]) == (False, False)
    assert driver.get_facts()["os_version"].startswith("8.")


def test_a_host_that_is_not_known_or_has_another_key_is_not_talked_to(
    frr_host: FrrHost, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("")
    with pytest.raises(ConnectionException, match="not found in known_hosts"):
        frr_host.driver(known_hosts=str(tmp_path / "empty")).open()
    frr_host.new_key()
    with pytest.raises(ConnectionException, match="does not match"):
        frr_host.driver().open()
    frr_host.pin()
    frr_host.driver().open()


def test_a_wrong_password_is_told_and_not_shown(frr_host: FrrHost) -> None:
    with pytest.raises(ConnectAuthError, match="is not let in") as caught:
        frr_host.driver(password=PASSWORD[1:]).open()
    assert PASSWORD[1:] not in str(caught.value)


def test_what_frrouting_refuses_is_no_candidate(driver: FrrDriver, frr_host: FrrHost) -> None:
    with pytest.raises(MergeConfigException, match=r"line \d+: % Unknown command.*remote-is"):
        driver.load_merge_candidate(config=MORE.replace("remote-as", "remote-is"))
    with pytest.raises(MergeConfigException, match="a merge only adds lines here"):
        driver.load_merge_candidate(config="router bgp 65001\n no neighbor 192.0.2.9\n")
    assert driver.compare_config() == ""
    with pytest.raises(CommitError, match="there is no candidate"):
        driver.commit_config()
    with pytest.raises(NotImplementedError):
        driver.commit_config(message="why")
    assert not (frr_host.host.folder / "drafts" / "candidate" / "frr.conf").exists()


def test_a_change_that_is_not_confirmed_goes_back(driver: FrrDriver) -> None:
    driver.load_merge_candidate(config=MORE)
    driver.commit_config(revert_in=5)
    awaited("the timer runs out", lambda: not driver.has_pending_commit(), 120)
    assert "192.0.2.8" not in driver.get_config("running")["running"]
    with pytest.raises(CommitError, match="nothing waits to be confirmed"):
        driver.confirm_commit()


def test_a_change_that_is_confirmed_stays(driver: FrrDriver, frr_host: FrrHost) -> None:
    saved = frr_host.host.folder / "run.conf"
    driver.load_merge_candidate(config=MORE)
    driver.commit_config(revert_in=600)
    assert driver.has_pending_commit()
    assert "192.0.2.8" not in saved.read_text()
    driver.load_merge_candidate(config=MORE.replace(".8", ".7"))
    with pytest.raises(CommitError, match="an earlier commit waits to be confirmed"):
        driver.commit_config()
    driver.confirm_commit()
    assert not driver.has_pending_commit()
    assert "192.0.2.8" in driver.get_config("running")["running"]
    assert "192.0.2.8" in saved.read_text()
    driver.rollback()
    assert "192.0.2.8" not in driver.get_config("running")["running"]


def test_without_systemd_nothing_is_changed(driver: FrrDriver, frr_host: FrrHost) -> None:
    frr_host.program("systemd-run", "#!/bin/sh\necho no systemd here >&2\nexit 1\n")
    driver.load_merge_candidate(config=MORE)
    with pytest.raises(CommitConfirmException, match="nothing was changed: no systemd here"):
        driver.commit_config(revert_in=60)
    assert "192.0.2.8" not in driver.get_config("running")["running"]


def test_a_reload_that_only_says_that_it_worked_is_not_believed(driver: FrrDriver, frr_host: FrrHost) -> None:
    real = (frr_host.host.folder / "bin" / "frr-reload.py").read_text()
    lying = real.replace("exec ", 'case "$*" in *--reload*/candidate/*) exit 0 ;; esac\nexec ')
    frr_host.program("frr-reload.py", lying)
    driver.load_replace_candidate(config=frr_host.initial.replace("the other", "another"))
    with pytest.raises((ReplaceConfigException, CommitError), match="what runs is not what was asked for"):
        driver.commit_config()
    assert "the other" in driver.get_config("running")["running"]


def test_a_reload_that_stops_half_way_is_taken_back(driver: FrrDriver, frr_host: FrrHost) -> None:
    """The first lines are applied, then it fails: what was before is put back, and told."""
    once = frr_host.host.folder / "once"
    real = (frr_host.host.folder / "bin" / "frr-reload.py").read_text()
    half = (
        f'if [ "$1" = --reload ] && [ ! -e {once} ]; then\n  touch {once}\n'
        '  vtysh -c "configure terminal" -c "router bgp 65001" -c "neighbor 192.0.2.8 remote-as 65008"\n'
        "  echo disk full >&2\n  exit 1\nfi\nexec "
    )
    frr_host.program("frr-reload.py", real.replace("exec ", half))
    driver.load_merge_candidate(config=MORE + " neighbor 192.0.2.7 remote-as 65007\n")
    with pytest.raises(MergeConfigException, match="disk full; the configuration of before is back"):
        driver.commit_config()
    running = driver.get_config("running")["running"]
    assert not any(address in running for address in ("192.0.2.7", "192.0.2.8"))


def test_drafts_are_for_root_alone(driver: FrrDriver, frr_host: FrrHost) -> None:
    driver.load_merge_candidate(config=MORE)
    folder = frr_host.host.folder / "drafts"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "candidate" / "frr.conf").stat().st_mode & 0o777 == 0o600


def test_secrets_are_left_out_when_that_is_asked() -> None:
    text = "router bgp 65001\n neighbor 192.0.2.9 password hidden words\n neighbor 192.0.2.9 shutdown\n"
    assert frr_facts.without_secrets(text) == text.replace("hidden words", "<removed>")
