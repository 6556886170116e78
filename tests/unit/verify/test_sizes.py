"""R-FIT/size, live: judged by what arrived at the far end of a tunnel."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify import sizes
from heiiki.verify.isolation.packets import Outcome, ProbeRun, Reply
from heiiki.verify.paths import legs


def healthy(plan: Plan) -> list[Outcome]:
    """Every packet arrives by the tunnel that it left by, and is answered."""
    entries = {
        (leg.packet.out, leg.packet.destination): (leg.entry[0], (leg.entry[1],)) for leg in legs(plan)
    }
    return [
        Outcome(
            packet,
            heard=dict([entries[packet.out, packet.destination]]),
            replies=(Reply("echo", str(packet.destination), 0.01),),
        )
        for packet in sizes.packets(plan)
    ]


def judged(plan: Plan, outcomes: Iterable[Outcome], kept: Any) -> dict[str, Verdict]:
    found = sizes.verdicts(plan, ProbeRun(tuple(outcomes), {}, {}, {}), kept)
    return {verdict.subject: verdict for verdict in found}


def test_packets_are_those_of_a_message_of_2000_octets_in_tls(plan: Plan) -> None:
    """The largest that the tunnel takes, and the rest: each has 52 octets of headers (RFC 9293, 7323).

    In TLS the message is two records, of 22 octets more each (RFC 8446 5.2).
    """
    assert {(packet.out.via, packet.out.interface[:5], packet.size) for packet in sizes.packets(plan)} == {
        (None, tunnel, size)
        for tunnel, parts in (
            *((name, (1386, 762)) for name in ("tun-a", "gre-a")),
            *((name, (1298, 850)) for name in ("tun-b", "gre-b")),
        )
        for size in parts
    }
    assert sum((1386, 762)) - 2 * 52 == sum((1298, 850)) - 2 * 52 == 2000 + 2 * 22


def test_all_paths_pass_and_say_with_what(plan: Plan, kept: Any) -> None:
    every = judged(plan, healthy(plan), kept)
    assert {verdict.result for verdict in every.values()} == {Result.PASS}
    assert every["namba over B"].reason == (
        "arrived whole: "
        "1298 octets from namba-gw to dras 4 of 4, 850 octets from namba-gw to dras 4 of 4, "
        "1298 octets from namba-gw to xmpp 4 of 4, 850 octets from namba-gw to xmpp 4 of 4, "
        "1298 octets from hub-ce-b to namba-erc 4 of 4, 850 octets from hub-ce-b to namba-erc 4 of 4"
    )
    assert every["namba over B"].evidence


def test_a_part_of_the_message_that_never_arrives(plan: Plan, kept: Any) -> None:
    def second(outcome: Outcome) -> bool:
        return outcome.packet.out.device == "namba-gw" and outcome.packet.size == 850

    every = judged(plan, [lost(one) if second(one) else one for one in healthy(plan)], kept)
    assert {name for name, one in every.items() if one.result is Result.FAIL} == {"namba over B"}


def lost(outcome: Outcome) -> Outcome:
    return replace(outcome, heard={}, replies=())


def elsewhere(outcome: Outcome) -> Outcome:
    return replace(outcome, heard=dict.fromkeys(outcome.heard, ("lan0",)))


def unsent(outcome: Outcome) -> Outcome:
    return replace(outcome, unsent="Message too long", heard={}, replies=())


@pytest.mark.parametrize(
    ("change", "result"), [(lost, Result.FAIL), (elsewhere, Result.FAIL), (unsent, Result.UNKNOWN)]
)
def test_a_direction_that_takes_none_of_them(
    plan: Plan, kept: Any, change: Callable[[Outcome], Outcome], result: Result
) -> None:
    def mine(outcome: Outcome) -> bool:
        return (outcome.packet.out.device, outcome.packet.target) == ("hub-ce-a", "sakai-bems")

    every = judged(plan, [change(one) if mine(one) else one for one in healthy(plan)], kept)
    assert {name: one.result for name, one in every.items() if one.result is not Result.PASS} == {
        "sakai over A": result
    }
    assert "1386 octets from hub-ce-a to sakai-bems" in every["sakai over A"].reason


def test_one_that_arrives_is_enough(plan: Plan, kept: Any) -> None:
    some = [lost(one) if one.packet.repeat else one for one in healthy(plan)]
    assert {one.result for one in judged(plan, some, kept).values()} == {Result.PASS}
