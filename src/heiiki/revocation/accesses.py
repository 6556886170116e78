"""The accesses by which a device could come in: who lets it in, and what became of each (R-THEFT).

Of two the steps of the revocation say it: its SAs have ended and its peers' lists refuse it (IPsec), its SIM
is no subscriber's and its session has ended (LTE). That lists are loaded does not say that a server goes by
them, so at the others a certificate is shown besides (`heiiki.revocation.ways`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from heiiki.design import dot1x, wlan
from heiiki.plan.model import Device, Plan, Role
from heiiki.verify.xmpp.server import jid


class AccessBy(StrEnum):
    """Where a certificate, or a SIM, lets its holder in."""

    WLAN = "Wi-Fi"
    WIRED = "IEEE 802.1X"
    XMPP = "XMPP"
    OPENADR = "OpenADR"
    REST = "REST"
    BOOK = "VTN's book"
    MMS = "MMS"
    EST = "EST"
    RADSEC = "RadSec"
    IPSEC = "IPsec"
    LTE = "LTE"


class Outcome(StrEnum):
    """How an access is; `UNTRIED`: it is not known, `NONE`: the service, or the device, has none."""

    SHUT = "shut"
    OPEN = "open"
    UNTRIED = "untried"
    NONE = "none"


BY_STEPS = frozenset({AccessBy.IPSEC, AccessBy.LTE})
"""What the steps of a revocation end themselves, and see ended."""

IKE, SIM, SESSION = "IKE SA", "SIM", "session"
"""What a step ends; its name goes on with the device at which it does."""

_ENDED: Mapping[str, AccessBy] = {IKE: AccessBy.IPSEC, SIM: AccessBy.LTE, SESSION: AccessBy.LTE}
_LISTED = "the lists that are loaded refuse the device"
_UNSHOWN = "no certificate was shown there"
_WORST_FIRST = (Outcome.OPEN, Outcome.UNTRIED, Outcome.SHUT, Outcome.NONE)
_MOST_NAMED = 4


def at(what: str, device: str) -> str:
    """Return the name of a step at a device."""
    return f"{what} at {device}"


def verifiers(plan: Plan, device: str) -> dict[str, tuple[str, ...]]:
    """Return the devices with IPsec connections to a device, and the names of those connections there."""
    return {
        one.name: names
        for one in plan.devices
        if (names := tuple(connection.name for connection in one.ipsec if connection.peer == device))
    }


def reached(plan: Plan) -> Iterator[Device]:
    """Yield the devices in service, but for those of a site none of whose gateways is left."""
    cut = {site.name for site in plan.sites if all(plan.device(one).revoked for one in site.gateways)}
    return (one for one in plan.managed() if one.site not in cut)


def letting_in(plan: Plan, device: Device) -> dict[str, tuple[AccessBy, ...]]:
    """Return who lets a device in by its certificate, and by what: who must have the lists that refuse it."""
    found: dict[str, list[AccessBy]] = {name: [AccessBy.IPSEC] for name in verifiers(plan, device.name)}
    for access, name in (*_on_lans(plan, device), *_by_tls(plan, device)):
        found.setdefault(name, []).append(access)
    return {name: tuple(every) for name, every in found.items()}


def _on_lans(plan: Plan, device: Device) -> Iterator[tuple[AccessBy, str]]:
    for access, lans in ((AccessBy.WLAN, wlan.lans(plan)), (AccessBy.WIRED, dot1x.lans(plan))):
        for lan in lans:
            if lan.controller.name == device.name and lan.gateway.managed:
                yield access, lan.gateway.name


def _by_tls(plan: Plan, device: Device) -> Iterator[tuple[AccessBy, str]]:
    """Yield the servers that take the device's certificate."""
    proxy = device.radius_proxy
    for one in plan.managed():
        vtn = one.vtn
        doubled = vtn.doubled if vtn is not None else None
        lets_in = {
            AccessBy.XMPP: one.xmpp is not None and bool(jid(device)),
            AccessBy.OPENADR: vtn is not None and device.ven is not None,
            AccessBy.REST: vtn is not None and vtn.rest is not None and device.role is Role.ESP,
            AccessBy.BOOK: doubled is not None and doubled.device == device.name,
            AccessBy.MMS: one.mms_server is not None and device.mms_client is not None,
            AccessBy.EST: one.est is not None and device.enrols_at is not None,
            AccessBy.RADSEC: one.radius is not None and proxy is not None and proxy.home is not None,
        }
        if one.name != device.name:
            yield from ((access, one.name) for access, wanted in lets_in.items() if wanted)


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one access.

    Attributes:
        access: what it is.
        place: who lets in there; empty where nothing was done or tried.
        outcome: how it is.
        seconds: from the start of the revocation until that was known, by the controller's clock.
        reason: why it is not known to be shut; empty where it is.
        own: the device was let in there before.
    """

    access: AccessBy
    place: str
    outcome: Outcome
    seconds: float
    reason: str = ""
    own: bool = True

    @property
    def name(self) -> str:
        """What it is, and where."""
        return at(self.access, self.place) if self.place else str(self.access)

    def __str__(self) -> str:
        """As people read it."""
        if self.outcome is Outcome.SHUT and not self.own:
            return f"{self.name}: refused as revoked, too, where it never had access ({self.seconds:.1f} s)"
        if self.outcome is Outcome.SHUT:
            return f"{self.name}: shut after {self.seconds:.1f} s"
        return f"{self.name}: {'still open' if self.outcome is Outcome.OPEN else 'unknown'}: {self.reason}"


def table(document: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return what became of each access: those that were shut, the slowest of them last, and the others.

    After those that the device had come those that it never had, where it is refused as revoked, too.

    Each peer by IPsec is an access of its own. What neither the service nor the device has is left out.

    Args:
        document: the evidence of a revocation.
    """
    since = datetime.fromisoformat(document["started"])
    kept: dict[tuple[AccessBy, str], list[tuple[Row, bool]]] = {}
    for step in document["steps"]:
        if (access := _access(step)) is not None:
            row, shown = _row(step, access, since), bool(step.get("access"))
            kept.setdefault((access, row.place if access is AccessBy.IPSEC else ""), []).append((row, shown))
    found = (_joined(rows) for rows in kept.values())
    return tuple(sorted((row for row in found if row.outcome is not Outcome.NONE), key=_order))


def _access(step: Mapping[str, Any]) -> AccessBy | None:
    """Return the access that a step is about; None where it is about none."""
    if step.get("access"):
        return AccessBy(step["access"])
    what = step["name"].partition(" at ")[0]
    return _ENDED.get(what) or (AccessBy(what) if what in tuple(AccessBy) else None)


def _row(step: Mapping[str, Any], access: AccessBy, since: datetime) -> Row:
    seconds = round((datetime.fromisoformat(step["finished"]) - since).total_seconds(), 3)
    if step.get("access"):
        outcome, own = Outcome(step["outcome"]), step.get("own", True)
        return Row(access, step.get("place", ""), outcome, seconds, step["problem"], own)
    outcome = Outcome.OPEN if step["problem"] else Outcome.SHUT
    return Row(access, step["name"].partition(" at ")[2], outcome, seconds, step["problem"])


def _joined(found: Sequence[tuple[Row, bool]]) -> Row:
    """Return what several steps about one access come to: the worst of it, when the last of it was known.

    Lists that are loaded shut no access but IPsec by themselves, where SAs are watched: what was shown there
    counts.

    Args:
        found: rows, and whether a certificate was shown there.
    """
    done = [row for row, shown in found if not shown]
    tried = [row for row, shown in found if shown and not (done and row.outcome is Outcome.NONE)]
    rows = [*done, *tried]
    first, seconds = rows[0], max(row.seconds for row in rows)
    by_lists = not tried and first.access not in BY_STEPS
    outcome = next(one for one in _WORST_FIRST if any(row.outcome is one for row in rows))
    if by_lists and outcome is Outcome.SHUT:
        return Row(first.access, _places(done), Outcome.UNTRIED, seconds, f"{_LISTED}; {_UNSHOWN}")
    reasons = [row.reason for row in rows if row.reason]
    if outcome is Outcome.UNTRIED and done:
        reasons.insert(0, _LISTED)
    why = "; ".join(dict.fromkeys(reasons))
    return Row(first.access, _places(rows), outcome, seconds, why, any(row.own for row in rows))


def _places(rows: Sequence[Row]) -> str:
    """Return where rows are, by few names: a device that controls may be let in by every site."""
    names = sorted({name for row in rows for name in row.place.split(", ") if name})
    more = len(names) - _MOST_NAMED
    return ", ".join(names if more <= 0 else [*names[:_MOST_NAMED], f"{more} more"])


def _order(row: Row) -> tuple[bool, bool, float]:
    return row.outcome is not Outcome.SHUT, not row.own, row.seconds
