"""A wired LAN with IEEE 802.1X on paper: what is weaker is said, and a service without one says so."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from dot1x_service import controlled

from heiiki.design import dot1x
from heiiki.design.sent import Sent
from heiiki.design.texts import read
from heiiki.plan import Plan
from heiiki.requirements import Result, Stage
from heiiki_agent.dot1x import places

SERVED, JOINED = str(places.AUTHENTICATOR_CONFIG), str(places.SUPPLICANT_CONFIG)
USERS, FILTER = str(places.USERS), "/etc/nftables.conf"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return controlled()[0]


@pytest.fixture(scope="module")
def sent(plan: Plan) -> Mapping[str, Sent]:
    return read(plan, controlled()[1])


def edited(sent: Mapping[str, Sent], device: str, path: str, old: str, new: str) -> Mapping[str, Sent]:
    one = sent[device]
    assert old in one.files[path]
    return {**sent, device: Sent(one.device, {**one.files, path: one.files[path].replace(old, new)})}


def test_a_lan_as_planned_passes_and_says_what_it_does_not_protect(
    plan: Plan, sent: Mapping[str, Sent]
) -> None:
    (found,) = dot1x.verdicts(plan, sent)
    assert (found.requirement, found.subject) == ("R-SEC-LAN/wired", "LAN of namba")
    assert (found.stage, found.result) == (Stage.DESIGN, Result.PASS), found.reason
    assert "no MACsec" in found.reason
    assert [found.subject] == list(dot1x.subjects(plan))


@pytest.mark.parametrize(
    ("device", "path", "old", "new", "told"),
    [
        ("namba-gw", SERVED, "check_crl=2", "check_crl=0", "namba-gw: check_crl is 0, not 2"),
        ("namba-gw", SERVED, "driver=wired", "driver=none", "namba-gw: driver is none, not wired"),
        ("namba-gw", SERVED, "namba-erc", "umeda-bems", "lets in other certificates than that of namba-erc"),
        ("namba-gw", USERS, "TLS", "TLS,PEAP", "lets in other identities, or by other methods"),
        ("namba-erc", JOINED, "lan.namba-gw", "dras", "namba-erc goes on with another than namba-gw"),
        ("namba-erc", JOINED, " tls_ext_cert_check=1", "", "namba-erc: phase1 is"),
        ("namba-gw", FILTER, "ether saddr != @let_in counter", "counter", "namba-gw: lan0 is open"),
        ("namba-gw", FILTER, "oifname != @authorized drop", "accept", "namba-gw: lan0 is open"),
        ("namba-erc", FILTER, 'iifname { "lan0" } ether saddr', 'iifname { "lan1" } ether saddr', "is open"),
    ],
)
def test_what_is_weaker_fails(
    plan: Plan, sent: Mapping[str, Sent], device: str, path: str, old: str, new: str, told: str
) -> None:
    (found,) = dot1x.verdicts(plan, edited(sent, device, path, old, new))
    assert found.result is Result.FAIL
    assert told in found.reason


@pytest.mark.parametrize("device", ["namba-gw", "namba-erc"])
def test_a_port_that_nothing_keeps_fails(plan: Plan, sent: Mapping[str, Sent], device: str) -> None:
    one = sent[device]
    files = {path: text for path, text in one.files.items() if path != str(places.PORT_CONFIG)}
    (found,) = dot1x.verdicts(plan, {**sent, device: Sent(one.device, files)})
    assert found.result is Result.FAIL
    assert f"{device}: nothing keeps the port of lan0" in found.reason


def test_where_every_wired_lan_is_open_it_is_not_applicable_and_that_is_said(
    plan: Plan, sent: Mapping[str, Sent]
) -> None:
    open_ones = replace(plan, devices=tuple(replace(one, supplicant=None) for one in plan.devices))
    (found,) = dot1x.verdicts(open_ones, sent)
    assert (found.subject, found.result) == ("wired site LANs", Result.NOT_APPLICABLE)
    assert "any device that is plugged in is on it" in found.reason
    assert list(dot1x.subjects(open_ones)) == ["wired site LANs"]
    assert list(dot1x.verdicts(replace(open_ones, sites=()), sent)) == []


def test_a_lan_with_a_revoked_end_is_not_applicable(plan: Plan, sent: Mapping[str, Sent]) -> None:
    gone = tuple(replace(one, managed=one.name != "namba-erc") for one in plan.devices)
    (found,) = dot1x.verdicts(replace(plan, devices=gone), sent)
    assert (found.subject, found.result) == ("LAN of namba", Result.NOT_APPLICABLE)
