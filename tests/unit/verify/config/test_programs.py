"""With which values programs run: what they say of themselves against the plan."""

import json
from typing import Any

import pytest
from dot1x_service import controlled

from heiiki.plan.model import Plan
from heiiki.verify.config.programs import runs_otherwise
from heiiki.verify.fleet import UnreadableError

PGW = "/etc/heiiki/pgw.json"


def runs(plan: Plan, **changed: Any) -> dict[str, Any]:
    """What a packet gateway says that runs as planned, with some values changed."""
    wanted = plan.device(plan.mobile.pgw).pgw
    assert wanted is not None
    subscribers = [
        {"imsi": sim.imsi, "apn": sim.apn, "address": str(sim.address)} for sim in reversed(wanted.sims)
    ]
    said = {
        "address": str(wanted.gtp_address),
        "apns": {wanted.apn: str(wanted.pool)},
        "subscribers": subscribers,
    }
    return {"runs": said | changed}


def differences(plan: Plan, said: Any) -> list[str]:
    found = {"rc": 0, "out": json.dumps(said), "err": ""}
    return list(runs_otherwise(plan.device(plan.mobile.pgw), PGW, found))


def test_a_packet_gateway_that_runs_as_planned(plan: Plan) -> None:
    assert differences(plan, runs(plan)) == []


def test_a_subscription_that_runs_otherwise_is_named(plan: Plan) -> None:
    first, *rest = runs(plan)["runs"]["subscribers"]
    imsi, apn, address = first["imsi"], first["apn"], first["address"]
    other = {**first, "address": "10.112.3.99"}
    assert differences(plan, runs(plan, subscribers=[other, *rest])) == [
        f"{imsi} has 10.112.3.99 at {apn}, not {address}"
    ]
    assert differences(plan, runs(plan, subscribers=rest)) == [
        f"{imsi} has no address at {apn}, not {address}"
    ]
    more = {"imsi": "440100000099999", "apn": apn, "address": "10.112.3.98"}
    assert differences(plan, runs(plan, subscribers=[first, *rest, more])) == [
        f"440100000099999 has 10.112.3.98 at {apn}, not none"
    ]


@pytest.mark.parametrize("changed", [{"address": "192.0.2.1"}, {"apns": {"other": "10.0.0.0/8"}}])
def test_another_address_or_pool_is_one(plan: Plan, changed: dict[str, Any]) -> None:
    (key,) = changed
    (found,) = differences(plan, runs(plan, **changed))
    assert found.startswith(f"{key} is ")


def test_a_report_without_what_runs_cannot_be_read(plan: Plan) -> None:
    with pytest.raises(UnreadableError, match=r"the program of /etc/heiiki/pgw\.json"):
        differences(plan, {"sessions": []})


SERVED: dict[str, Any] = {
    "runs": {
        "ssid": "lab-0023",
        "channel": "6",
        "key_mgmt": "WPA-EAP-SHA256",
        "group_cipher": "CCMP",
        "cipher": "CCMP",
    }
}
JOINED: dict[str, Any] = {
    "networks": 1,
    "runs": {
        "ssid": "lab-0023",
        "key_mgmt": "WPA-EAP-SHA256",
        "proto": "RSN",
        "pairwise": "CCMP",
        "group": "CCMP",
        "ieee80211w": "2",
        "eap": "TLS",
        "identity": "namba-erc.lab.internal",
        "domain_match": "wifi.namba-gw.lab.internal",
        "phase1": "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_ext_cert_check=1",
        "ca_cert": "/etc/heiiki/pki/lan/trust.pem",
    },
}


def on_air(plan: Plan, device: str, path: str, said: dict[str, Any]) -> list[str]:
    return list(runs_otherwise(plan.device(device), path, {"rc": 0, "out": json.dumps(said), "err": ""}))


def test_an_access_point_runs_as_planned_or_says_what_differs(plan: Plan) -> None:
    path = "/etc/heiiki/access_point.conf"
    assert on_air(plan, "namba-gw", path, SERVED) == []
    other = {"runs": {**SERVED["runs"], "key_mgmt": "WPA-PSK"}}
    assert on_air(plan, "namba-gw", path, other) == ["key_mgmt is WPA-PSK, not WPA-EAP-SHA256"]
    assert on_air(plan, "namba-gw", path, {"waits": "enrol the device"}) == ["enrol the device"]


def test_a_station_runs_as_planned_or_says_what_differs(plan: Plan) -> None:
    path = "/etc/heiiki/station.conf"
    assert on_air(plan, "namba-erc", path, JOINED) == []
    blind = {**JOINED, "runs": {**JOINED["runs"], "domain_match": "FAIL"}}
    assert on_air(plan, "namba-erc", path, blind) == ["domain_match is FAIL, not wifi.namba-gw.lab.internal"]
    assert on_air(plan, "namba-erc", path, {**JOINED, "networks": 2}) == ["it joins 2 networks, not one"]
    assert on_air(plan, "namba-erc", path, {"waits": "enrol the device"}) == ["enrol the device"]


def test_a_supplicant_runs_as_planned_or_says_what_differs() -> None:
    plan, path = controlled()[0], "/etc/heiiki/supplicant.conf"
    runs = {
        "key_mgmt": "IEEE8021X",
        "eap": "TLS",
        "identity": "namba-erc.lab.internal",
        "domain_match": "lan.namba-gw.lab.internal",
        "phase1": "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_ext_cert_check=1",
        "ca_cert": "/etc/heiiki/pki/lan/trust.pem",
    }
    said = {"runs": runs, "networks": 1}
    assert on_air(plan, "namba-erc", path, said) == []
    blind = {**said, "runs": {**runs, "domain_match": "FAIL"}}
    assert on_air(plan, "namba-erc", path, blind) == ["domain_match is FAIL, not lan.namba-gw.lab.internal"]
    assert on_air(plan, "namba-erc", path, {**said, "networks": 2}) == ["it has 2 networks, not one"]
    assert on_air(plan, "namba-erc", path, {"waits": "enrol the device"}) == ["enrol the device"]


def test_a_port_that_is_another_one_is_named() -> None:
    plan, path = controlled()[0], "/etc/heiiki/controlled_port.json"
    assert on_air(plan, "namba-gw", path, {"interface": "lan0"}) == []
    assert on_air(plan, "namba-gw", path, {"interface": "lan1"}) == ["interface is lan1, not lan0"]
