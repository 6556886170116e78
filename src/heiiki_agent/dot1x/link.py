"""The state of a link, as rtnetlink(7) tells it: whether it has a carrier, and how often it has lost it."""

import struct
from dataclasses import dataclass

from heiiki_agent import netlink
from heiiki_agent.errors import AgentError

_GET_LINK = 18  # RTM_GETLINK, linux/rtnetlink.h
_HEADER = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, changed flags."""
_NAME, _CARRIER, _LOSSES = 3, 33, 48  # IFLA_IFNAME, IFLA_CARRIER, IFLA_CARRIER_DOWN_COUNT
_UP = 0x1


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is.

    Attributes:
        up: it is switched on and has a carrier.
        losses: how often it has lost its carrier: a loss that is over by the next look still counts.
    """

    up: bool
    losses: int


def read(kernel: netlink.Requests, interface: str) -> Link:
    """Return the state of `interface`.

    Raises:
        AgentError: there is none of that name.
        OSError: the kernel does not answer.
    """
    for body in kernel.dump(_GET_LINK, _HEADER.pack(0, 0, 0, 0, 0)):
        found = dict(netlink.parsed(body[_HEADER.size :]))
        if found[_NAME].rstrip(b"\0").decode() == interface:
            flags = _HEADER.unpack_from(body)[3]
            up = bool(flags & _UP) and found[_CARRIER] != b"\0"
            return Link(up, int(struct.unpack("=I", found[_LOSSES])[0]))
    raise AgentError(f"{interface} is not there: its port stays shut")
