"""What FRRouting and Linux say of themselves, as NAPALM's getters have it."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_VERSION = re.compile(r"^FRRouting (\S+) \((\S+)\)", re.MULTILINE)
_FAMILY = re.compile(r"^(ipv4|ipv6|vpnv4|vpnv6|l2vpn)\D*")
_SECRETS = {
    r"^(\s*neighbor \S+ password) .*$": r"\1 <removed>",
    r"^(\s*(?:enable )?password(?: \d)?) .*$": r"\1 <removed>",
    r"^(.* message-digest-key \d+ md5) .*$": r"\1 <removed>",
    r"^(.* authentication-key) .*$": r"\1 <removed>",
    r"^(\s*key-string) .*$": r"\1 <removed>",
}
UNKNOWN = -1
"""What NAPALM wants where a number is not known."""


def version(text: str) -> tuple[str, str]:
    """Return version and host name from what `show version` says; empty where it does not say so."""
    found = _VERSION.search(text)
    return (found[1], found[2]) if found else ("", "")


def without_secrets(text: str) -> str:
    """Return a configuration without the values of its secrets."""
    for pattern, instead in _SECRETS.items():
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text


def interfaces(links: str, speeds: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return NAPALM's interfaces.

    Args:
        links: of `ip -json link`.
        speeds: Mbit/s of each interface as the kernel tells it; empty where it does not.
    """
    return {one["ifname"]: _interface(one, speeds.get(one["ifname"], "")) for one in json.loads(links)}


def _interface(link: Mapping[str, Any], speed: str) -> dict[str, Any]:
    enabled = "UP" in link.get("flags", ())
    # A loopback, a tunnel or a dummy has no carrier that could be told: UNKNOWN.
    up = link.get("operstate") == "UP" or (enabled and link.get("operstate") == "UNKNOWN")
    known = speed.strip().isdigit()
    return {
        "is_up": up,
        "is_enabled": enabled,
        "description": link.get("ifalias", ""),
        "last_flapped": float(UNKNOWN),
        "speed": float(speed) if known else float(UNKNOWN),
        "mtu": int(link.get("mtu", UNKNOWN)),
        "mac_address": str(link.get("address", "")).upper(),
    }


def addresses(text: str) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Return NAPALM's addresses of interfaces from what `ip -json address` says."""
    found: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for link in json.loads(text):
        for one in link.get("addr_info", ()):
            family = "ipv6" if one["family"] == "inet6" else "ipv4"
            of_link = found.setdefault(link["ifname"], {})
            of_link.setdefault(family, {})[one["local"]] = {"prefix_length": one["prefixlen"]}
    return found


def bgp_neighbors(text: str) -> dict[str, dict[str, Any]]:
    """Return NAPALM's BGP neighbours from what `show bgp vrf all neighbors json` says."""
    found: dict[str, dict[str, Any]] = {}
    for name, vrf in json.loads(text or "{}").items():
        peers = {key: one for key, one in vrf.items() if isinstance(one, dict) and "remoteAs" in one}
        router = next((str(one.get("localRouterId", "")) for one in peers.values()), "")
        found["global" if name == "default" else name] = {
            "router_id": router,
            "peers": {key: _peer(one) for key, one in peers.items()},
        }
    return found


def _peer(one: Mapping[str, Any]) -> dict[str, Any]:
    up = one.get("bgpState") == "Established"
    return {
        "local_as": int(one["localAs"]),
        "remote_as": int(one["remoteAs"]),
        "remote_id": str(one.get("remoteRouterId", "")),
        "is_up": up,
        "is_enabled": not one.get("adminShutDown", False),
        "description": str(one.get("nbrDesc", "")),
        "uptime": int(one.get("bgpTimerUpMsec", 0)) // 1000 if up else UNKNOWN,
        "address_family": dict(_families(one.get("addressFamilyInfo", {}), up=up)),
    }


def _families(told: Mapping[str, Mapping[str, Any]], *, up: bool) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield counters by family; how many prefixes came, FRRouting tells only with soft reconfiguration."""
    for name, one in told.items():
        family = _FAMILY.match(name)
        yield (
            family[1] if family else name,
            {
                "received_prefixes": UNKNOWN,
                "accepted_prefixes": int(one.get("acceptedPrefixCounter", 0)) if up else UNKNOWN,
                "sent_prefixes": int(one.get("sentPrefixCounter", 0)) if up else UNKNOWN,
            },
        )
