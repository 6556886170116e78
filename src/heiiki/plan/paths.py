"""Paths hop by hop."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator

from heiiki.intent import Site
from heiiki.plan import names
from heiiki.plan.context import Context
from heiiki.plan.model import Link, Network, Path


def paths(context: Context, links: Iterable[Link]) -> Iterator[Path]:
    """Yield the path of every site over each network, from the site's LAN leg to the hub's."""
    between = {frozenset((link.a.device, link.b.device)): link.name for link in links}
    core = _CoreWays(context)
    for site in context.sites:
        for network, devices in ((Network.A, _over_a(core, site)), (Network.B, _over_b(site))):
            yield Path(site.name, network, tuple(_with_links(devices, between)))


class _CoreWays:
    """Shortest ways through carrier A's core from the hub's PE, computed once."""

    def __init__(self, context: Context) -> None:
        self._came_from: dict[str, str] = {}
        network = context.service.networks.a
        neighbours: dict[str, list[str]] = defaultdict(list)
        for link in network.links:
            neighbours[link.between[0]].append(link.between[1])
            neighbours[link.between[1]].append(link.between[0])
        self._hub_pe = network.hub_pe
        queue, seen = deque([network.hub_pe]), {network.hub_pe}
        while queue:
            here = queue.popleft()
            for there in sorted(set(neighbours[here]) - seen):
                seen.add(there)
                self._came_from[there] = here
                queue.append(there)

    def to_hub(self, edge: str) -> Iterator[str]:
        """Yield the routers from `edge` to the hub's PE."""
        yield names.core_router(edge)
        while edge != self._hub_pe:
            edge = self._came_from[edge]
            yield names.core_router(edge)


def _lan(site: Site) -> tuple[str, ...]:
    return (names.lan_switch(site),) if names.doubled(site) else ()


def _over_a(core: _CoreWays, site: Site) -> tuple[str, ...]:
    return (
        *_lan(site),
        names.gateway(site, Network.A),
        *core.to_hub(site.a.pe),
        names.HUB_CE_A,
        names.HUB_LAN,
    )


def _over_b(site: Site) -> tuple[str, ...]:
    carrier = (names.ENB, names.SGW, names.PGW, names.EDGE)
    return (*_lan(site), names.gateway(site, Network.B), *carrier, names.HUB_CE_B, names.HUB_LAN)


def _with_links(devices: tuple[str, ...], between: dict[frozenset[str], str]) -> Iterator[str]:
    for here, there in zip(devices, (*devices[1:], None), strict=True):
        yield here
        if there is not None:
            yield between[frozenset((here, there))]
