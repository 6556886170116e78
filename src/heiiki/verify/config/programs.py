"""With which values programs run, by what they say of themselves, against the plan."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from heiiki.plan.model import Device
from heiiki.verify.fleet import reading
from heiiki_agent import pppoe
from heiiki_agent.dot1x import places as port_places
from heiiki_agent.wlan import places


def runs_otherwise(device: Device, path: str, said: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the program that reads `path` runs with that is not as planned.

    Args:
        device: the device, by the plan.
        path: the compiled file.
        said: what the program's health command printed.

    Raises:
        UnreadableError: it cannot be read.
    """
    judge = _JUDGES.get(path)
    if judge is not None:
        with reading(f"{device.name}: the program of {path}"):
            found = json.loads(said["out"])
            yield from [found["waits"]] if "waits" in found else judge(device, found)


def _vrrp(device: Device, found: Any) -> Iterator[str]:
    wanted = device.vrrp
    if wanted is None:
        return
    if len(found) != 1:
        yield f"{len(found)} VRRP instances, not one"
        return
    planned = {
        "interface": wanted.interface,
        "virtual_interface": wanted.virtual_interface,
        "router_id": wanted.router_id,
        "priority": wanted.priority,
        "advert_ms": wanted.advert_ms,
        "preempt": "enabled",
        "preempt_delay_s": wanted.preempt_delay_s,
        "addresses": [str(wanted.address)],
        "tracks": [wanted.tracked_file],
    }
    yield from _others(planned, found[0])


def _lan_watch(device: Device, found: Any) -> Iterator[str]:
    wanted = device.lan_watch
    if wanted is None:
        return
    planned = {
        "interface": wanted.interface,
        "prefix": str(wanted.prefix),
        "source": str(wanted.source),
        "targets": [str(target) for target in wanted.targets],
        "beyond": str(wanted.beyond),
        "probe_ms": wanted.probe_ms,
        "lost": wanted.lost,
    }
    yield from _others(planned, found["watches"])


def _pgw(device: Device, found: Any) -> Iterator[str]:
    """The subscriptions decide which SIM has which address, and so which site a packet is of."""
    wanted = device.pgw
    if wanted is None:
        return
    runs = found["runs"]
    yield from _others({"address": str(wanted.gtp_address), "apns": {wanted.apn: str(wanted.pool)}}, runs)
    planned = {(sim.imsi, sim.apn): str(sim.address) for sim in wanted.sims}
    loaded = {(one["imsi"], one["apn"]): one["address"] for one in runs["subscribers"]}
    for key in sorted(planned.keys() | loaded.keys()):
        if planned.get(key) != loaded.get(key):
            imsi, apn = key
            yield f"{imsi} has {loaded.get(key, 'no address')} at {apn}, not {planned.get(key, 'none')}"


def _clock(device: Device, found: Any) -> Iterator[str]:
    """Whom chronyd asks, and by which key; whether they agree about the key, the live stage sees."""
    clock = device.clock
    if clock is None:
        return
    planned = dict.fromkeys(map(str, clock.servers), clock.key.number if clock.key else 0)
    planned |= dict.fromkeys(map(str, clock.references), 0)
    runs = {one["address"]: one["key"] for one in found["sources"]}
    for address in sorted(planned.keys() | runs.keys()):
        if address not in planned:
            yield f"it asks {address} for the time, which is not in the plan"
        elif address not in runs:
            yield f"it does not ask {address} for the time"
        elif runs[address] != planned[address]:
            yield f"it asks {address} by key {runs[address]}, not {planned[address]}"


def _access_point(device: Device, found: Any) -> Iterator[str]:
    """What hostapd says of its configuration; whether PMF and lists are asked for, the live stage sees."""
    wanted = device.access_point
    if wanted is None:
        return
    planned = {
        "ssid": wanted.air.ssid,
        "channel": str(wanted.air.channel),
        "key_mgmt": "WPA-EAP-SHA256",
        "group_cipher": "CCMP",
        "cipher": "CCMP",
    }
    yield from _others(planned, found["runs"])


def _station(device: Device, found: Any) -> Iterator[str]:
    """What wpa_supplicant says of its one network."""
    wanted = device.station
    if wanted is None:
        return
    planned = {
        "ssid": wanted.air.ssid,
        "key_mgmt": "WPA-EAP-SHA256",
        "proto": "RSN",
        "pairwise": "CCMP",
        "group": "CCMP",
        "ieee80211w": "2",
        "eap": "TLS",
        "identity": wanted.name,
        "domain_match": wanted.access_point,
        "phase1": "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_ext_cert_check=1",
        "ca_cert": str(places.CREDENTIALS / "trust.pem"),
    }
    yield from _others(planned, found["runs"])
    if found["networks"] != 1:
        yield f"it joins {found['networks']} networks, not one"


def _supplicant(device: Device, found: Any) -> Iterator[str]:
    """What wpa_supplicant says of its one network on a wire; hostapd there says nothing of its own."""
    wanted = device.supplicant
    if wanted is None:
        return
    planned = {
        "key_mgmt": "IEEE8021X",
        "eap": "TLS",
        "identity": wanted.name,
        "domain_match": wanted.authenticator,
        "phase1": "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_ext_cert_check=1",
        "ca_cert": str(port_places.CREDENTIALS / "trust.pem"),
    }
    yield from _others(planned, found["runs"])
    if found["networks"] != 1:
        yield f"it has {found['networks']} networks, not one"


def _port(device: Device, found: Any) -> Iterator[str]:
    """Which port is kept; whom it lets in, the live stage sees."""
    if device.controlled_port is not None:
        yield from _others({"interface": device.controlled_port.interface}, found)


def _session(device: Device, found: Any) -> Iterator[str]:
    """What a session has that is up; whether one is, the live stage sees."""
    wanted = device.pppoe
    session = found["sessions"].get(wanted.interface) if wanted is not None else None
    if wanted is not None and session is not None:
        planned = {"address": str(wanted.address), "peer": str(wanted.peer), "mtu": wanted.mtu, "kind": "ppp"}
        yield from _others(planned, session)


def _others(planned: Mapping[str, object], found: Mapping[str, Any]) -> Iterator[str]:
    for key, value in planned.items():
        if found.get(key) != value:
            yield f"{key} is {found.get(key)}, not {value}"


_JUDGES: Mapping[str, Callable[[Device, Any], Iterator[str]]] = {
    "/etc/keepalived/keepalived.conf": _vrrp,
    "/etc/heiiki/lan_watch.json": _lan_watch,
    "/etc/heiiki/pgw.json": _pgw,
    "/etc/chrony/chrony.conf": _clock,
    str(places.ACCESS_POINT_CONFIG): _access_point,
    str(places.STATION_CONFIG): _station,
    str(port_places.SUPPLICANT_CONFIG): _supplicant,
    str(port_places.PORT_CONFIG): _port,
    str(pppoe.CLIENT_OPTIONS): _session,
}
"""How what a program says of itself is compared with the plan, by the file that it reads."""
