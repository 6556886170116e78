"""Whether routing knows a way to the network beyond the gateway."""

import os
import socket
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from heiiki_agent import netlink

ZEBRA = Path("/run/frr/zebra.pid")
BGP = 186  # RTPROT_BGP, linux/rtnetlink.h
_DEAD = 0x1 | 0x10  # RTNH_F_DEAD, RTNH_F_LINKDOWN


def leads_into(route: bytes, beyond: IPv4Network) -> bool:
    """Tell whether a route, the body of an rtnetlink(7) message, is a usable one of BGP into `beyond`."""
    _, length, _, _, table, protocol, _, kind, flags = netlink.ROUTE_HEADER.unpack_from(route)
    if (
        (table, protocol, kind) != (netlink.TABLE_MAIN, BGP, netlink.UNICAST)
        or flags & _DEAD
        or length < beyond.prefixlen
    ):
        return False
    found = dict(netlink.parsed(route[netlink.ROUTE_HEADER.size :])).get(netlink.DESTINATION)
    return found is not None and IPv4Address(found) in beyond


def runs(pid_file: Path) -> bool:
    """Tell whether the daemon that wrote `pid_file` runs."""
    try:
        os.kill(int(pid_file.read_text(encoding="ascii")), 0)
    except PermissionError:
        return True  # it runs as another user
    except (OSError, ValueError):
        return False
    return True


class Beyond:
    """The routes to the network beyond the gateway; the kernel's table is read only when it has changed.

    Routes outlive zebra: without it they say where the network was, and no longer where it is.
    """

    def __init__(self, network: IPv4Network, zebra: Path = ZEBRA) -> None:
        """Listen for changes of routes from now on; `zebra` is the file with the number of its process."""
        self._network = network
        self._zebra = zebra
        self._changes = netlink.Changes(netlink.GROUP_IPV4_ROUTE)
        self._kernel = netlink.Requests()
        self._reached: bool | None = None

    def close(self) -> None:
        """Stop listening."""
        self._changes.close()
        self._kernel.close()

    def reached(self) -> bool:
        """Tell whether there is a route, and zebra to keep it.

        Raises:
            OSError: the kernel does not say.
        """
        if self._changes.pending() or self._reached is None:
            # The kernel picks out BGP's routes, so that a thousand sites cost one small answer.
            body = netlink.ROUTE_HEADER.pack(socket.AF_INET, 0, 0, 0, netlink.TABLE_MAIN, BGP, 0, 0, 0)
            self._reached = None
            routes = self._kernel.dump(netlink.GET_ROUTE, body)
            self._reached = any(leads_into(route, self._network) for route in routes)
        return self._reached and runs(self._zebra)
