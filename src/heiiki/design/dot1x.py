"""R-SEC-LAN/wired on paper: what both ends of a wired LAN are sent shuts their ports but to each other.

Judged are the texts that the devices are sent, and the names that their certificates bear.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heiiki.design.absence import Absence
from heiiki.design.sent import Sent
from heiiki.design.site_lans import SiteLan, Texts, judged, other_peers, others, settings
from heiiki.plan.model import Authenticator, Plan, Supplicant
from heiiki.render.dot1x import REQUIREMENT
from heiiki.requirements import Stage, Verdict
from heiiki_agent.dot1x import places

_FILTER = "/etc/nftables.conf"
_AUTHENTICATOR: Mapping[str, str] = {
    "driver": "wired",
    "ieee8021x": "1",
    "eap_server": "1",
    "tls_flags": "[DISABLE-TLSv1.0][DISABLE-TLSv1.1]",
    "tls_session_lifetime": "0",
    "check_crl": "2",
    "check_crl_strict": "1",
}
_SUPPLICANT: Mapping[str, str] = {
    "key_mgmt": "IEEE8021X",
    "eap": "TLS",
    "phase1": '"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_ext_cert_check=1"',
}
_RULES = (
    'iifname {{ "{0}" }} ether saddr != @let_in counter name unauthorized_in drop',
    'oifname {{ "{0}" }} oifname != @authorized counter name unauthorized_out drop',
    'iifname {{ "{0}" }} ether saddr != @let_in drop',
    'oifname {{ "{0}" }} oifname != @authorized drop',
)
"""Of IP and of ARP, in and out."""
_PASSED = (
    "IEEE 802.1X with EAP-TLS: each end lets in the other's certificate alone, by its name, its CA and the "
    "lists, and its filter nothing else; frames are not encrypted (no MACsec): who takes the other's link "
    "address while the link stands is not seen"
)


@dataclass(frozen=True, slots=True)
class ControlledLan(SiteLan):
    """A site's wired LAN with controlled ports, and its two ends."""

    authenticator: Authenticator
    supplicant: Supplicant


def lans(plan: Plan) -> Iterator[ControlledLan]:
    """Yield the wired LANs with controlled ports, in the order of the sites."""
    for site in plan.sites:
        controller = plan.device(site.controller)
        for name in site.gateways:
            gateway = plan.device(name)
            if gateway.authenticator is not None and controller.supplicant is not None:
                yield ControlledLan(
                    site.name, gateway, controller, gateway.authenticator, controller.supplicant
                )


_OPEN = "no site's wired LAN has access control (IEEE 802.1X): any device that is plugged in is on it"
ABSENT = Absence(REQUIREMENT, "wired site LANs", _OPEN, lans)


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects that the LANs of sites have at each stage."""
    yield from (lan.subject for lan in lans(plan))
    yield from ABSENT.subjects(plan)


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield a verdict for each wired LAN with controlled ports; one that says so where there is none."""
    yield from ABSENT.verdicts(plan, Stage.DESIGN)
    for lan in lans(plan):
        yield judged(lan, sent, REQUIREMENT, _problems, _PASSED)


def _problems(lan: ControlledLan, gateway: Texts, controller: Texts) -> Iterator[str]:
    served = settings(gateway.get(str(places.AUTHENTICATOR_CONFIG), ""))
    joined = settings(controller.get(str(places.SUPPLICANT_CONFIG), ""))
    yield from others(lan.gateway.name, _AUTHENTICATOR, served)
    yield from others(lan.controller.name, _SUPPLICANT, joined)
    yield from other_peers(lan, served, joined, gateway.get(str(places.USERS), ""), "goes on with")
    for device, interface, texts in (
        (lan.gateway.name, lan.authenticator.interface, gateway),
        (lan.controller.name, lan.supplicant.interface, controller),
    ):
        yield from _open(device, interface, texts)


def _open(device: str, interface: str, texts: Texts) -> Iterator[str]:
    """Yield how the port of a device is open to all."""
    lines = [line.strip() for line in texts.get(_FILTER, "").splitlines()]
    if missing := [rule for rule in (one.format(interface) for one in _RULES) if rule not in lines]:
        yield f"{device}: {interface} is open: its filter is without `{missing[0]}`"
    if str(places.PORT_CONFIG) not in texts:
        yield f"{device}: nothing keeps the port of {interface}"
