"""What the checks of trust find on paper when one thing is changed."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from tests.unit.design.test_design import example, with_device, with_text

from heiiki.design import suites, trust
from heiiki.design.strongswan import parse, seconds
from heiiki.design.texts import read
from heiiki.plan.model import Device, Plan
from heiiki.render import DeviceBuild
from heiiki.requirements import Result, Verdict

SWANCTL, CHARON = "/etc/swanctl/swanctl.conf", "/etc/strongswan.d/heiiki.conf"


def found(
    plan: Plan | None = None, builds: tuple[DeviceBuild, ...] | None = None
) -> dict[tuple[str, str], Verdict]:
    plan = plan or example()[0]
    sent = read(plan, example()[1] if builds is None else builds)
    return {(one.requirement, one.subject): one for one in trust.verdicts(plan, sent)}


def failed(verdicts: dict[tuple[str, str], Verdict]) -> set[tuple[str, str]]:
    return {key for key, one in verdicts.items() if one.result is not Result.PASS}


def test_the_example_is_covered_on_every_path() -> None:
    verdicts = found()
    assert not failed(verdicts)
    umeda = verdicts["R-SEC-ACCESS", "umeda over A"]
    assert "a-pe2--umeda-ce-a: the site's ESP (umeda-ce-a to hub-ce-a)" in umeda.reason
    assert "a-pe1--hub-ce-a: the hub's VPN (R-SEC-ESP)" in umeda.reason
    assert {subject for requirement, subject in verdicts if requirement == "R-SEC-ESP"} >= {
        "a-pe1--hub-ce-a",
        "b-edge--hub-ce-b",
    }


def without_ipsec(device: Device) -> Device:
    return replace(device, ipsec=())


def test_a_gateway_without_a_connection_leaves_its_path_open() -> None:
    verdicts = found(with_device("umeda-gw-b", without_ipsec))
    assert failed(verdicts) == {("R-SEC-ACCESS", "umeda over B")}
    assert "no ESP from a gateway of umeda" in verdicts["R-SEC-ACCESS", "umeda over B"].reason


def test_a_hub_that_answers_nobody_leaves_every_path_open() -> None:
    verdicts = found(with_device("hub-ce-b", without_ipsec))
    assert ("R-SEC-ACCESS", "umeda-gw-b to hub-ce-b") in failed(verdicts)
    assert ("R-SEC-ESP", "b-edge--hub-ce-b") in failed(verdicts)
    assert {("R-SEC-ACCESS", f"{site} over B") for site in ("umeda", "namba", "sakai")} <= failed(verdicts)


def test_a_selector_that_is_not_the_tunnel_is_noticed() -> None:
    def narrowed(device: Device) -> Device:
        (connection,) = device.ipsec
        selector = replace(connection.selector, remote=IPv4Network("10.9.9.9/32"))
        return replace(device, ipsec=(replace(connection, selector=selector),))

    verdicts = found(with_device("umeda-gw-b", narrowed))
    assert failed(verdicts) == {("R-SEC-ACCESS", "umeda over B")}
    assert "does not carry its GRE tunnel" in verdicts["R-SEC-ACCESS", "umeda over B"].reason


def test_a_filter_that_lets_gre_out_is_noticed() -> None:
    def opened(device: Device) -> Device:
        assert device.firewall is not None
        return replace(device, firewall=replace(device.firewall, encrypted=()))

    verdicts = found(with_device("sakai-ce-a", opened))
    assert failed(verdicts) == {("R-SEC-ACCESS", "sakai over A")}
    assert "leave in clear" in verdicts["R-SEC-ACCESS", "sakai over A"].reason


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("aes256gcm16-prfsha384-ecp256", "aes256gcm16-prfsha1-ecp256", "prfsha1 is not allowed"),
        ("prfsha384-x25519", "prfsha384-modp1024", "modp1024 is not allowed"),
        ("esp_proposals = aes256gcm16-ecp256", "esp_proposals = aes256gcm16", "has no group"),
        ("revocation = strict", "revocation = relaxed", "cannot be looked up"),
        ("auth = pubkey", "auth = psk", "not by a certificate"),
        ("version = 2", "version = 0", "is not IKEv2 alone"),
    ],
)
def test_what_a_device_is_sent_is_read(old: str, new: str, said: str) -> None:
    verdicts = found(builds=with_text("umeda-gw-b", SWANCTL, old, new))
    assert failed(verdicts) == {("R-SEC-ACCESS", "algorithms")}
    assert said in verdicts["R-SEC-ACCESS", "algorithms"].reason


def test_the_return_of_a_tunnel_is_summed_from_the_text() -> None:
    key = ("R-SEC-ACCESS", "return of umeda-gw-b to hub-ce-b over B")
    verdict = found()[key]
    assert verdict.measured == pytest.approx(2 + 0.8 * (1 + 1.2 + 1.2**2 + 1.2**3), abs=0.01)
    assert "BFD decides after 1.20 s" in verdict.reason
    slow = found(builds=with_text("umeda-gw-b", CHARON, "retransmit_tries = 3", "retransmit_tries = 12"))
    assert failed(slow) == {key}
    assert slow[key].result is Result.FAIL
    silent = found(builds=with_text("umeda-gw-b", SWANCTL, "dpd_delay = 2s", "dpd_timeout = 2s"))
    assert silent[key].result is Result.UNKNOWN


def test_a_renewal_without_margin_is_noticed() -> None:
    plan = example()[0]
    lives = replace(plan.pki.lifetimes, certificate_h=72)
    late = found(replace(plan, pki=replace(plan.pki, lifetimes=lives)))
    assert failed(late) == {("R-SEC-ACCESS", "lifetimes")}
    brief = replace(plan.pki.lifetimes, issuing_h=plan.pki.lifetimes.certificate_h)
    assert failed(found(replace(plan, pki=replace(plan.pki, lifetimes=brief)))) == {
        ("R-SEC-ACCESS", "lifetimes")
    }


def test_a_verifier_that_asks_for_no_crl_is_noticed() -> None:
    verdicts = found(with_device("b-edge", lambda device: replace(device, crl_source=None)))
    assert failed(verdicts) == {("R-THEFT", "revocation")}
    assert "b-edge asks for no CRL" in verdicts["R-THEFT", "revocation"].reason


@pytest.mark.parametrize("every_s", [301, 3600 * 4])
def test_a_verifier_that_asks_too_seldom_is_noticed(every_s: int) -> None:
    def lazy(device: Device) -> Device:
        assert device.crl_source is not None
        return replace(device, crl_source=replace(device.crl_source, every_s=every_s))

    assert failed(found(with_device("b-edge", lazy))) == {("R-THEFT", "revocation")}


def test_what_nobody_proposes_is_an_objection() -> None:
    assert suites.objections("IKE", "") == ["IKE: nothing is proposed, so the daemon's defaults hold"]
    assert not suites.objections("ESP", "aes256gcm16-x25519, chacha20poly1305-ecp256")


def test_settings_are_read_as_the_daemon_reads_them() -> None:
    text = 'a {\n b { c = 1, 2 # no\n }\n # x = {\n d = "e f"\n}\nswanctl { load = x y }\n'
    assert parse(text) == {"a": {"b": {"c": "1, 2"}, "d": "e f"}, "swanctl": {"load": "x y"}}
    assert [seconds(word) for word in ("2s", "0.8", "4h", "1m")] == [2.0, 0.8, 14400.0, 60.0]


@pytest.mark.parametrize("text", ["a {", "a { } }"])
def test_braces_that_do_not_match_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a } "):
        parse(text)


def test_a_word_is_no_time() -> None:
    with pytest.raises(ValueError, match="is no time"):
        seconds("soon")
