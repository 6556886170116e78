"""A wireless LAN on paper: whatever of it is weaker is said, and a service without one says so."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from heiiki.design import wlan
from heiiki.design.sent import Sent
from heiiki.design.texts import read
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import compile_plan
from heiiki.requirements import Result, Stage
from heiiki_agent.wlan import places

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
SERVED, JOINED, USERS = map(str, (places.ACCESS_POINT_CONFIG, places.STATION_CONFIG, places.USERS))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


@pytest.fixture(scope="module")
def sent(plan: Plan) -> Mapping[str, Sent]:
    return read(plan, compile_plan(plan))


def edited(sent: Mapping[str, Sent], device: str, path: str, old: str, new: str) -> Mapping[str, Sent]:
    one = sent[device]
    assert old in one.files[path]
    return {**sent, device: Sent(one.device, {**one.files, path: one.files[path].replace(old, new)})}


def test_the_worked_example_passes(plan: Plan, sent: Mapping[str, Sent]) -> None:
    (found,) = wlan.verdicts(plan, sent)
    assert (found.requirement, found.subject, found.stage) == ("R-SEC-LAN/wifi", "LAN of namba", Stage.DESIGN)
    assert found.result is Result.PASS
    assert [found.subject] == list(wlan.subjects(plan))


@pytest.mark.parametrize(
    ("device", "path", "old", "new", "told"),
    [
        ("namba-gw", SERVED, "ieee80211w=2", "ieee80211w=1", "namba-gw: ieee80211w is 1, not 2"),
        ("namba-gw", SERVED, "check_crl=2", "check_crl=0", "namba-gw: check_crl is 0, not 2"),
        ("namba-gw", SERVED, "WPA-EAP-SHA256", "WPA-EAP", "namba-gw: wpa_key_mgmt is WPA-EAP, not"),
        ("namba-gw", SERVED, "okc=0", "okc=1", "namba-gw: okc is 1, not 0"),
        ("namba-gw", SERVED, "disable_pmksa_caching=1", "", "disable_pmksa_caching is not set, not 1"),
        ("namba-gw", SERVED, "namba-erc", "umeda-bems", "lets in other certificates than that of namba-erc"),
        ("namba-gw", USERS, "TLS", "TLS,PEAP", "lets in other identities, or by other methods"),
        ("namba-erc", JOINED, "wifi.namba-gw", "dras", "namba-erc joins another than namba-gw"),
        ("namba-erc", JOINED, "lab-0023", "lab-0042", "both ends have different SSIDs"),
        ("namba-erc", JOINED, " tls_ext_cert_check=1", "", "namba-erc: phase1 is"),
    ],
)
def test_what_is_weaker_fails(
    plan: Plan, sent: Mapping[str, Sent], device: str, path: str, old: str, new: str, told: str
) -> None:
    (found,) = wlan.verdicts(plan, edited(sent, device, path, old, new))
    assert found.result is Result.FAIL
    assert told in found.reason


def test_a_comment_is_no_setting() -> None:
    assert wlan.settings("# okc=1\n    okc=0\n\nnetwork={\n") == {"okc": "0", "network": "{"}


def test_without_a_lan_on_the_air_it_is_not_applicable(plan: Plan, sent: Mapping[str, Sent]) -> None:
    wired = replace(plan, devices=tuple(replace(one, station=None) for one in plan.devices))
    (found,) = wlan.verdicts(wired, sent)
    assert (found.subject, found.result) == ("site LANs", Result.NOT_APPLICABLE)
    assert list(wlan.subjects(wired)) == ["site LANs"]
    assert list(wlan.verdicts(replace(wired, sites=()), sent)) == []


def test_a_lan_with_a_revoked_end_is_not_applicable(plan: Plan, sent: Mapping[str, Sent]) -> None:
    gone = tuple(replace(one, managed=one.name != "namba-erc") for one in plan.devices)
    (found,) = wlan.verdicts(replace(plan, devices=gone), sent)
    assert (found.subject, found.result) == ("LAN of namba", Result.NOT_APPLICABLE)
