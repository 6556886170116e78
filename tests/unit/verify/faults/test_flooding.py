"""A flood: who sends it where, that it was one, and when the packet filter held it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from heiiki.errors import HeiikiError
from heiiki.plan.floods import floods
from heiiki.plan.model import ElementKind, Fault, Limit, Plan
from heiiki.report.faults import Gap, is_row
from heiiki.requirements import Result, Stage
from heiiki.verify.faults import flooding
from heiiki.verify.faults.felt import least
from heiiki.verify.faults.flooding import Count, flood, judged, lived
from heiiki.verify.faults.gaps import Measured, row, standing
from heiiki.verify.faults.lived import Lived
from heiiki.verify.probes.flood import encoded
from heiiki.verify.probes.packets import checksum


def fault(plan: Plan, name: str) -> Fault:
    return next(one for one in plan.faults if one.name == name)


class Devices:
    """They count: `arrived` packets by a table of their own, `dropped` by the budget's counter."""

    def __init__(self, arrived: int, dropped: int, *, sent: int = 6000) -> None:
        self.arrived, self.dropped, self.sent = arrived, dropped, sent
        self.flooded = False
        self.tables: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, device: str, probe: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(device)
        if probe == "flood":
            assert self.tables, "what arrives is counted before the first packet leaves"
            self.flooded = True
            return {"sent": self.sent, "refused": 0, "seconds": 3.0}
        ((_, argv),) = parameters["commands"].items()
        return {"commands": dict.fromkeys(parameters["commands"], self._nft(argv))}

    def _nft(self, argv: list[str]) -> dict[str, Any]:
        words = argv[-1].split()
        if words[:2] == ["add", "table"]:
            self.tables.add(words[3])
        elif words[:2] == ["delete", "table"]:
            self.tables.remove(words[3])
        elif words[:2] == ["list", "table"]:
            rule = {"expr": [{"match": {}}, {"counter": {"packets": self.arrived}}]}
            return said({"table": {}}, {"rule": rule})
        count = 7 + self.dropped * self.flooded
        counts = {f"limited_{name}": count for name in ("vault", "vrrp", "ike")} | {"refused_vrrp": 3}
        return said(*({"counter": {"name": name, "packets": one}} for name, one in counts.items()))


def said(*items: Mapping[str, Any]) -> dict[str, Any]:
    return {"rc": 0, "out": json.dumps({"nftables": items}), "err": ""}


def test_every_flood_of_the_plan_has_ends_and_a_budget(plan: Plan) -> None:
    found = [(one, flood(plan, one)) for one in plan.faults if one.kind is ElementKind.FLOOD]
    assert len(found) == 9
    for one, sent in found:
        assert sent.out.device == one.target
        firewall = plan.device(sent.flooded).firewall
        assert firewall
        assert any(
            item.name == one.service and any(sent.source in net for net in item.sources)
            for item in firewall.services
        ), "it is in the name of somebody who may ask"
        enough = sent.limit.burst + (sent.limit.rate + flooding.OWN) * (flooding.FLOOD_S + 1)
        assert 1.5 * enough < flooding.RATE * flooding.FLOOD_S, "it is more than the budget"


def test_a_site_with_one_gateway_floods_too(plan: Plan) -> None:
    namba = next(site for site in plan.sites if site.name == "namba")
    hub = f"hub-ce-{namba.primary}"
    found = [flood(plan, one) for one in floods((namba,))]
    assert [(one.service, one.flooded) for one in found] == [
        ("vault", "vault"),
        ("echo", "dras"),
        ("stamp", "dras"),
        ("ike", hub),
        ("bgp", hub),
    ]


def test_a_neighbour_is_flooded_in_the_name_of_the_other_gateway(plan: Plan) -> None:
    found = flood(plan, fault(plan, "umeda-bems/bgp-flood"))
    assert (found.flooded, str(found.source), str(found.destination)) == (
        "umeda-ce-a",
        "10.16.1.19",
        "10.16.1.18",
    )
    assert str(flood(plan, fault(plan, "umeda-bems/vrrp-flood")).destination) == "224.0.0.18"


@pytest.mark.parametrize("name", ["umeda-bems/vault-flood", "umeda-gw-b/ike-flood", "umeda-bems/vrrp-flood"])
def test_what_is_dropped_beyond_the_budget_is_a_pass(
    plan: Plan, name: str, fleet_of: Callable[..., Any]
) -> None:
    devices = Devices(arrived=5900, dropped=5800)
    found = lived(plan, fleet_of(devices), fault(plan, name))
    assert (found.wrong, found.doubts) == ((), ())
    assert "6,000 packets of " in found.said
    assert "100 passed" in found.said
    assert devices.tables == set(), "nothing is left on the flooded device"


def test_a_filter_that_lets_more_through_fails(plan: Plan, fleet_of: Callable[..., Any]) -> None:
    found = lived(plan, fleet_of(Devices(5900, 0)), fault(plan, "umeda-bems/vault-flood"))
    assert [why.rpartition(" in ")[0] for why in found.wrong] == [
        "6,000 packets of vault were sent, 5,900 came in at vault, and 5,900 passed; its budget allows 140"
    ]


def test_what_did_not_arrive_proves_nothing(plan: Plan, fleet_of: Callable[..., Any]) -> None:
    for arrived, dropped in ((0, 0), (90, 0), (90, 40)):
        found = lived(plan, fleet_of(Devices(arrived, dropped)), fault(plan, "umeda-bems/vault-flood"))
        assert found.wrong == ()
        assert "that is no flood" in found.doubts[0]


def test_the_budget_grows_with_the_time_that_was_measured(plan: Plan) -> None:
    one = replace(flood(plan, fault(plan, "umeda-bems/vault-flood")), limit=Limit(20, 100))
    assert judged(one, Count(6000, 6000, 5740, 3.0)).wrong == ()  # 100 + 40 x 4 = 260
    assert judged(one, Count(6000, 6000, 5739, 3.0)).wrong != ()


def test_a_device_that_cannot_be_read_is_no_answer(plan: Plan, fleet_of: Callable[..., Any]) -> None:
    with pytest.raises(HeiikiError, match="not reachable"):
        lived(plan, fleet_of(Devices(1, 1), dead=["vault"]), fault(plan, "umeda-bems/vault-flood"))
    found = lived(plan, fleet_of(Devices(1, 1), dead=["umeda-bems"]), fault(plan, "umeda-bems/vault-flood"))
    assert found.doubts == ("no flood was sent: umeda-bems: not reachable",)


def test_the_row_is_judged_by_the_filter_and_by_every_sites_traffic(plan: Plan) -> None:
    one = fault(plan, "umeda-bems/vault-flood")
    calm, silent = (Gap("namba", "up", "failure", seconds) for seconds in (0.2, 2.1))
    held, wrong = Lived(said="the rest was dropped"), Lived(("5,900 passed",))
    results = [
        row(one, Measured((gap,), (), (), 0.0, how), (), least(plan, {}, one)).verdict()
        for gap, how in ((calm, held), (silent, held), (calm, wrong), (calm, Lived(doubts=("no flood",))))
    ]
    assert [item.result for item in results] == [Result.PASS, Result.FAIL, Result.FAIL, Result.UNKNOWN]
    assert results[0].reason == "longest: 0.20 s up at namba on failure; the rest was dropped"
    assert {(item.requirement, item.subject) for item in results} == {("R-ISO-MALICE/flood", one.name)}
    assert is_row("R-ISO-MALICE/flood", Stage.LIVE, one.name)
    assert not is_row("R-GAP", Stage.LIVE, one.name)


def test_a_stall_voids_a_flood_only_where_it_may_have_made_the_silence(plan: Plan) -> None:
    one, other = fault(plan, "umeda-bems/vault-flood"), fault(plan, "a-p1/kill")
    calm, silent = (Gap("namba", "up", "failure", seconds) for seconds in (0.4, 2.1))
    stalls = ("guest stood still for 0.300 s",)
    assert standing(one, Measured((calm,), (), stalls, 0.0)).stalls == ()
    assert standing(one, Measured((calm, silent), (), stalls, 0.0)).stalls == stalls
    assert standing(one, Measured((), (), stalls, 0.0)).stalls == stalls
    assert standing(other, Measured((calm,), (), stalls, 0.0)).stalls == stalls


@pytest.mark.parametrize(("protocol", "at"), [(1, 20), (6, None), (17, None), (112, None)])
def test_packets_are_whole(protocol: int, at: int | None) -> None:
    ends = {"source": "10.16.1.20", "destination": "10.15.0.4"}
    packet = encoded({**ends, "protocol": protocol, "port": 862, "body": "00" * 8}, 5)
    assert packet[9] == protocol
    assert int.from_bytes(packet[2:4]) == len(packet)
    assert checksum(packet[:20]) == 0
    if at is not None:
        assert checksum(packet[at:]) == 0
    if protocol == 6:
        assert checksum(packet[12:20] + bytes((0, 6, 0, 20)) + packet[20:]) == 0
