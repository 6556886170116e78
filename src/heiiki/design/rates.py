"""R-FIT/rate on paper: what is planned on a line needs no more than it carries.

Every message of tables 5.5 to 5.8 is sent within the delay that its table allows, as the report itself counts
("sent within a minute: 0.733 kbit/s"), encrypted and acknowledged. BFD goes at its fastest, what IKE, BGP and
NTP say at times is there within R-DELAY's bound, and a pull of the lists within R-THEFT's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from heiiki.design.associations import is_hub_line
from heiiki.design.sizes import subject
from heiiki.design.volume import (
    ACK,
    BFD_PACKET,
    CRL_POLL,
    KEEPALIVE_PACKET,
    MESSAGES,
    NTP_PACKET,
    REKEY,
    sessions,
)
from heiiki.plan import names
from heiiki.plan.model import ETHERNET_MTU, BfdProfile, Link, Network, Plan, Rate, SitePlan
from heiiki.plan.rates import TUNNEL_SHARE, tunnel_kbps
from heiiki.plan.sizes import in_esp, in_vpn
from heiiki.requirements import Result, Stage, Verdict

REQUIREMENT = "R-FIT/rate"
_CONTROL_WITHIN_S, _LISTS_WITHIN_S = 2, 10
_BFD_FASTEST = Fraction(3, 4)
"""Of its interval (RFC 5880 6.8.7)."""
_KILOBIT = Fraction(8, 1000)

_OnLine = Callable[[int], int]
"""How large a packet is on the line, octets."""


@dataclass(frozen=True, slots=True)
class Need:
    """What needs a line in one direction, kbit/s of IP packets as they are on it.

    Attributes:
        service: the resources' messages and the acknowledgements of those that come the other way.
        inside: BFD, BGP and the controller's time in the tunnel.
        outside: IKE, lists and time of the gateway, and BFD and BGP with the PE.
    """

    service: Fraction = Fraction(0)
    inside: Fraction = Fraction(0)
    outside: Fraction = Fraction(0)

    def __add__(self, other: "Need") -> "Need":
        """Return the sum."""
        return Need(self.service + other.service, self.inside + other.inside, self.outside + other.outside)

    @property
    def tunnel(self) -> Fraction:
        """What uses the tunnel."""
        return self.service + self.inside

    @property
    def total(self) -> Fraction:
        """All of it."""
        return self.tunnel + self.outside


@dataclass(frozen=True, slots=True)
class _Use:
    """One part of a line's rate, and what needs it: `part` names it."""

    part: str
    need: Fraction
    room: Fraction

    @property
    def share(self) -> Fraction:
        """How much of the room is needed."""
        return self.need / self.room


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects of the verdicts: each site over each network, then the hub's lines."""
    yield from (subject(site, network) for site in plan.sites for network in Network)
    yield from (line.name for line, _ in _hub_lines(plan))


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield one verdict for each line of a site, and for each of the hub's."""
    lines = {(link.site, link.network): link for link in plan.links if link.site and link.network}
    for site in plan.sites:
        for network in Network:
            name, line = subject(site, network), lines.get((site.name, network))
            if site.gateway(network) in plan.revoked:
                reason = f"{site.gateway(network)} is revoked: nothing of the service is sent over this path"
                yield Verdict(REQUIREMENT, name, Stage.DESIGN, Result.NOT_APPLICABLE, reason)
            elif line is not None:
                yield _of_site(plan, site, network, name, line)
    for line, network in _hub_lines(plan):
        yield _of_hub(plan, line, network)


def _hub_lines(plan: Plan) -> Iterator[tuple[Link, Network]]:
    for link in plan.links:
        if link.network is not None and is_hub_line(link):
            hub = names.ON[link.network].hub_ce
            # Other customers' lines are none of ours.
            yield from ((link, link.network) for end in link.ends if end.device == hub)


def _of_site(plan: Plan, site: SitePlan, network: Network, name: str, line: Link) -> Verdict:
    if line.rate is None:
        return _unknown(name, line)
    outside = _outside(plan, site, network)
    down, up = (_tunnel(plan, site, network, up=way, on_line=in_esp) + outside for way in (False, True))
    uses = [
        use
        for way, need, rate in (("down", down, line.rate.down), ("up", up, line.rate.up))
        for use in (
            _Use(f"the tunnel's share {way}", need.tunnel, Fraction(tunnel_kbps(rate))),
            _Use(f"the rest {way}", need.outside, Fraction(rate - tunnel_kbps(rate))),
        )
    ]
    share = f"{TUNNEL_SHARE:.0%} for the tunnel, the rest for what goes outside of it"
    return _verdict(name, uses, f"{_said(line.rate)}, {share}; needed {_listed(down, up)}")


def _of_hub(plan: Plan, line: Link, network: Network) -> Verdict:
    """All sites carry on this network at once; the line has a VPN of its own around their tunnels."""
    if line.rate is None:
        return _unknown(line.name, line)
    served = [site for site in plan.sites if site.gateway(network) not in plan.revoked]
    own = Need(outside=_session(plan.timers.underlay, in_vpn))
    down, up = (
        sum((_through(plan, site, network, up=way) for site in served), start=own)
        for way in (True, False)  # what sites send up comes down the hub's line
    )
    uses = [
        _Use("the line down", down.total, Fraction(line.rate.down)),
        _Use("the line up", up.total, Fraction(line.rate.up)),
    ]
    sites = f"{len(served)} sites at once"
    full = _may_be_full(plan, line, network)
    return _verdict(line.name, uses, f"{_said(line.rate)}; {sites} need {_listed(down, up)}; {full}")


def _may_be_full(plan: Plan, line: Link, network: Network) -> str:
    """Whether sites that all fill their lines fill the hub's: on it no packet goes before another."""
    rates = [link.rate for link in plan.links if link.site and link.network is network]
    if line.rate is None or None in rates:
        return "whether the sites' lines together can fill it is unknown"
    down = sum(rate.up for rate in rates if rate) <= line.rate.down
    up = sum(rate.down for rate in rates if rate) <= line.rate.up
    if down and up:
        return "the sites' lines together cannot fill it"
    return "the sites' lines together can fill it, and nothing goes first there"


def _unknown(name: str, line: Link) -> Verdict:
    where = {
        True: "`hub:` in service.yml",
        False: f"`networks: {line.network}:` in service.yml, or `{line.network}:` of the site",
    }[line.site is None]
    reason = f"the intent does not say how fast {line.name} is: write `bandwidth_kbps:` below {where}"
    return Verdict(REQUIREMENT, name, Stage.DESIGN, Result.UNKNOWN, reason)


def _verdict(name: str, uses: list[_Use], reason: str) -> Verdict:
    worst = max(uses, key=lambda use: use.share)
    return Verdict(
        REQUIREMENT,
        name,
        Stage.DESIGN,
        Result.PASS if worst.share <= 1 else Result.FAIL,
        reason=f"fullest is {worst.part}: {reason}",
        measured=float(worst.need),
        bound=float(worst.room),
        unit="kbit/s",
    )


def _said(rate: Rate) -> str:
    return f"{rate.down:,} kbit/s down and {rate.up:,} up"


def _listed(down: Need, up: Need) -> str:
    parts = (
        ("tables 5.5 to 5.8", down.service, up.service),
        ("BFD, BGP and time in the tunnel", down.inside, up.inside),
        ("IKE, lists, time and the PE outside of it", down.outside, up.outside),
    )
    return ", ".join(f"{float(one):.3g} and {float(other):.3g} by {name}" for name, one, other in parts)


def _tunnel(plan: Plan, site: SitePlan, network: Network, *, up: bool, on_line: _OnLine) -> Need:
    """What needs a site's tunnel while it carries the site's traffic."""
    gateway, controller = plan.device(site.gateway(network)), plan.device(site.controller)
    mtu = gateway.interface(names.ON[network].tunnel).mtu or ETHERNET_MTU
    found = sessions(plan, gateway, network, plan.timers)
    asked = len(controller.clock.servers) if controller.clock else 0
    return Need(
        service=_service(site, mtu, up=up, on_line=on_line),
        inside=sum((_session(bfd, on_line) for tunnelled, bfd in found if tunnelled), Fraction(0))
        + _at_times(asked * on_line(NTP_PACKET)),
    )


def _outside(plan: Plan, site: SitePlan, network: Network) -> Need:
    """What a site's line carries beside the tunnel, alike in both directions."""
    gateway = plan.device(site.gateway(network))
    found = sessions(plan, gateway, network, plan.timers)
    with_pe = sum((_session(bfd, _clear) for tunnelled, bfd in found if not tunnelled), Fraction(0))
    return Need(outside=with_pe + _of_gateway(plan, site, network))


def _through(plan: Plan, site: SitePlan, network: Network, *, up: bool) -> Need:
    """What a site needs of the hub's line."""

    def nested(packet: int) -> int:
        return in_vpn(in_esp(packet))

    outside = Need(outside=_of_gateway(plan, site, network))
    return _tunnel(plan, site, network, up=up, on_line=nested) + outside


def _of_gateway(plan: Plan, site: SitePlan, network: Network) -> Fraction:
    """What a gateway says and hears at times: a rekeying, the time, a pull of the lists."""
    gateway = plan.device(site.gateway(network))
    asked = len(gateway.clock.servers) if gateway.clock else 0
    lists = Fraction(CRL_POLL, _LISTS_WITHIN_S) * _KILOBIT if gateway.crl_source else Fraction(0)
    return _at_times(REKEY + asked * NTP_PACKET) + lists


def _clear(packet: int) -> int:
    return packet


def _service(site: SitePlan, mtu: int, *, up: bool, on_line: _OnLine) -> Fraction:
    total = Fraction(0)
    for one in (message for resource in site.resources for message in MESSAGES[resource]):
        sizes = one.counted(mtu) if one.up is up else [ACK for _ in one.counted(mtu)]
        total += Fraction(sum(map(on_line, sizes)), one.within_s)
    return total * _KILOBIT


def _session(bfd: BfdProfile | None, on_line: _OnLine) -> Fraction:
    """A BGP session, its keepalive and an acknowledgement, and the BFD beside it at its fastest."""
    routing = _at_times(on_line(KEEPALIVE_PACKET) + on_line(ACK))
    if bfd is None:
        return routing
    return routing + on_line(BFD_PACKET) / (_BFD_FASTEST * Fraction(bfd.interval_ms, 1000)) * _KILOBIT


def _at_times(octets: int) -> Fraction:
    return Fraction(octets, _CONTROL_WITHIN_S) * _KILOBIT
