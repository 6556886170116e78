"""The file of a device: read, and completed by what follows from it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.links.model import (
    LABELS,
    LAST_RESORT_METRIC,
    MAIN_TABLE,
    MPLS_LABELS,
    UNREACHABLE,
    Link,
    Name,
    Neighbour,
    Route,
    Wanted,
)

Setting = Annotated[str, r"net[./](?!(.*/)?\.{1,2}(/|$)).+"]
"""Name of a network setting below /proc/sys."""


@dataclass(frozen=True, slots=True)
class StaticRoute:
    """A route of the file; the first byte of `metric` is the distance that FRR gives it."""

    prefix: Annotated[str, IPv4Network]
    via: Annotated[str, IPv4Address] | None = None
    interface: Name | None = None
    vrf: Name | None = None
    metric: Annotated[int, range(1 << 32)] = 0

    def __post_init__(self) -> None:
        if self.via is None and self.interface is None:
            raise ValueError("leads nowhere; give via, interface or both")


@dataclass(frozen=True, slots=True)
class Settings:
    """The file, parsed."""

    interfaces: tuple[Link, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    routes: tuple[StaticRoute, ...] = ()
    sysctls: dict[Setting, str] = field(default_factory=dict)


def read(file: Path) -> Wanted:
    """Read the file.

    Raises:
        AgentError: it cannot be read, or with every problem of it.
    """
    return _wanted(config.read(Settings, file), str(file))


def parse(text: str, where: str) -> Wanted:
    """Parse the file's `text`.

    Raises:
        AgentError: with every problem of the file, each with its place.
    """
    return _wanted(config.parse(Settings, text, where), where)


def _wanted(settings: Settings, where: str) -> Wanted:
    links = settings.interfaces
    tables = {link.name: link.table for link in links if link.kind == "vrf"}
    problems = [
        *_inconsistent(links),
        *_unknown_vrfs(settings, tables),
        *_unknown_ports(settings),
        *_twice(settings),
    ]
    if problems:
        raise AgentError("\n".join(f"{where}: {problem}" for problem in problems))
    routes = tuple(
        Route(
            table=(tables[route.vrf] if route.vrf else None) or MAIN_TABLE,
            prefix=route.prefix,
            via=route.via or "",
            device=route.interface or "",
            metric=route.metric,
        )
        for route in settings.routes
    )
    sysctls = {_path(key): " ".join(value.split()) for key, value in settings.sysctls.items()}
    return Wanted(links, (*routes, *_last_resorts(links)), sysctls | _mpls(links), settings.neighbours)


def _inconsistent(links: Iterable[Link]) -> Iterable[str]:
    for link in links:
        for kind, value in (("vrf", link.table), ("gre", link.gre), ("xfrm", link.xfrm)):
            if (link.kind == kind) != (value is not None):
                key = "table" if kind == "vrf" else kind
                yield f"interface {link.name}.{key}: belongs to kind {kind}, and every {kind} needs it"
        if link.rate_kbps is not None and link.kind != "gre":
            yield f"interface {link.name}.rate_kbps: only a tunnel (kind gre) is shaped; leave it out"
        if link.link_address is not None and link.kind != "ethernet":
            yield f"interface {link.name}.link_address: only a port (kind ethernet) has one; leave it out"


def _unknown_vrfs(settings: Settings, tables: dict[str, int | None]) -> Iterable[str]:
    members = [(f"interface {link.name}", link.vrf) for link in settings.interfaces]
    members += [(f"route {route.prefix}", route.vrf) for route in settings.routes]
    for where, vrf in members:
        if vrf is not None and vrf not in tables:
            yield f"{where}.vrf: {vrf} is not listed with kind vrf; add it"


def _unknown_ports(settings: Settings) -> Iterable[str]:
    ports = {link.name for link in settings.interfaces if link.kind == "ethernet"}
    for one in settings.neighbours:
        if one.interface not in ports:
            yield f"neighbour {one.address}.interface: {one.interface} is not a listed port; add it"


def _twice(settings: Settings) -> Iterable[str]:
    names = Counter(f"interface {link.name}" for link in settings.interfaces)
    names += Counter(f"route {one.prefix} in {one.vrf or 'main'}, {one.metric}" for one in settings.routes)
    names += Counter(f"neighbour {one.address} on {one.interface}" for one in settings.neighbours)
    return (f"{name}: is listed twice; keep one" for name, count in names.items() if count > 1)


def _path(key: str) -> str:
    """Return the place below /proc/sys, as sysctl(8) does: with a slash, dots belong to names."""
    return key if "/" in key else key.replace(".", "/")


def _last_resorts(links: Iterable[Link]) -> tuple[Route, ...]:
    """One unreachable default route for each VRF, behind all others."""
    return tuple(
        Route(table=link.table, prefix="0.0.0.0/0", kind=UNREACHABLE, metric=LAST_RESORT_METRIC)
        for link in links
        if link.table is not None
    )


def _mpls(links: Iterable[Link]) -> dict[str, str]:
    """Settings that let labelled packets in on the listed interfaces, and on no other of them."""
    ports = [link for link in links if link.kind in {"ethernet", "gre", "dummy"}]
    inputs = {f"net/mpls/conf/{link.name}/input": str(int(link.mpls)) for link in ports}
    return inputs | ({LABELS: MPLS_LABELS} if any(link.mpls for link in ports) else {})
