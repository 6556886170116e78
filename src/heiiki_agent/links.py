"""Make the kernel's interfaces, addresses, static routes and settings match a file.

    links apply FILE    make them match; prints every change
    links check FILE    print the differences only; exit status 1 if there is one
    links keep FILE     make them match, and again whenever a link changes: the kernel drops the static
                           routes of a link that goes down, and nobody else puts them back

The kernel is read once, the difference is worked out, and one ``ip -batch`` writes it: a second run changes
nothing and costs one read. Every problem that can be known beforehand is reported together, before anything
is written. Exit status: 0 it matches now, 1 it differs (check) or could not be made to match, 2 wrong usage.

The file is JSON::

    {"interfaces": [{"name": "gre-a", "kind": "gre", "mtu": 1400, "vrf": null, "table": null,
                     "gre": {"local": "10.64.0.11", "remote": "10.16.0.1"},
                     "addresses": ["172.16.0.1/30"], "mpls": false}],
     "routes": [{"prefix": "10.2.0.0/16", "via": "10.1.0.2", "interface": null, "vrf": null}],
     "sysctls": {"net.ipv4.ip_forward": "1"}}

Kinds: ``ethernet`` (a port: never made, never removed), ``loopback``, ``vrf`` (with `table`), ``gre`` (RFC
2784, with `gre`), ``xfrm`` (what is routed there leaves in ESP, RFC 4303; with `xfrm`, the ID of its policies
and the port below it: ``{"if_id": 1, "underlay": "wan0"}``), ``dummy``, ``wwan`` (made by the modem, perhaps
later: left alone, what hangs on it waits). Tunnels, VRFs and dummies that this program made and that are no
longer listed are removed.
"""

import argparse
import errno
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, NoReturn

OWNED = Path("/var/lib/heiiki/links-owned.json")
PROC_SYS = Path("/proc/sys")

# Routes are marked with a protocol number of their own, so that stale ones can be told from everybody else's.
PROTOCOL = 211
KEEPALIVED = 18  # rtnetlink's number: virtual addresses are keepalived's business
MAIN_TABLE = 254
# A VRF without a route for a packet must not fall through to the main table: that would join the customer to
# the carrier's own network. This metric loses to every routing protocol's (kernel doc, networking/vrf).
LAST_RESORT_METRIC = 4278198272
# The rule "local" moves behind the VRFs' rule, or a customer reaches the device's addresses outside his VRF.
LOCAL_RULE = 32765
L3MDEV_RULE = 1000
MPLS_LABELS = "100000"
_LABELS = "net/mpls/platform_labels"

_NETLINK_ROUTE, _RTMGRP_LINK, _NETLINK_BYTES = 0, 1, 65536  # linux/netlink.h, linux/rtnetlink.h
_SETTLE_S = 0.05

MADE_KINDS = ("vrf", "gre", "xfrm", "dummy")
KINDS = (*MADE_KINDS, "ethernet", "loopback", "wwan")
# VRFs first: their members are put into them. IPsec interfaces last: they stand on others.
_TURNS = {"vrf": 0, "xfrm": 2}
UNICAST, UNREACHABLE = 1, 7
GLOBAL_SCOPE = 253  # scopes from here on (link, host) are the kernel's own

_NAME = re.compile(r"[A-Za-z0-9._-]{1,15}")
_INTERFACE_SETTING = re.compile(r"net/(?:ipv[46]/(?:conf|neigh)|mpls/conf)/([^/]+)/[^/]+")


class LinksError(Exception):
    """What is wrong, one problem a line."""


@dataclass(frozen=True, slots=True)
class Tunnel:
    """The outer addresses of a GRE tunnel."""

    local: str
    remote: str


@dataclass(frozen=True, slots=True)
class Xfrm:
    """What ties an IPsec interface to its policies, and the port below it; neither can be changed later."""

    if_id: int
    underlay: str


@dataclass(frozen=True, slots=True)
class Link:
    """An interface as wanted, or as the kernel has it (then `addresses` are those that count)."""

    name: str
    kind: str
    mtu: int | None = None
    vrf: str | None = None
    table: int | None = None
    gre: Tunnel | None = None
    xfrm: Xfrm | None = None
    addresses: tuple[str, ...] = ()
    mpls: bool = False
    up: bool = True


@dataclass(frozen=True, slots=True, order=True)
class Route:
    """An IPv4 route of our own; `device` "" leaves the choice to the kernel."""

    table: int
    prefix: str
    via: str = ""
    device: str = ""
    kind: int = UNICAST
    metric: int = 0

    @property
    def key(self) -> tuple[int, str, int]:
        """What the kernel tells routes apart by."""
        return (self.table, self.prefix, self.metric)

    def fulfils(self, wanted: "Route") -> bool:
        """Tell whether this route, read from the kernel, is the `wanted` one."""
        return self == (wanted if wanted.device else replace(wanted, device=self.device))

    def __str__(self) -> str:
        """As ``ip route`` writes it."""
        words = ["unreachable"] if self.kind == UNREACHABLE else []
        words += [self.prefix]
        words += ["via", self.via] if self.via else []
        words += ["dev", self.device] if self.device else []
        words += ["table", str(self.table)] if self.table != MAIN_TABLE else []
        words += ["metric", str(self.metric)] if self.metric else []
        return " ".join([*words, "proto", str(PROTOCOL)])


@dataclass(frozen=True, slots=True)
class Wanted:
    """The file, parsed."""

    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    sysctls: dict[str, str]

    @property
    def names(self) -> frozenset[str]:
        """Names of the listed interfaces."""
        return frozenset(link.name for link in self.links)

    @property
    def made(self) -> dict[str, str]:
        """Kind of each interface that this program makes, by name."""
        return {link.name: link.kind for link in self.links if link.kind in MADE_KINDS}


@dataclass(frozen=True, slots=True)
class State:
    """What the kernel has: `sysctls` only those asked for (None: no such setting); `owned` kinds by name."""

    links: dict[str, Link]
    routes: frozenset[Route] = frozenset()
    rules: frozenset[tuple[int, str]] = frozenset()
    sysctls: dict[str, str | None] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)

    def without(self, names: frozenset[str]) -> "State":
        """Return the state after the links `names` are gone, with their routes and their hold on members."""
        links = {
            name: replace(link, vrf=None) if link.vrf in names else link
            for name, link in self.links.items()
            if name not in names
        }
        routes = frozenset(route for route in self.routes if route.device not in names)
        return replace(self, links=links, routes=routes)


@dataclass(frozen=True, slots=True)
class Difference:
    """What to do: `batch` for ``ip``, `repeats` after it, and settings to write before and after.

    Attributes:
        repeats: routes that were there but may have gone with a change of their interface.
        before: settings that exist already; the new interfaces inherit some of them.
        after: settings of interfaces that the batch makes.
    """

    batch: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[str, ...]:
        """Every change, for people."""
        settings = (
            f"sysctl {key.replace('/', '.')}={value}" for key, value in (self.before | self.after).items()
        )
        return (*self.batch, *settings)


# ---------------------------------------------------------------------------------------------- the file


class _Reader:
    """Takes values out of the file and gathers every problem, each with the path of its key."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def complain(self, where: str, what: str) -> None:
        self.problems.append(f"{where}: {what}")

    def mapping(self, value: Any, where: str, keys: Iterable[str]) -> dict[str, Any]:
        """`value` as an object that has no keys but `keys`."""
        if not isinstance(value, dict):
            self.complain(where, "is not an object; write {...}")
            return {}
        for key in value.keys() - set(keys):
            self.complain(f"{where}.{key}", f"is not known here; use {', '.join(keys)}")
        return value

    def items(self, value: Any, where: str) -> Iterator[tuple[str, Any]]:
        """The elements of a list with their places; None is the empty list."""
        if not isinstance(value, list | None):
            self.complain(where, "is not a list; write [...]")
            return
        for number, item in enumerate(value or ()):
            yield f"{where}[{number}]", item

    def parsed(self, parse: Callable[[str], object], value: Any, where: str) -> str:
        """`value` in the canonical text of `parse`."""
        try:
            return str(parse(value if isinstance(value, str) else ""))
        except ValueError as error:
            self.complain(where, f"{value!r} is wrong: {error}")
            return ""

    def name(self, value: Any, where: str) -> str:
        """`value` as an interface's name."""
        if isinstance(value, str) and _NAME.fullmatch(value) and value not in {".", ".."}:
            return value
        self.complain(where, f"{value!r} is no interface name; use at most 15 of a-z A-Z 0-9 . _ -")
        return ""

    def number(self, value: Any, where: str, low: int, high: int) -> int | None:
        """`value` as a whole number from `low` to `high`, or None."""
        if value is None or (type(value) is int and low <= value <= high):
            return value
        self.complain(where, f"{value!r} is not a whole number from {low} to {high}")
        return None


def parse(text: str, where: str) -> Wanted:
    """Parse the file's `text`.

    Raises:
        LinksError: with every problem of the file, each with its place.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise LinksError(f"{where}:{error.lineno}:{error.colno}: is not JSON: {error.msg}") from error
    reader = _Reader()
    top = reader.mapping(document, where, ("interfaces", "routes", "sysctls"))
    links = tuple(
        _parse_link(reader, item, at) for at, item in reader.items(top.get("interfaces"), "interfaces")
    )
    _check_links(reader, links)
    tables = {link.name: link.table for link in links if link.kind == "vrf"}
    routes = [
        _parse_route(reader, item, at, tables) for at, item in reader.items(top.get("routes"), "routes")
    ]
    _check_routes(reader, routes)
    sysctls = _parse_sysctls(reader, top.get("sysctls", {}))
    if reader.problems:
        raise LinksError("\n".join(f"{where}: {problem}" for problem in reader.problems))
    return Wanted(links, (*routes, *_last_resorts(links)), sysctls | _mpls(links))


def _parse_link(reader: _Reader, item: Any, at: str) -> Link:
    keys = ("name", "kind", "mtu", "vrf", "table", "gre", "xfrm", "addresses", "mpls")
    values = reader.mapping(item, at, keys)
    kind = values.get("kind")
    if kind not in KINDS:
        reader.complain(f"{at}.kind", f"{kind!r} is not known; use {', '.join(KINDS)}")
    vrf, gre, xfrm = values.get("vrf"), values.get("gre"), values.get("xfrm")
    addresses = reader.items(values.get("addresses"), f"{at}.addresses")
    return Link(
        name=reader.name(values.get("name"), f"{at}.name"),
        kind=str(kind),
        mtu=reader.number(values.get("mtu"), f"{at}.mtu", 68, 65535),
        vrf=None if vrf is None else reader.name(vrf, f"{at}.vrf"),
        table=reader.number(values.get("table"), f"{at}.table", 1, 2**32 - 1),
        gre=None if gre is None else _parse_tunnel(reader, gre, f"{at}.gre"),
        xfrm=None if xfrm is None else _parse_xfrm(reader, xfrm, f"{at}.xfrm"),
        addresses=tuple(reader.parsed(IPv4Interface, value, where) for where, value in addresses),
        mpls=values.get("mpls") is True,
    )


def _parse_tunnel(reader: _Reader, item: Any, at: str) -> Tunnel:
    values = reader.mapping(item, at, ("local", "remote"))
    ends = (reader.parsed(IPv4Address, values.get(end), f"{at}.{end}") for end in ("local", "remote"))
    return Tunnel(*ends)


def _parse_xfrm(reader: _Reader, item: Any, at: str) -> Xfrm:
    values = reader.mapping(item, at, ("if_id", "underlay"))
    if_id = reader.number(values.get("if_id"), f"{at}.if_id", 1, 2**32 - 1)
    if values.get("if_id") is None:
        reader.complain(f"{at}.if_id", "is missing; give the ID that the tunnel's policies carry")
    return Xfrm(if_id or 0, reader.name(values.get("underlay"), f"{at}.underlay"))


def _check_links(reader: _Reader, links: tuple[Link, ...]) -> None:
    kinds: dict[str, str] = {}
    for link in links:
        if link.name in kinds:
            reader.complain(f"interface {link.name}", "is listed twice; keep one")
        kinds[link.name] = link.kind
        if (link.kind == "vrf") != (link.table is not None):
            reader.complain(f"interface {link.name}.table", "belongs to a vrf, and every vrf needs one")
        if (link.kind == "gre") != (link.gre is not None):
            reader.complain(f"interface {link.name}.gre", "belongs to kind gre, and every gre needs it")
        if (link.kind == "xfrm") != (link.xfrm is not None):
            reader.complain(f"interface {link.name}.xfrm", "belongs to kind xfrm, and every xfrm needs it")
    for link in links:
        if link.vrf is not None and kinds.get(link.vrf) != "vrf":
            reader.complain(f"interface {link.name}.vrf", f"{link.vrf} is not listed with kind vrf; add it")


def _parse_route(reader: _Reader, item: Any, at: str, tables: Mapping[str, int | None]) -> Route:
    values = reader.mapping(item, at, ("prefix", "via", "interface", "vrf", "metric"))
    via, device, vrf = values.get("via"), values.get("interface"), values.get("vrf")
    if via is None and device is None:
        reader.complain(at, "leads nowhere; give via, interface or both")
    if vrf is not None and vrf not in tables:
        reader.complain(f"{at}.vrf", f"{vrf} is not listed with kind vrf; add it to the interfaces")
    return Route(
        table=(tables.get(vrf) if vrf else None) or MAIN_TABLE,
        prefix=reader.parsed(IPv4Network, values.get("prefix"), f"{at}.prefix"),
        via="" if via is None else reader.parsed(IPv4Address, via, f"{at}.via"),
        device="" if device is None else reader.name(device, f"{at}.interface"),
        metric=_metric(reader, values.get("metric", 0), f"{at}.metric"),
    )


def _metric(reader: _Reader, value: Any, where: str) -> int:
    """The less the better; the first byte is the distance that FRR gives the route."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32:
        return value
    reader.complain(where, f"{value!r} is no number from 0 to {(1 << 32) - 1}")
    return 0


def _check_routes(reader: _Reader, routes: Iterable[Route]) -> None:
    seen: set[tuple[int, str, int]] = set()
    for route in routes:
        if route.key in seen:
            reader.complain(f"route {route.prefix}", "is listed twice in one table; keep one")
        seen.add(route.key)


def _parse_sysctls(reader: _Reader, item: Any) -> dict[str, str]:
    values = reader.mapping(item, "sysctls", item if isinstance(item, dict) else ())
    paths = {}
    for key, value in values.items():
        # As sysctl(8) does: with a slash in it, the dots belong to interface names.
        path = key if "/" in key else key.replace(".", "/")
        if not path.startswith("net/") or any(part in {"", "..", "."} for part in path.split("/")):
            reader.complain(f"sysctls.{key}", "is no network setting; write net.…")
        paths[path] = " ".join(str(value).split())
    return paths


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
    return inputs | ({_LABELS: MPLS_LABELS} if any(link.mpls for link in ports) else {})


# ------------------------------------------------------------------------------------------ the kernel


def read_state(wanted: Wanted, owned: Path) -> State:
    """Read what the kernel has of the things that `wanted` speaks of, in one run of ``ip``.

    Raises:
        LinksError: when ``ip`` fails or answers nonsense.
    """
    query = f"address show\nroute show table all proto {PROTOCOL}\nrule show\n"
    answers = list(_documents(_ip(["-json", "-details", "-N", "-batch", "-"], query)))
    if len(answers) != len(query.splitlines()):
        raise LinksError(
            "ip -batch: answered fewer lists than asked for; is iproute2 5.0 or later installed?"
        )
    addresses, routes, rules = answers
    return State(
        links=links_from(addresses),
        routes=frozenset(_route_from(route) for route in routes),
        rules=frozenset((rule["priority"], str(rule.get("table", ""))) for rule in rules),
        sysctls={key: _read_sysctl(key) for key in wanted.sysctls},
        owned=_read_owned(owned),
    )


def _ip(options: list[str], text: str) -> str:
    command = ["ip", *options]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LinksError(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise LinksError(explain(done.stderr, text))
    return done.stdout


def explain(stderr: str, batch: str) -> str:
    """Say which line of `batch` ip(8) refused: it names the line by its number only."""
    failed = re.search(r"Command failed -:(\d+)", stderr)
    reason = " ".join(line for line in stderr.splitlines() if not line.startswith("Command failed")).strip()
    command = batch.splitlines()[int(failed[1]) - 1] if failed else "-batch"
    return f"ip {command}: {reason or 'failed'}"


def _documents(text: str) -> Iterator[Any]:
    """The JSON documents that stand one after the other in `text`."""
    decoder, position = json.JSONDecoder(), 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        document, position = decoder.raw_decode(text, position)
        yield document


def links_from(answer: Iterable[Mapping[str, Any]]) -> dict[str, Link]:
    """Read the answer of ``ip -json -details -N address show``."""
    kinds = {item["ifname"]: item.get("linkinfo", {}).get("info_kind") for item in answer}
    links = (_link_from(item, kinds) for item in answer)
    return {link.name: link for link in links}


def _link_from(item: Mapping[str, Any], kinds: Mapping[str, str | None]) -> Link:
    information = item.get("linkinfo", {})
    data, kind, master = information.get("info_data", {}), information.get("info_kind"), item.get("master")
    ethernet = "loopback" if "LOOPBACK" in item["flags"] else "ethernet"
    return Link(
        name=item["ifname"],
        kind=kind if kind in MADE_KINDS else ethernet,
        mtu=item["mtu"],
        vrf=master if master is not None and kinds.get(master) == "vrf" else None,
        table=data.get("table") if kind == "vrf" else None,
        gre=Tunnel(data.get("local", "any"), data.get("remote", "any")) if kind == "gre" else None,
        xfrm=Xfrm(int(str(data.get("if_id", 0)), 0), item.get("link", "")) if kind == "xfrm" else None,
        addresses=tuple(_addresses_from(item.get("addr_info", ()))),
        up="UP" in item["flags"],
    )


def _addresses_from(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for item in items:
        kept = int(str(item.get("protocol", 0)), 0) == KEEPALIVED or int(item["scope"]) >= GLOBAL_SCOPE
        if "local" in item and not kept:
            yield f"{item['local']}/{item['prefixlen']}"


def _route_from(item: Mapping[str, Any]) -> Route:
    prefix = "0.0.0.0/0" if item["dst"] == "default" else item["dst"]
    return Route(
        table=int(item.get("table", MAIN_TABLE)),
        prefix=prefix if "/" in prefix else f"{prefix}/32",
        via=item.get("gateway", ""),
        device=item.get("dev", ""),
        kind=int(item.get("type", UNICAST)),
        metric=item.get("metric", 0),
    )


def _read_sysctl(key: str) -> str | None:
    try:
        return " ".join((PROC_SYS / key).read_text().split())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LinksError(f"/proc/sys/{key}: cannot be read: {error.strerror}") from error


def _read_owned(path: Path) -> dict[str, str]:
    try:
        owned = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LinksError(f"{path}: {error}; remove the file, and by hand what is no longer wanted") from error
    return {str(name): str(kind) for name, kind in owned.items()}


# ------------------------------------------------------------------------------------------ difference


def problems(wanted: Wanted, state: State) -> list[str]:
    """Everything that can be known to fail, before anything is written."""
    return [*_link_problems(wanted, state), *_route_problems(wanted, state), *_sysctl_problems(wanted, state)]


def _link_problems(wanted: Wanted, state: State) -> Iterator[str]:
    for link in wanted.links:
        there = state.links.get(link.name)
        if link.kind in {"ethernet", "loopback"} and there is None:
            yield f"interface {link.name}: the device has no such port; plug it in, or correct the name"
        elif link.xfrm is not None and link.xfrm.underlay not in wanted.names | state.links.keys():
            yield (
                f"interface {link.name}: there is no interface {link.xfrm.underlay} below it; "
                "list it or correct the name"
            )
        elif (
            there is not None and _must_be_made_anew(link, there) and state.owned.get(link.name) != there.kind
        ):
            yield (
                f"interface {link.name}: is there as another {there.kind}, not made by this program; "
                f"remove it (ip link del {link.name}) or give another name"
            )


def _route_problems(wanted: Wanted, state: State) -> Iterator[str]:
    for route in wanted.routes:
        if route.device and route.device not in wanted.names | state.links.keys():
            yield f"route {route.prefix}: there is no interface {route.device}; list it or correct the name"


def _sysctl_problems(wanted: Wanted, state: State) -> Iterator[str]:
    for key, value in wanted.sysctls.items():
        if state.sysctls.get(key) is not None or _is_optional(key, value):
            continue
        if key == _LABELS:
            yield "MPLS: the kernel has none; modprobe mpls_router mpls_iptunnel, now and at boot"
        elif _interface_of(key) not in wanted.names - state.links.keys():
            yield f"sysctl {key}: the kernel has no such setting; correct the name"


def _is_optional(key: str, value: str) -> bool:
    """Labels need not be refused, nor IPv6 switched off, where the kernel has neither."""
    return (key.startswith("net/mpls/conf/") and value == "0") or (
        re.fullmatch(r"net/ipv6/conf/[^/]+/disable_ipv6", key) is not None and value == "1"
    )


def _interface_of(key: str) -> str:
    match = _INTERFACE_SETTING.fullmatch(key)
    return match[1] if match else ""


def _must_be_made_anew(wanted: Link, there: Link) -> bool:
    if wanted.kind in MADE_KINDS:
        return (wanted.kind, wanted.table, wanted.xfrm) != (there.kind, there.table, there.xfrm)
    return wanted.kind == "loopback" and there.kind != "loopback"


def difference(wanted: Wanted, state: State) -> Difference:
    """Work out what turns `state` into `wanted`."""
    gone = frozenset(_stale_links(wanted, state))
    rest = state.without(gone)
    waiting = frozenset(link.name for link in wanted.links if link.kind == "wwan") - rest.links.keys()
    links = sorted(
        (link for link in wanted.links if link.kind != "wwan"), key=lambda link: _TURNS.get(link.kind, 1)
    )
    lost = [f"link del {name}" for name in sorted(gone)]
    linkwise = [command for link in links for command in _make(link, rest.links.get(link.name))]
    linkwise += [command for link in links for command in _renumber(link, rest.links.get(link.name))]
    routes = [route for route in wanted.routes if route.device not in waiting]
    missing = [route for route in routes if not any(had.fulfils(route) for had in rest.routes)]
    rules = _rules(state) if any(link.kind == "vrf" for link in links) else []
    before, after = _settings(wanted, rest)
    touched = bool(lost or linkwise)
    return Difference(
        batch=(
            *_stale_routes(wanted, rest),
            *lost,
            *linkwise,
            *rules,
            *(f"route replace {r}" for r in missing),
        ),
        repeats=tuple(f"route replace {r}" for r in routes if touched and r not in missing),
        before=before,
        after=after,
    )


def _stale_links(wanted: Wanted, state: State) -> Iterator[str]:
    listed = {link.name: link for link in wanted.links}
    for name, kind in state.owned.items():
        there = state.links.get(name)
        if there is None or there.kind != kind:  # gone already, or somebody else's by now
            continue
        if name not in listed or _must_be_made_anew(listed[name], there):
            yield name


def _stale_routes(wanted: Wanted, state: State) -> list[str]:
    keys = {route.key for route in wanted.routes}
    return [f"route del {route}" for route in sorted(state.routes) if route.key not in keys]


def _make(link: Link, there: Link | None) -> Iterator[str]:
    """Make the interface, put it in its VRF, set it up: in that order, a change of VRF empties its routes."""
    if there is None:
        yield " ".join(("link add", link.name, "type", link.kind, *_parameters(link)))
        there = Link(link.name, link.kind, gre=link.gre, up=False)
    if link.gre != there.gre and link.gre is not None:
        yield " ".join(("link set", link.name, "type gre", *_parameters(link)))
    if link.vrf != there.vrf:
        yield f"link set {link.name} {f'master {link.vrf}' if link.vrf else 'nomaster'}"
    if link.mtu is not None and link.mtu != there.mtu:
        yield f"link set {link.name} mtu {link.mtu}"
    if not there.up:
        yield f"link set {link.name} up"


def _parameters(link: Link) -> Iterator[str]:
    """What the kind of an interface is made with."""
    if link.table is not None:
        yield f"table {link.table}"
    if link.gre is not None:
        yield f"local {link.gre.local} remote {link.gre.remote} ttl 64"
    if link.xfrm is not None:
        yield f"dev {link.xfrm.underlay} if_id {link.xfrm.if_id}"


def _renumber(link: Link, there: Link | None) -> Iterator[str]:
    had = there.addresses if there else ()
    removed = [address for address in had if address not in link.addresses]
    yield from (f"address del {address} dev {link.name}" for address in removed)
    # The removal of a first address may take others of its subnet along: after one, all are written again.
    missing = [address for address in link.addresses if removed or address not in had]
    yield from (f"address replace {address} dev {link.name}" for address in missing)


def _rules(state: State) -> list[str]:
    """Rules of a device with VRFs; the kernel itself adds the l3mdev rule, once, with the first VRF."""
    commands = []
    if L3MDEV_RULE not in {priority for priority, _ in state.rules} and _has_vrf(state):
        commands.append(f"rule add l3mdev pref {L3MDEV_RULE}")
    if not any(priority == LOCAL_RULE for priority, _ in state.rules):
        commands.append(f"rule add pref {LOCAL_RULE} table local")
    if any(priority == 0 for priority, _ in state.rules):
        commands.append("rule del pref 0")
    return commands


def _has_vrf(state: State) -> bool:
    return any(link.kind == "vrf" for link in state.links.values())


def _settings(wanted: Wanted, state: State) -> tuple[dict[str, str], dict[str, str]]:
    """Settings to write before and after the batch."""
    forward = "net/ipv4/ip_forward"
    flips = forward in wanted.sysctls and state.sysctls.get(forward) != wanted.sysctls[forward]
    before, after = {}, {}
    for key, value in sorted(wanted.sysctls.items(), key=lambda item: item[0] != forward):
        has = state.sysctls.get(key) if _interface_of(key) not in wanted.names - state.links.keys() else None
        # A change of ip_forward puts other IPv4 settings back to defaults (kernel doc, networking/ip-sysctl).
        if has is not None and (has != value or (flips and key.startswith("net/ipv4/conf/"))):
            before[key] = value
        elif has is None and _interface_of(key) in wanted.made and not _is_optional(key, value):
            after[key] = value
    return before, after


# ---------------------------------------------------------------------------------------------- apply


def apply(change: Difference) -> None:
    """Carry `change` out.

    Raises:
        LinksError: naming the command or setting that failed; what stood before it is in force.
    """
    for key, value in change.before.items():
        _write_sysctl(key, value)
    if change.batch:
        text = "".join(f"{command}\n" for command in (*change.batch, *change.repeats))
        _ip(["-batch", "-"], text)
    for key, value in change.after.items():
        _write_sysctl(key, value)


def _write_sysctl(key: str, value: str) -> None:
    try:
        (PROC_SYS / key).write_text(value)
    except OSError as error:
        raise LinksError(f"/proc/sys/{key}: cannot be set to {value!r}: {error.strerror}") from error


def _write_owned(path: Path, owned: Mapping[str, str]) -> None:
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(owned, sort_keys=True))
        new.replace(path)
    except OSError as error:
        raise LinksError(f"{path}: cannot be written: {error.strerror}") from error


def run(action: str, file: Path, owned: Path) -> int:
    """Do `action` (``apply`` or ``check``) with `file` and return the exit status."""
    wanted = parse(_read_file(file), str(file))
    _load_mpls(wanted)
    state = read_state(wanted, owned)
    if wrong := problems(wanted, state):
        raise LinksError("\n".join(wrong))
    change = difference(wanted, state)
    if action == "apply" and (change.changes or state.owned != wanted.made):
        # Written first: what an interrupted run has made is still known as ours.
        _write_owned(owned, state.owned | wanted.made)
        apply(change)
        _write_owned(owned, wanted.made)
    for line in change.changes:
        print(line)
    return 1 if action == "check" and change.changes else 0


def keep(file: Path, owned: Path) -> NoReturn:
    """Make the kernel match `file` now and after every change of a link (RTM_NEWLINK, RTM_DELLINK)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE) as events:
        events.bind((0, _RTMGRP_LINK))
        while True:
            try:
                run("apply", file, owned)
            except LinksError as error:
                print(error, file=sys.stderr, flush=True)
            _await_change(events)


def _await_change(events: socket.socket) -> None:
    """Wait for a change, and for the end of the burst that it comes in."""
    events.settimeout(None)
    while True:
        try:
            events.recv(_NETLINK_BYTES)
        except TimeoutError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more changes than the socket holds: one run sees them all
                raise
        events.settimeout(_SETTLE_S)


def _read_file(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise LinksError(f"{path}: cannot be read: {error}") from error


def _load_mpls(wanted: Wanted) -> None:
    """Ask for the kernel's MPLS modules where they are wanted and missing; they are checked for later."""
    if _LABELS in wanted.sysctls and not (PROC_SYS / "net/mpls").exists():
        command = ["modprobe", "--quiet", "--all", "mpls_router", "mpls_iptunnel"]
        try:
            subprocess.run(command, check=False, timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"modprobe: {error}", file=sys.stderr)


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="heiiki-agent links",
        description="Make interfaces, addresses, static routes and settings match FILE.",
    )
    parser.add_argument("action", choices=("apply", "check", "keep"))
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--owned", type=Path, default=OWNED, help="where the interfaces made by us are remembered"
    )
    options = parser.parse_args(arguments)
    if options.action == "keep":
        keep(options.file, options.owned)
    try:
        return run(options.action, options.file, options.owned)
    except LinksError as error:
        print(error, file=sys.stderr)
        return 1
