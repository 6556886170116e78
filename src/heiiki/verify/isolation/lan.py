"""A host on a LAN does not take the place of a gateway or a neighbour (R-ISO-MALICE/layer-2).

Each device of a LAN claims, by ARP, every address of the others, and each host advertises itself by VRRP with
the highest priority in the name of either gateway. Nothing may change: the tables of neighbours, and who has
the virtual address; and each device must have counted what it dropped. Where a table could change, or the
rule is not there, nothing is sent: that is a failure already.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from random import Random
from typing import Any

from heiiki.plan.model import Device, Plan, SitePlan
from heiiki.plan.names import LAN_IF
from heiiki.plan.neighbours import claims, owned
from heiiki.requirements import Result, Verdict
from heiiki.verify.fleet import Fleet, UnreadableError, printed, reading
from heiiki.verify.isolation import frames
from heiiki.verify.isolation.sample import Population, figure, told
from heiiki.verify.isolation.spoofing import parse_counters
from heiiki.verify.verdicts import Keep, live, summarise, unknown

REQUIREMENT = "R-ISO-MALICE/layer-2"
ARP, VRRP = "ARP", "VRRP"
_COUNTER = {ARP: "forged_arp", VRRP: "refused_vrrp"}
_START_S, _AFTER_S, _TIMEOUT_S, _FRAME_S = 1.0, 1.5, 60.0, 0.01
_COMMANDS = {
    "neighbours": ["ip", "-4", "-j", "neigh", "show"],
    "counters": ["nft", "-j", "list", "counters"],
}


@dataclass(frozen=True, slots=True)
class Lan:
    """A LAN, and the devices of ours on it."""

    name: str
    members: tuple[Device, ...]

    @property
    def gateways(self) -> tuple[Device, ...]:
        """Those that share a virtual gateway."""
        return tuple(one for one in self.members if one.vrrp is not None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a device says of itself: link addresses by address, the permanent ones apart, and counters."""

    neighbours: Mapping[str, str] = field(default_factory=dict)
    permanent: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What a device did meanwhile: how many frames it sent, and whether it held the virtual address."""

    sent: int = 0
    holds: tuple[bool, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one LAN shows of one of both protocols."""

    subject: str
    wrong: tuple[str, ...]
    doubts: tuple[str, ...]
    frames: int


def lans(plan: Plan, sites: Iterable[SitePlan]) -> Iterator[Lan]:
    """Yield the hub's LAN and those of `sites`, each with the devices that can be asked."""
    managed = [device for device in plan.managed() if device.neighbours]
    yield Lan("", tuple(device for device in managed if device.site is None))
    for site in sites:
        yield Lan(site.name, tuple(device for device in managed if device.site == site.name))


def subjects(plan: Plan) -> tuple[str, ...]:
    """Return the subjects: each protocol on the hub's LAN, and on those of sites, or of their figures."""
    return tuple(
        dict.fromkeys(
            _subject(plan, protocol, lan) for lan in lans(plan, plan.sites) for protocol in _protocols(lan)
        )
    )


def _protocols(lan: Lan) -> tuple[str, ...]:
    return (ARP, VRRP) if lan.gateways else (ARP,)


def _subject(plan: Plan, protocol: str, lan: Lan) -> str:
    if not lan.name:
        return f"{protocol} on the hub's LAN"
    if Population(plan).whole:
        return f"{protocol} on the LAN of {lan.name}"
    return f"{protocol} on LANs of sites {figure(plan.site(lan.name))}"


def forged(lan: Lan) -> dict[str, dict[str, list[str]]]:
    """Return the frames that each device forges, by protocol."""
    return {one.name: {ARP: list(_arp(lan, one)), VRRP: list(_vrrp(lan, one))} for one in lan.members}


def _arp(lan: Lan, sender: Device) -> Iterator[str]:
    own = _link_address(sender)
    for address in _foreign(sender):
        yield from frames.claims(own, address)
        for other in lan.members:
            if other.name != sender.name:
                yield frames.reply(own, address, _link_address(other), _address(other))


def _foreign(sender: Device) -> tuple[IPv4Address, ...]:
    mine = {one.address for one in owned(sender)}
    return tuple(one.address for one in claims(sender) if one.address not in mine)


def _vrrp(lan: Lan, sender: Device) -> Iterator[str]:
    """Hosts alone: a gateway's own advertisements are what is wanted."""
    if sender.vrrp is None:
        for gateway in lan.gateways:
            if gateway.vrrp is not None:
                yield frames.advertisement(_link_address(sender), _address(gateway), gateway.vrrp)


def _link_address(device: Device) -> str:
    return device.interface(LAN_IF).link_address or ""


def _address(device: Device) -> IPv4Address:
    return device.interface(LAN_IF).addresses[0].ip


def expected(lan: Lan, protocol: str) -> Counter[str]:
    """Return how many forged frames each device has to drop: those to all, and those to itself alone."""
    found: Counter[str] = Counter()
    for sender in lan.members:
        others = [one for one in lan.members if one.name != sender.name]
        if protocol == ARP:
            for one in others:
                found[one.name] += 3 * len(_foreign(sender))
        else:
            for gateway in lan.gateways:
                found[gateway.name] += len(list(_vrrp(lan, sender)))
    return found


def verdicts(plan: Plan, fleet: Fleet, keep: Keep, random: Random, patience: int = 1) -> Iterator[Verdict]:
    """Yield one verdict for each protocol and LAN, or in a large service for each figure of its sites."""
    chosen = tuple(lans(plan, Population(plan).some_sites(random)))
    before = _seen(fleet, chosen)
    unsafe = {lan.name: {one: tuple(_open(lan, one, before)) for one in _protocols(lan)} for lan in chosen}
    said = _sent(fleet, chosen, unsafe, patience)
    after = _seen(fleet, chosen)
    tried: defaultdict[str, list[Trial]] = defaultdict(list)
    for lan in chosen:
        for protocol in _protocols(lan):
            judge = Judge(lan, protocol, unsafe[lan.name][protocol], before, after, said)
            tried[_subject(plan, protocol, lan)].append(judge.trial(_subject(plan, protocol, lan)))
    told_of = json.dumps({name: _evidence(name, before, after, said) for name in before}, indent=1)
    for subject, trials in tried.items():
        yield _verdict(plan, subject, trials, keep, told_of)


def _evidence(
    name: str, before: Mapping[str, Seen], after: Mapping[str, Seen], said: Mapping[str, Said]
) -> dict[str, Any]:
    sides = {"before": before[name], "after": after[name]}
    found: dict[str, Any] = {
        side: {"neighbours": dict(one.neighbours), "counters": dict(one.counters), "error": one.error}
        for side, one in sides.items()
    }
    one = said.get(name, Said())
    return found | {"sent": one.sent, "holds": list(one.holds), "error": one.error}


def _verdict(plan: Plan, subject: str, trials: Sequence[Trial], keep: Keep, text: str) -> Verdict:
    evidence = (keep(f"lan/{subject.replace(' ', '-')}.json", text.encode()),)
    if wrong := [one for trial in trials for one in trial.wrong]:
        return live(REQUIREMENT, subject, Result.FAIL, summarise(wrong), evidence)
    if doubts := [one for trial in trials for one in trial.doubts]:
        return unknown(REQUIREMENT, subject, summarise(doubts), evidence)
    every = sum(_subject(plan, ARP, lan) == subject.replace(VRRP, ARP) for lan in lans(plan, plan.sites))
    extent = f"; {told(len(trials), every, 'LANs')}" if len(trials) < every else ""
    count = sum(trial.frames for trial in trials)
    reason = f"{count} forged frames, each dropped and counted where it came in; nothing changed{extent}"
    return live(REQUIREMENT, subject, Result.PASS, reason, evidence)


def _seen(fleet: Fleet, chosen: Iterable[Lan]) -> dict[str, Seen]:
    asked = {one.name: {"commands": _COMMANDS} for lan in chosen for one in lan.members}
    return {device: _parsed(device, answer) for device, answer in fleet.ask("read", asked).items()}


def _parsed(device: str, answer: Any) -> Seen:
    try:
        with reading(device):
            entries = [one for one in json.loads(printed(answer, "neighbours")) if "lladdr" in one]
            here = [one for one in entries if one["dev"] == LAN_IF]
            fixed = [one for one in here if "PERMANENT" in one["state"]]
            return Seen(
                {one["dst"]: one["lladdr"] for one in entries if one["dev"].startswith(LAN_IF)},
                {one["dst"]: one["lladdr"] for one in fixed},
                parse_counters(printed(answer, "counters")),
            )
    except UnreadableError as error:
        return Seen(error=str(error))


def _open(lan: Lan, protocol: str, seen: Mapping[str, Seen]) -> Iterator[str]:
    """Yield what a forged frame could change: it is not sent then."""
    for device in lan.members if protocol == ARP else lan.gateways:
        one = seen[device.name]
        if one.error:
            continue
        if _COUNTER[protocol] not in one.counters:
            yield f"{device.name} has no rule that drops forged {protocol}"
        if protocol == ARP:
            for neighbour in device.neighbours:
                has = one.permanent.get(str(neighbour.address))
                if has != neighbour.link_address:
                    held = has or "not fixed"
                    yield f"{device.name} believes ARP of {neighbour.address}: its entry is {held}"


def _sent(
    fleet: Fleet,
    chosen: Iterable[Lan],
    unsafe: Mapping[str, Mapping[str, tuple[str, ...]]],
    patience: int,
) -> dict[str, Said]:
    """Have all devices send at once, and the gateways watch the virtual address."""
    asked: dict[str, dict[str, Any]] = {}
    for lan in chosen:
        for device, by_protocol in forged(lan).items():
            safe = [one for one in _protocols(lan) if not unsafe[lan.name][one]]
            asked[device] = {
                "interface": LAN_IF,
                "frames": [frame for one in safe for frame in by_protocol[one]],
                "start_s": patience * _START_S,
                "watch": _watched(lan, device),
            }
    longest = max((len(one["frames"]) for one in asked.values()), default=0)
    seconds = patience * (_START_S + _AFTER_S + longest * _FRAME_S)
    orders = {name: one | {"seconds": seconds} for name, one in asked.items()}
    answers = fleet.ask("forge", orders, seconds + _TIMEOUT_S)
    return {name: _did(answer, len(asked[name]["frames"])) for name, answer in answers.items()}


def _watched(lan: Lan, device: str) -> str | None:
    return next((str(one.vrrp.address) for one in lan.gateways if one.name == device and one.vrrp), None)


def _did(answer: Any, wanted: int) -> Said:
    if answer.error:
        return Said(error=answer.error)
    found = answer.data
    short = f"{answer.device} sent {found['sent']} of {wanted} frames: {found['error']}"
    return Said(found["sent"], tuple(found["holds"]), "" if found["sent"] == wanted else short)


@dataclass(frozen=True)
class Judge:
    """One LAN and protocol, before and after."""

    lan: Lan
    protocol: str
    unsafe: tuple[str, ...]
    before: Mapping[str, Seen]
    after: Mapping[str, Seen]
    said: Mapping[str, Said]

    def trial(self, subject: str) -> Trial:
        """Return what it shows."""
        counted = expected(self.lan, self.protocol)
        own = sum(len(one[self.protocol]) for one in forged(self.lan).values())
        if self.unsafe:
            return Trial(subject, self.unsafe, (), 0)
        moved = tuple(self._moved()) if self.protocol == VRRP else tuple(self._taken())
        short = tuple(self._short(counted))
        if moved and (short or self.protocol == ARP):
            return Trial(subject, moved, (), own)
        # Where each was dropped, none of them moved it: the path of a gateway failed meanwhile, for one.
        coincided = tuple(f"{one}, though each forged frame was dropped: try again" for one in moved)
        return Trial(subject, (), (*self._unread(), *short, *coincided), own)

    def _taken(self) -> Iterator[str]:
        for device in self.lan.members:
            found = self.after[device.name].neighbours
            for neighbour in device.neighbours:
                has = found.get(str(neighbour.address), neighbour.link_address)
                if has != neighbour.link_address:
                    planned = f"{neighbour.address}, which is {neighbour.link_address}"
                    yield f"{device.name} took {has} for {planned}"

    def _moved(self) -> Iterator[str]:
        for device in self.lan.gateways:
            holds = self.said[device.name].holds
            if len(holds) > 1:
                yield f"the virtual address moved: {device.name} {'lost' if holds[0] else 'took'} it"

    def _unread(self) -> Iterator[str]:
        for device in self.lan.members:
            before, after, said = (one[device.name] for one in (self.before, self.after, self.said))
            yield from (one for one in dict.fromkeys((before.error, after.error, said.error)) if one)
        if self.protocol == VRRP and not any(True in self.said[one.name].holds for one in self.lan.gateways):
            yield f"no gateway of {', '.join(one.name for one in self.lan.gateways)} has the virtual address"

    def _short(self, counted: Mapping[str, int]) -> Iterator[str]:
        for name, count in counted.items():
            before, after = self.before[name], self.after[name]
            counter = _COUNTER[self.protocol]
            rise = after.counters.get(counter, 0) - before.counters.get(counter, 0)
            if not before.error and not after.error and rise < count:
                yield f"{name} dropped {rise} forged frames, {count} were sent: who dropped the rest?"
