"""The network interface that a modem gives its gateway: a TUN device that outlives the modem's process."""

import fcntl
import os
import struct
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

_TUN = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_MAXIMUM = 65536


class Wwan:
    """The interface `name`, made if it is not there, up, with the MTU that GTP leaves.

    It is kept, with its address, while the network is away and when this process dies: whether the path may
    be used is for BFD to say, and routing must not see an interface come and go.

    Raises:
        OSError: there is no TUN device, or no right to it.
    """

    def __init__(self, name: str, mtu: int) -> None:
        self.name = name
        self.address: IPv4Address | None = None
        self._fd = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self._fd, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
        fcntl.ioctl(self._fd, _TUNSETPERSIST, 1)
        # The modem's interface speaks IPv4 only; without this it would send router solicitations.
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1", encoding="ascii")
        _ip(f"link set {name} mtu {mtu} up")

    def fileno(self) -> int:
        """The descriptor, for an event loop."""
        return self._fd

    def read(self) -> bytes:
        """Return the next packet that the gateway sends."""
        return os.read(self._fd, _MAXIMUM)

    def write(self, packet: bytes) -> None:
        """Hand a packet to the gateway."""
        os.write(self._fd, packet)

    def assign(self, address: IPv4Address) -> None:
        """Give the interface the address that the network assigned; routes are the gateway's own affair."""
        if address == self.address:
            return
        _ip(f"addr replace {address}/32 dev {self.name}")
        for other in _addresses(self.name):
            if other != address:
                _ip(f"addr del {other}/32 dev {self.name}")
        self.address = address


def _addresses(name: str) -> list[IPv4Address]:
    done = subprocess.run(
        ["ip", "-4", "-o", "addr", "show", "dev", name], capture_output=True, text=True, check=True
    )
    fields = (line.split() for line in done.stdout.splitlines())
    return [IPv4Address(each[each.index("inet") + 1].split("/")[0]) for each in fields]


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)
