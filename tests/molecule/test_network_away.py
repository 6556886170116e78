"""A whole closed network is away, for a while and, by a moved clock, for four days: trust goes on.

Lists live for three days, so after four each verifier rests on one that it pulled over what was left.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from waiting import awaited

from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Network
from heiiki.verify.faults import away
from heiiki_lab.injector import LabInjector
from heiiki_lab.state import lab_dir
from heiiki_lab.wiring import connect

from .service import HUB, Service, changed

pytestmark = pytest.mark.long

DAYS = 4
GATEWAY = "namba-gw"
"""The one gateway of its site: it has both networks."""
CONNECTION = "s0023"
HUBS = {Network.A: "hub-ce-a", Network.B: HUB}


@contextmanager
def gone(service: Service, network: Network) -> Iterator[None]:
    """Have every link of a network lose every packet meanwhile."""
    injector = LabInjector(connect(lab_dir()))
    injector.fail_links(away.links(service.plan, network))
    try:
        yield
    finally:
        injector.heal_all()


@contextmanager
def days_later(service: Service, days: int) -> Iterator[None]:
    """Move the guest's clock, which all nodes share; what was made meanwhile is made again afterwards."""
    shift = days * 86_400
    now = int(service.run(service.plan.pki.vault, "date", "+%s"))
    began = time.monotonic()
    service.run(service.plan.pki.vault, "date", "--set", f"@{now + shift}")
    try:
        yield
    finally:
        back = now + int(time.monotonic() - began)
        service.run(service.plan.pki.vault, "date", "--set", f"@{back}")


def both_hear_it(service: Service) -> None:
    for hub in HUBS.values():
        awaited(f"{hub} hears it", lambda hub=hub: service.associations(hub, CONNECTION), 180)


def every_tunnel_stands(service: Service) -> None:
    """Whoever was refused meanwhile, by lists or certificates of another time, is in again."""
    for hub in HUBS.values():
        for one in service.plan.device(hub).ipsec:
            awaited(f"{one.name} of {hub}", lambda hub=hub, one=one: service.associations(hub, one.name), 180)


@contextmanager
def lists_and_certificates_of_now(service: Service) -> Iterator[None]:
    """What was made in the future would be refused afterwards, by the tests that come next too."""
    try:
        yield
    finally:
        with logged_in(service.access, AppRole.CONFIGURATOR) as vault:
            for mount in (service.plan.pki.root_mount, service.plan.pki.issuing_mount):
                vault.read(f"{mount}/crl/rotate")
        service.play("renew", "-e", "heiiki_force=true")
        service.pull(*(device.name for device in service.plan.managed() if device.crl_source))
        every_tunnel_stands(service)


def hours_left(service: Service, device: str) -> float:
    return min((one["hours_left"] for one in service.status(device)["crls"]), default=0.0)


@pytest.mark.parametrize("network", list(Network))
def test_the_one_gateway_renews_over_either_network_alone(service: Service, network: Network) -> None:
    (left,) = set(Network) - {network}
    before = service.serial(GATEWAY)
    with gone(service, network):
        said = service.play("renew", "-e", "heiiki_force=true", "--limit", GATEWAY)
        assert changed(said) == {GATEWAY: 1}
        service.pull(GATEWAY)
        awaited("it uses the new one", lambda: service.status(GATEWAY)["authenticated"], 60)
        assert service.associations(HUBS[left], CONNECTION)
    assert service.serial(GATEWAY) != before
    both_hear_it(service)


@pytest.mark.parametrize("network", [Network.A, Network.B])
def test_four_days_without_a_network_hurt_nothing_on_the_other(service: Service, network: Network) -> None:
    (left,) = set(Network) - {network}
    verifiers = [device.name for device, _ in away.reachable(service.plan, network)]
    with ExitStack() as clock:
        clock.enter_context(lists_and_certificates_of_now(service))
        with gone(service, network):
            clock.enter_context(days_later(service, DAYS))
            for name in verifiers:
                awaited(f"{name} has lists of now", lambda name=name: hours_left(service, name) > 0, 150)
            names = away.renewed(service.plan, network)
            said = service.play("renew", "-e", "heiiki_force=true", "--limit", ",".join(names))
            assert set(changed(said).values()) == {1}
            # An association from before says nothing: it is made again, on lists and certificates of now.
            service.run(GATEWAY, "swanctl", "--terminate", "--ike", f"hub-{left}", "--force")
            awaited("it is in again", lambda: service.associations(HUBS[left], CONNECTION), 60)
            dras = str(service.plan.device("dras").addresses[0])
            assert "5 received" in service.run("namba-erc", "ping", "-q", "-c", "5", dras)
        every_tunnel_stands(service)
