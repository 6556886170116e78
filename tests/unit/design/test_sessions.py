"""What the service's programs say beside the tables' messages, by hand and at the programs themselves."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from heiiki.design import sessions
from heiiki.design.sessions import (
    ALIVE,
    ASSOCIATION,
    HANDSHAKE,
    LOG_IN,
    POLL,
    REPORT,
    Exchange,
    Repeated,
)
from heiiki.design.volume import MESSAGES
from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import XmppLogin
from heiiki.plan.timers import PROFILES
from heiiki_agent.mms.client import reports
from heiiki_agent.openadr.codec import encode
from heiiki_agent.openadr.messages import Poll
from heiiki_agent.openadr.signatures import Signatures
from heiiki_agent.openadr.vtn.settings import VtnSettings

sys.path.insert(0, str(Path(__file__).parents[2]))
import service_octets
from openadr_loopback import Authority

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
PRODUCTION = PROFILES["production"]
MTU = 1340


@cache
def example() -> Plan:
    return build(load(EXAMPLE))


def a_second(those: Iterable[Repeated]) -> float:
    """Octets a second on the line."""
    return sum(one.exchange.octets(MTU) / one.every_s for one in those)


def test_an_exchange_on_the_line() -> None:
    """A record has 52 octets of IPv4 and TCP, and 20 IPv4, 8 ESP, 8 IV, 4 GRE, 2 trailer, 16 tag around."""
    assert Exchange((200,), empty=0).octets(MTU) == 312
    assert Exchange((200,), empty=2).octets(MTU) == 312 + 2 * 112
    # 1,288 octets fit into a packet of 1,340, which is one of 1,400 on the line.
    assert Exchange((1288,), empty=0).octets(MTU) == 1400
    assert Exchange((1289,), empty=0).octets(MTU) == 1400 + 112
    assert Exchange((), empty=0).octets(MTU) == 0


def test_a_ven_polls_reports_and_begins_again() -> None:
    """Each 10 s and each 60 s; two lists each 36 h, and two certificates each 20 days."""
    plan = example()
    controller = plan.device("sakai-bems")
    found = a_second(sessions.openadr(controller, PRODUCTION, plan.pki.lifetimes))
    poll, report = 312 + 512 + 912 + 112, 312 + (1400 + 324) + 964 + 2 * 112
    begins = 2 / (36 * 3600) + 2 / (20 * 86_400)
    assert found == pytest.approx(poll / 10 + report / 60 + HANDSHAKE.octets(MTU) * begins, rel=1e-3)
    assert not [*sessions.openadr(replace(controller, ven=None), PRODUCTION, plan.pki.lifetimes)]


def test_a_signature_goes_with_each_message_and_each_answer() -> None:
    """3,000 octets are two packets of 1,400 on the line and one of 424 + 112, both ways."""
    plan = example()
    controller = plan.device("sakai-bems")
    assert controller.ven
    signing = replace(controller, ven=replace(controller.ven, signed=True))
    bare, signed = (
        a_second(sessions.openadr(one, PRODUCTION, plan.pki.lifetimes)) for one in (controller, signing)
    )
    assert signed - bare == pytest.approx((2 * (2 * 1400 + 536) + 2 * 112) * (1 / 10 + 1 / 60))


def test_a_stream_has_shorter_polls_and_blanks() -> None:
    """500 and 900 octets instead of 1,400 in three records, and a blank of 23 each 20 s."""
    plan = example()
    controller = plan.device("sakai-bems")
    assert controller.ven
    login = XmppLogin("example", ((IPv4Address("192.0.2.1"), 5222),), "sakai@example", "dras@example")
    streaming = replace(controller, ven=replace(controller.ven, xmpp=login))
    found = a_second(sessions.openadr(streaming, PRODUCTION, plan.pki.lifetimes))
    poll, report, blank = 612 + 1012 + 112, (1400 + 724) + 1012 + 2 * 112, 136 + 112
    begins = 2 / (36 * 3600) + 2 / (20 * 86_400)
    assert found == pytest.approx(
        poll / 10 + report / 60 + blank / 20 + LOG_IN.octets(MTU) * begins, rel=1e-3
    )


def test_a_signature_is_no_larger_than_is_counted(tmp_path: Path) -> None:
    """In service a certificate has more names than here, some 300 octets in base64."""
    signatures = Signatures()
    signatures.renew(Authority(tmp_path).issue("kitakyushu-bems.example"))
    message = encode(Poll(ven_id="kitakyushu-bems"))
    assert 0.5 * sessions.SIGNATURE < len(signatures.sealed(message)) - len(message) <= sessions.SIGNATURE


def test_an_association_is_kept_where_there_is_direct_control() -> None:
    plan = example()
    found = a_second(sessions.mms(plan.device("sakai-bems"), plan.pki.lifetimes))
    begins = 2 / (36 * 3600) + 2 / (20 * 86_400)
    assert found == pytest.approx((224 + 172 + 112) / 40 + ASSOCIATION.octets(MTU) * begins, rel=2e-2)
    assert not [*sessions.mms(plan.device("namba-erc"), plan.pki.lifetimes)]


def test_the_intervals_are_those_of_the_programs() -> None:
    defaults = VtnSettings.__dataclass_fields__["report_every_s"].default
    assert (defaults, reports._ALIVE_S) == (sessions.REPORT_EVERY_S, sessions.ALIVE_EVERY_S)


def test_the_programs_say_no_more_than_is_counted() -> None:
    # A short path: the programs' sockets have their addresses below it (unix(7): 108 octets).
    with TemporaryDirectory() as folder:
        found = service_octets.measured(Path(folder))
    for records, bound in ((found.poll, POLL), (found.report, REPORT), (found.alive, ALIVE)):
        assert all(size <= most for size, most in zip(records, bound.records, strict=True)), records
        assert sum(records) > 0.7 * sum(bound.records), "or the bound is far from what is"
    rows = {one.what: one.sent for those in MESSAGES.values() for one in those}
    assert found.sent.keys() == rows.keys()
    for what, records in found.sent.items():
        # Some HTTP servers write an answer's head and body in one record, and some in two.
        bounds = rows[what] if len(records) > 1 else (sum(rows[what]),)
        assert all(size <= most for size, most in zip(records, bounds, strict=True)), (what, records)
        assert sum(records) > 0.8 * sum(rows[what]), what
    # Chains have two certificates in service, one here, and are shown four times.
    for octets, bound in ((found.handshake, HANDSHAKE), (found.association, ASSOCIATION)):
        assert 0.4 * sum(bound.records) < octets <= sum(bound.records)
