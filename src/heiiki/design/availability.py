"""R-AVAIL on paper: unavailability of the elements that the plan routes (TR-1072 5.3.1, figure 5.18)."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from heiiki.design import vendors
from heiiki.design.revoked import explained, lost
from heiiki.design.sent import Sent
from heiiki.plan.model import Function, LinkKind, Network, Plan, SitePlan
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.figures import number, settled

BOUND = 2e-5

CLASS_OF = {
    Function.PE: "ip_core",
    Function.P: "ip_core",
    Function.CE: "ce_router",
    Function.GATEWAY: "lte_gateway",
    Function.ENB: "lte_radio",
    Function.SGW: "lte_core",
    Function.PGW: "lte_core",
    Function.EDGE: "lte_core",
    Function.SWITCH: "lan_switch",
    LinkKind.ACCESS: "ip_access",
}
"""Whose figure an element counts with."""

_WITH_ITS_DEVICE = frozenset(
    {LinkKind.CORE, LinkKind.LAN, LinkKind.RADIO, LinkKind.S1_U, LinkKind.S5, LinkKind.SGI, LinkKind.WLAN}
)
"""Links that the figure of the device behind them includes."""

_OPTIONAL = "lan_switch"
_SHOWN = 3
_NOT_COUNTED = "hosts and their legs, power, planned work, common causes, other ways in the core"


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield one verdict a site: DRAS to BEMS/ERC, every element of both paths as the plan routes it."""
    figures = {item.component: item.unavailability for item in plan.reliability}
    ways = {(path.site, path.network): path.elements for path in plan.paths}
    for site in plan.sites:
        over = {network: ways.get((site.name, network), ()) for network in Network}
        if not all(over.values()):
            yield _verdict(site, Result.UNKNOWN, "the plan has no path over one of the networks")
            continue
        stands, why = vendors.path(plan, over[Network.A], sent)
        if stands is not Result.PASS:
            yield _verdict(site, stands, f"the path over A: {why}")
            continue
        classes = {name: _class(plan, name) for names in over.values() for name in names}
        if unstated := _unstated(classes, figures):
            yield _verdict(site, Result.UNKNOWN, unstated)
            continue
        counted = {name: figures[kind] for name, kind in classes.items() if kind in figures}
        yield _judged(plan, site, Structure.of(over, counted), _left_out(classes, figures))


def _verdict(site: SitePlan, result: Result, reason: str, measured: float | None = None) -> Verdict:
    return Verdict("R-AVAIL", site.name, Stage.DESIGN, result, reason, measured, BOUND)


def _class(plan: Plan, name: str) -> str | None:
    """Return the class of an element; None for a link that counts with its device."""
    kind = plan.element_kind(name)
    return None if kind in _WITH_ITS_DEVICE else CLASS_OF.get(kind, f"{kind} ({name})")


def _unstated(classes: Mapping[str, str | None], figures: Mapping[str, float]) -> str:
    missing = sorted({kind for kind in classes.values() if kind} - figures.keys() - {_OPTIONAL})
    return f"the reliability of {', '.join(missing)} is not stated" if missing else ""


def _left_out(classes: Mapping[str, str | None], figures: Mapping[str, float]) -> str:
    """Return what does not count, as human-readable text."""
    switches = [name for name, kind in classes.items() if kind == _OPTIONAL]
    if _OPTIONAL in figures or not switches:
        return _NOT_COUNTED
    return f"{', '.join(switches)} (no `reliability.{_OPTIONAL}`), {_NOT_COUNTED}"


@dataclass(frozen=True)
class Structure:
    """A site's elements by their part in the structure function, each with its unavailability.

    Attributes:
        shared: in series with both paths: an element of both counts once.
        own: each path's own elements in series; the two paths are in parallel.
        lost: networks over which nothing works, because the gateway is revoked.
    """

    shared: Mapping[str, float]
    own: Mapping[Network, Mapping[str, float]]
    lost: frozenset[Network] = frozenset()

    @classmethod
    def of(cls, over: Mapping[Network, Iterable[str]], counted: Mapping[str, float]) -> "Structure":
        """Sort the elements of the paths; those that `counted` lacks are left out."""
        named = {network: set(names) for network, names in over.items()}
        both = set.intersection(*named.values())
        own = {
            network: {name: counted[name] for name in names if name in counted and name not in both}
            for network, names in over.items()
        }
        return cls({name: value for name, value in counted.items() if name in both}, own)

    @cached_property
    def series_works(self) -> float:
        """Probability that everything which both paths use works."""
        return _all_work(self.shared.values())

    @cached_property
    def path_fails(self) -> Mapping[Network, float]:
        """Probability that something of a path's own fails."""
        return {
            network: 1.0 if network in self.lost else 1 - _all_work(values.values())
            for network, values in self.own.items()
        }

    @property
    def unavailability(self) -> float:
        """Probability that the site has no path, switch-over taken as perfect."""
        return 1 - self.series_works * (1 - math.prod(self.path_fails.values()))

    def coverage(self, primary: Network, bound: float) -> float:
        """Return the least share of switch-overs that must work for the bound to hold, 0 to 1.

        Where one does not, the failure of the primary alone is an interruption.
        """
        alone = math.prod(
            fails if network == primary else 1 - fails for network, fails in self.path_fails.items()
        )
        spare = 1 - math.prod(self.path_fails.values()) - (1 - bound) / self.series_works
        return max(0.0, 1 - spare / alone) if alone else 0.0

    def doubled(self, name: str) -> "Structure":
        """Return the structure with one element twice in parallel, wherever it stands."""
        own = {network: _squared(values, name) for network, values in self.own.items()}
        return replace(self, shared=_squared(self.shared, name), own=own)

    def gain(self, name: str, value: float) -> float:
        """Return by how much it helps to double one element (the whole is not built again)."""
        twice = 1 + value  # (1 - q * q) / (1 - q)
        if name in self.shared:
            return self.series_works * (twice - 1) * (1 - math.prod(self.path_fails.values()))
        fails = {
            network: 1 - (1 - fails) * twice if name in self.own[network] else fails
            for network, fails in self.path_fails.items()
        }
        return self.series_works * (math.prod(self.path_fails.values()) - math.prod(fails.values()))

    def to_double(self, bound: float) -> tuple[str, ...]:
        """Return the elements to double until the bound holds, the most useful first; none: it never does."""
        now, chosen = self, []
        while now.unavailability > bound:
            left = {
                name: now.gain(name, value)
                for values in (now.shared, *now.own.values())
                for name, value in values.items()
                if name not in chosen
            }
            if not left:
                return ()
            chosen.append(max(left, key=lambda name: left[name]))
            now = now.doubled(chosen[-1])
        return tuple(chosen)


def _all_work(values: Iterable[float]) -> float:
    return math.prod(1 - value for value in values)


def _squared(values: Mapping[str, float], name: str) -> Mapping[str, float]:
    return {key: value**2 if key == name else value for key, value in values.items()}


def _judged(plan: Plan, site: SitePlan, structure: Structure, left_out: str) -> Verdict:
    gone = lost(plan, site)
    found = replace(structure, lost=frozenset(gone))
    value = settled(found.unavailability)
    counts = [f"{len(values)} on {network.upper()} alone" for network, values in found.own.items()]
    scope = f"elements counted: {', '.join(counts)}, {len(found.shared)} on both; not counted: {left_out}"
    if value <= BOUND:
        share = math.ceil(1000 * found.coverage(site.primary, BOUND)) / 10
        reason = f"{scope}; holds if at least {share} % of switch-overs work"
        return _verdict(site, Result.PASS, reason, value)
    if gone:
        return _verdict(site, Result.FAIL, explained(gone), value)
    return _verdict(site, Result.FAIL, f"{_advice(site, found)}; {scope}", value)


def _advice(site: SitePlan, structure: Structure) -> str:
    """Say what to double, or that this is not enough."""
    wanted = structure.to_double(BOUND)
    if not wanted:
        every = {name: value for values in structure.own.values() for name, value in values.items()}
        every |= structure.shared
        worst = max(every, key=lambda name: every[name])
        return f"take better components, first of all {worst}: to double every element is not enough"
    more = f" and {len(wanted) - _SHOWN} more" if len(wanted) > _SHOWN else ""
    figures = {**structure.shared, **structure.own[Network.A], **structure.own[Network.B]}
    names = ", ".join(f"{name} ({number(figures[name])})" for name in wanted[:_SHOWN])
    one_gateway = len(site.gateways) == 1 and site.gateways[0] in wanted
    figure = ", the gateway by figure 5.18 (b): `redundancy: networks_and_equipment`" if one_gateway else ""
    return f"double {names}{more}{figure}, or take better ones"
