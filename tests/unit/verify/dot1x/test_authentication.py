"""Whether both ends of a wired LAN have let in each other alone, from what daemons and kernels say."""

import json
from typing import Any

import pytest
from dot1x_service import controlled

from heiiki.plan import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.dot1x import authentication

SERIAL = "14:88:77"
GATEWAY, CONTROLLER, OTHER = "02:00:0a:10:01:71", "02:00:0a:10:01:74", "02:01:0a:10:01:74"
MEMBER = {
    "address": CONTROLLER,
    "flags": "[AUTHORIZED]",
    "dot1xAuthSessionUserName": "namba-erc.lab.internal",
    "last_eap_type_sta": "13 (TLS)",
}
SERVED: dict[str, Any] = {"runs": {"state": "ENABLED"}, "supplicants": [MEMBER]}
STATUS = {
    "wpa_state": "COMPLETED",
    "suppPortStatus": "Authorized",
    "key_mgmt": "IEEE 802.1X (no WPA)",
    "selectedMethod": "13 (EAP-TLS)",
    "address": CONTROLLER,
    "eap_tls_version": "TLSv1.2",
}
JOINED: dict[str, Any] = {"status": STATUS}


def listed(*addresses: str) -> dict[str, Any]:
    """What nft prints of a set; of an empty one it says nothing of elements."""
    elements = [{"elem": {"val": one, "timeout": 10, "expires": 9}} for one in addresses]
    found = {"family": "inet", "name": "let_in", **({"elem": elements} if elements else {})}
    return {"nftables": [{"metainfo": {}}, {"set": found}]}


def judged(fleet_of: Any, kept: Any, dead: tuple[str, ...] = (), **changes: Any) -> Verdict:
    plan: Plan = controlled()[0]
    said = {
        "namba-gw": {
            "end": changes.get("served", SERVED),
            "credentials": {"certificate": {"serial": SERIAL}},
            "inet": changes.get("gateway_inet", listed(CONTROLLER)),
            "arp": changes.get("gateway_arp", listed(CONTROLLER)),
        },
        "namba-erc": {
            "end": changes.get("joined", JOINED),
            "guard": {"serial": changes.get("serial", SERIAL), "refused": ""},
            "inet": changes.get("controller_inet", listed(GATEWAY)),
            "arp": listed(GATEWAY),
        },
    }

    def reply(device: str, _probe: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        answers = said[device].items()
        return {"commands": {name: {"rc": 0, "out": json.dumps(one), "err": ""} for name, one in answers}}

    (found,) = authentication.verdicts(plan, fleet_of(reply, dead), kept)
    assert (found.requirement, found.subject) == ("R-SEC-LAN/wired", "LAN of namba")
    return found


def test_what_is_as_planned_passes(fleet_of: Any, kept: Any) -> None:
    found = judged(fleet_of, kept)
    assert found.result is Result.PASS, found.reason
    assert "TLSv1.2" in found.reason


def member(**changes: str) -> dict[str, Any]:
    return {**SERVED, "supplicants": [{**MEMBER, **changes}]}


def status(**changes: str) -> dict[str, Any]:
    return {"status": {**STATUS, **changes}}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"served": {**SERVED, "runs": {"state": "DISABLED"}}}, "authenticates nobody: DISABLED"),
        ({"served": {**SERVED, "supplicants": []}}, "has let in the supplicants none"),
        ({"served": member(flags="")}, "has let in the supplicants none"),
        ({"served": member(address=OTHER)}, f"has let in the supplicants {OTHER}, not {CONTROLLER} alone"),
        ({"served": member(dot1xAuthSessionUserName="somebody")}, "is somebody, not namba-erc.lab.internal"),
        ({"served": {"waits": "no certificate yet"}}, "namba-gw: no certificate yet"),
        ({"joined": {"waits": "no certificate yet"}}, "namba-erc: no certificate yet"),
        ({"joined": status(suppPortStatus="Unauthorized")}, "suppPortStatus is Unauthorized, not Authorized"),
        ({"joined": status(eap_tls_version="TLSv1.1")}, "EAP-TLS by TLSv1.1"),
        ({"serial": "00:01"}, "the guard of namba-erc has not seen the certificate of namba-gw"),
        ({"gateway_inet": listed()}, "namba-gw lets in nobody (inet)"),
        ({"gateway_inet": listed(CONTROLLER, OTHER)}, f"namba-gw lets in {CONTROLLER}, {OTHER} (inet)"),
        ({"gateway_arp": listed(OTHER)}, f"namba-gw lets in {OTHER} (arp)"),
        ({"controller_inet": listed(OTHER)}, f"namba-erc lets in {OTHER} (inet), not {GATEWAY} alone"),
    ],
)
def test_what_is_otherwise_fails(fleet_of: Any, kept: Any, changes: dict[str, Any], told: str) -> None:
    found = judged(fleet_of, kept, **changes)
    assert found.result is Result.FAIL
    assert told in found.reason


@pytest.mark.parametrize("device", ["namba-gw", "namba-erc"])
def test_a_device_that_was_not_reached_is_unknown(fleet_of: Any, kept: Any, device: str) -> None:
    found = judged(fleet_of, kept, (device,))
    assert found.result is Result.UNKNOWN
    assert f"{device}: not reachable" in found.reason


def test_a_set_that_cannot_be_read_is_unknown(fleet_of: Any, kept: Any) -> None:
    assert judged(fleet_of, kept, gateway_inet={"nftables": []}).result is Result.UNKNOWN


def test_without_controlled_ports_it_is_not_applicable(plan: Plan, fleet_of: Any, kept: Any) -> None:
    (found,) = authentication.verdicts(plan, fleet_of(lambda *_: {}), kept)
    assert (found.subject, found.result) == ("wired site LANs", Result.NOT_APPLICABLE)
