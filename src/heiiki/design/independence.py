"""R-DUAL on paper: two carriers, nothing that both paths need, trust over each (TR-1072 5.3.1, 7.1)."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from heiiki.design import vendors
from heiiki.design.revoked import explained, lost
from heiiki.design.sent import Sent
from heiiki.intent.consistency import one_carrier
from heiiki.plan.model import (
    Device,
    Function,
    IpsecConnection,
    Network,
    Plan,
    SitePlan,
    VaultClient,
    VaultHost,
)
from heiiki.requirements import Result, Stage, Verdict

_SERVING = frozenset({Function.MME, Function.HSS})
"""Nodes that carry no user packet, and without which network B admits no subscriber."""
_NOT_EXAMINED = (
    "what the two networks share was not examined: ducts, power, buildings, wholesale; "
    "ask both carriers, and write `risks:` in service.yml"
)


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield one verdict a site, naming what both paths share."""
    everywhere = tuple(_of_all_sites(plan))
    switches = frozenset(device.name for device in plan.devices if device.function is Function.SWITCH)
    serving = frozenset(device.name for device in plan.devices if device.function in _SERVING)
    ways = {(path.site, path.network): frozenset(path.elements) for path in plan.paths}
    for site in plan.sites:
        over_a, over_b = ways.get((site.name, Network.A)), ways.get((site.name, Network.B))
        if not over_a or not over_b:
            yield _verdict(site, Result.UNKNOWN, "the plan has no path over one of the networks", None)
            continue
        permitted = _permitted(site, switches)
        shared = (over_a & over_b) - permitted
        reasons = [f"both paths use {name}" for name in sorted(shared)]
        reasons += everywhere
        reasons += _joined(plan, over_a - permitted, (over_b | serving) - permitted)
        reasons += _one_network(plan, site)
        stands, why = vendors.path(plan, over_a, sent)
        if stands is Result.UNKNOWN and not reasons:
            yield _verdict(site, Result.UNKNOWN, why, None)
            continue
        if stands is Result.FAIL:
            reasons.append(why)
        gone = lost(plan, site)
        if gone:
            reasons.append(explained(gone))
        yield _judged(plan, site, reasons, None if gone else float(len(shared)))


def _judged(plan: Plan, site: SitePlan, reasons: list[str], measured: float | None) -> Verdict:
    if reasons:
        return _verdict(site, Result.FAIL, "; ".join(reasons), measured)
    if not plan.risks.examined:
        return _verdict(site, Result.UNKNOWN, _NOT_EXAMINED, measured)
    return _verdict(site, Result.PASS, f"{_kind(site)}; what they share was {plan.risks.examined}", measured)


def _one_network(plan: Plan, site: SitePlan) -> Iterator[str]:
    """Yield the tunnels that a gateway would lose with the *other* network, for want of the Vault server.

    Lists and certificates end after days: a tunnel over one network must not need the other to get new ones.
    """
    for device in (plan.device(name) for name in site.gateways):
        for connection in device.ipsec:
            for server in plan.pki.servers:
                ways = frozenset(_ways(server, device))
                if not any(_reaches(ways, device, client, connection) for client in device.vault_clients):
                    network = connection.network.upper()
                    which = (
                        "the Vault server" if len(plan.pki.servers) == 1 else f"Vault server {server.device}"
                    )
                    yield f"{device.name} does not reach {which} over network {network} alone"


def _reaches(
    ways: AbstractSet[str], device: Device, client: VaultClient, connection: IpsecConnection
) -> bool:
    """Tell whether `client` asks over the network of `connection`, by a route that needs no other."""
    if client.address != connection.local:
        return False
    if not client.interface:
        return len(device.networks) == 1
    return client.interface == connection.uplink and client.interface in ways


def _ways(vault: VaultHost, device: Device) -> Iterator[str]:
    """Yield the interfaces by which a device knows a route to the server's service address."""
    server = vault.service_address
    yield from (one.interface for one in device.routes if one.interface and server in one.prefix)
    if device.router is None:
        return
    learned = {one.name for one in device.router.prefix_sets if any(server in at for at in one.prefixes)}
    for neighbor in (one for instance in device.router.bgp for one in instance.neighbors):
        if neighbor.accept in learned:
            yield from (
                item.name
                for item in device.interfaces
                if any(neighbor.address in address.network for address in item.addresses)
            )


def _verdict(site: SitePlan, result: Result, reason: str, measured: float | None) -> Verdict:
    return Verdict("R-DUAL", site.name, Stage.DESIGN, result, reason, measured, 0.0, "shared elements")


def _of_all_sites(plan: Plan) -> Iterator[str]:
    carriers = [network.carrier for network in plan.networks]
    if len(carriers) != len(Network) or one_carrier(*carriers):
        yield f"both networks are of one carrier: {' and '.join(carriers) or 'none'}"


def _joined(plan: Plan, over_a: AbstractSet[str], over_b: AbstractSet[str]) -> Iterator[str]:
    """Yield each declared risk with elements of both paths: one failure would end both."""
    for risk in plan.risks.shared:
        one = [name for name in risk.elements if name in over_a]
        other = [name for name in risk.elements if name in over_b]
        if one and other:
            kind = risk.kind.replace("_", " ")
            yield f"{kind} {risk.name} joins {', '.join(one)} of A with {', '.join(other)} of B"


def _permitted(site: SitePlan, switches: frozenset[str]) -> frozenset[str]:
    """LAN switches are out of scope (D8); configuration (a) has one gateway by its nature."""
    return switches | frozenset(site.gateways if len(site.gateways) == 1 else ())


def _kind(site: SitePlan) -> str:
    kind = "(a) networks doubled" if len(site.gateways) == 1 else "(b) networks and equipment doubled"
    return f"figure 5.18 {kind}"
