"""How fast lines are: one direction without the other says nothing."""

from collections.abc import Iterator, Sequence

from heiiki.errors import Problem
from heiiki.intent.model import AccessA, AccessB, Hub, Service, Site
from heiiki.intent.networks import IpVpn, LteApn
from heiiki.intent.yaml_source import YamlSource

_Line = IpVpn | LteApn | Hub | AccessA | AccessB


def problems(source: YamlSource, service: Service) -> Iterator[Problem]:
    """Yield what is wrong with the rates of the networks' lines and of the hub's."""
    yield from _of_line(source, ("networks", "a"), service.networks.a)
    yield from _of_line(source, ("networks", "b"), service.networks.b)
    yield from _of_line(source, ("hub",), service.hub)


def of_sites(sites: Sequence[tuple[YamlSource, Site]]) -> Iterator[Problem]:
    """Yield what is wrong with the rates of sites' own lines."""
    for source, site in sites:
        yield from _of_line(source, ("a",), site.a)
        yield from _of_line(source, ("b",), site.b)


def _of_line(source: YamlSource, loc: tuple[str, ...], line: _Line) -> Iterator[Problem]:
    if line.bandwidth_up_kbps is not None and line.bandwidth_kbps is None:
        what = "`bandwidth_up_kbps` is one direction of a line, and nothing says how fast the other is"
        yield source.problem((*loc, "bandwidth_up_kbps"), what, "add `bandwidth_kbps:`")
