"""What a lab consists of: nodes and links, nothing about addresses. The input of the wiring."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal, Self

from heiiki.errors import LabError

NodeKind = Literal["host", "switch"]

_NODE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_INTERFACE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")  # IFNAMSIZ is 16 with the final zero
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_RESERVED_INTERFACES = {"lo", "br0"}
_MTU_RANGE = range(68, 65536)  # RFC 791 3.2, and what a veth takes
BRIDGE = "br0"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One end of a link."""

    node: str
    interface: str

    def __str__(self) -> str:
        return f"{self.node}:{self.interface}"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A machine of its own (`host`), or a LAN switch whose interfaces are ports of one bridge (`switch`).

    Attributes:
        name: unique in the lab.
        kind: which of both.
        processor: the guest's processor that it has, counted round as often as need be.
        systemd: whether systemd runs its services; else nothing runs on it but what is started by hand.
    """

    name: str
    kind: NodeKind = "host"
    processor: int = 0
    systemd: bool = False


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A point-to-point Ethernet link, or one of IEEE 802.11.

    Attributes:
        name: unique in the lab; faults name it.
        a: one end.
        b: the other end.
        mac_a: hardware address of end a; derived from the link's name where none is given.
        mac_b: the same for end b.
        mtu: of both ends, in bytes; None is 1500.
        rate_a: how fast the line takes what end a sends, kbit/s of IP packets; None: as fast as it comes.
        rate_b: the same for end b.
        wireless: it is no cable: its ends are radios within reach of each other.
    """

    name: str
    a: Endpoint
    b: Endpoint
    mac_a: str | None = None
    mac_b: str | None = None
    mtu: int | None = None
    rate_a: int | None = None
    rate_b: int | None = None
    wireless: bool = False

    @property
    def ends(self) -> tuple[Endpoint, Endpoint]:
        """Both ends."""
        return self.a, self.b

    @property
    def rates(self) -> dict[Endpoint, int]:
        """How fast the line takes what an end sends, kbit/s, by the ends of which that is bounded."""
        bounds = ((self.a, self.rate_a), (self.b, self.rate_b))
        return {end: rate for end, rate in bounds if rate is not None}


@dataclass(frozen=True, slots=True)
class LabSpec:
    """A whole lab.

    Raises:
        LabError: it contradicts itself; every contradiction is named.
    """

    name: str
    nodes: tuple[NodeSpec, ...]
    links: tuple[LinkSpec, ...]

    def __post_init__(self) -> None:
        """Check the whole, and give each end without a hardware address its own."""
        problems = [*_node_problems(self.nodes), *_link_problems(self.nodes, self.links)]
        if problems:
            raise LabError(f"lab {self.name}: " + "; ".join(problems))
        object.__setattr__(self, "links", tuple(_with_addresses(link) for link in self.links))

    @property
    def radios(self) -> tuple[Endpoint, ...]:
        """The ends of wireless links, in the order in which the guest's radios are given to them."""
        return tuple(end for link in self.links if link.wireless for end in link.ends)

    def link(self, name: str) -> LinkSpec:
        """The link of that name.

        Raises:
            LabError: there is none; the known ones are listed.
        """
        for link in self.links:
            if link.name == name:
                return link
        raise LabError(
            f"no link {name!r} in the lab; known links: {_listed(link.name for link in self.links)}"
        )

    def node(self, name: str) -> NodeSpec:
        """The node of that name.

        Raises:
            LabError: there is none; the known ones are listed.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise LabError(
            f"no node {name!r} in the lab; known nodes: {_listed(node.name for node in self.nodes)}"
        )

    def to_json(self) -> str:
        """The whole as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The opposite of `to_json`."""
        data = json.loads(text)
        links = (link | {"a": Endpoint(**link["a"]), "b": Endpoint(**link["b"])} for link in data["links"])
        nodes = tuple(NodeSpec(**node) for node in data["nodes"])
        return cls(data["name"], nodes, tuple(LinkSpec(**link) for link in links))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _node_problems(nodes: tuple[NodeSpec, ...]) -> Iterator[str]:
    for node in nodes:
        if not _NODE_NAME.fullmatch(node.name):
            yield f"node name {node.name!r} must be 1-63 of a-z, 0-9 and '-', not starting with '-'"
        if node.kind not in {"host", "switch"}:
            yield f"node {node.name}: kind {node.kind!r} must be host or switch"
    for name in _twice(node.name for node in nodes):
        yield f"node {name} is there twice"


def _link_problems(nodes: tuple[NodeSpec, ...], links: tuple[LinkSpec, ...]) -> Iterator[str]:
    known = {node.name for node in nodes}
    for name in _twice(link.name for link in links):
        yield f"link {name} is there twice"
    for name in sorted(known & {link.name for link in links}):
        yield f"{name} names both a node and a link: a fault could not tell them apart"
    for place in _twice(str(end) for link in links for end in link.ends):
        yield f"interface {place} is used by two links"
    for link in links:
        yield from _one_link_problems(link, known)


def _one_link_problems(link: LinkSpec, known: set[str]) -> Iterator[str]:
    for end in link.ends:
        if end.node not in known:
            yield f"link {link.name}: no node {end.node!r}"
        if not _INTERFACE_NAME.fullmatch(end.interface) or end.interface in _RESERVED_INTERFACES:
            yield f"link {link.name}: {end.interface!r} is no interface name (1-15 characters, not lo, br0)"
    for mac in (link.mac_a, link.mac_b):
        if mac is not None and (not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1):
            yield f"link {link.name}: {mac!r} is no unicast MAC (aa:bb:cc:dd:ee:ff, lower case)"
    if link.mtu is not None and link.mtu not in _MTU_RANGE:
        yield f"link {link.name}: MTU {link.mtu} is outside {_MTU_RANGE.start}-{_MTU_RANGE.stop - 1}"


def _with_addresses(link: LinkSpec) -> LinkSpec:
    return replace(
        link,
        mac_a=link.mac_a or _derived_mac(f"{link.name}/a"),
        mac_b=link.mac_b or _derived_mac(f"{link.name}/b"),
    )


def _derived_mac(what: str) -> str:
    """The same on every run; 02 marks it as locally administered (IEEE 802 8.2)."""
    digest = hashlib.sha256(what.encode()).digest()
    return ":".join(["02", *(f"{byte:02x}" for byte in digest[:5])])
