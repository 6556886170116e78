"""A whole network away: who must still get lists and certificates, and what is said when one does not."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from heiiki.errors import VaultError, VaultFault
from heiiki.plan.model import Fault, Network, Plan
from heiiki.requirements import Result
from heiiki.verify.faults import away
from heiiki.verify.faults.away import lived
from heiiki.verify.faults.felt import least
from heiiki.verify.faults.gaps import Measured, row
from heiiki.verify.faults.lived import Lived


class Clock:
    """Sleeping moves it on; nothing waits."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Watches:
    """The watch of every verifier: pulls once a minute, but for those named in `deaf`."""

    def __init__(self, clock: Clock, deaf: Mapping[str, Any] | None = None) -> None:
        self._clock, self._deaf = clock, deaf or {}

    def __call__(self, device: str, _probe: str, _parameters: Mapping[str, Any]) -> dict[str, Any]:
        turn = self._clock.now // 60
        said = {"pulled": 1000.0 + 60 * turn, "failures": 0, "problem": ""}
        if device in self._deaf and turn:
            said |= self._deaf[device]
        out = "it is dead" if "dead" in said else json.dumps(said)
        return {"commands": {"check": {"rc": 0, "out": out, "err": ""}}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(away, "time", made)
    return made


def fault(plan: Plan, network: str) -> Fault:
    return next(one for one in plan.faults if one.name == f"network-{network}/away")


def all_good(names: Collection[str]) -> dict[str, str]:
    return dict.fromkeys(names, "")


def test_who_is_not_cut_off_with_a_network(plan: Plan) -> None:
    left = {network: {device.name for device, _ in away.reachable(plan, network)} for network in Network}
    ends = {"dras", "xmpp", "radius", *(site.controller for site in plan.sites)}
    everywhere = {"hub-ce-a", "hub-ce-b"} | ends
    assert left[Network.A] == everywhere | {"b-edge", "umeda-gw-b", "namba-gw", "sakai-gw-b"}
    assert left[Network.B] == everywhere | {"a-pe1", "umeda-ce-a", "namba-gw", "sakai-ce-a"}


def test_every_site_renews_over_what_is_left(plan: Plan) -> None:
    controllers = {site.controller for site in plan.sites}
    assert set(away.renewed(plan, Network.A)) == controllers | {"umeda-gw-b", "namba-gw", "sakai-gw-b"}
    assert set(away.renewed(plan, Network.B)) == controllers | {"umeda-ce-a", "namba-gw", "sakai-ce-a"}


def test_a_network_is_all_of_its_links_and_watched_at_the_hub(plan: Plan) -> None:
    for network in Network:
        cut = set(away.links(plan, network))
        assert cut == {link.name for link in plan.links if link.network == network}
        for site in plan.sites:
            assert cut & set(plan.path(site.name, network).elements)
    assert away.line(plan, Network.A) == ("hub-ce-a", ["access-a"])
    assert away.line(plan, Network.B) == ("hub-ce-b", ["access-b"])


def test_all_lives_on(plan: Plan, clock: Clock, fleet_of: Any) -> None:
    found = lived(plan, fleet_of(Watches(clock)), fault(plan, "a"), all_good)
    assert (found.wrong, found.doubts) == ((), ())
    assert clock.now >= 60, "each watch was given the time to ask by itself"


def test_a_verifier_that_gets_no_list_is_named(plan: Plan, clock: Clock, fleet_of: Any) -> None:
    deaf = {
        "namba-gw": {"failures": 2, "problem": "no way to it"},
        "hub-ce-a": {"pulled": 1000.0},
        "umeda-gw-b": {"dead": True},
    }
    found = lived(plan, fleet_of(Watches(clock, deaf)), fault(plan, "a"), all_good)
    assert set(found.wrong) == {
        "namba-gw fetches no CRL: no way to it",
        "hub-ce-a has asked for no CRL since",
    }
    assert found.doubts == ("umeda-gw-b: its watch does not say how its pulls went: it is dead",)


def test_a_renewal_that_fails_or_cannot_be_tried_is_no_pass(plan: Plan, clock: Clock, fleet_of: Any) -> None:
    def without_namba(names: Collection[str]) -> dict[str, str]:
        return dict.fromkeys(names, "") | {"namba-gw": "no way to it within 20 s"}

    def without_server(_names: Collection[str]) -> dict[str, str]:
        raise VaultError("is sealed", VaultFault.UNREACHABLE)

    fleet, one = fleet_of(Watches(clock)), fault(plan, "b")
    assert lived(plan, fleet, one, without_namba).wrong == (
        "namba-gw got no certificate: no way to it within 20 s",
    )
    assert len(lived(plan, fleet, one, without_server).wrong) == len(away.renewed(plan, Network.B))
    assert lived(plan, fleet, one, None).doubts == (
        "no renewal could be tried: no Vault server was set up from here",
    )


def test_the_row_fails_for_trust_as_for_traffic_and_is_one_of_r_dual(plan: Plan) -> None:
    one = fault(plan, "a")
    bounds = least(plan, {}, replace(one, sites=()))
    wrong = Measured((), (), (), 0.1, Lived(("namba-gw fetches no CRL: why",)))
    doubt = Measured((), (), (), 0.1, Lived(doubts=("no renewal could be tried",)))
    found = [row(one, last, (), bounds).verdict() for last in (wrong, doubt)]
    assert {(item.requirement, item.subject) for item in found} == {("R-DUAL/outage", "network-a/away")}
    assert [(item.result, item.reason) for item in found] == [
        (Result.FAIL, "namba-gw fetches no CRL: why"),
        (Result.UNKNOWN, "no renewal could be tried"),
    ]
