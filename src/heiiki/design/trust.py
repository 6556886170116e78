"""R-SEC-ESP, R-SEC-ACCESS and R-THEFT on paper: what protects each hop, with which algorithms, for how long.

What devices do is read from the texts that they are sent (D21), not from the plan that the texts came from.
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from heiiki.design import vendors
from heiiki.design.associations import (
    ACCESS,
    ESP,
    THEFT,
    Association,
    associations,
    ipsec_devices,
    is_hub_line,
    unanswered,
    wires,
)
from heiiki.design.revoked import ended, unused
from heiiki.design.sent import Sent
from heiiki.design.strongswan import Section, seconds
from heiiki.design.suites import ESP as ESP_ALGORITHMS
from heiiki.design.suites import IKE as IKE_ALGORITHMS
from heiiki.design.suites import objections, proposals
from heiiki.design.vendor_sent import VendorSent
from heiiki.plan.model import Device, Link, Path, Plan
from heiiki.requirements import Result, Stage, Verdict
from heiiki.requirements.figures import number, pair, settled

RETURN_BOUND_S = 30.0
"""A tunnel should stand again so soon after its path does: until then the site has one path."""

RENEWAL_MARGIN_H = 7 * 24
"""Between renewal and expiry: a week in which Vault may be away or a run be forgotten."""

POLLS_PER_CRL = 24
"""How many times a verifier must have asked for a newer CRL before the one that it has expires."""

THEFT_POLL_S = 300
"""A verifier that was not told of a revocation finds out by itself within this time."""

_Tunnel = tuple[str, IPv4Network, IPv4Network]

_CARRIER = {
    "core": "the carrier's core, inside of the site's ESP",
    "radio": "the SIM's cipher on the radio, and the site's ESP inside",
}


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield the design verdicts on trust."""
    gone = plan.revoked
    every = tuple(associations(plan))
    for side in unanswered(plan):
        wrong = [f"{side.connection.peer} answers no connection of {side.device}"]
        yield _verdict(side.connection.protects, f"{side.device} to {side.connection.peer}", wrong, "")
    yield from _coverage(plan, every, sent)
    if not every:
        return
    yield from _suites(plan, sent)
    for one in every:
        if end := ended(gone, one):
            yield _not_applicable(one, f"{end} is revoked: no tunnel of it may return")
        elif why := _never_stands(plan, one, sent):
            yield _not_applicable(one, why)
        else:
            yield _return(one, sent)
    yield _lifetimes(plan)
    yield _theft(plan)


def _verdict(
    identifier: str,
    subject: str,
    wrong: list[str],
    reason: str,
    figure: tuple[float, float, str] | None = None,
) -> Verdict:
    measured, bound, unit = figure or (None, None, "")
    result = Result.FAIL if wrong else Result.PASS
    said = "; ".join(wrong[:3]) + (f" (and {len(wrong) - 3} more)" if wrong[3:] else "") or reason
    return Verdict(identifier, subject, Stage.DESIGN, result, said, measured, bound, unit)


def _coverage(plan: Plan, every: tuple[Association, ...], sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Each path has a tunnel from the site's gateway to the hub's router; each line of the hub is a VPN."""
    tunnels = {(one.initiator.device, one.network): one for one in every if one.protects == ACCESS}
    carried = _gre(plan)
    for path in plan.paths:
        subject = f"{path.site} over {path.network.upper()}"
        stands, why = vendors.path(plan, path.elements, sent)
        if reason := unused(plan, path.elements):
            yield Verdict(ACCESS, subject, Stage.DESIGN, Result.NOT_APPLICABLE, reason)
        elif stands is not Result.PASS:
            yield Verdict(ACCESS, subject, Stage.DESIGN, stands, why)
        else:
            yield _verdict(ACCESS, subject, *_path(plan, path, tunnels, carried))
    for link in wires(plan):
        if is_hub_line(link):
            ends = {end.device for end in link.ends}
            over = [one for one in every if {side.device for side in one.sides} == ends]
            wrong = [] if over else [f"nothing encrypts {link.name}"]
            reason = f"{link.name} by ESP {over[0].initiator.connection.mode}, all packets" if over else ""
            yield _verdict(ESP, link.name, wrong, reason)


def _path(
    plan: Plan, path: Path, tunnels: Mapping[tuple[str, str], Association], carried: frozenset[_Tunnel]
) -> tuple[list[str], str]:
    """Return what leaves an element of a path open, and which element is protected by what."""
    known = (tunnels.get((element, path.network)) for element in path.elements)
    tunnel = next((one for one in known if one and one.responder.device in path.elements), None)
    if tunnel is None:
        return [f"no ESP from a gateway of {path.site} to the hub over {path.network.upper()}"], ""
    wrong = [*_not_the_tunnel(tunnel, carried), *_open_uplinks(plan, tunnel)]
    places = [path.elements.index(side.device) for side in tunnel.sides]
    said = []
    for element in path.elements[min(places) + 1 : max(places)]:
        link = _link(plan, element)
        if link is not None:
            said.append(f"{element}: {_protection(link, tunnel)}")
    return wrong, "; ".join(said)


def _link(plan: Plan, name: str) -> Link | None:
    try:
        return plan.link(name)
    except KeyError:
        return None


def _protection(link: Link, tunnel: Association) -> str:
    if is_hub_line(link):
        return "the hub's VPN (R-SEC-ESP), and the site's ESP inside"
    return _CARRIER.get(link.kind) or (
        f"the site's ESP ({tunnel.subject})" if link.kind == "access" else _CARRIER["core"]
    )


def _not_the_tunnel(tunnel: Association, carried: frozenset[_Tunnel]) -> Iterator[str]:
    """The selectors must be those of the GRE tunnel whose interface routing uses, at both ends."""
    for side in tunnel.sides:
        wanted = side.connection.selector
        if wanted.protocol != "gre" or (side.device, wanted.local, wanted.remote) not in carried:
            yield f"{side.device}: ESP of {side.connection.name} does not carry its GRE tunnel"


def _gre(plan: Plan) -> frozenset[_Tunnel]:
    """Return every GRE tunnel: device and both of its ends."""
    return frozenset(
        (device.name, IPv4Network(interface.gre.local), IPv4Network(interface.gre.remote))
        for device in plan.devices
        for interface in device.interfaces
        if interface.gre is not None
    )


def _open_uplinks(plan: Plan, tunnel: Association) -> Iterator[str]:
    """GRE passes the uplinks of both ends inside of ESP only, whatever the IKE daemon does."""
    for side in tunnel.sides:
        firewall = plan.device(side.device).firewall
        if firewall is None or not firewall.encrypted:
            yield f"{side.device}: its filter lets GRE leave in clear when the tunnel is down"


def _suites(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Algorithms, and who is believed, in what every device is sent."""
    wrong: dict[str, list[str]] = {ACCESS: [], ESP: []}
    for device in _in_service(plan):
        there = sent[device.name].connections
        for connection in device.ipsec:
            said = _objections(there.get(connection.name))
            wrong[connection.protects] += [f"{device.name}/{connection.name}: {one}" for one in said]
    words = {word for text in (plan.pki.suite.ike,) for offer in proposals(text) for word in offer}
    more = {word for offer in proposals(plan.pki.suite.esp) for word in offer}
    levels = [f"{word} {IKE_ALGORITHMS[word].status}" for word in sorted(words) if word in IKE_ALGORITHMS]
    levels += [f"{word} {ESP_ALGORITHMS[word].status}" for word in sorted(more) if word in ESP_ALGORITHMS]
    for identifier, found in wrong.items():
        yield _verdict(
            identifier, "algorithms", found, f"RFC 8247, RFC 8221: {', '.join(dict.fromkeys(levels))}"
        )


def _in_service(plan: Plan) -> tuple[Device, ...]:
    """Return the devices with IPsec that are sent strongSwan's files; vendors' have verdicts of their own."""
    return tuple(one for one in ipsec_devices(plan) if not one.revoked and not one.by_hand)


def _objections(connection: Section | None) -> Iterator[str]:
    """What speaks against a connection as a device is sent it."""
    if connection is None:
        yield "is sent to no device"
        return
    if connection.get("version") != "2":
        yield "is not IKEv2 alone"
    yield from objections("IKE", connection.get("proposals", ""))
    for child in connection.get("children", {}).values():
        yield from objections("ESP", child.get("esp_proposals", ""))
    for side in ("local", "remote"):
        said = connection.get(side, {})
        if said.get("auth") != "pubkey" or not said.get("id"):
            yield f"{side}: not by a certificate with a name of its own"
    if connection.get("remote", {}).get("revocation") != "strict":
        yield "takes a certificate whose revocation cannot be looked up"


def _return_subject(one: Association) -> str:
    return f"return of {one.subject} over {one.network.upper()}"


def _never_stands(plan: Plan, one: Association, sent: Mapping[str, Sent]) -> str:
    """Return why a tunnel of a site cannot stand at all, as its router's platform is; empty where it can."""
    stands, _ = vendors.path(plan, (one.initiator.device,), sent)
    if stands is not Result.FAIL:
        return ""
    return f"no tunnel of {one.initiator.device} stands that could return: {one.subject} fails"


def _not_applicable(one: Association, reason: str) -> Verdict:
    return Verdict(one.protects, _return_subject(one), Stage.DESIGN, Result.NOT_APPLICABLE, reason)


def _return(one: Association, sent: Mapping[str, Sent]) -> Verdict:
    """How long a tunnel is away at most, beside the BFD that decides which path is used."""
    waits = {side.device: _give_up(sent[side.device], side.connection.name) for side in one.sides}
    missing = [name for name, wait in waits.items() if wait is None]
    if missing:
        reason = f"the rendered texts have no IKE timers of {', '.join(missing)}"
        return Verdict(one.protects, _return_subject(one), Stage.DESIGN, Result.UNKNOWN, reason)
    longest = settled(max(wait for wait in waits.values() if wait is not None))
    text = "; ".join(f"{name} gives its peer up after {wait:.2f} s" for name, wait in waits.items())
    reason = f"{text}; {_decides(one, sent)}"
    wrong = [] if longest <= RETURN_BOUND_S else [reason]
    return _verdict(one.protects, _return_subject(one), wrong, reason, (longest, RETURN_BOUND_S, "s"))


def _give_up(sent: Sent, name: str) -> float | None:
    """Liveness check, then every retransmission (RFC 7296 2.4), seconds; None where a text is silent.

    `dpd_timeout` does nothing in IKEv2: the retransmissions decide.
    """
    if isinstance(sent, VendorSent):
        return sent.ike_gives_up
    connection = sent.connections.get(name, {})
    keys = ("retransmit_timeout", "retransmit_base", "retransmit_tries")
    if "dpd_delay" not in connection or any(key not in sent.daemon for key in keys):
        return None
    first, base, tries = (float(sent.daemon[key]) for key in keys)
    return seconds(connection["dpd_delay"]) + sum(first * base**turn for turn in range(int(tries) + 1))


def _decides(one: Association, sent: Mapping[str, Sent]) -> str:
    """Say how soon routing leaves the path: long before IKE notices."""
    found = [sent[here.device].bfd_detection(there.device) for here, there in (one.sides, one.sides[::-1])]
    known = [item for item in found if item is not None]
    return f"BFD decides after {max(known):.2f} s" if known else "no BFD between its ends"


def _lifetimes(plan: Plan) -> Verdict:
    """Certificates are renewed in time, and their CAs outlive them."""
    lives = plan.pki.lifetimes
    margin = settled(lives.certificate_h * (1 - lives.renew_share))
    wrong = []
    if margin < RENEWAL_MARGIN_H:
        found, least = pair(margin, RENEWAL_MARGIN_H)
        wrong.append(f"certificates are renewed {found} h before they expire, not {least} h")
    if lives.issuing_h < 2 * lives.certificate_h or lives.root_h < 2 * lives.issuing_h:
        wrong.append("a CA does not outlive two of what it signs: it could not be replaced in time")
    reason = (
        f"certificates {lives.certificate_h} h, renewed {number(margin)} h before the end; "
        f"issuing CA {lives.issuing_h} h, root {lives.root_h} h, CRL {lives.crl_h} h"
    )
    return _verdict(ACCESS, "lifetimes", wrong, reason, (margin, float(RENEWAL_MARGIN_H), "h margin"))


def _theft(plan: Plan) -> Verdict:
    """Every verifier asks for CRLs by itself, often enough, whether or not somebody tells it to."""
    verifiers = _in_service(plan)
    wrong = [item for device in verifiers for item in _deaf(device, plan.pki.lifetimes.crl_h)]
    slowest = max((one.crl_source.every_s for one in verifiers if one.crl_source), default=0)
    reason = f"{len(verifiers)} verifiers ask for CRLs every {slowest} s at most; told by revoke.yml before"
    return _verdict(THEFT, "revocation", wrong, reason, (float(slowest), float(THEFT_POLL_S), "s"))


def _deaf(device: Device, crl_h: int) -> Iterator[str]:
    source = device.crl_source
    if source is None:
        yield f"{device.name} asks for no CRL, and accepts a revoked device's certificate until it expires"
    elif source.every_s > THEFT_POLL_S:
        yield f"{device.name} asks for CRLs every {source.every_s} s only"
    elif source.every_s * POLLS_PER_CRL > crl_h * 3600:
        yield f"{device.name} asks too seldom for a CRL that lives {crl_h} h"
