"""Who may log in at the XMPP server, whom its filter lets in, and what its certificate says."""

from dataclasses import replace
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Device, Function, XmppServer
from heiiki_agent.xmpp.places import PORT

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def server(plan: Plan) -> tuple[Device, XmppServer]:
    (found,) = (device for device in plan.devices if device.xmpp is not None)
    assert found.xmpp is not None
    return found, found.xmpp


def test_the_controllers_in_service_and_dras_are_known_and_their_certificates_name_them(plan: Plan) -> None:
    device, xmpp = server(plan)
    assert device.function is Function.XMPP
    jids = {one.device: one.jids for one in plan.identities() if one.jids}
    assert jids == {
        "dras": (xmpp.dras,),
        "xmpp": (xmpp.probe,),
        **{site.controller: (f"{site.controller}@{xmpp.domain}",) for site in plan.sites},
    }
    assert {name for name, (jid,) in jids.items() if jid in xmpp.devices} == {
        site.controller for site in plan.sites
    }


def test_the_server_answers_for_the_domain_of_the_jids(plan: Plan) -> None:
    device, xmpp = server(plan)
    assert device.identity is not None
    assert device.identity.dns == (f"xmpp.{xmpp.domain}", xmpp.domain)
    assert device.identity.common_name == f"xmpp.{xmpp.domain}"
    served = [one.device for one in plan.identities() if xmpp.domain in one.dns]
    assert served == ["xmpp"]


def test_it_is_opened_to_sites_and_dras_alone_and_listens_on_the_lan(plan: Plan) -> None:
    device, xmpp = server(plan)
    assert device.firewall is not None
    (opened,) = (one for one in device.firewall.services if PORT in one.ports)
    assert xmpp.address in {address for one in device.interfaces for address in map(ip, one.addresses)}
    dras = next(one for one in plan.devices if one.function is Function.DRAS)
    assert (opened.protocol, opened.interfaces) == ("tcp", ("lan0",))
    for site in plan.sites:
        assert any(site.controller_address in network for network in opened.sources)
    assert any(address in network for network in opened.sources for address in dras.addresses)
    routers = [one for one in plan.devices if one.function is Function.CE and one.site is None]
    addresses = [address for one in routers for address in one.addresses]
    assert not any(address in network for network in opened.sources for address in addresses)


def ip(address: object) -> object:
    return address.ip  # type: ignore[attr-defined]


def test_it_verifies_so_it_asks_for_lists(plan: Plan) -> None:
    device, _ = server(plan)
    assert device.crl_source is not None
    assert [one.device for one in device.crl_source.mirrors] == ["hub-ce-a", "hub-ce-b"]


def test_a_device_that_is_revoked_is_known_no_more(tmp_path: Path) -> None:
    for file in EXAMPLE.rglob("*.yml"):
        copy = tmp_path / file.relative_to(EXAMPLE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    mark = "devices:\n  - {device: umeda-bems, reason: stolen, since: 2026-11-01}\n"
    (tmp_path / "revoked.yml").write_text(mark, encoding="utf-8")
    before, after = (server(build(load(folder)))[1] for folder in (EXAMPLE, tmp_path))
    gone = f"umeda-bems@{before.domain}"
    assert replace(before, devices=tuple(one for one in before.devices if one != gone)) == after
