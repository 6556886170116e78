"""Nobody enters from the carrier network (R-ISO-CARRIER): no second customer, no router of a carrier."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from heiiki.plan.model import Device, Endpoint, Function, Plan
from heiiki.requirements import Result, Verdict
from heiiki.verify.answers import Keep, brief, deaf, live, missing, unknown, unsent
from heiiki.verify.isolation.packets import PROTOCOLS, Outcome, Shot, Volley
from heiiki.verify.isolation.sites import listing
from heiiki.verify.network import NETWORKS, Exit, hub_ce, over_a, owned, servers, site_devices

CUSTOMER, CUSTOMER_POSITIVE = "customer", "customer+"
CARRIER, CARRIER_POSITIVE = "carrier", "carrier+"


def witnesses(plan: Plan) -> tuple[Device, ...]:
    """Return the devices of the second customer."""
    return tuple(device for device in plan.devices if device.function is Function.SECOND_CUSTOMER)


def ours(plan: Plan) -> tuple[Device, ...]:
    """Return every device that nobody from a carrier may reach: hub and sites."""
    routers = (hub_ce(plan, network) for network in NETWORKS)
    return (*servers(plan), *routers, *(device for site in plan.sites for device in site_devices(plan, site)))


def shots(plan: Plan) -> Iterator[Shot]:
    """Yield packets of the second customer to our addresses, and of the carriers' routers to our hosts."""
    yield from _of_customer(plan, witnesses(plan))
    for out, source, peer, address in doors(plan):
        yield Shot(CARRIER_POSITIVE, out, source, address, peer.name)
        for target in _behind(plan, peer):
            for protocol, port in PROTOCOLS:
                yield Shot(CARRIER, out, source, owned(target)[0], target.name, protocol, port)


def _of_customer(plan: Plan, members: tuple[Device, ...]) -> Iterator[Shot]:
    for witness in members:
        out, source = over_a(plan, witness), owned(witness)[0]
        for other in members:
            if other.name != witness.name:
                yield Shot(CUSTOMER_POSITIVE, out, source, owned(other)[0], other.name)
        for device in ours(plan):
            for address in owned(device):
                for protocol, port in PROTOCOLS:
                    yield Shot(CUSTOMER, out, source, address, device.name, protocol, port)


def doors(plan: Plan) -> Iterator[tuple[Exit, IPv4Address, Device, IPv4Address]]:
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
                yield _door(plan, link.segment, here, there)


def _door(
    plan: Plan, network: str, here: Endpoint, there: Endpoint
) -> tuple[Exit, IPv4Address, Device, IPv4Address]:
    peer = plan.device(there.device)
    address = peer.interface(there.interface).addresses[0].ip
    source = plan.device(here.device).interface(here.interface).addresses[0].ip
    return Exit(here.device, network, here.interface, address), source, peer, address


def _behind(plan: Plan, router: Device) -> tuple[Device, ...]:
    if router.site is None:
        return servers(plan)
    return (plan.device(plan.site(router.site).controller),)


def verdicts(plan: Plan, volley: Volley, keep: Keep) -> Iterator[Verdict]:
    """Yield one verdict a witness and one for each carrier router with a customer of ours."""
    hosts = {server.name for server in servers(plan)} | {site.controller for site in plan.sites}
    everyone = {device.name for device in ours(plan)}
    if not witnesses(plan):
        yield unknown("R-ISO-CARRIER", "second customer", "the service names no witnesses to try it with")
    for witness in witnesses(plan):
        subject = f"second customer at {witness.name}"
        yield _verdict(volley, keep, subject, (witness.name, CUSTOMER, CUSTOMER_POSITIVE), everyone)
    for carrier in dict.fromkeys(out.device for out, _, _, _ in doors(plan)):
        yield _verdict(volley, keep, f"carrier router {carrier}", (carrier, CARRIER, CARRIER_POSITIVE), hosts)


def _verdict(
    volley: Volley, keep: Keep, subject: str, which: tuple[str, str, str], closed: set[str]
) -> Verdict:
    device, negative, positive = which
    mine = [outcome for outcome in volley.of(negative) if outcome.shot.out.device == device]
    positives = [outcome for outcome in volley.of(positive) if outcome.shot.out.device == device]
    evidence = (keep(f"intruders/{device}.txt", listing(mine, positives)),)
    entered = [outcome for outcome in mine if closed & set(outcome.heard)]
    if entered:
        return live("R-ISO-CARRIER", subject, Result.FAIL, _example(entered, closed), evidence)
    doubts = [
        *deaf(volley, [device, *closed]),
        *unsent(mine),
        *missing(positives, lambda outcome: (outcome.shot.target,)),
    ]
    if doubts or not mine or not positives:
        return unknown("R-ISO-CARRIER", subject, brief(doubts) or "no packet was sent", evidence)
    scope = f"{len(mine)} packets to {len({one.shot.destination for one in mine})} addresses: none arrived; "
    return live("R-ISO-CARRIER", subject, Result.PASS, f"{scope}{len(positives)} positives arrived", evidence)


def _example(entered: list[Outcome], closed: set[str]) -> str:
    first = entered[0]
    places = ", ".join(f"{name} on {'/'.join(first.heard[name])}" for name in first.heard if name in closed)
    return f"{len(entered)} packets entered, such as {first.shot}: heard by {places}"
