"""Which requirements a difference between what runs and what was compiled speaks against.

One file holds several requirements. What a difference concerns follows from where it stands: the chain and
the interfaces of a filter rule, the context and the command of a line of FRRouting. Names and comments, which
the author of the difference may choose, decide nothing. A difference of which nothing is known concerns every
requirement that its file holds.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heiiki.plan.epc import USER_PLANE
from heiiki.plan.model import Device, InterfaceKind
from heiiki.plan.names import LAN_IF, LAN_VIRTUAL_IF

GAP, DUAL, SITE = "R-GAP", "R-DUAL", "R-ISO-SITE"
CONTROL, LAYER2 = "R-ISO-MALICE/control", "R-ISO-MALICE/layer-2"
LOAD, PORT = "R-DELAY/load", "R-SEC-LAN/wired"
CARRIER, GROUP, MALICE = "R-ISO-CARRIER", "R-ISO-GROUP", "R-ISO-MALICE"
ACCESS, ESP = "R-SEC-ACCESS", "R-SEC-ESP"

_SHOWN = 300
_TABLE, _INET, _ARP = "heiiki", "inet", "arp"
_GRE = {"gre", "47", 47}

Concerned = frozenset[str]
NOT_KNOWN: Concerned = frozenset()
"""Nothing is known of a difference: it concerns every requirement of its file."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between what runs and what was compiled.

    Attributes:
        path: the compiled file.
        text: what differs, as human-readable text; it is shown and never decides.
        concerned: the requirements that it speaks against, in whatever file; empty: nothing is known.
        everywhere: it speaks against these also where another file of the device holds them.
    """

    path: str
    text: str
    concerned: Concerned = NOT_KNOWN
    everywhere: bool = False

    def speaks_against(self, identifier: str, requirements: Collection[str]) -> bool:
        """Tell whether it speaks against `identifier`, one of the `requirements` of its file."""
        concerned = self.concerned & set(requirements)
        return identifier in concerned if concerned else True


def of_health(path: str, text: str) -> Difference:
    """Return the difference that a service's own check tells of: of the links, that one is not as planned."""
    return Difference(path, f" {text}", _HEALTH.get(path, NOT_KNOWN))


def of_links(path: str, name: str, command: str) -> Difference:
    """Return the difference that a command is, which the program that keeps links would give the kernel."""
    words = command.split()
    if words[:1] == ["qdisc"]:
        return Difference(path, f" {name} does not work: {command}", frozenset({LOAD}))
    neighbours = words[:1] == ["neigh"] or (words[:2] == ["link", "set"] and words[3:4] == ["address"])
    return Difference(path, f" {name} does not work: {command}", frozenset({LAYER2 if neighbours else DUAL}))


_HEALTH: Mapping[str, Concerned] = {"/etc/heiiki/links.json": frozenset({DUAL})}


# --- FRRouting

Line = tuple[str, ...]
"""A line, after the contexts that it stands in, outermost first."""

_CONTEXTS: tuple[tuple[tuple[str, ...], Concerned], ...] = (
    (("bfd",), frozenset({GAP})),
    (("route-map",), frozenset({SITE})),
    (("key", "chain"), frozenset({CONTROL})),
    (("mpls", "ldp"), frozenset({DUAL})),
)
_COMMANDS: tuple[tuple[tuple[str, ...], Concerned], ...] = (
    (("bfd",), frozenset({GAP})),
    (("timers",), frozenset({GAP})),
    (("ip", "ospf", "bfd"), frozenset({GAP})),
    (("ip", "ospf", "hello-interval"), frozenset({GAP})),
    (("ip", "ospf", "dead-interval"), frozenset({GAP})),
    (("ip", "ospf", "authentication"), frozenset({CONTROL})),
    (("ip", "prefix-list"), frozenset({SITE})),
    (("route-map",), frozenset({SITE})),
    (("rt", "vpn"), frozenset({SITE})),
    (("rd", "vpn"), frozenset({SITE})),
    (("import",), frozenset({SITE})),
    (("export",), frozenset({SITE})),
    (("redistribute",), frozenset({SITE})),
    (("network",), frozenset({SITE})),
    (("label", "vpn"), frozenset({SITE})),
)
_OF_NEIGHBOR: Mapping[str, Concerned] = {
    "bfd": frozenset({GAP}),
    "timers": frozenset({GAP}),
    "advertisement-interval": frozenset({GAP}),
    "route-map": frozenset({SITE}),
    "prefix-list": frozenset({SITE}),
    "allowas-in": frozenset({SITE}),
    "as-override": frozenset({SITE}),
    "password": frozenset({CONTROL}),
}
_SESSIONS = ("router bgp ", "router ospf", "mpls ldp", "interface ")


def of_frr(path: str, line: Line, *, missing: bool) -> Difference:
    """Return the difference that `line` of FRR's running configuration is: missing, or too much."""
    text = f"{'missing' if missing else 'too much'}: {' / '.join(line)}"
    return Difference(path, f", running: {text}", _of_line(line, missing=missing))


def of_key(path: str, text: str) -> Difference:
    """Return the difference that a session by another key than the file's is, or by none."""
    return Difference(path, f", {text}", frozenset({CONTROL}))


def _of_line(line: Line, *, missing: bool) -> Concerned:
    words = _words(line[-1])
    if words[:1] == ("neighbor",) and words[2:3] and words[2] in _OF_NEIGHBOR:
        return _OF_NEIGHBOR[words[2]]
    for start, concerned in _CONTEXTS:
        if _words(line[0])[: len(start)] == start:
            return concerned
    for start, concerned in _COMMANDS:
        if words[: len(start)] == start:
            return concerned
    if line[0].startswith(_SESSIONS) and words[2:3] != ("description",):
        # A session or an interface too much also gives routes to somebody the plan does not know.
        return frozenset({DUAL}) if missing else frozenset({DUAL, SITE})
    return NOT_KNOWN


def _words(line: str) -> tuple[str, ...]:
    words = tuple(line.split())
    return words[1:] if words[:1] == ("no",) else words


# --- the packet filter

Object = Mapping[str, Any]
"""One object of ``nft -j list ruleset``, without handles and counts: its kind, and what it is."""


def of_filter(
    path: str, device: Device, wanted: Sequence[Object], there: Sequence[Object]
) -> Iterator[Difference]:
    """Yield how the packet filter that the kernel has differs from the compiled one.

    Args:
        path: the compiled file.
        device: whose filter it is: what its interfaces are.
        wanted: the objects of the compiled filter, in order.
        there: those of the kernel's.
    """
    chains = {one["chain"]["name"] for one in wanted if "chain" in one}
    for kind, some, others in (("missing", wanted, there), ("too much", there, wanted)):
        for one in some:
            if one not in others:
                concerned = _of_object(device, one, chains, missing=kind == "missing")
                yield Difference(path, _filter_text(kind, one), concerned)
    for chain in sorted({_place(one) for one in (*wanted, *there)}):
        before, after = _in(wanted, chain), _in(there, chain)
        if before != after and set(map(_key, before)) == set(map(_key, after)):
            text = f" the kernel's packet filter differs: {chain[2]} has another order, or a rule twice"
            yield Difference(path, text, _of_chain(chain[0], chain[2]) if chain[2] in chains else NOT_KNOWN)


def _filter_text(kind: str, one: Object) -> str:
    return f" the kernel's packet filter differs: {kind} {_key(one)[:_SHOWN]}"


def _key(one: Object) -> str:
    return json.dumps(one, sort_keys=True)


def _place(one: Object) -> tuple[str, str, str]:
    """Family, table and chain of a rule; empty texts of anything else."""
    rule = one.get("rule")
    return (rule["family"], rule["table"], rule["chain"]) if rule else ("", "", "")


def _in(objects: Sequence[Object], chain: tuple[str, str, str]) -> list[Object]:
    return [one for one in objects if chain != ("", "", "") and _place(one) == chain]


def _of_object(device: Device, one: Object, chains: Collection[str], *, missing: bool) -> Concerned:
    """What an object concerns: a rule or chain where the plan has the chain, a counter of the plan."""
    ((kind, value),) = one.items()
    family = value["family"]
    if family not in {_INET, _ARP} or value["name" if kind == "table" else "table"] != _TABLE:
        return NOT_KNOWN
    if family == _ARP:
        return _of_chain(family, value.get("chain", value["name"] if kind != "rule" else ""))
    if kind == "rule" and value["chain"] in chains and (missing or _only_judges(value["expr"])):
        return _of_rule(device, value["chain"], value["expr"], missing=missing)
    if kind == "chain" and value["name"] in chains:
        return _of_chain(family, value["name"])
    if kind == "counter" and missing:
        return _of_counter(value["name"])
    return NOT_KNOWN


_JUDGES = frozenset({"match", "counter", "accept", "drop", "return", "reject", "continue"})


def _only_judges(expression: Sequence[Any]) -> bool:
    """Whether a rule decides on packets as they are; one that rewrites or redirects them may do anything."""
    return all(set(one) <= _JUDGES for one in expression) or _jumps(expression)


_PORT_SETS = frozenset({"let_in", "authorized"})
"""Whom the controlled port lets in, and that it is open."""
_CHAINS: tuple[tuple[str, Concerned], ...] = (
    ("controlled_", frozenset({PORT})),
    ("from_", frozenset({MALICE})),
    ("prerouting", frozenset({MALICE})),
    ("limits", frozenset({MALICE})),
    ("vrrp", frozenset({LAYER2})),
    ("hops", frozenset({CONTROL})),
    ("classes_", frozenset({LOAD})),
    ("encrypted", frozenset({ACCESS})),
    ("output", frozenset({ACCESS})),
    ("forward", frozenset({SITE, CARRIER})),
    ("input", frozenset({CARRIER, GROUP, ACCESS})),
)
_COUNTERS: tuple[tuple[str, Concerned], ...] = (
    ("unauthorized_", frozenset({PORT})),
    ("spoofed_", frozenset({MALICE})),
    ("unknown_interface", frozenset({MALICE})),
    ("limited_", frozenset({MALICE})),
    ("clear_", frozenset({ACCESS})),
    ("between_sites", frozenset({SITE})),
    ("refused_vrrp", frozenset({LAYER2})),
    ("refused_hops", frozenset({CONTROL})),
    ("refused_forward", frozenset({SITE})),
    ("refused_input", frozenset({CARRIER, GROUP})),
)


def _of_chain(family: str, name: str) -> Concerned:
    if family == _ARP:
        of_port = name.startswith("controlled_") or name in _PORT_SETS
        return frozenset({LAYER2, PORT} if of_port else {LAYER2})
    return next((concerned for start, concerned in _CHAINS if name.startswith(start)), NOT_KNOWN)


def _of_counter(name: str) -> Concerned:
    return next((concerned for start, concerned in _COUNTERS if name.startswith(start)), NOT_KNOWN)


def _of_rule(device: Device, chain: str, expression: Sequence[Any], *, missing: bool) -> Concerned:
    """A rule may concern less than its chain: it says between which interfaces, and of which protocol."""
    concerned = _of_chain(_INET, chain)
    if chain == "forward" and _stays_inside(device, expression):
        return concerned - {CARRIER}
    if chain == "input":
        return (
            frozenset({ACCESS}) if _jumps(expression) else _of_input(concerned, expression, missing=missing)
        )
    return concerned


def _of_input(concerned: Concerned, expression: Sequence[Any], *, missing: bool) -> Concerned:
    """A rule too much may take GRE in clear in, before the rule that refuses it; a service lost may not."""
    protocols = _matched(expression, "meta", "l4proto") | _matched(expression, "ip", "protocol")
    takes_gre = not missing and not _has_port(expression) and (not protocols or protocols & _GRE)
    return concerned if takes_gre else concerned - {ACCESS}


def _jumps(expression: Sequence[Any]) -> bool:
    return any("jump" in one and one["jump"].get("target") == "encrypted" for one in expression)


def _has_port(expression: Sequence[Any]) -> bool:
    left = [one["match"]["left"].get("payload", {}) for one in _matches(expression)]
    return any(one.get("protocol") in {"tcp", "udp", "sctp", "icmp"} for one in left)


def _matches(expression: Sequence[Any]) -> list[Any]:
    return [
        one
        for one in expression
        if "match" in one and one["match"]["op"] == "==" and isinstance(one["match"]["left"], dict)
    ]


def _matched(expression: Sequence[Any], kind: str, key: str) -> set[Any]:
    """Return the values that a rule asks of a key of the packet; none where it does not ask."""
    found: set[Any] = set()
    for one in _matches(expression):
        left, right = one["match"]["left"].get(kind, {}), one["match"]["right"]
        if left.get("key", left.get("field")) == key:
            values = right.get("set", [right]) if isinstance(right, dict) else right
            found.update(map(_plain, values if isinstance(values, list) else [values]))
    return found


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int) else _key(value)


def _stays_inside(device: Device, expression: Sequence[Any]) -> bool:
    """Whether packets of the rule come from, and go to, no line of a carrier."""
    inside = {one.name for one in device.interfaces if one.kind is InterfaceKind.GRE}
    inside |= {LAN_IF, LAN_VIRTUAL_IF} | ({USER_PLANE} if device.pgw is not None else set())
    ways = [
        _matched(expression, "meta", f"{way}name") | _matched(expression, "meta", way)
        for way in ("iif", "oif")
    ]
    return all(names and names <= inside for names in ways)
