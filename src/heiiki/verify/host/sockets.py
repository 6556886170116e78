"""Sockets that a host listens on, against what the services of the plan need."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from heiiki.plan.model import Device, InterfaceKind
from heiiki.plan.names import LAN_IF
from heiiki_agent.crl_mirror import PORT as CRL_MIRROR
from heiiki_agent.est.places import PORT as EST
from heiiki_agent.mms.places import PORT as MMS
from heiiki_agent.openadr.places import PAIR_PORT, REST_PORT
from heiiki_agent.openadr.places import PORT as OPENADR
from heiiki_agent.radius import ACCOUNTING_PORT, RADSEC_PORT
from heiiki_agent.radius import PORT as RADIUS
from heiiki_agent.radius import UNIT as RADIUS_UNIT
from heiiki_agent.xmpp.places import PORT as XMPP

_BFD_SOURCES = 49152
"""Source ports of BFD begin here (RFC 5881 4)."""

_PORTS: Mapping[str, Mapping[str, frozenset[int]]] = {
    "frr": {
        "tcp": frozenset({179, 646}),
        "udp": frozenset({646, 3784, 3785, 4784, 6784, 7784}),
        "raw": frozenset({58, 89}),
    },
    "strongswan": {"udp": frozenset({500, 4500}), "raw": frozenset()},
    "keepalived": {"raw": frozenset({112})},
    "chrony": {"udp": frozenset({123})},
    "heiiki-vault": {"tcp": frozenset({8200, 8201, 8202})},
    "heiiki-crl-mirror": {"tcp": frozenset({CRL_MIRROR})},
    "heiiki-est": {"tcp": frozenset({EST})},
    "heiiki-mms-server": {"tcp": frozenset({MMS})},
    "heiiki-openadr-vtn": {"tcp": frozenset({OPENADR, REST_PORT, PAIR_PORT})},
    "prosody": {"tcp": frozenset({XMPP})},
    RADIUS_UNIT: {"tcp": frozenset({RADSEC_PORT}), "udp": frozenset({RADIUS, ACCOUNTING_PORT})},
    "heiiki-pgw": {"udp": frozenset({2123})},
    # hostapd on a wire looks for requests of DHCP clients, of which the filter leaves it none.
    "heiiki-authenticator": {"udp": frozenset({67})},
    "ssh": {"tcp": frozenset({22})},
}
"""Ports, and for raw sockets IP protocols, that a service of the plan listens on, by its unit."""

_PGW_KERNEL = frozenset({2152, 3386})
"""The kernel's own GTP sockets (TS 29.281, TS 29.060): they are of no process."""

_ARP, _EAPOL, _DISCOVERY, _NOTHING = str(0x0806), str(0x888E), str(0x8863), "0"
_SPEAKS_DISCOVERY = "heiiki-pppoe"
"""Its units ask for sessions of PPPoE, or offer them on the port of their line (RFC 2516)."""
_CHOSEN = 32768
"""A proxy asks another by UDP from a port of the kernel's choice, from here on."""
_SPEAK_EAPOL = frozenset(
    {"heiiki-access-point", "heiiki-station", "heiiki-authenticator", "heiiki-supplicant"}
)
"""They speak EAPOL (IEEE 802.1X), and read other frames on the device's leg to its LAN only.

By a packet socket for protocol 0, which gets nothing (packet(7)), one has a port hear the group of EAPOL.
"""
_SPEAK_ARP = frozenset({"keepalived", "heiiki-lan-watch"})
"""They announce the virtual address, and ask the LAN."""


def unexplained_sockets(
    device: Device, services: Collection[str], programs: Collection[str], found: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the sockets that neither a service of the plan nor one of `programs` explains."""
    for one in found:
        if one["program"] in programs or _is_planned(device, services, one):
            continue
        yield f"socket {one['protocol']} {one['address']}:{one['port']} ({_whose(one)})"


def unexplained_packet_sockets(
    device: Device, services: Collection[str], managed: Collection[str], found: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the sockets for whole frames that no service of the plan explains.

    Those of the stand-in for radio, and of the management's own interfaces, are passed over.
    """
    apart = {item.name for item in device.interfaces if item.kind is InterfaceKind.RADIO} | set(managed)
    for one in found:
        speaks_arp = one["protocol"] == _ARP and one["unit"] in _SPEAK_ARP and one["unit"] in services
        speaks_eapol = one["protocol"] in {_EAPOL, _NOTHING} or one["interface"] == LAN_IF
        on_lan = speaks_eapol and one["unit"] in _SPEAK_EAPOL and one["unit"] in services
        on_line = one["protocol"] == _DISCOVERY and one["interface"] in device.below_sessions
        on_line &= one["unit"].startswith(_SPEAKS_DISCOVERY) and one["unit"] in services
        if one["interface"] in apart or speaks_arp or on_lan or on_line:
            continue
        yield f"packet socket for protocol {one['protocol']} on {one['interface']} ({_whose(one)})"


def _whose(one: Mapping[str, Any]) -> str:
    return f"{one['program'] or 'no process'}" + (f" of {one['unit']}" if one["unit"] else "")


def _is_planned(device: Device, services: Collection[str], one: Mapping[str, Any]) -> bool:
    unit, port = one["unit"], _number(one["port"])
    if not one["program"]:
        return device.pgw is not None and one["protocol"] == "udp" and port in _PGW_KERNEL
    if unit not in services and unit != "ssh":
        return False
    if unit == "frr" and one["protocol"] == "udp" and port >= _BFD_SOURCES:
        return True
    if unit == RADIUS_UNIT and device.radius_proxy and one["protocol"] == "udp" and port >= _CHOSEN:
        return True
    return port in _PORTS.get(unit, {}).get(one["protocol"], frozenset())


def _number(port: str) -> int:
    return int(port) if port.isdigit() else -1
