"""Security associations (R-SEC-ESP, R-SEC-ACCESS): up at both ends, exactly as planned, and carrying packets.

Both ends are asked for what the IKE daemon holds and, apart from it, for what the kernel encrypts with; an
association counts only when the SPIs of one end are those of the other.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from heiiki.design.associations import Association, Side, associations, ipsec_devices, protected
from heiiki.design.suites import negotiated
from heiiki.plan.model import Device, IkeTimers, IpsecConnection, Plan, Suite, TrafficSelector
from heiiki.render import ipsec
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

DAEMON = {
    "lists": {
        "sas": ["list-sas", "list-sa", {}],
        "conns": ["list-conns", "list-conn", {}],
        "shared": ["get-shared"],
        "stats": ["stats"],
    }
}
KERNEL = {
    # nokeys: without it the keys themselves would be printed, and kept as evidence.
    "commands": {
        "state": ["ip", "-s", "xfrm", "state", "list", "nokeys"],
        "policy": ["ip", "xfrm", "policy"],
    }
}
LOOKS = 3
HANDOVER_S = 3.0
"""Seconds between two looks: longer than an association takes to be handed over (RFC 7296 2.8.3)."""

_LOAD = re.compile(r"^\s*load = (.+)$", re.MULTILINE)
"""Which plugins the daemon is to load, in its settings; then come those of its tool."""
_GRE = "47"
_STRICT = "GOOD"
"""What the daemon lists for ``revocation = strict``: the status that a certificate must have."""
_STATE = re.compile(
    r"^src (?P<source>\S+) dst (?P<destination>\S+)\n\s+proto esp spi (?P<spi>0x[0-9a-f]+)\S*"
    r".*?mode (?P<mode>\w+)(?P<rest>.*?)(?=^src |\Z)",
    re.MULTILINE | re.DOTALL,
)
_CURRENT = re.compile(r"lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)")
_POLICY = re.compile(
    r"^src (?P<source>\S+) dst (?P<destination>\S+)(?: proto (?P<protocol>\S+))?[^\n]*\n"
    r"\s+dir (?P<way>\w+) (?P<rest>.*?)(?=^src |\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the IKE daemon and the kernel of each device said, one right after the other."""

    daemon: Mapping[str, Answer]
    kernel: Mapping[str, Answer]

    @classmethod
    def at(cls, fleet: Fleet, devices: Sequence[str]) -> Self:
        daemon = fleet.ask("vici", dict.fromkeys(devices, DAEMON))
        return cls(daemon, fleet.ask("read", dict.fromkeys(devices, KERNEL)))

    def of(self, one: Association, suite: Suite, evidence: tuple[Evidence, ...] = ()) -> Verdict:
        return judged(
            one.subject,
            partial(of_association, one, suite, self.daemon, self.kernel, evidence),
            partial(_unknown, one, evidence),
        )


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield a live verdict for each association, and a config verdict for what each daemon has loaded."""
    names = [device.name for device in ipsec_devices(plan)]
    seen = _settled(plan, fleet, names)
    evidence = {
        name: (
            keep(f"trust/daemon-{name}.json", seen.daemon[name].raw),
            keep(f"trust/kernel-{name}.json", seen.kernel[name].raw),
        )
        for name in names
    }
    for one in associations(plan):
        yield seen.of(
            one, plan.pki.suite, tuple(found for side in one.sides for found in evidence[side.device])
        )
    for device in ipsec_devices(plan):
        yield from loaded(device, plan, seen.daemon[device.name], evidence[device.name])


def _settled(plan: Plan, fleet: Fleet, names: Sequence[str]) -> _Look:
    """Look again, twice at most, while an association is not as planned.

    One that is re-authenticated or rekeyed between the two questions has other SPIs in one answer than in the
    other. A fault that stays is seen in every look.
    """
    seen = _Look.at(fleet, names)
    for _ in range(LOOKS - 1):
        if all(seen.of(one, plan.pki.suite).result is not Result.FAIL for one in associations(plan)):
            break
        time.sleep(HANDOVER_S)
        seen = _Look.at(fleet, names)
    return seen


def _unknown(one: Association, evidence: tuple[Evidence, ...], why: str) -> Verdict:
    return unknown(one.protects, one.subject, why, evidence)


def of_association(
    one: Association,
    suite: Suite,
    daemon: Mapping[str, Answer],
    kernel: Mapping[str, Answer],
    evidence: tuple[Evidence, ...],
) -> Verdict:
    """Return the live verdict of one association."""
    silent = [said for side in one.sides for said in _unreadable(daemon[side.device], kernel[side.device])]
    if silent:
        return unknown(one.protects, one.subject, summarise(silent), evidence)
    sas = {side.device: named(daemon[side.device], side.connection.name) for side in one.sides}
    wrong = [
        f"{side.device}: {said}"
        for side in one.sides
        for said in _problems(side, suite, sas[side.device], kernel[side.device].data["commands"])
    ]
    wrong = wrong or _unmatched(one, sas)
    if wrong:
        return live(one.protects, one.subject, Result.FAIL, summarise(wrong), evidence)
    return live(
        one.protects, one.subject, Result.PASS, _scope(one, sas[one.initiator.device], kernel), evidence
    )


def _unreadable(daemon: Answer, kernel: Answer) -> Iterator[str]:
    for answer in (daemon, kernel):
        if answer.error:
            yield answer.error
    for name, said in kernel.data.get("commands", {}).items():
        if said["rc"] != 0:
            yield f"{kernel.device}: ip xfrm {name}: {said['err'].strip()}"


def named(answer: Answer, name: str) -> list[dict[str, Any]]:
    """Return the IKE SAs of a connection that are up."""
    found = (sas[name] for sas in answer.data["sas"] if name in sas)
    return [sa for sa in found if sa["state"] == "ESTABLISHED"]


def children(sas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return their ESP SAs that are in use."""
    return [one for sa in sas for one in sa.get("child-sas", {}).values() if one["state"] == "INSTALLED"]


def _problems(
    side: Side, suite: Suite, sas: list[dict[str, Any]], kernel: Mapping[str, Any]
) -> Iterator[str]:
    """What the end has otherwise than planned."""
    if not sas or not children(sas):
        yield f"{side.connection.name} is not up: {'no ESP SA' if sas else 'no IKE SA'}"
        return
    for sa in sas:
        yield from _ike_problems(side.connection, suite, sa)
    for child in children(sas):
        yield from _child_problems(side.connection, suite, child)
    yield from kernel_problems(side.connection, children(sas), kernel)


def _ike_problems(connection: IpsecConnection, suite: Suite, sa: Mapping[str, Any]) -> Iterator[str]:
    wanted = {
        "version": "2",
        "local-host": str(connection.local),
        "remote-host": str(connection.remote),
        "local-id": connection.local_id,
        "remote-id": connection.remote_id,
    }
    for key, value in wanted.items():
        if sa.get(key) != value:
            yield f"{key} is {sa.get(key)}, not {value}"
    if _chosen(sa, ("encryption", "prf", "group")) not in _offers("IKE", suite.ike):
        yield f"IKE uses {_said(sa)}, not {suite.ike}"


def _child_problems(connection: IpsecConnection, suite: Suite, child: Mapping[str, Any]) -> Iterator[str]:
    wanted: dict[str, object] = {
        "mode": connection.mode.upper(),
        "protocol": "ESP",
        "local-ts": [selector(connection.selector, local=True)],
        "remote-ts": [selector(connection.selector, local=False)],
    }
    for key, value in wanted.items():
        if child.get(key) != value:
            yield f"{key} is {child.get(key)}, not {value}"
    if int(child.get("if-id-out", "0"), 16) != connection.if_id:
        yield f"belongs to IPsec interface {child.get('if-id-out', '0')}, not {connection.if_id}"
    # The first ESP SA takes its key from the exchange of IKE (RFC 7296 1.2): it shows no group of its own.
    kinds = ("encryption", "group") if "dh-group" in child else ("encryption",)
    if _chosen(child, kinds) not in _offers("ESP", suite.esp, kinds):
        yield f"ESP uses {_said(child)}, not {suite.esp}"


def selector(wanted: TrafficSelector, *, local: bool) -> str:
    """Return one side of a selector as the daemon lists it."""
    side = wanted.local if local else wanted.remote
    return f"{side}[{wanted.protocol}]" if wanted.protocol else str(side)


def _chosen(sa: Mapping[str, Any], kinds: tuple[str, ...]) -> frozenset[tuple[str, str, int]]:
    keys = {"encryption": "encr-alg", "prf": "prf-alg", "group": "dh-group"}
    return frozenset(
        (kind, str(sa.get(keys[kind])), int(sa.get("encr-keysize", 0)) if kind == "encryption" else 0)
        for kind in kinds
    )


def _offers(
    protocol: str, text: str, kinds: tuple[str, ...] = ("encryption", "prf", "group")
) -> list[frozenset[tuple[str, str, int]]]:
    return [frozenset(one for one in offer if one[0] in kinds) for offer in negotiated(protocol, text)]


def _said(sa: Mapping[str, Any]) -> str:
    parts = (f"{sa.get('encr-alg')}-{sa.get('encr-keysize')}", sa.get("prf-alg"), sa.get("dh-group"))
    return "/".join(str(part) for part in parts if part)


def kernel_problems(
    connection: IpsecConnection, esp: list[dict[str, Any]], said: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what the kernel does otherwise: states, packets and policies."""
    states = {int(one["spi"], 16): one for one in _STATE.finditer(said["state"]["out"])}
    for way in ("in", "out"):
        mine = [states.get(int(child[f"spi-{way}"], 16)) for child in esp]
        if None in mine:
            yield f"the kernel lacks an ESP state of direction {way}"
            continue
        wrong = {one["mode"] for one in mine if one} - {str(connection.mode)}
        if wrong:
            yield f"the kernel's ESP states are of mode {', '.join(sorted(wrong))}"
        if not sum(packets(one["rest"]) for one in mine if one):
            yield f"the kernel carried no packet {way} in ESP"
    yield from _policy_problems(connection, said["policy"]["out"])


def packets(text: str) -> int:
    """Return the packets that an ESP state of ``ip -s xfrm state`` carried."""
    found = _CURRENT.search(text)
    return int(found[1]) if found else 0


def _policy_problems(connection: IpsecConnection, text: str) -> Iterator[str]:
    """The kernel must encrypt all that the selector names, and no policy may say otherwise."""
    here, there = str(connection.selector.local), str(connection.selector.remote)
    protocol = {"gre": ("gre", _GRE), None: (None,)}[connection.selector.protocol]
    for way, source, destination in (("out", here, there), ("in", there, here)):
        mine = [
            one
            for one in _POLICY.finditer(text)
            if (one["way"], one["source"], one["destination"]) == (way, source, destination)
            and one["protocol"] in protocol
            and (not connection.if_id or f"if_id {connection.if_id:#x}" in one["rest"])
        ]
        if not mine:
            yield f"the kernel has no policy {way} of {source} to {destination}"
        elif any(
            f"mode {connection.mode}" not in one["rest"] or "proto esp" not in one["rest"] for one in mine
        ):
            yield f"the kernel's policy {way} of {source} to {destination} is not ESP {connection.mode}"


def _unmatched(one: Association, sas: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """The SPIs with which one end sends must be those that the other one awaits."""
    sent = {side.device: _spis(sas[side.device], "out") for side in one.sides}
    awaited = {side.device: _spis(sas[side.device], "in") for side in one.sides}
    here, there = one.initiator.device, one.responder.device
    if sent[here] & awaited[there] and sent[there] & awaited[here]:
        return []
    return ["the ends hold different ESP SAs: what one sends, the other does not await"]


def _spis(sas: list[dict[str, Any]], way: str) -> set[int]:
    return {int(child[f"spi-{way}"], 16) for child in children(sas)}


def _scope(one: Association, sas: list[dict[str, Any]], kernel: Mapping[str, Answer]) -> str:
    connection = one.initiator.connection
    esp = children(sas)[-1]
    states = kernel[one.initiator.device].data["commands"]["state"]["out"]
    mine = {int(child[f"spi-{way}"], 16) for child in children(sas) for way in ("in", "out")}
    carried = sum(
        packets(found["rest"]) for found in _STATE.finditer(states) if int(found["spi"], 16) in mine
    )
    where = f"{selector(connection.selector, local=True)} to {selector(connection.selector, local=False)}"
    return (
        f"up at both ends: IKEv2 {_said(sas[-1])}, ESP {connection.mode} {_said(esp)}, {where}, "
        f"{connection.local_id} and {connection.remote_id}; {carried} packets in ESP"
    )


def loaded(device: Device, plan: Plan, answer: Answer, evidence: tuple[Evidence, ...]) -> Iterator[Verdict]:
    """Yield whether the daemon runs plugins and connections of the plan and no others, certificates only."""
    timers, subject = plan.timers.ike, f"IKE daemon of {device.name}"
    for identifier in protected(device):
        mine = [one for one in device.ipsec if one.protects == identifier]
        if answer.error:
            yield configured(identifier, subject, Result.UNKNOWN, answer.error, evidence)
            continue
        there = {name: one for said in answer.data["conns"] for name, one in said.items()}
        wrong = [said for one in mine for said in _differences(one, timers, there.get(one.name))]
        wrong += [
            *_surplus(device, answer.data, there),
            *_plugin_differences(plan, device, answer.data["stats"]),
        ]
        if wrong:
            yield configured(identifier, subject, Result.FAIL, summarise(wrong), evidence)
            continue
        reason = f"loaded as planned: {', '.join(one.name for one in mine)}; certificates only"
        yield configured(identifier, subject, Result.PASS, reason, evidence)


def configured(
    identifier: str, subject: str, result: Result, reason: str, evidence: tuple[Evidence, ...]
) -> Verdict:
    """Return a verdict of stage ``config``."""
    return Verdict(identifier, subject, Stage.CONFIG, result, reason, evidence=evidence)


def _surplus(device: Device, said: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    more = sorted(set(there) - {one.name for one in device.ipsec})
    wrong = [f"{name} is loaded, and in no plan" for name in more]
    if said.get("shared", {}).get("keys"):
        wrong.append("pre-shared keys are loaded: certificates only")
    return wrong


def _plugin_differences(plan: Plan, device: Device, said: Mapping[str, Any]) -> Iterator[str]:
    """The daemon's own part shows as a plugin too; settings read after ours may load others."""
    part = ipsec.parts(plan, device)
    text = "".join(file.content for file in part.files) if part is not None else ""
    wanted = {name for line in _LOAD.findall(text)[:1] for name in line.split()}
    there = set(said["plugins"]) - {"charon-systemd"}
    yield from (f"plugin {name} runs, and is in no plan" for name in sorted(there - wanted))
    yield from (f"plugin {name} does not run" for name in sorted(wanted - there))


def _differences(wanted: IpsecConnection, timers: IkeTimers, said: Mapping[str, Any] | None) -> Iterator[str]:
    if said is None:
        yield f"{wanted.name} is not loaded"
        return
    for kind, value in (("local_addrs", wanted.local), ("remote_addrs", wanted.remote)):
        if said.get(kind) != [str(value)]:
            yield f"{wanted.name}: {kind} is {said.get(kind)}, not {value}"
    for kind, seconds in (("dpd_delay", timers.dpd_delay_s), ("rekey_time", timers.rekey_ike_s)):
        if said.get(kind) != str(seconds):
            yield f"{wanted.name}: {kind} is {said.get(kind)}, not {seconds}"
    if said.get("version") != "IKEv2":
        yield f"{wanted.name}: is {said.get('version')}, not IKEv2"
    yield from _authentication_differences(wanted, said)
    yield from _child_differences(wanted, timers, said.get("children", {}))


def _authentication_differences(wanted: IpsecConnection, said: Mapping[str, Any]) -> Iterator[str]:
    for kind, name in (("local", wanted.local_id), ("remote", wanted.remote_id)):
        rounds = [one for key, one in said.items() if key.startswith(f"{kind}-")]
        if [(one.get("class"), one.get("id")) for one in rounds] != [("public key", name)]:
            yield f"{wanted.name}: {kind} authentication is {json.dumps(rounds)}, not a certificate of {name}"
    if any(one.get("revocation") != _STRICT for key, one in said.items() if key.startswith("remote-")):
        yield f"{wanted.name}: takes a certificate whose revocation cannot be looked up"


def _child_differences(
    wanted: IpsecConnection, timers: IkeTimers, there: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    if len(there) != 1:
        yield f"{wanted.name}: has {len(there)} children, not one"
    for name, child in there.items():
        expected = {
            "mode": wanted.mode.upper(),
            "rekey_time": str(timers.rekey_esp_s),
            "local-ts": [selector(wanted.selector, local=True)],
            "remote-ts": [selector(wanted.selector, local=False)],
        }
        for key, value in expected.items():
            if child.get(key) != value:
                yield f"{wanted.name}/{name}: {key} is {child.get(key)}, not {value}"
