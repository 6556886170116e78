"""A wire with real hostapd, wpa_supplicant and nft at its ends: what passes, and what ends that."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pytest
from dot1x_world import (
    End,
    Issuer,
    start_hostapd,
    start_supplicant,
    told,
    until_let_in,
    until_shut,
    why_not,
    wire,
)
from fake_vault import Authority
from waiting import awaited

from heiiki_agent.dot1x import places, port

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
long = pytest.mark.long
OTHER = "02:01:0a:10:01:74"

SEND = """
import contextlib, socket, sys
with contextlib.suppress(PermissionError):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 9))
"""


@dataclass(frozen=True)
class Lan:
    """Both ends, and who vouches for them; `own` is the serial number of the controller's certificate."""

    gateway: End
    controller: End
    issuer: Issuer
    own: str

    def begin(self) -> None:
        """Both ends authenticate."""
        start_hostapd(self.gateway)
        start_supplicant(self.controller)
        self.until_open()

    def until_open(self) -> None:
        until_let_in(self.gateway, self.controller)
        until_let_in(self.controller, self.gateway)

    def passes(self, within: float = 5.0) -> bool:
        return self.controller.echo(self.gateway, within=within)

    def said(self, name: str) -> str:
        """What a daemon of either end said."""
        (log,) = (end.logs[name] for end in (self.gateway, self.controller) if name in end.logs)
        return log.read_text()


@pytest.fixture
def lan() -> Iterator[Lan]:
    issuer = Issuer()
    with wire() as (gateway, controller):
        issuer.issue(gateway)
        own = issuer.issue(controller)
        issuer.publish(gateway, controller)
        for end in (gateway, controller):
            end.start_port()
        yield Lan(gateway, controller, issuer, own)
        sys.stdout.write(told((gateway, controller)))  # for a test that fails


def test_nothing_passes_but_eapol_until_both_have_authenticated(lan: Lan) -> None:
    assert not lan.passes(within=0.5)
    assert not lan.gateway.echo(lan.controller, within=0.5)
    assert lan.gateway.counter("unauthorized_in") == 1
    assert lan.controller.counter("unauthorized_in") == 1
    lan.begin()
    assert lan.passes()
    assert lan.gateway.echo(lan.controller)
    assert not lan.controller.echo(lan.gateway, OTHER, within=0.5)
    assert lan.gateway.counter("unauthorized_in") == 2
    assert lan.controller.agent("dot1x", "guarded")["refused"] == ""


def test_nothing_goes_out_either_before(lan: Lan) -> None:
    argv = (sys.executable, "-c", SEND, lan.controller.address)
    lan.gateway.run(*argv)
    assert lan.gateway.counter("unauthorized_out") == 1
    lan.begin()
    lan.gateway.run(*argv)
    assert lan.gateway.counter("unauthorized_out") == 1


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "foreign": ({"signer": Authority("foreign")}, "reason=1 "),
    "another": ({"dns": ("umeda-bems.lab.internal",)}, "reason=12 "),
    "expired": ({"expired": True}, "reason=4 "),
    "revoked": ({}, "reason=2 "),
}


@pytest.mark.parametrize("name", ["foreign", pytest.param("another", marks=long), "expired", "revoked"])
def test_a_certificate_is_refused_for_its_own_reason_and_the_sound_one_is_let_in(lan: Lan, name: str) -> None:
    how, cause = REFUSED[name]
    serial = lan.issuer.issue(lan.controller, **how)
    if name == "revoked":
        lan.issuer.revoke(serial)
        lan.issuer.publish(lan.gateway)
    start_hostapd(lan.gateway)
    start_supplicant(lan.controller)
    awaited("it is refused", lambda: "certificate chain failure" in lan.said("hostapd"))
    assert cause in lan.said("hostapd")
    assert lan.gateway.let_in() == lan.controller.let_in() == []
    assert not lan.passes(within=0.5)
    lan.issuer.issue(lan.controller)
    lan.until_open()
    assert lan.passes()


def objection(end: End) -> str:
    """Why the guard refuses the other end; nothing where it does not, or has not begun to report."""
    said = end.agent("dot1x", "guarded")
    return said["refused"] if isinstance(said, dict) else ""


def test_a_gateway_that_is_revoked_is_refused_by_the_guard(lan: Lan) -> None:
    lan.issuer.revoke(lan.issuer.issue(lan.gateway))
    lan.issuer.publish(lan.controller)
    start_hostapd(lan.gateway)
    start_supplicant(lan.controller)
    refused = awaited("it is refused", lambda: objection(lan.controller))
    assert refused.endswith("it is revoked")
    assert lan.gateway.let_in() == lan.controller.let_in() == []


def test_a_revocation_ends_it_and_both_ports_are_shut(lan: Lan) -> None:
    lan.begin()
    lan.issuer.revoke(lan.own)
    lan.issuer.publish(lan.gateway)
    time.sleep(1.1)  # hostapd reads its lists no sooner
    asked = "hostapd_cli -p /run/heiiki-authenticator/control raw EAPOL_REAUTH"
    lan.gateway.run(*asked.split(), lan.controller.link_address)
    until_shut(lan.gateway)
    until_shut(lan.controller)
    assert not lan.passes(within=0.5)


def test_a_loss_of_the_link_has_both_ends_authenticate_anew(lan: Lan) -> None:
    lan.begin()
    before = lan.said("hostapd").count("EAP-SUCCESS")
    lan.controller.kill("supplicant")  # who is plugged in instead has the address, and no key
    lan.controller.kill("guard")
    lan.controller.run("ip", "link", "set", "lan0", "down")
    until_shut(lan.gateway)
    lan.controller.run("ip", "link", "set", "lan0", "up")
    awaited("it is asked", lambda: lan.said("hostapd").count("EAP-STARTED") > before)
    assert not lan.passes(within=1.5)
    start_supplicant(lan.controller)
    lan.until_open()
    assert lan.said("hostapd").count("EAP-SUCCESS") > before


def test_a_port_whose_hostapd_is_killed_is_shut_until_it_is_there_again(lan: Lan) -> None:
    lan.begin()
    lan.gateway.kill("hostapd")
    until_shut(lan.gateway)
    assert not lan.passes(within=0.5)
    start_hostapd(lan.gateway)
    lan.until_open()


@long
def test_a_port_whose_keeper_is_killed_is_shut_when_its_lease_is_over(lan: Lan) -> None:
    lan.begin()
    lan.gateway.kill("port")
    assert until_shut(lan.gateway) <= port.LEASE_S + 5
    lan.gateway.start_port()
    lan.until_open()


def test_a_filter_that_is_loaded_anew_comes_shut_and_is_opened_again(lan: Lan) -> None:
    lan.begin()
    lan.gateway.run("sh", "-c", "nft -f /etc/nftables.conf && nft list set inet heiiki let_in > /run/after")
    assert "elements" not in lan.gateway.path("/run/after").read_text()
    lan.until_open()


def test_who_takes_the_address_while_the_link_stands_is_not_seen(lan: Lan) -> None:
    """What a filter by link addresses cannot do: frames are not protected, which would take MACsec."""
    lan.begin()
    lan.controller.kill("supplicant")
    assert lan.passes()


PROBE = resources.files("heiiki.verify.probes").joinpath("wlan.py").read_text(encoding="utf-8")
CALL = "\nprint(json.dumps(main(json.loads(sys.argv[1]))))\n"


def credentials(end: End) -> dict[str, str]:
    """What an end shows, as an attempt names it."""
    return {name: end.path(places.CREDENTIALS / f"{name}.pem").read_text() for name in ("certificate", "key")}


def test_the_trials_of_a_verification_see_who_gets_in_and_that_ip_passes_then_alone(lan: Lan) -> None:
    lan.begin()
    own = credentials(lan.controller)
    lan.issuer.issue(lan.controller, expired=True)
    expired = credentials(lan.controller)
    for name, text in own.items():
        lan.controller.write(places.CREDENTIALS / f"{name}.pem", text)
    attempts = [
        {"name": "silent", "silent": True},
        {"name": "password", "password": True},
        {"name": "own"},
        {"name": "expired", **expired},
    ]
    for number, one in enumerate(attempts, start=1):
        one |= {"interface": f"trial{number}", "address": f"02:0{number}:0a:10:01:74"}
    given = {
        "do": "plug",
        "interface": "lan0",
        "authenticator": "lan.namba-gw.lab.internal",
        "attempts": attempts,
        "echo": {
            "source": lan.controller.address,
            "target": lan.gateway.address,
            "link_address": lan.gateway.link_address,
        },
    }
    text = PROBE.replace("/usr/sbin/wpa_supplicant", "wpa_supplicant") + "\nimport json, sys\n" + CALL
    came = json.loads(lan.controller.run(sys.executable, "-c", text, json.dumps(given)))["attempts"]
    assert {name: (one["in"], one["answered"]) for name, one in came.items()} == {
        "silent": (False, False),
        "password": (False, False),
        "own": (True, True),
        "expired": (False, False),
    }
    assert any("method=13 -> NAK" in line for line in came["password"]["said"])
    assert any("EAP-FAILURE" in line for line in came["expired"]["said"])
    assert "reason=4 " in lan.said("hostapd")
    lan.until_open()  # for itself alone: the one that got in has logged off
    assert lan.passes()
