"""NextEPC's HSS, MME and SGW (Debian packages): their configuration files and how they are run.

The files are YAML; JSON is a part of it that needs no library. Diameter is plain TCP, as 3GPP leaves to the
network domain's own security.
"""

import json
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

HSS = "nextepc-hssd"
MME = "nextepc-mmed"
SGW = "nextepc-sgwd"

FOLDER = "/etc/heiiki-mobile"
LOG_FOLDER = "/var/log/heiiki"

_REALM = "epc.heiiki"
_EXTENSIONS = ("rfc5777", "mip6i", "nasreq", "nas_mipv6", "dcca", "dcca_3gpp", "s6a")
_QUIET = 1
_MME_GROUP = 2
_MME_CODE = 1


@dataclass(frozen=True, slots=True)
class DiameterPeer:
    """One end of S6a: host name inside the realm, and address."""

    name: str
    address: IPv4Address


def _diameter(own: DiameterPeer, peer: DiameterPeer) -> dict[str, Any]:
    return {
        "identity": f"{own.name}.{_REALM}",
        "realm": _REALM,
        "no_sctp": True,
        "listen_on": str(own.address),
        "load_extension": [{"module": f"dict_{name}.so"} for name in _EXTENSIONS],
        "connect": [{"identity": f"{peer.name}.{_REALM}", "addr": str(peer.address)}],
    }


def _logger(daemon: str, *parts: str) -> dict[str, Any]:
    return {"file": log_path(daemon), "trace": dict.fromkeys(("app", *parts), _QUIET)}


def _render(document: dict[str, Any]) -> bytes:
    return json.dumps({"parameter": {"no_ipv6": True}, **document}, indent=1).encode("ascii") + b"\n"


def config_path(daemon: str) -> str:
    """Where the configuration of `daemon` stands on its node."""
    return f"{FOLDER}/{daemon}.conf"


def log_path(daemon: str) -> str:
    """Where `daemon` logs."""
    return f"{LOG_FOLDER}/{daemon}.log"


def command(daemon: str) -> list[str]:
    """Return the argv that runs `daemon` in the foreground."""
    return [daemon, "-f", config_path(daemon), "-p", f"/run/heiiki/{daemon}.pid"]


def hss_config(hss: DiameterPeer, mme: DiameterPeer, database: str) -> bytes:
    """Return the HSS's file; `database` is a ``mongodb://`` address."""
    return _render(
        {
            "db_uri": database,
            "logger": _logger(HSS, "diameter"),
            "hss": {"freeDiameter": _diameter(hss, mme)},
        }
    )


@dataclass(frozen=True, slots=True)
class MmeAddresses:
    """What the MME listens on, and whom it sends sessions to."""

    s1ap: IPv4Address
    s11: IPv4Address
    sgw: IPv4Address
    pgw: IPv4Address


def mme_config(
    mme: DiameterPeer, hss: DiameterPeer, addresses: MmeAddresses, plmn: tuple[str, str], tac: int
) -> bytes:
    """Return the MME's file; 128-EIA2 and 128-EEA2 are the only algorithms it offers."""
    identity = {"mcc": plmn[0], "mnc": plmn[1]}
    return _render(
        {
            "logger": _logger(MME, "s1ap", "nas", "diameter", "gtpv2", "gtp"),
            "mme": {
                "freeDiameter": _diameter(mme, hss),
                "s1ap": {"addr": str(addresses.s1ap)},
                "gtpc": {"addr": str(addresses.s11)},
                "gummei": {"plmn_id": identity, "mme_gid": _MME_GROUP, "mme_code": _MME_CODE},
                "tai": {"plmn_id": identity, "tac": tac},
                "security": {"integrity_order": ["EIA2"], "ciphering_order": ["EEA2"]},
                "network_name": {"full": "Heiiki"},
            },
            "sgw": {"gtpc": {"addr": str(addresses.sgw)}},
            "pgw": {"gtpc": {"addr": str(addresses.pgw)}},
        }
    )


def sgw_config(address: IPv4Address) -> bytes:
    """Return the SGW's file: one address for S11, S5 and S1-U."""
    return _render(
        {
            "logger": _logger(SGW, "gtpv2", "gtp"),
            "sgw": {"gtpc": {"addr": str(address)}, "gtpu": {"addr": str(address)}},
        }
    )
