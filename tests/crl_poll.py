"""What one pull of all CRLs costs a gateway's line: `python tests/crl_poll.py`.

A real server (OpenBao), set up for the worked example; the device's program asks it as the daemon does. The
kernel counts octets and segments of the connection (TCP_INFO of linux/tcp.h): with the headers of IPv4 and
TCP they are octets on the wire. In service the server's certificate brings that of the issuing CA with it,
which is some 600 octets more.
"""

import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from vault_server import RunningVault, SetUpVault, set_up_vault, unsealed_vault

from heiiki.intent import load
from heiiki.plan import build
from heiiki_agent.pki import crl, vault
from heiiki_agent.pki.settings import CrlSource, Settings

_OFFSET, _COUNTERS = 120, "QQII"
"""tcpi_bytes_acked, tcpi_bytes_received, tcpi_segs_out, tcpi_segs_in."""
_HEADERS = 20 + 32
_GOODBYE = 4
"""Segments that end a connection after it was looked at."""
_SEGMENT = 1448


@contextmanager
def counted(found: list[int]) -> Iterator[None]:
    """Append the octets on the wire of each connection to `found` when it is closed."""
    closed = vault._Connection.close
    opened = vault._Connection.connect

    def close(self: vault._Connection) -> None:
        if self.sock is not None:
            raw = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            sent, received, out, came = struct.unpack_from(_COUNTERS, raw, _OFFSET)
            found.append(sent + received + _HEADERS * (out + came + _GOODBYE))
        closed(self)

    def connect(self: vault._Connection) -> None:
        opened(self)
        # On the loopback a segment holds 64 KiB.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)

    with mock.patch.multiple(vault._Connection, close=close, connect=connect):
        yield


def settings(made: SetUpVault, folder: Path) -> Settings:
    """Return the settings of a gateway below `folder`, with the trust anchors that it was enrolled with."""
    issued = made.certificate("umeda-gw-b")
    generation = folder / "generations" / "1"
    generation.mkdir(parents=True)
    (generation / "chain.pem").write_text("".join(issued.chain[:-1]))
    (folder / "current").symlink_to("generations/1")
    (folder / "roots.pem").write_text(issued.chain[-1])
    (folder / "server.pem").write_text(made.running.server.ca_pem)
    server = made.running.server
    mounts = (made.trust.issuing_mount, made.trust.root_mount)
    return Settings("umeda-gw-b", ("x",), (), (), (), CrlSource(server.url, server.host, mounts, 60), folder)


def measured(made: SetUpVault, folder: Path, pulls: int = 3) -> list[int]:
    """Return the octets of some pulls of the daemon, after a first one that learned the CAs."""
    found: list[int] = []
    asked, bare = settings(made, folder), crl.Bare()
    with counted(found):
        for _ in range(pulls + 1):
            crl.pull(asked, bare)
    return found[1:]


def _run(running: RunningVault, folder: Path) -> list[int]:
    plan = build(load(Path(__file__).parents[1] / "inventories/lab"))
    with set_up_vault(running, plan, folder / "state") as made:
        return measured(made, folder / "pki")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "vault").mkdir()
        with unsealed_vault(root / "vault") as server_running:
            sys.stdout.write(f"octets on the wire, a pull: {_run(server_running, root)}\n")
