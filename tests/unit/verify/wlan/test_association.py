"""Whether a station is on the air as planned, from what both daemons say."""

import json
from typing import Any

import pytest

from heiiki.plan import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.wlan import association
from heiiki.verify.wlan.association import requires_protection

SERIAL = "14:88:77"
BEACON = "00086c61622d30303233030106" + "30140100000fac040100000fac040100000fac05cc00" + "3b0251"
SERVED: dict[str, Any] = {
    "runs": {"state": "ENABLED"},
    "kept": [],
    "stations": [
        {
            "address": "02:00:0a:10:01:74",
            "flags": "[AUTH][ASSOC][AUTHORIZED][WMM][MFP]",
            "AKMSuiteSelector": "00-0f-ac-5",
            "dot11RSNAStatsSelectedPairwiseCipher": "00-0f-ac-4",
            "dot1xAuthSessionUserName": "namba-erc.lab.internal",
        }
    ],
}
JOINED: dict[str, Any] = {
    "beacon": BEACON,
    "status": {
        "wpa_state": "COMPLETED",
        "bssid": "02:00:0a:10:01:71",
        "ssid": "lab-0023",
        "freq": "2437",
        "key_mgmt": "WPA2-EAP-SHA256",
        "pairwise_cipher": "CCMP",
        "group_cipher": "CCMP",
        "pmf": "2",
        "selectedMethod": "13 (EAP-TLS)",
        "eap_tls_version": "TLSv1.2",
    },
}


def judged(
    plan: Plan,
    fleet_of: Any,
    kept: Any,
    *,
    served: Any = SERVED,
    joined: Any = JOINED,
    guard: Any = None,
    dead: tuple[str, ...] = (),
) -> Verdict:
    said = {
        "namba-gw": {"air": served, "credentials": {"certificate": {"serial": SERIAL}}},
        "namba-erc": {"air": joined, "guard": guard or {"serial": SERIAL, "refused": ""}},
    }

    def reply(device: str, _probe: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        answers = said[device].items()
        return {"commands": {name: {"rc": 0, "out": json.dumps(one), "err": ""} for name, one in answers}}

    (found,) = association.verdicts(plan, fleet_of(reply, dead), kept)
    assert (found.requirement, found.subject) == ("R-SEC-LAN/wifi", "LAN of namba")
    return found


def test_what_is_as_planned_passes(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found = judged(plan, fleet_of, kept)
    assert found.result is Result.PASS, found.reason
    assert "TLSv1.2" in found.reason


def of_member(**changes: str) -> dict[str, Any]:
    return {**SERVED, "stations": [{**SERVED["stations"][0], **changes}]}


@pytest.mark.parametrize(
    ("served", "told"),
    [
        ({**SERVED, "kept": ["1 02:00"]}, "keeps 1 keys of stations (PMKSA)"),
        ({**SERVED, "runs": {"state": "DISABLED"}}, "namba-gw is not on the air: DISABLED"),
        ({**SERVED, "stations": []}, "has let in the stations none, not 02:00:0a:10:01:74 alone"),
        ({**SERVED, "stations": SERVED["stations"] * 2}, "not 02:00:0a:10:01:74 alone"),
        (of_member(flags="[AUTH][ASSOC][AUTHORIZED]"), "is not MFP"),
        (of_member(flags="[AUTH][AUTHORIZED][MFP]"), "is not ASSOC"),
        (of_member(AKMSuiteSelector="00-0f-ac-1"), "AKMSuiteSelector of 02:00:0a:10:01:74 is 00-0f-ac-1"),
        (of_member(dot1xAuthSessionUserName="somebody"), "is somebody, not namba-erc.lab.internal"),
        ({"waits": "certificate.pem is not there yet"}, "namba-gw: certificate.pem is not there yet"),
    ],
)
def test_an_access_point_that_is_otherwise_fails(
    plan: Plan, fleet_of: Any, kept: Any, served: Any, told: str
) -> None:
    found = judged(plan, fleet_of, kept, served=served)
    assert found.result is Result.FAIL
    assert told in found.reason


def of_status(**changes: str) -> dict[str, Any]:
    return {**JOINED, "status": {**JOINED["status"], **changes}}


@pytest.mark.parametrize(
    ("joined", "told"),
    [
        (of_status(wpa_state="SCANNING"), "namba-erc: wpa_state is SCANNING, not COMPLETED"),
        (of_status(bssid="02:01:0a:10:01:71"), "bssid is 02:01:0a:10:01:71, not 02:00:0a:10:01:71"),
        (of_status(key_mgmt="WPA2-PSK"), "key_mgmt is WPA2-PSK, not WPA2-EAP-SHA256"),
        (of_status(pmf="1"), "pmf is 1, not 2"),
        (of_status(eap_tls_version="TLSv1.1"), "EAP-TLS by TLSv1.1"),
        (
            {**JOINED, "beacon": BEACON.replace("cc00", "8c00")},
            "namba-gw does not require that management frames are protected",
        ),
        ({"waits": "certificate.pem is not there yet"}, "namba-erc: certificate.pem is not there yet"),
    ],
)
def test_a_station_that_is_otherwise_fails(
    plan: Plan, fleet_of: Any, kept: Any, joined: Any, told: str
) -> None:
    found = judged(plan, fleet_of, kept, joined=joined)
    assert found.result is Result.FAIL
    assert told in found.reason


def test_a_guard_that_saw_another_certificate_fails(plan: Plan, fleet_of: Any, kept: Any) -> None:
    found = judged(plan, fleet_of, kept, guard={"serial": "00:01", "refused": ""})
    assert found.result is Result.FAIL
    assert "the guard of namba-erc has not seen the certificate of namba-gw" in found.reason


@pytest.mark.parametrize("device", ["namba-gw", "namba-erc"])
def test_a_device_that_was_not_reached_is_unknown(plan: Plan, fleet_of: Any, kept: Any, device: str) -> None:
    found = judged(plan, fleet_of, kept, dead=(device,))
    assert found.result is Result.UNKNOWN
    assert f"{device}: not reachable" in found.reason


def test_what_cannot_be_read_is_unknown(plan: Plan, fleet_of: Any, kept: Any) -> None:
    assert judged(plan, fleet_of, kept, served={"runs": {}}).result is Result.UNKNOWN


@pytest.mark.parametrize(
    ("elements", "required"),
    [
        (BEACON, True),
        (BEACON.replace("cc00", "8c00"), False),
        ("0000", False),
        ("", False),
        ("30140100000fac04", False),
    ],
)
def test_the_beacon_says_whether_protection_is_required(elements: str, *, required: bool) -> None:
    assert requires_protection(bytes.fromhex(elements)) is required
