"""LANs of sites that two certificates alone let into, by air or by wire: what is judged of both alike."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from heiiki.design.sent import Sent
from heiiki.plan.model import Device
from heiiki.requirements import Result, Stage, Verdict


@dataclass(frozen=True, slots=True)
class SiteLan:
    """A site's LAN, and its two ends."""

    site: str
    gateway: Device
    controller: Device

    @property
    def subject(self) -> str:
        """Subject of the verdicts on the LAN as a whole."""
        return f"LAN of {self.site}"

    @property
    def ends(self) -> tuple[Device, Device]:
        """Gateway and controller."""
        return self.gateway, self.controller

    @property
    def in_service(self) -> bool:
        """Whether both ends are ours to ask: a revoked one is not."""
        return self.gateway.managed and self.controller.managed


_Lan = TypeVar("_Lan", bound=SiteLan)
Texts = Mapping[str, str]
"""What a device is sent, by path."""


def judged(
    lan: _Lan,
    sent: Mapping[str, Sent],
    requirement: str,
    problems: Callable[[_Lan, Texts, Texts], Iterator[str]],
    passed: str,
) -> Verdict:
    """Return the verdict on a LAN.

    Args:
        lan: the LAN.
        sent: what devices are sent, by their names.
        requirement: of the verdict.
        problems: yields what is wrong in what gateway and controller are sent.
        passed: the reason where nothing is.
    """
    if not lan.in_service:
        reason = "an end of it is revoked, and is sent nothing"
        return Verdict(requirement, lan.subject, Stage.DESIGN, Result.NOT_APPLICABLE, reason)
    wrong = list(problems(lan, sent[lan.gateway.name].files, sent[lan.controller.name].files))
    result = Result.FAIL if wrong else Result.PASS
    return Verdict(requirement, lan.subject, Stage.DESIGN, result, "; ".join(wrong) or passed)


def settings(text: str) -> dict[str, str]:
    """Return the settings of a configuration of hostapd or wpa_supplicant, comments left out."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {key: value for key, equals, value in pairs if equals}


def others(device: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterator[str]:
    """Yield which settings of a device are not as wanted."""
    for key, value in wanted.items():
        if found.get(key) != value:
            yield f"{device}: {key} is {found.get(key, 'not set')}, not {value}"


def other_peers(
    lan: SiteLan, served: Mapping[str, str], joined: Mapping[str, str], users: str, joins: str
) -> Iterator[str]:
    """Yield how an end lets in another than its peer.

    Args:
        lan: the LAN.
        served: settings of the gateway's daemon.
        joined: settings of the controller's.
        users: the gateway's file of EAP users.
        joins: what the controller does with a gateway, as a verb.
    """
    identity = lan.controller.identity
    name = identity.common_name if identity is not None else ""
    if served.get("check_cert_subject") != f"/CN={name}" or joined.get("identity") != f'"{name}"':
        yield f"{lan.gateway.name} lets in other certificates than that of {lan.controller.name}"
    if [line for line in users.splitlines() if not line.startswith("#")] != [f'"{name}" TLS']:
        yield f"{lan.gateway.name} lets in other identities, or by other methods"
    own = lan.gateway.identity.dns if lan.gateway.identity is not None else ()
    if joined.get("domain_match", "").strip('"') not in own:
        yield f"{lan.controller.name} {joins} another than {lan.gateway.name}"
