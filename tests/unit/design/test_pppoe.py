"""An optical line on paper: whatever of it is weaker is said, and a service without one says so."""

from collections.abc import Mapping

import pytest
from optical_service import by_ethernet, optical

from heiiki.design import pppoe
from heiiki.design.sent import Sent
from heiiki.design.stage import design
from heiiki.design.texts import read
from heiiki.render import compile_plan
from heiiki.requirements import Result, Stage

ROUTER, LINE = "/etc/heiiki/pppoe/line.options", "/etc/heiiki/pppoe/ac0017.options"
UNIT = "/etc/systemd/system/heiiki-pppoe-ac0017.service"
CONFIG, USERS = "/etc/heiiki/radius/radiusd.conf", "/etc/heiiki/radius/users"


@pytest.fixture(scope="module")
def sent() -> Mapping[str, Sent]:
    plan, builds = optical()
    return read(plan, builds)


def edited(sent: Mapping[str, Sent], device: str, path: str, old: str, new: str) -> Mapping[str, Sent]:
    one = sent[device]
    assert old in one.files[path]
    return {**sent, device: Sent(one.device, {**one.files, path: one.files[path].replace(old, new)})}


def test_both_lines_pass(sent: Mapping[str, Sent]) -> None:
    plan, _ = optical()
    found = list(pppoe.verdicts(plan, sent))
    assert [(one.subject, one.result, one.stage) for one in found] == [
        ("line of umeda", Result.PASS, Stage.DESIGN),
        ("line of namba", Result.PASS, Stage.DESIGN),
    ]
    assert [one.subject for one in found] == list(pppoe.subjects(plan))


def test_every_other_requirement_of_the_service_is_held_too() -> None:
    """But for what no file can tell; figures of R-AVAIL and R-COST are those of lines without PPPoE."""
    plan, builds = optical()
    wrong = [one for one in design(plan, builds) if one.result not in {Result.PASS, Result.NOT_APPLICABLE}]
    assert wrong == []


@pytest.mark.parametrize(
    ("device", "path", "old", "new", "told"),
    [
        ("umeda-ce-a", ROUTER, "refuse-pap\n", "", "umeda-ce-a: `refuse-pap` is not among its options"),
        ("umeda-ce-a", ROUTER, "mtu 1454", "mtu 1492", "umeda-ce-a: `mtu 1454` is not"),
        ("umeda-ce-a", ROUTER, "10.80.0.70:", "", "umeda-ce-a: `10.80.0.70:10.80.0.69` is not"),
        ("a-pe2", LINE, "require-chap\n", "", "a-pe2: `require-chap` is not"),
        ("a-pe2", LINE, "NAS-Port-Id=ac0017", "NAS-Port-Id=ac0042", "a-pe2: `avpair NAS-Port-Id=ac0017`"),
        ("a-pe2", LINE, "ipparam s0017", "ipparam s0042", "a-pe2: `ipparam s0017` is not"),
        (
            "a-pe2",
            LINE,
            "ip-pre-up-script",
            "ip-up-script",
            "a-pe2: `ip-pre-up-script /etc/heiiki/pppoe",
        ),
        ("a-pe2", LINE, "radius-config-file", "#", "a-pe2: `radius-config-file /etc/heiiki/pppoe/radiuscl"),
        ("a-pe1", CONFIG, "&NAS-Identifier !* ANY", "", "a-pe1 lets who asks say which PE it is"),
        (
            "a-pe2",
            CONFIG,
            "&NAS-Identifier :=",
            "&NAS-Identifier +=",
            "a-pe2 lets who asks say which PE it is",
        ),
        ("a-pe2", UNIT, "-N 1", "-N 2", "a-pe2 takes more than one session on ac0017"),
        (
            "a-pe2",
            CONFIG,
            f"{'require_message_authenticator'} = yes",
            "",
            "takes answers of home that are not",
        ),
        ("a-pe1", CONFIG, "require_message_authenticator = yes", "", "a-pe1 takes what a-pe2 does not sign"),
        ("a-pe1", CONFIG, "check_crl = yes", "check_crl = no", "a-pe1: check_crl of home is no, not yes"),
        ("a-pe1", CONFIG, "radius.optical", "dras.optical", "a-pe1: check_cert_cn of home is dras"),
        ("a-pe2", CONFIG, "realm optical.internal", "realm DEFAULT", "a-pe2 forwards the realms DEFAULT"),
        ("radius", CONFIG, "require_client_cert = yes", "", "radius asks for no certificate"),
        ("radius", CONFIG, "a-pe1.optical", "a-pe2.optical", "radius: check_cert_cn of home is a-pe2"),
        ("radius", USERS, '"ac0017"', '"ac0042"', 'radius: `NAS-Port-Id == "ac0017"` is not in the entry'),
        ("radius", USERS, "10.80.0.70", "10.80.0.71", "radius: `Framed-IP-Address = 10.80.0.70,` is not"),
        ("radius", USERS, "umeda-ce-a@", "umeda-gw@", "radius knows umeda-ce-a@optical.internal 0 times"),
    ],
)
def test_what_is_weaker_fails(
    sent: Mapping[str, Sent], device: str, path: str, old: str, new: str, told: str
) -> None:
    plan, _ = optical()
    verdict = next(iter(pppoe.verdicts(plan, edited(sent, device, path, old, new))))
    assert (verdict.subject, verdict.result) == ("line of umeda", Result.FAIL)
    assert told in verdict.reason


def test_a_router_whose_name_ends_with_anothers_is_somebody_else(sent: Mapping[str, Sent]) -> None:
    plan, _ = optical()
    other = edited(sent, "radius", USERS, "namba-gw@", "south-umeda-ce-a@")
    assert [one.result for one in pppoe.verdicts(plan, other)] == [Result.PASS, Result.FAIL]


def test_a_service_without_optical_access_says_so() -> None:
    plan = by_ethernet()
    (found,) = pppoe.verdicts(plan, read(plan, compile_plan(plan)))
    assert (found.subject, found.result) == ("access lines", Result.NOT_APPLICABLE)
    assert list(pppoe.subjects(plan)) == ["access lines"]
