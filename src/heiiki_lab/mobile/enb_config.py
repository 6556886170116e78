"""Who the eNB is, and whom it talks to."""

import json
from dataclasses import dataclass
from ipaddress import IPv4Address

from heiiki_lab.mobile.s1ap import Cell


@dataclass(frozen=True, slots=True)
class Config:
    """Who the eNB is, and whom it talks to; `radios` are the interfaces of its radio links."""

    cell: Cell
    s1_mme: IPv4Address
    mme: IPv4Address
    s1_u: IPv4Address
    sgw: IPv4Address
    radios: tuple[str, ...]


def parse_config(text: str) -> Config:
    """Read the configuration file that `core.files` wrote."""
    data = json.loads(text)
    return Config(
        cell=Cell(bytes.fromhex(data["plmn"]), data["tac"], data["enb_id"], data["name"]),
        s1_mme=IPv4Address(data["s1_mme"]),
        mme=IPv4Address(data["mme"]),
        s1_u=IPv4Address(data["s1_u"]),
        sgw=IPv4Address(data["sgw"]),
        radios=tuple(data["radios"]),
    )
