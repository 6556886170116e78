"""A host of a LAN that forges ARP and VRRP: each safeguard holds alone, and without both it succeeds.

Every test leaves the lab as it found it.
"""

import json
from collections.abc import Iterator, Sequence

import pytest
from waiting import awaited

from heiiki.verify.isolation import frames
from heiiki.verify.probes import program

from .service import Service
from .test_filter import counters

BEMS, MASTER, BACKUP = "umeda-bems", "umeda-ce-a", "umeda-gw-b"
RULE, ENTRY = "the rule", "the permanent entry"


def station(service: Service, device: str) -> str:
    found = service.plan.device(device).interface("lan0").link_address
    assert found
    return found


def forge(service: Service, device: str, forged: Sequence[str]) -> None:
    asked = {"interface": "lan0", "frames": [*forged], "start_s": 0.0, "seconds": 0.5}
    said = service.transport.run(device, ("python3", "-"), stdin=program("forge", asked))
    assert json.loads(said.stdout)["sent"] == len(forged)


def believed(service: Service) -> str:
    """The station that the BEMS would send packets for the virtual gateway to."""
    gateway = str(service.plan.site("umeda").virtual_gateway)
    said = json.loads(service.run(BEMS, "ip", "-j", "neigh", "show", gateway, "dev", "lan0"))
    return "".join(one["lladdr"] for one in said if "lladdr" in one)


@pytest.fixture
def mended(service: Service) -> Iterator[None]:
    yield
    service.run(BEMS, "nft", "-f", "/etc/nftables.conf")
    service.run(BEMS, "systemctl", "reload", "heiiki-links")
    vrrp = service.plan.device(MASTER).vrrp
    assert vrrp
    awaited("the entry is the plan's", lambda: believed(service) == vrrp.link_address)


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize("lost", [(), (RULE,), (ENTRY,), (RULE, ENTRY)], ids=" and ".join)
def test_a_claim_is_believed_where_neither_safeguard_is(service: Service, lost: tuple[str, ...]) -> None:
    vrrp = service.plan.device(MASTER).vrrp
    assert vrrp
    if RULE in lost:
        service.run(BEMS, "nft", "flush", "chain", "arp", "heiiki", "claims")
    if ENTRY in lost:
        entry = (str(vrrp.address), "lladdr", vrrp.link_address, "dev", "lan0", "nud", "stale")
        service.run(BEMS, "ip", "neigh", "replace", *entry)
    liar = station(service, BACKUP)
    to_it = frames.reply(liar, vrrp.address, station(service, BEMS), vrrp.address)
    said = (*frames.claims(liar, vrrp.address), to_it)
    forge(service, BACKUP, said)
    assert believed(service) == (liar if set(lost) == {RULE, ENTRY} else vrrp.link_address)


def holds(service: Service, device: str) -> bool:
    vrrp = service.plan.device(device).vrrp
    assert vrrp
    said = json.loads(service.run(device, "ip", "-j", "address", "show", "dev", vrrp.virtual_interface))
    return str(vrrp.address) in {one["local"] for link in said for one in link["addr_info"]}


def test_the_other_gateways_own_link_address_gives_no_other_priority(service: Service) -> None:
    """A switch without port security lets a host write any; the virtual gateway stays where it is."""
    vrrp = service.plan.device(MASTER).vrrp
    assert vrrp
    assert holds(service, MASTER)
    before = counters(service, MASTER)["refused_vrrp"]
    forge(service, BEMS, [frames.advertisement(vrrp.link_address, vrrp.peer, vrrp)] * 20)
    assert holds(service, MASTER)
    assert not holds(service, BACKUP)
    assert counters(service, MASTER)["refused_vrrp"] >= before + 20
