"""The LAN's route in the main table."""

import errno
import socket
import struct

from heiiki_agent import netlink
from heiiki_agent.lan_watch.settings import Settings

PROTOCOL = 210


def route_body(settings: Settings, index: int) -> bytes:
    """Return the body of an rtnetlink(7) message about the LAN's route; `index` is the port's."""
    length = settings.prefix.prefixlen
    where = netlink.TABLE_MAIN, PROTOCOL, netlink.SCOPE_LINK, netlink.UNICAST
    head = netlink.ROUTE_HEADER.pack(socket.AF_INET, length, 0, 0, *where, 0)
    return head + netlink.attributes(
        (
            (netlink.DESTINATION, settings.prefix.network_address.packed),
            (netlink.INTERFACE, struct.pack("=I", index)),
            (netlink.SOURCE, settings.source.packed),
        )
    )


class LanRoute:
    """The LAN's route in the main table."""

    def __init__(self, settings: Settings) -> None:
        """Speak to the kernel about the route of `settings`; nothing is changed yet."""
        self._settings = settings
        self._kernel = netlink.Requests()

    def close(self) -> None:
        """Close; the route stays as it is."""
        self._kernel.close()

    def put(self) -> None:
        """Add the route unless it stands.

        Raises:
            OSError: when the kernel refuses (the source is not an address of ours, the port is down).
        """
        index = socket.if_nametoindex(self._settings.interface)
        flags = netlink.CREATE | netlink.EXCL
        body = route_body(self._settings, index)
        self._kernel.ask(netlink.NEW_ROUTE, flags, body, accepted=(errno.EEXIST,))

    def remove(self) -> None:
        """Delete the route if it stands; with the port it goes by itself."""
        try:
            index = socket.if_nametoindex(self._settings.interface)
        except OSError:
            return
        body = route_body(self._settings, index)
        self._kernel.ask(netlink.DELETE_ROUTE, 0, body, accepted=(errno.ESRCH, errno.ENODEV))
