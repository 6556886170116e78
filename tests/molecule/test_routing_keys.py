"""A neighbour without the key of a session is refused; a key is changed while the sites live."""

import json
from collections.abc import Callable, Iterator

import pytest
from waiting import awaited

from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.secrets import VaultSecrets, new_key
from heiiki.verify.fleet import fleet
from heiiki.verify.routing.health import Health

from .service import Service, in_service

HERE, THERE = "umeda-gw-b", "umeda-ce-a"


def peer(service: Service) -> str:
    return str(service.plan.device(THERE).interface("lan0").addresses[0].ip)


def established(service: Service) -> bool:
    said = json.loads(service.run(HERE, "vtysh", "-c", "show bgp summary json"))
    return bool(said["ipv4Unicast"]["peers"][peer(service)]["state"] == "Established")


def configure(service: Service, *commands: str) -> None:
    router = service.plan.device(HERE).router
    assert router
    lines = "\n".join((f"router bgp {router.bgp[0].asn}", *commands, "exit", ""))
    service.run(
        HERE, "sh", "-c", "umask 77; cat > /run/keys && vtysh -f /run/keys; rm /run/keys", stdin=lines
    )


@pytest.fixture
def session(service: Service) -> Iterator[str]:
    """A session that stands, and is put right by FRRouting's own file afterwards."""
    awaited("the session stands", lambda: established(service), 60.0)
    try:
        yield peer(service)
    finally:
        service.run(HERE, "systemctl", "reload", "frr")
        awaited("the session is back", lambda: established(service), 60.0)


@pytest.mark.parametrize("command", ["no neighbor {} password", "neighbor {} password guessed"])
def test_a_neighbour_without_the_key_is_refused(service: Service, session: str, command: str) -> None:
    configure(service, command.format(session))
    awaited("the session ends", lambda: not established(service), 60.0)
    before = refused(service)
    awaited("the kernel refuses what is not signed by the key", lambda: refused(service) > before, 60.0)
    assert not established(service)


def refused(service: Service) -> int:
    """Segments that the other gateway's kernel dropped for want of the right signature."""
    said = service.run(THERE, "nstat", "-asz", "TcpExtTCPMD5NotFound", "TcpExtTCPMD5Failure")
    return sum(int(line.split()[1]) for line in said.splitlines() if line.startswith("TcpExt"))


CHANGED = {
    "BGP, the LAN of a site": "routing/bgp/umeda-ce-a--umeda-gw-b",
    "BGP, the line of a site": "routing/bgp/a-pe2--umeda-ce-a",
    "BGP, the LAN of the hub": "routing/bgp/hub-ce-a--hub-ce-b",
    "BGP, the carrier's edges": "routing/bgp/a-pe1--a-pe2",
    "OSPF, the carrier's core": "routing/ospf/a-p1--a-pe1",
    "LDP, the carrier's core": "routing/ldp/a-p1--a-pe1",
}


@pytest.mark.long
@pytest.mark.parametrize("where", CHANGED)
def test_a_key_is_changed_by_a_run_while_the_sites_live(
    service: Service, where: str, record_property: Callable[[str, object], None]
) -> None:
    """Both ends are given another one; no site is silent for longer than R-GAP allows."""
    key = CHANGED[where]
    ends = [one.name for one in service.plan.managed() if one.router and key in one.router.keys]
    with logged_in(service.access, AppRole.SECRET_WRITER) as vault:
        VaultSecrets(vault, service.plan.pki.secrets_mount).write(key, new_key(key))
    with in_service(service) as longest:
        service.play("site", "--limit", ",".join(ends))
        with fleet(service.transport, len(service.plan.devices)) as asked:
            Health(service.plan, asked).wait(90.0)
    record_property("longest silence, s", round(longest[0], 2))
