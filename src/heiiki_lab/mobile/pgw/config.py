"""The gateway's configuration: what role `apn_gateway` provisions, read again when the file changes."""

import json
import logging
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

_LOG = logging.getLogger("pgw")


class PgwError(Exception):
    """Something that the operator must put right; the text says where, what and how."""


@dataclass(frozen=True)
class Config:
    """The configuration file, read.

    Attributes:
        address: S5 address, for control and user plane.
        pools: address range by APN.
        subscribers: fixed address by IMSI and APN.
    """

    address: IPv4Address
    interface: str
    mtu: int
    pools: dict[str, IPv4Network]
    subscribers: dict[tuple[str, str], IPv4Address]


def parse_config(text: str, source: str) -> Config:
    """Read the configuration's text; `source` names it in the error.

    Raises:
        PgwError: it is not valid JSON, a key is missing, a value is wrong, or an address is given twice.
    """
    try:
        data = json.loads(text)
        config = Config(
            address=IPv4Address(data["address"]),
            interface=str(data.get("interface", "gtp0")),
            mtu=int(data.get("mtu", 1400)),
            pools={apn["name"]: IPv4Network(apn["pool"]) for apn in data["apns"]},
            subscribers={(s["imsi"], s["apn"]): IPv4Address(s["address"]) for s in data["subscribers"]},
        )
    except (ValueError, TypeError) as error:
        raise PgwError(f"{source}: {error}; write it as this package describes") from error
    except KeyError as error:
        raise PgwError(f"{source}: key {error} is missing; write it as this package describes") from error
    _check_addresses(config, source)
    return config


def _check_addresses(config: Config, source: str) -> None:
    owner: dict[IPv4Address, str] = {}
    for (imsi, apn), address in config.subscribers.items():
        pool = config.pools.get(apn)
        if pool is None or address not in pool:
            raise PgwError(
                f"{source}: {address} of {imsi} is outside the pool of {apn}; give it one of {pool}"
            )
        if address in owner:
            raise PgwError(
                f"{source}: {address} is given to {owner[address]} and to {imsi}; change one of them"
            )
        owner[address] = imsi


class Watched:
    """The configuration file, and whether it has changed since it was last read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether there is a file, and another than before."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        # The size too: a file that is written in place may be seen half done, and have the same time after.
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        changed, self._seen = stamp != self._seen, stamp
        return changed

    def read(self) -> Config | None:
        """Return the configuration; None, and a line in the log, when it is wrong."""
        try:
            return parse_config(self._path.read_text(encoding="utf-8"), str(self._path))
        except (OSError, PgwError) as error:
            _LOG.error("%s; nothing is changed", error)
            return None
