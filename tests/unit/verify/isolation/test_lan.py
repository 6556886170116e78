"""A LAN on which everybody claims to be everybody else: who must drop what, and what a verdict rests on."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.requirements import Result
from heiiki.verify.isolation import frames, lan
from heiiki.verify.probes.packets import checksum

RANDOM = Random(1)  # noqa: S311 - a draw that a test can repeat
SUBJECTS = (
    "ARP on the hub's LAN",
    "VRRP on the hub's LAN",
    "ARP on the LAN of umeda",
    "VRRP on the LAN of umeda",
    "ARP on the LAN of namba",
    "ARP on the LAN of sakai",
    "VRRP on the LAN of sakai",
)


class Devices:
    """Devices that drop and count every forged frame, but for what a test changes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lans = list(lan.lans(plan, plan.sites))
        self.forging = False
        self.sent: dict[str, int] = {}
        self.neighbours: dict[str, dict[str, str]] = {
            device.name: {str(one.address): one.link_address for one in device.neighbours}
            for device in plan.managed()
        }
        self.state = "PERMANENT"
        self.poisoned: dict[str, str] = {}
        self.lost: set[str] = set()
        self.without: set[str] = set()
        self.moves: set[str] = set()

    def __call__(self, device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if probe == "forge":
            self.forging = True
            self.sent[device] = len(parameters["frames"])
            vrrp = self.plan.device(device).vrrp
            holds = [vrrp.priority == 200] if vrrp and parameters["watch"] else []
            return {
                "sent": self.sent[device],
                "error": "",
                "holds": [*holds, not holds[0]] if device in self.moves else holds,
            }
        return {"commands": {"neighbours": self._shown(device), "counters": self._counters(device)}}

    def _shown(self, device: str) -> dict[str, Any]:
        found = self.neighbours[device] | (self.poisoned if self.forging and self.poisoned else {})
        entries = [
            {"dst": address, "dev": "lan0", "lladdr": station, "state": [self.state]}
            for address, station in found.items()
        ]
        return {"rc": 0, "out": json.dumps([*entries, {"dst": "10.9.9.9", "dev": "lan0", "state": []}])}

    def _counters(self, device: str) -> dict[str, Any]:
        found = []
        for name, protocol in (("forged_arp", lan.ARP), ("refused_vrrp", lan.VRRP)):
            count = sum(lan.expected(one, protocol)[device] for one in self.lans)
            rise = count - (device in self.lost) if self.forging else 0
            if name not in self.without:
                found.append({"counter": {"name": name, "packets": 7 + rise}})
        return {"rc": 0, "out": json.dumps({"nftables": found})}


@pytest.fixture
def devices(plan: Plan) -> Devices:
    return Devices(plan)


@pytest.fixture
def judged(plan: Plan, devices: Devices, fleet_of: Any, kept: Any) -> Callable[..., dict[str, Any]]:
    def judge(dead: tuple[str, ...] = ()) -> dict[str, Any]:
        found = lan.verdicts(plan, fleet_of(devices, dead), kept, RANDOM)
        return {one.subject: one for one in found}

    return judge


def test_what_is_dropped_and_changes_nothing_passes(plan: Plan, judged: Any, devices: Devices) -> None:
    found = judged()
    assert tuple(found) == lan.subjects(plan) == SUBJECTS
    assert {one.result for one in found.values()} == {Result.PASS}
    assert {one.requirement for one in found.values()} == {lan.REQUIREMENT}
    assert all(devices.sent.values()), "every device of every LAN forges"


def test_a_table_that_changed_fails(judged: Any, devices: Devices) -> None:
    devices.poisoned = {"10.16.1.17": "02:00:0a:10:01:14"}
    found = judged()
    assert found["ARP on the LAN of umeda"].result is Result.FAIL
    assert "took 02:00:0a:10:01:14 for 10.16.1.17" in found["ARP on the LAN of umeda"].reason
    assert found["VRRP on the LAN of umeda"].result is Result.PASS
    assert found["ARP on the hub's LAN"].result is Result.PASS


@pytest.mark.parametrize("fault", ["state", "gone", "other"])
def test_where_a_table_could_change_it_fails_and_nothing_is_sent(
    judged: Any, devices: Devices, fault: str
) -> None:
    if fault == "state":
        devices.state = "REACHABLE"
    elif fault == "gone":
        del devices.neighbours["umeda-bems"]["10.16.1.17"]
    else:
        devices.neighbours["umeda-bems"]["10.16.1.17"] = "02:00:0a:10:01:14"
    found = judged()["ARP on the LAN of umeda"]
    assert found.result is Result.FAIL
    assert "believes ARP of 10.16.1.1" in found.reason
    assert devices.sent["umeda-ce-a"] == 0, "claims of this LAN are not sent"


def test_without_the_rule_no_advertisement_is_sent(judged: Any, devices: Devices) -> None:
    devices.without = {"refused_vrrp"}
    found = judged()
    assert found["VRRP on the LAN of umeda"].result is Result.FAIL
    assert "umeda-ce-a has no rule that drops forged VRRP" in found["VRRP on the LAN of umeda"].reason
    assert found["ARP on the LAN of umeda"].result is Result.PASS


@pytest.mark.parametrize(("lost", "result"), [(True, Result.FAIL), (False, Result.UNKNOWN)])
def test_a_virtual_address_moves_by_what_was_not_dropped_alone(
    judged: Any, devices: Devices, lost: bool, result: Result
) -> None:
    """Where each advertisement was dropped, something else moved it in the same moment."""
    devices.moves = {"umeda-gw-b", "umeda-ce-a"}
    devices.lost = {"umeda-gw-b"} if lost else set()
    found = judged()
    assert found["VRRP on the LAN of umeda"].result is result
    assert "the virtual address moved" in found["VRRP on the LAN of umeda"].reason
    assert found["VRRP on the LAN of sakai"].result is Result.PASS


def test_what_was_not_counted_is_not_known(judged: Any, devices: Devices) -> None:
    devices.lost = {"umeda-gw-b"}
    found = judged()
    for protocol in ("ARP", "VRRP"):
        assert found[f"{protocol} on the LAN of umeda"].result is Result.UNKNOWN
        assert "who dropped the rest?" in found[f"{protocol} on the LAN of umeda"].reason
    assert found["ARP on the LAN of namba"].result is Result.PASS


def test_a_device_that_cannot_be_asked_leaves_its_lan_alone_unknown(judged: Any) -> None:
    found = judged(("umeda-bems",))
    unknown = {subject for subject, one in found.items() if one.result is Result.UNKNOWN}
    assert unknown == {"ARP on the LAN of umeda", "VRRP on the LAN of umeda"}


def test_a_claim_says_in_every_form_that_the_sender_has_the_address(plan: Plan) -> None:
    gateway = plan.site("umeda").virtual_gateway
    forms = [*frames.claims("02:00:0a:10:01:14", gateway)]
    forms.append(frames.reply("02:00:0a:10:01:14", gateway, "02:00:0a:10:01:13", gateway))
    for form in map(bytes.fromhex, forms):
        assert form[6:12] == form[22:28] == bytes.fromhex("02000a100114")
        assert form[12:14] == b"\x08\x06"
        assert form[28:32] == gateway.packed
    assert [bytes.fromhex(form)[21] for form in forms] == [1, 2, 2]


def test_an_advertisement_is_a_valid_one_of_the_highest_priority(plan: Plan) -> None:
    vrrp = plan.device("umeda-gw-b").vrrp
    assert vrrp
    frame = bytes.fromhex(frames.advertisement("02:00:0a:10:01:14", vrrp.peer, vrrp))
    assert frame[:6].hex() == "01005e000012"
    packet = frame[14:]
    assert checksum(packet[:20]) == 0
    assert (packet[8], packet[9], packet[12:16]) == (255, 112, vrrp.peer.packed)
    body = packet[20:]
    assert body[:3] == bytes((0x31, vrrp.router_id, 255))
    assert checksum(packet[12:20] + bytes((0, 112, 0, len(body))) + body) == 0
