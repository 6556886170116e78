"""What the ends of OpenADR are sent of the security level, of XMPP and of a second host."""

import json
from pathlib import Path

import pytest
from two_dras import HOSTS, with_two

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Device
from heiiki.render import openadr
from heiiki_agent import config
from heiiki_agent.openadr import places
from heiiki_agent.openadr.ven.cli import Settings as VenSettings
from heiiki_agent.openadr.vtn.settings import Settings as VtnSettings


@pytest.fixture
def high(tmp_path: Path, lab_inventory: Path) -> Plan:
    """The worked example at security level high."""
    return spoken(tmp_path, lab_inventory, "security: high")


@pytest.fixture
def pushing(tmp_path: Path, lab_inventory: Path) -> Plan:
    """The worked example over XMPP."""
    return spoken(tmp_path, lab_inventory, "transport: xmpp")


def spoken(tmp_path: Path, lab_inventory: Path, how: str) -> Plan:
    folder = tmp_path / "lab"
    (folder / "sites").mkdir(parents=True)
    for file in (*lab_inventory.glob("*.yml"), *lab_inventory.glob("sites/*.yml")):
        (folder / file.relative_to(lab_inventory)).write_text(file.read_text())
    service = folder / "service.yml"
    service.write_text(f"{service.read_text()}\nopenadr: {{{how}}}\n")
    return build(load(folder))


def configured(plan: Plan, device: Device) -> str:
    part = openadr.parts(plan, device)
    assert part
    end = openadr.end(device)
    assert end
    (file,) = [one for one in part.files if one.path == str(places.config_file(end))]
    return str(file.content)


def test_both_ends_sign_where_the_intent_says_so(high: Plan, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(configured(high, high.device("dras")))
    (vtn,) = config.read(VtnSettings, file).vtns
    assert vtn.security == "high"
    for site in high.sites:
        file.write_text(configured(high, high.device(site.controller)))
        assert config.read(VenSettings, file).security == "high"


def test_both_ends_log_in_where_the_intent_says_so(pushing: Plan, tmp_path: Path) -> None:
    server = pushing.device("xmpp").xmpp
    assert server
    file = tmp_path / "config.json"
    file.write_text(configured(pushing, pushing.device("dras")))
    (vtn,) = config.read(VtnSettings, file).vtns
    assert vtn.xmpp
    assert vtn.identity.transports == ("simpleHttp", "xmpp")
    assert (vtn.xmpp.jid, {one.jid for one in vtn.vens}) == (server.dras, set(server.devices))
    for site in pushing.sites:
        file.write_text(configured(pushing, pushing.device(site.controller)))
        login = config.read(VenSettings, file).xmpp
        assert login
        assert login.jid in server.devices
        assert login.vtn == server.dras
        places = [(one.address, one.port) for one in login.servers]
        assert (login.domain, places) == (server.domain, [(str(server.address), server.port)])


def test_without_it_nothing_is_said_of_it(lab_inventory: Path) -> None:
    plan = build(load(lab_inventory))
    ends = [device for device in plan.devices if openadr.end(device)]
    texts = [json.dumps(json.loads(configured(plan, one))) for one in ends]
    assert not any(word in text for text in texts for word in ("security", "xmpp", "jid"))


def test_both_hosts_of_a_vtn_and_its_vens_know_of_two(tmp_path: Path) -> None:
    two, file, found = with_two(), tmp_path / "config.json", {}
    for name in HOSTS:
        file.write_text(configured(two, two.device(name)))
        (found[name],) = config.read(VtnSettings, file).vtns
    for name, other in (HOSTS, HOSTS[::-1]):
        doubled, there = found[name].doubled, found[other].doubled
        assert doubled
        assert there
        assert (doubled.peer.name, doubled.peer.address, doubled.peer.port) == (
            there.name,
            found[other].address,
            there.port,
        )
    for site in two.sites:
        file.write_text(configured(two, two.device(site.controller)))
        ven = config.read(VenSettings, file)
        assert (ven.vtn_address, ven.vtn_port) == (found["dras"].address, found["dras"].port)
        (one,) = ven.vtn_others
        assert (one.name, one.address, one.port) == ("dras-2.lab.internal", found["dras-2"].address, 8443)
