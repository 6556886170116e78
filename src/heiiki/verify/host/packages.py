"""Debian packages of a host, against what explains them: Debian itself, the services of the plan, management.

A package that another needs or recommends is explained by that one. Versions are kept as evidence and explain
nothing: the distribution updates them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from heiiki.plan.model import Device

_BASE = frozenset({"required", "important", "standard"})
"""Priorities of a package that Debian installs unasked (Debian Policy 2.5)."""
_BOOT = re.compile(
    r"(linux-(image|headers|base)|grub|shim|firmware-|(amd64|intel)-microcode|initramfs-tools|"
    r"efibootmgr|console-setup|keyboard-configuration|locales|tasksel|discover|unattended-upgrades|"
    r"openssh-(server|client|sftp-server)|sudo)"
)
"""What the installer adds to boot a host, and what the way to manage it needs."""
_EVERY = frozenset({"iproute2", "nftables", "openssl", "python3", "python3-cryptography", "systemd"})
_OF_SERVICE: Mapping[str, frozenset[str]] = {
    "frr": frozenset({"frr", "frr-pythontools"}),
    "keepalived": frozenset({"keepalived"}),
    "strongswan": frozenset({"charon-systemd", "strongswan-swanctl"}),
    "chrony": frozenset({"chrony"}),
    "heiiki-vault": frozenset({"openbao", "vault"}),
    "heiiki-est": frozenset({"python3-aiohttp"}),
    "heiiki-openadr-vtn": frozenset({"python3-aiohttp", "python3-lxml"}),
    "heiiki-openadr-ven": frozenset({"python3-lxml"}),
    # lua5.4 has the compiler that validates what it is sent.
    # The rules of a country, without which a radio keeps to what is allowed everywhere.
    "heiiki-access-point": frozenset({"hostapd", "iw", "wireless-regdb"}),
    "heiiki-station": frozenset({"iw", "wireless-regdb", "wpasupplicant"}),
    "prosody": frozenset({"lua5.4", "prosody"}),
    # freeradius-utils has radclient, which tries what must be refused.
    "heiiki-radius": frozenset({"freeradius", "freeradius-utils"}),
    "heiiki-pppoe": frozenset({"ppp"}),
}
"""The packages of a service of the plan, by its unit: those that the roles' preflight names."""
_MODEM = frozenset({"modemmanager"})
_CONCENTRATOR = frozenset({"ppp", "pppoe"})
"""Of a PE with optical lines, each of which has a unit of its own."""


def unexplained(
    device: Device, services: Iterable[str], added: Iterable[str], found: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield each package that nothing explains, with its version; one that such a package needs is left out.

    Args:
        device: the device, by the plan.
        services: its services, by unit.
        added: packages that its management adds.
        found: what is installed, as the probe says it.
    """
    known = {one["name"]: one for one in found}
    providers: defaultdict[str, set[str]] = defaultdict(set)
    for one in found:
        for name in (one["name"], *one["provides"]):
            providers[name].add(one["name"])
    explained = _with_needs(known, providers, _explaining(device, services, added, found))
    strange = sorted(known.keys() - explained)
    needed = {
        other
        for name in strange
        for other in _with_needs(known, providers, [name])
        # Of two that need each other, each is named.
        if other != name and name not in _with_needs(known, providers, [other])
    }
    yield from (f"{name} {known[name]['version']}" for name in strange if name not in needed)


def _explaining(
    device: Device, services: Iterable[str], added: Iterable[str], found: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    yield from (*_EVERY, *added)
    for service in services:
        yield from _OF_SERVICE.get(service, ())
    if device.pppoe_lines:
        yield from _CONCENTRATOR
    yield from _of_openadr(device)
    if device.sim is not None:
        yield from _MODEM
    for one in found:
        if one["priority"] in _BASE or one["essential"] or _BOOT.match(one["name"]):
            yield one["name"]


def _with_needs(
    known: Mapping[str, Mapping[str, Any]], providers: Mapping[str, set[str]], names: Iterable[str]
) -> set[str]:
    """Return packages and all that they need, or recommend, of those that are installed."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        for name in providers.get(waiting.pop(), set()) - seen:
            seen.add(name)
            waiting += known[name]["needs"]
    return seen


def _of_openadr(device: Device) -> Iterator[str]:
    for end in (device.vtn, device.ven):
        if end is not None and end.signed:
            yield "python3-signxml"
        if end is not None and end.xmpp is not None:
            yield "python3-slixmpp"
