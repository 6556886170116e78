"""Octets on the wire, each figure computed once more by hand."""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from heiiki.design import cost
from heiiki.design.volume import (
    ALARM,
    CONTROL,
    CRL_POLL,
    CRL_POLL_PACKETS,
    MEASUREMENT,
    MESSAGES,
    REQUEST,
    RUNNING,
    SCHEDULE,
    Flow,
    flows,
    service_mb,
    volume,
)
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Network
from heiiki.plan.sizes import in_esp
from heiiki.plan.timers import PROFILES
from heiiki.requirements import Result, Verdict

sys.path.insert(0, str(Path(__file__).parents[2]))
import crl_poll
from vault_server import SetUpVault

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
A, B = Network.A, Network.B
LABORATORY, PRODUCTION = PROFILES["laboratory"], PROFILES["production"]
MONTH_S = 2_678_400


@cache
def example() -> Plan:
    return build(load(EXAMPLE))


def costs(plan: Plan) -> dict[str, Verdict]:
    return {item.subject: item for item in cost.verdicts(plan) if item.requirement == "R-COST"}


@pytest.mark.parametrize(
    ("packet", "octets"),
    [
        # 20 IPv4, 8 ESP, 8 IV, 4 GRE and the packet and 2 of the trailer in blocks of 4, 16 of the tag
        (52, 112),
        (50, 108),
        (51, 112),
        (400, 460),
        (160, 220),
        (1340, 1400),  # the tunnel's MTU is the line's
    ],
)
def test_a_packet_in_gre_and_esp(packet: int, octets: int) -> None:
    assert in_esp(packet) == octets


def test_supervision_of_a_standby_in_production() -> None:
    """52 octets each 5 s, less 12.5 % of jitter on the average, in both directions, 112 each in ESP."""
    found = volume(example(), example().site("umeda"), B, PRODUCTION, carries=False)
    assert found.supervision == pytest.approx(2 * MONTH_S / 4.375 * 112 / 1e6, rel=1e-12)
    assert found.service == 0.0


def test_an_ip_access_line_has_a_session_with_the_pe_too() -> None:
    """That one is in clear: 52 octets each 500 ms in the laboratory; the tunnel's is 112 each 300 ms."""
    found = volume(example(), example().site("namba"), A, LABORATORY, carries=True)
    assert found.supervision == pytest.approx(2 * MONTH_S * (112 / 0.2625 + 52 / 0.4375) / 1e6, rel=1e-12)
    # A keepalive has 20 + 32 + 19 octets, its acknowledgement 52: 132 and 112 in ESP, each 20 s, both ways.
    assert found.routing == pytest.approx(2 * MONTH_S / 20 * (132 + 112 + 71 + 52) / 1e6, rel=1e-12)


def test_service_of_a_battery_under_direct_control() -> None:
    """400 octets and 22 of TLS become 480; events and orders are sent longer than 120 and 160: 312 and 252.

    Each second they are acknowledged by 112; a running schedule has 1,002 octets, a schedule 1,298, 1,256 and
    252.
    """
    umeda = replace(example().site("umeda"), resources=(("battery", "direct"),))
    found = volume(example(), umeda, B, PRODUCTION, carries=True)
    second = (480 + 372 + 312 + 3 * 112) * 86_400
    day = second + 48 * (1060 + 112) + 1356 + 1316 + 312 + 3 * 112
    assert found.service == pytest.approx(31 * day / 1e6, rel=1e-12)
    assert service_mb(umeda) == pytest.approx(31 * (680 * 86_400 + 49 * 600) / 1e6)


def test_a_long_message_takes_two_packets() -> None:
    """1,334 octets fit into the tunnel: 2,044 of HTTP and TLS become 1,386 and 762, 1,544 1,386 and 262.

    The VTN sends an event in 200 and 2,250: 252, 1,386 and 968.
    """
    namba = replace(example().site("namba"), resources=(("battery", "indirect"),))
    found = volume(example(), namba, A, PRODUCTION, carries=True)
    event = (312 + 1444 + 1028 + 3 * 112) + (1444 + 820 + 2 * 112) + (1444 + 320 + 2 * 112)
    assert found.service == pytest.approx(31 * event / 1e6, rel=1e-12)


def test_what_a_program_sends_longer_than_its_table_is_counted_so() -> None:
    """A battery's measurements, opts and reports are shorter than 5.5 and 5.8 have them; others are not."""
    longer = {
        (*resource, one.what)
        for resource, those in MESSAGES.items()
        for one in those
        if one.counted(1340) != tuple(one.packets(1340))
    }
    battery, store = ("battery", "direct"), ("heat_storage", "direct")
    assert longer == {
        ("battery", "indirect", REQUEST),
        ("heat_storage", "indirect", REQUEST),
        *((*battery, what) for what in (RUNNING, ALARM, CONTROL, SCHEDULE)),
        *((*store, what) for what in (MEASUREMENT, ALARM, CONTROL)),
    }


def test_a_line_that_waits_is_asked_for_liveness_although_bfd_is_heard_on_it() -> None:
    keys = volume(example(), example().site("umeda"), B, PRODUCTION, carries=False).keys
    rekeying = (744 + 186) * 1000
    checks = MONTH_S / 10 * 170  # 85 octets to ask, 85 to answer, from one end
    assert keys == pytest.approx((rekeying + checks) / 1e6, rel=1e-12)


def test_lists_are_asked_for_over_the_bearer_only_where_it_is_needed() -> None:
    plan = example()
    asked = {
        (site, network, carries): volume(plan, plan.site(site), network, PRODUCTION, carries=carries).lists
        for site in ("umeda", "namba")
        for network in Network
        for carries in (False, True)
    }
    each = MONTH_S / 240 * CRL_POLL / 1e6
    # The controller's own pulls go through the tunnel, where each of their packets has 60 octets more.
    controllers = MONTH_S / 240 * (CRL_POLL + CRL_POLL_PACKETS * 60) / 1e6
    # One gateway on both networks asks over A while that is there.
    assert asked.pop(("namba", B, False)) == 0.0
    assert {carries: each + carries * controllers for _, _, carries in asked} == {
        carries: pytest.approx(megabytes) for (_, _, carries), megabytes in asked.items()
    }


@pytest.mark.parametrize(
    ("every_s", "octets"),
    [
        (0.2625, 58 * 100),  # 57.1 have room in 15 s
        (5.0, 4 * 100),
        (15.0, 2 * 100),
        (60.0, 100),
        (3600.0, 100),
        (86_400.0, 100 * 15 / 86_400),  # once a day: its share
    ],
)
def test_once_more_may_fall_into_a_time_than_has_room_in_it(every_s: float, octets: float) -> None:
    assert Flow("service", 100, every_s, inside=True).most(15.0) == pytest.approx(octets)


def test_a_month_is_the_sum_of_what_comes_again_and_again() -> None:
    for site in example().sites:
        for network in Network:
            found = [*flows(example(), site, network, LABORATORY, carries=True)]
            total = volume(example(), site, network, LABORATORY, carries=True).total
            assert sum(one.a_second for one in found) * MONTH_S / 1e6 == pytest.approx(total, rel=1e-12)
            assert {one.part for one in found if not one.inside} <= {
                *("supervision", "routing", "keys", "lists", "time")
            }


def test_a_pull_of_the_lists_is_not_dearer_than_is_counted(lab_vault: SetUpVault, tmp_path: Path) -> None:
    for octets in crl_poll.measured(lab_vault, tmp_path):
        assert 0.5 * CRL_POLL < octets <= CRL_POLL


def test_a_line_that_is_too_dear_in_the_laboratory_alone() -> None:
    a, b = example().networks
    dear = replace(example(), networks=(a, replace(b, included_mb=500, yen_per_extra_mb=2.0)))
    failed = {name for name, item in costs(dear).items() if item.result is Result.FAIL}
    assert failed == {
        "umeda on network b",
        "umeda on network b, primary down",
        "namba on network b",
        "namba on network b, primary down",
        "sakai on network b",
    }
    production = costs(replace(dear, timers=PRODUCTION))
    assert {name for name, item in production.items() if item.result is Result.FAIL} == {
        "umeda on network b, primary down",  # four gigabytes of its battery
        "namba on network b, primary down",  # one of polls, lists and supervision
        "sakai on network b",  # its primary, watched quickly in both profiles
    }


def test_the_reason_says_what_the_volume_is_made_of() -> None:
    assert costs(example())["umeda on network b, primary down"].reason == (
        "profile laboratory: 9,159 MB on the wire (service 4,020, OpenADR 1,794, MMS 35, BFD 2,286, BGP 65, "
        "IKE 229, CRL 689, NTP 42), 974 yen a month; profile production: 5,157 MB on the wire (service "
        "4,020, OpenADR 639, MMS 35, BFD 137, BGP 65, IKE 46, CRL 172, NTP 42), 614 yen a month"
    )


def test_every_line_is_judged_and_the_standby_for_a_month_that_it_carries() -> None:
    assert list(costs(example())) == [
        "umeda on network a",
        "umeda on network b",
        "umeda on network b, primary down",
        "namba on network a",
        "namba on network b",
        "namba on network b, primary down",
        "sakai on network a",
        "sakai on network a, primary down",
        "sakai on network b",
    ]
