"""What a healthy device looks like, by the plan, and what one says of itself: FRR, kernel, modem.

Reading is cheap on purpose (one call a device, everything in it): the campaign polls it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from heiiki.plan.model import Device, Plan
from heiiki.verify.fleet import Answer, reading
from heiiki.verify.network import expected_exits, gateways, hub_ce
from heiiki.verify.routing import units

ENB_STATE = "/run/heiiki/enb.json"
_DEFAULT_VRF = "default"
_LDP = 646
"""TCP port of LDP sessions (RFC 5036); FRR's own view of them fails when ldpd has lost its control socket."""


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP session that must be established, and whether BFD must be up with it."""

    vrf: str
    address: str
    device: str
    bfd: bool


@dataclass(frozen=True, slots=True)
class Expected:
    """How a device is while nothing has failed.

    Attributes:
        core: neighbours in the carrier's core, for OSPF and LDP.
        virtual: the virtual gateway address that it must have (or must not), with a word on which.
        exits: destination, and the interface on which packets to it must leave.
        sim: the address that the LTE network must have given it.
        units: services that must run; asked where a verdict depends on it, not by each poll.
    """

    device: str
    sessions: tuple[Session, ...] = ()
    core: int = 0
    virtual: tuple[IPv4Address, bool] | None = None
    exits: tuple[tuple[IPv4Address, str], ...] = ()
    sim: IPv4Address | None = None
    units: tuple[str, ...] = ()


def expectations(plan: Plan) -> dict[str, Expected]:
    """Return what is expected of every device that routes, by name."""
    masters = dict(_masters(plan))
    exits: dict[str, list[tuple[IPv4Address, str]]] = {}
    for site in plan.sites:
        for device, destination, interface in expected_exits(plan, site):
            exits.setdefault(device, []).append((destination, interface))
    return {
        device.name: _expected(device, masters, tuple(exits.get(device.name, ())))
        for device in plan.managed()
        if device.router is not None
    }


def path_ends(plan: Plan) -> tuple[str, ...]:
    """Return the devices whose health shows that of both paths of all sites: gateways and hub CE routers.

    A gateway that no role of ours provisions cannot be asked; the hub's end of its path can.
    """
    hub = (hub_ce(plan, "a").name, hub_ce(plan, "b").name)
    return (*hub, *dict.fromkeys(device.name for device in gateways(plan) if device.managed))


def _masters(plan: Plan) -> Iterator[tuple[str, bool]]:
    """Yield each VRRP router and whether it is to be the master: the highest priority on its address."""
    best: dict[IPv4Address, int] = {}
    for device in plan.devices:
        if device.vrrp is not None:
            best[device.vrrp.address] = max(best.get(device.vrrp.address, 0), device.vrrp.priority)
    for device in plan.devices:
        if device.vrrp is not None:
            yield device.name, device.vrrp.priority == best[device.vrrp.address]


def _expected(
    device: Device, masters: Mapping[str, bool], exits: tuple[tuple[IPv4Address, str], ...]
) -> Expected:
    router, vrrp = device.router, device.vrrp
    sim = device.sim.address if device.sim is not None and device.site is not None else None
    core = len(router.core) if router is not None else 0
    virtual = None if vrrp is None else (vrrp.address, masters[device.name])
    return Expected(device.name, tuple(_sessions(device)), core, virtual, exits, sim)


def _sessions(device: Device) -> Iterator[Session]:
    for instance in device.router.bgp if device.router is not None else ():
        for neighbor in instance.neighbors:
            vrf = instance.vrf or _DEFAULT_VRF
            yield Session(vrf, str(neighbor.address), neighbor.device, neighbor.bfd is not None)


def question(expected: Expected) -> dict[str, Any]:
    """Return the parameters of probe ``read`` that answer whether the device is as expected."""
    commands: dict[str, list[str]] = {}
    shows = ["show bgp vrf all summary json", "show bfd peers json"] if expected.sessions else []
    if expected.core:
        shows += ["show ip ospf neighbor json"]
        commands["ldp"] = ["ss", "-Htn", "state", "established", f"( sport = :{_LDP} or dport = :{_LDP} )"]
    if shows:
        commands["vtysh"] = ["vtysh", *(word for show in shows for word in ("-c", show))]
    if expected.virtual is not None or expected.sim is not None:
        commands["addresses"] = ["ip", "-j", "address", "show"]
    if expected.sim is not None:
        commands["modem"] = ["mmcli", "-m", "any", "-J"]
    if expected.exits:
        commands["routes"] = ["ip", "-j", "route", "show"]
    if expected.units:
        commands["units"] = units.command(expected.units)
    return {"commands": commands}


def problems(expected: Expected, answer: Answer) -> list[str]:
    """Return what is not as expected, as human-readable text; empty when all is."""
    silent = unreadable(answer)
    if silent:
        return silent
    with reading(expected.device):
        found = tuple(_problems(expected, answer.data["commands"]))
    return [f"{expected.device}: {problem}" for problem in found]


def readable_problems(expected: Expected, answer: Answer) -> list[str]:
    """Return what is not as expected in those answers that can be read, as human-readable text."""
    with reading(expected.device):
        said = {
            name: one for name, one in answer.data.get("commands", {}).items() if _was_answered(name, one)
        }
        return [f"{expected.device}: {problem}" for problem in _problems(expected, said)]


def _problems(expected: Expected, said: Mapping[str, Any]) -> Iterator[str]:
    if "units" in said:
        yield from units.stopped(expected.units, said["units"])
    if "vtysh" in said:
        yield from _routing(expected, documents(said["vtysh"]["out"]))
    if "ldp" in said:
        yield from _labels(expected, said["ldp"]["out"])
    if expected.virtual is not None and "addresses" in said:
        yield from _virtual(expected, json.loads(said["addresses"]["out"]))
    if "routes" in said:
        yield from _exits(expected, json.loads(said["routes"]["out"]))
    if expected.sim is not None and "addresses" in said:
        yield from _attached(expected.sim, said["modem"], json.loads(said["addresses"]["out"]))


def unreadable(answer: Answer) -> list[str]:
    """Return why the device's state could not be read, as human-readable text; empty when it was."""
    if answer.error:
        return [answer.error]
    said = answer.data["commands"]
    return [
        f"{answer.device}: {name}: {one['err'].strip() or 'exit status'} ({one['rc']})"
        for name, one in said.items()
        if not _was_answered(name, one)
    ]


def _was_answered(name: str, said: Mapping[str, Any]) -> bool:
    """A command that failed says nothing; `mmcli` fails where there is no modem, which is an answer."""
    return said["rc"] == 0 or (name == "modem" and said["rc"] is not None)


def documents(text: str) -> list[Any]:
    """Return the JSON documents that one vtysh printed for several commands; other lines are passed over."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        if text[at] in "[{":
            try:
                document, at = decoder.raw_decode(text, at)
                found.append(document)
                continue
            except ValueError:
                pass
        end = text.find("\n", at)
        at = len(text) if end < 0 else end + 1
    return found


def _routing(expected: Expected, found: list[Any]) -> list[str]:
    bgp: dict[str, Any] = {}
    bfd: list[dict[str, Any]] = []
    neighbors: dict[str, Any] = {}
    for document in found:
        if isinstance(document, list):
            bfd = document
        elif "neighbors" in document:
            neighbors |= document["neighbors"]
        else:
            bgp |= document
    wrong = [text for session in expected.sessions for text in _session(session, bgp, bfd)]
    return [*wrong, *(_core(expected, neighbors) if expected.core else ())]


def _session(session: Session, bgp: Mapping[str, Any], bfd: list[dict[str, Any]]) -> Iterator[str]:
    families = bgp.get(session.vrf, {})
    states = [
        family["peers"][session.address]["state"]
        for family in families.values()
        if isinstance(family, dict) and session.address in family.get("peers", {})
    ]
    name = f"{session.device} ({session.address})"
    if not states:
        yield f"no BGP session with {name}"
    elif any(state != "Established" for state in states):
        yield f"BGP with {name} is {states[0]}"
    if session.bfd:
        mine = [
            peer
            for peer in bfd
            if peer["peer"] == session.address and peer.get("vrf", "default") == session.vrf
        ]
        if not mine or any(peer["status"] != "up" for peer in mine):
            yield f"BFD with {name} is {mine[0]['status'] if mine else 'missing'}"


def _core(expected: Expected, found: Mapping[str, Any]) -> Iterator[str]:
    full = sum(_full(adjacency) for router in found.values() for adjacency in router)
    if full < expected.core:
        yield f"{full} of {expected.core} OSPF neighbours are full"


def _labels(expected: Expected, text: str) -> Iterator[str]:
    sessions = len(text.splitlines())
    if sessions < expected.core:
        yield f"{sessions} of {expected.core} LDP sessions are established"


def _full(adjacency: Mapping[str, Any]) -> bool:
    return str(adjacency.get("nbrState", adjacency.get("state", ""))).startswith("Full")


def _virtual(expected: Expected, interfaces: list[dict[str, Any]]) -> Iterator[str]:
    address, master = expected.virtual or (None, False)
    has = address is not None and _has(interfaces, address)
    if master and not has:
        yield f"is not the VRRP master: it does not have {address}"
    if has and not master:
        yield f"is the VRRP master though another should be: it has {address}"


def _exits(expected: Expected, routes: list[dict[str, Any]]) -> Iterator[str]:
    for destination, interface in expected.exits:
        leaves = exit_of(destination, routes)
        if leaves != interface:
            yield f"packets to {destination} leave on {leaves or 'no interface'}, not on {interface}"


def exit_of(destination: IPv4Address, routes: Iterable[Mapping[str, Any]]) -> str:
    """Return the interface of the longest match for `destination` in ``ip -j route``, or the empty string."""
    best, found = -1, ""
    for route in routes:
        network = prefix(str(route["dst"]))
        if destination in network and network.prefixlen > best:
            best, found = network.prefixlen, str(route.get("dev", ""))
    return found


def prefix(text: str) -> IPv4Network:
    """Return a destination as iproute2 prints it: ``default``, an address or a prefix."""
    return IPv4Network("0.0.0.0/0" if text == "default" else text)


def _attached(sim: IPv4Address, modem: Mapping[str, Any], interfaces: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what the modem lacks: by ModemManager its bearer, by the kernel the address of the SIM.

    Values as in `mmcli --output-json`, where ``--`` stands for one that is not known.
    """
    try:
        generic = json.loads(modem["out"])["modem"]["generic"]
        state, reason = str(generic["state"]), str(generic.get("state-failed-reason", "--"))
    except (ValueError, KeyError, TypeError):
        yield f"ModemManager shows no modem: {modem['err'].strip() or 'mmcli printed no JSON of one'}"
        return
    if state != "connected":
        yield f"its modem is {state}" + (f" ({reason})" if reason != "--" else "")
    elif not _has(interfaces, sim):
        yield f"none of its interfaces has the SIM's address {sim}"


def _has(interfaces: list[dict[str, Any]], address: IPv4Address) -> bool:
    local = (item.get("local") for interface in interfaces for item in interface.get("addr_info", ()))
    return str(address) in local


def radio_problems(plan: Plan, answer: Answer) -> list[str]:
    """Return what the lab's eNB lacks: its links to MME and SGW, and a UE attached for every site."""
    try:
        state = json.loads(answer.data.get("files", {}).get(ENB_STATE) or "{}")
    except ValueError:
        state = {}
    if answer.error or not state:
        return [answer.error or f"{answer.device}: says nothing of itself"]
    down = [name for name in ("s1", "s1_u_echo") if not state.get(name)]
    attached = sum(bool(radio.get("attached")) for radio in state.get("radios", {}).values())
    few = [f"{attached} of {len(plan.sites)} UEs are attached"] if attached < len(plan.sites) else []
    return [f"{answer.device}: {problem}" for problem in (*(f"{name} is down" for name in down), *few)]


def foreign_routes(plan: Plan, device: Device, routes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the routes of a site's gateway, in any table, that lead to another site's prefix or address."""
    others = [
        (
            site.name,
            site.lan,
            frozenset(address for name in site.gateways for address in plan.device(name).addresses),
        )
        for site in plan.sites
        if site.name != device.site
    ]
    own = frozenset(device.addresses)
    found = []
    for route in routes:
        if route.get("type", "unicast") != "unicast" or route["dst"] == "default":
            continue
        network = prefix(str(route["dst"]))
        for name, lan, addresses in others:
            if network.overlaps(lan) or any(address in network for address in addresses - own):
                found.append(
                    f"table {route.get('table', 'main')} leads to {name}: {network} dev {route.get('dev')}"
                )
    return found
