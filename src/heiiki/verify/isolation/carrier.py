"""Carrier isolation (R-ISO-CARRIER): a second customer and the carriers' routers reach no host of ours."""

from collections.abc import Container, Iterator
from ipaddress import IPv4Address
from random import Random

from heiiki.plan.model import Device, Endpoint, Function, Network, Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.isolation.packets import PROTOCOLS, Outcome, ProbePacket, ProbeRun
from heiiki.verify.isolation.sample import Population, told
from heiiki.verify.isolation.sites import listing
from heiiki.verify.network import Exit, hub_ce, over_a, servers, site_devices
from heiiki.verify.verdicts import Keep, live, not_listening, summarise, unanswered_positives, unknown, unsent

CUSTOMER, CUSTOMER_POSITIVE = "customer", "customer+"
CARRIER, CARRIER_POSITIVE = "carrier", "carrier+"


def second_customers(plan: Plan) -> tuple[Device, ...]:
    """Return the devices of the second customer."""
    return tuple(device for device in plan.devices if device.function is Function.SECOND_CUSTOMER)


def ours(plan: Plan) -> tuple[Device, ...]:
    """Return every device that must not be reachable from a carrier network: hub and sites."""
    routers = (hub_ce(plan, network) for network in Network)
    return (*servers(plan), *routers, *(device for site in plan.sites for device in site_devices(plan, site)))


def packets(plan: Plan, random: Random) -> Iterator[ProbePacket]:
    """Yield packets of the second customer to our addresses, and of the carriers' routers to our hosts.

    In a large service, of the second customer to some of the sites, drawn at random.
    """
    if second_customers(plan):
        yield from _of_customer(plan, second_customers(plan), tuple(_visited(plan, random)))
    for out, source, peer, address in attachments(plan):
        yield ProbePacket(CARRIER_POSITIVE, out, source, address, peer.name)
        for target in _behind(plan, peer):
            for protocol, port in PROTOCOLS:
                yield ProbePacket(CARRIER, out, source, target.addresses[0], target.name, protocol, port)


def _visited(plan: Plan, random: Random) -> Iterator[Device]:
    yield from (device for device in ours(plan) if device.site is None)
    for site in Population(plan).some_sites(random):
        yield from site_devices(plan, site)


def _of_customer(
    plan: Plan, members: tuple[Device, ...], visited: tuple[Device, ...]
) -> Iterator[ProbePacket]:
    names = {device.name for device in visited}
    for sender in members:
        out, source = over_a(plan, sender), sender.addresses[0]
        for other in members:
            if other.name != sender.name:
                yield ProbePacket(CUSTOMER_POSITIVE, out, source, other.addresses[0], other.name)
        for device in visited:
            for address in _addresses(device, names):
                for protocol, port in PROTOCOLS:
                    yield ProbePacket(CUSTOMER, out, source, address, device.name, protocol, port)


def _addresses(device: Device, visited: Container[str]) -> Iterator[IPv4Address]:
    """Yield the addresses of a device, but those of its tunnels to a site that is not tried."""
    for interface in device.interfaces:
        if interface.gre is None or interface.peer in visited:
            yield from (address.ip for address in interface.addresses)


def attachments(plan: Plan) -> Iterator[tuple[Exit, IPv4Address, Device, IPv4Address]]:
    """Yield each carrier router's exit to a router of ours, its address there, our router and its address."""
    routers = {device.name for device in ours(plan)}
    for link in plan.links:
        for here, there in (link.ends, link.ends[::-1]):
            carrier = plan.device(here.device)
            if (
                link.kind == "access"
                and carrier.function in (Function.PE, Function.EDGE)
                and there.device in routers
            ):
                yield _attachment(plan, link.segment, plan.above(here), plan.above(there))


def _attachment(
    plan: Plan, network: str, here: Endpoint, there: Endpoint
) -> tuple[Exit, IPv4Address, Device, IPv4Address]:
    peer = plan.device(there.device)
    address = peer.interface(there.interface).addresses[0].ip
    out = plan.device(here.device).interface(here.interface)
    return Exit(here.device, network, out.name, address, bool(out.port)), out.addresses[0].ip, peer, address


def _behind(plan: Plan, router: Device) -> tuple[Device, ...]:
    if router.site is None:
        return servers(plan)
    return (plan.device(plan.site(router.site).controller),)


def verdicts(plan: Plan, probe_run: ProbeRun, keep: Keep) -> Iterator[Verdict]:
    """Yield one verdict for each device of the second customer and each carrier router beside ours."""
    hosts = {server.name for server in servers(plan)} | {site.controller for site in plan.sites}
    everyone = {device.name for device in ours(plan)}
    if not second_customers(plan):
        yield unknown(
            "R-ISO-CARRIER", "second customer", "the service names no test equipment to try it with"
        )
    for device in second_customers(plan):
        subject = f"second customer at {device.name}"
        which = (device.name, CUSTOMER, CUSTOMER_POSITIVE)
        yield _verdict(probe_run, keep, subject, which, everyone, _extent(plan, probe_run, device))
    for carrier in dict.fromkeys(out.device for out, _, _, _ in attachments(plan)):
        which = (carrier, CARRIER, CARRIER_POSITIVE)
        yield _verdict(probe_run, keep, f"carrier router {carrier}", which, hosts)


def _extent(plan: Plan, probe_run: ProbeRun, sender: Device) -> str:
    """Return how many of the sites a device of the second customer tried, where that is a sample."""
    mine = (one.packet for one in probe_run.of(CUSTOMER) if one.packet.out.device == sender.name)
    tried = {plan.device(packet.target).site for packet in mine} - {None}
    return "" if Population(plan).whole else f"; {told(len(tried), len(plan.sites), 'sites')}"


def _verdict(
    probe_run: ProbeRun,
    keep: Keep,
    subject: str,
    which: tuple[str, str, str],
    closed: set[str],
    extent: str = "",
) -> Verdict:
    device, negative, positive = which
    mine = [outcome for outcome in probe_run.of(negative) if outcome.packet.out.device == device]
    positives = [outcome for outcome in probe_run.of(positive) if outcome.packet.out.device == device]
    evidence = (keep(f"carrier/{device}.txt", listing(mine, positives)),)
    entered = [outcome for outcome in mine if closed & set(outcome.heard)]
    if entered:
        return live("R-ISO-CARRIER", subject, Result.FAIL, _example(entered, closed), evidence)
    doubts = [
        *not_listening(probe_run, [device, *closed]),
        *unsent(mine),
        *unanswered_positives(positives, lambda outcome: (outcome.packet.target,)),
    ]
    if doubts or not mine or not positives:
        return unknown("R-ISO-CARRIER", subject, summarise(doubts) or "no packet was sent", evidence)
    scope = (
        f"{len(mine)} packets to {len({one.packet.destination for one in mine})} addresses: none arrived; "
    )
    scope += f"{len(positives)} positives arrived{extent}"
    return live("R-ISO-CARRIER", subject, Result.PASS, scope, evidence)


def _example(entered: list[Outcome], closed: set[str]) -> str:
    first = entered[0]
    places = ", ".join(f"{name} on {'/'.join(first.heard[name])}" for name in first.heard if name in closed)
    return f"{len(entered)} packets entered, such as {first.packet}: heard by {places}"
