"""R-SEC-LAN/wifi on paper: what both ends of a wireless LAN are sent makes it WPA3-Enterprise with EAP-TLS.

Judged are the texts that the devices are sent, and the names that their certificates bear.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from heiiki.design.absence import Absence
from heiiki.design.sent import Sent
from heiiki.design.site_lans import SiteLan, Texts, judged, other_peers, others, settings
from heiiki.plan.model import AccessPoint, Plan, Station
from heiiki.render.wlan import REQUIREMENT
from heiiki.requirements import Stage, Verdict
from heiiki_agent.wlan import places

_TLS_FLAGS = "[DISABLE-TLSv1.0][DISABLE-TLSv1.1]"
_ACCESS_POINT: Mapping[str, str] = {
    "wpa": "2",
    "wpa_key_mgmt": "WPA-EAP-SHA256",
    "rsn_pairwise": "CCMP",
    "ieee80211w": "2",
    "ieee8021x": "1",
    "eap_server": "1",
    "tls_flags": _TLS_FLAGS,
    "tls_session_lifetime": "0",
    "check_crl": "2",
    "check_crl_strict": "1",
    "disable_pmksa_caching": "1",
    "okc": "0",
    "ap_isolate": "1",
}
_STATION: Mapping[str, str] = {
    "proto": "RSN",
    "key_mgmt": "WPA-EAP-SHA256",
    "pairwise": "CCMP",
    "ieee80211w": "2",
    "eap": "TLS",
    "phase1": '"tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_ext_cert_check=1"',
}
_PASSED = (
    "WPA3-Enterprise with EAP-TLS: each end lets in the other's certificate alone, by its name, its CA and "
    "the lists; management frames are protected, no key is kept"
)


@dataclass(frozen=True, slots=True)
class WirelessLan(SiteLan):
    """A site's LAN on the air, and its two ends."""

    access_point: AccessPoint
    station: Station


def lans(plan: Plan) -> Iterator[WirelessLan]:
    """Yield the LANs on the air, in the order of the sites."""
    for site in plan.sites:
        controller = plan.device(site.controller)
        for name in site.gateways:
            gateway = plan.device(name)
            if gateway.access_point is not None and controller.station is not None:
                yield WirelessLan(site.name, gateway, controller, gateway.access_point, controller.station)


ABSENT = Absence(REQUIREMENT, "site LANs", "no site's LAN is on the air", lans)


def subjects(plan: Plan) -> Iterator[str]:
    """Yield the subjects that the LANs of sites have at each stage."""
    yield from (lan.subject for lan in lans(plan))
    yield from ABSENT.subjects(plan)


def verdicts(plan: Plan, sent: Mapping[str, Sent]) -> Iterator[Verdict]:
    """Yield a verdict for each wireless LAN; one that says so where there is none."""
    yield from ABSENT.verdicts(plan, Stage.DESIGN)
    for lan in lans(plan):
        yield judged(lan, sent, REQUIREMENT, _problems, _PASSED)


def _problems(lan: WirelessLan, gateway: Texts, controller: Texts) -> Iterator[str]:
    served = settings(gateway.get(str(places.ACCESS_POINT_CONFIG), ""))
    joined = settings(controller.get(str(places.STATION_CONFIG), ""))
    yield from others(lan.gateway.name, _ACCESS_POINT, served)
    yield from others(lan.controller.name, _STATION, joined)
    if joined.get("ssid") != f'"{served.get("ssid")}"':
        yield "both ends have different SSIDs"
    yield from other_peers(lan, served, joined, gateway.get(str(places.USERS), ""), "joins")
