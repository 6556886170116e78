"""The guard of a station: which access points it may join, and when it has to leave one."""

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from agent_device import NAMES, Device
from cryptography.hazmat.primitives.serialization import Encoding
from fake_vault import fake_vault

from heiiki_agent.pki.crl import pull
from heiiki_agent.pki.x509 import Certificate
from heiiki_agent.wlan.guard import Guard, Settings, objection

NAME = "gw.lab.internal"


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with fake_vault(tmp_path, NAMES) as fake:
        made = Device(tmp_path, fake)
        made.enrol()
        yield made


@pytest.fixture
def leaf(device: Device) -> Certificate:
    """The certificate that the access point shows: the device's own serves for it."""
    return device.store.certificates("current/certificate.pem")[0]


def settings(device: Device, name: str = NAME) -> Settings:
    return Settings("lan0", name, device.settings.folder)


class Daemon:
    """A station that notes what it is told."""

    def __init__(self, state: str = "COMPLETED") -> None:
        self.told: list[str] = []
        self.state = state

    def ordered(self, command: str) -> None:
        self.told.append(command)

    def ask(self, command: str) -> str:
        self.told.append(command)
        return "OK"

    def facts(self, _command: str) -> Mapping[str, str]:
        return {"wpa_state": self.state}


def shown(leaf: Certificate) -> str:
    der = leaf.parsed.public_bytes(Encoding.DER).hex()
    return f"CTRL-EVENT-EAP-PEER-CERT depth=0 subject='/CN={NAME}' cert={der}"


REQUEST = "CTRL-REQ-EXT_CERT_CHECK-0:External server certificate validation needed for SSID lab-0023"
BAD, GOOD = "CTRL-RSP-EXT_CERT_CHECK-0:bad", "CTRL-RSP-EXT_CERT_CHECK-0:good"


def guarded(device: Device, tmp_path: Path, name: str = NAME) -> Guard:
    return Guard(settings(device, name), tmp_path / "state.json")


def test_a_good_certificate_of_the_planned_name_is_good(device: Device, leaf: Certificate) -> None:
    device.publish_crls(1)
    pull(device.settings)
    assert objection(settings(device), leaf) == ""
    assert objection(settings(device, "wifi.gw.lab.internal"), leaf) == (
        "it is not that of wifi.gw.lab.internal"
    )


def test_without_a_list_of_its_ca_nobody_is_joined(device: Device, leaf: Certificate) -> None:
    assert objection(settings(device), leaf).startswith("there is no list of its CA here")


def test_a_revoked_one_is_refused(device: Device, leaf: Certificate) -> None:
    device.publish_crls(1, leaf.parsed.serial_number)
    pull(device.settings)
    assert objection(settings(device), leaf) == "it is revoked"


def test_the_station_is_answered_by_what_it_was_shown(
    device: Device, leaf: Certificate, tmp_path: Path
) -> None:
    device.publish_crls(1)
    pull(device.settings)
    guard, daemon = guarded(device, tmp_path), Daemon()
    for event in ("CTRL-EVENT-EAP-STARTED EAP authentication started", shown(leaf), REQUEST):
        guard.note(daemon, event)  # type: ignore[arg-type]
    assert daemon.told == [GOOD]


def test_what_an_earlier_one_showed_does_not_count(device: Device, leaf: Certificate, tmp_path: Path) -> None:
    device.publish_crls(1)
    pull(device.settings)
    guard, daemon = guarded(device, tmp_path), Daemon()
    for event in (shown(leaf), "CTRL-EVENT-EAP-STARTED EAP authentication started", REQUEST):
        guard.note(daemon, event)  # type: ignore[arg-type]
    assert daemon.told == [BAD]


def test_a_new_list_that_names_the_access_point_has_the_station_leave(
    device: Device, leaf: Certificate, tmp_path: Path
) -> None:
    device.publish_crls(1)
    pull(device.settings)
    guard, daemon = guarded(device, tmp_path), Daemon()
    guard.note(daemon, shown(leaf))  # type: ignore[arg-type]
    guard.examine(daemon)  # type: ignore[arg-type]
    assert daemon.told == []
    device.publish_crls(2, leaf.parsed.serial_number)
    pull(device.settings)
    guard.examine(daemon)  # type: ignore[arg-type]
    assert daemon.told == ["REASSOCIATE"]


def test_a_station_that_is_with_nobody_has_nothing_to_leave(device: Device, tmp_path: Path) -> None:
    guard, daemon = guarded(device, tmp_path), Daemon("SCANNING")
    guard.examine(daemon)  # type: ignore[arg-type]
    assert daemon.told == []


@pytest.mark.parametrize(
    ("state", "asked"),
    [("COMPLETED", ["REAUTHENTICATE"]), ("ASSOCIATED", ["DISCONNECT", "RECONNECT"])],
)
def test_who_attaches_has_the_certificate_shown_once_more(
    device: Device, tmp_path: Path, state: str, asked: list[str]
) -> None:
    class GoneError(Exception):
        pass

    class Ended(Daemon):
        def event(self, _within_s: float) -> Any:
            raise GoneError

    daemon = Ended(state)
    with pytest.raises(GoneError):
        guarded(device, tmp_path).attend(daemon)  # type: ignore[arg-type]
    assert daemon.told == ["ATTACH", "SCAN_INTERVAL 1", *asked]


def test_a_hangup_means_new_lists(device: Device, tmp_path: Path) -> None:
    guard = guarded(device, tmp_path)
    guard._remember(signal.SIGHUP, None)
    assert guard._lists_are_new
