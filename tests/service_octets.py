"""What the service's programs say in TLS beside the tables' messages: `python tests/service_octets.py`.

Both ends of OpenADR and of MMS run on the loopback, a relay between them counts records. Their certificates
are signed by a root alone; in service a chain has two, some 700 octets more each time it is shown.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mms_loopback import Client, World
from openadr_loopback import Authority, Battery, Ven, Vtn
from tls_relay import relayed
from waiting import awaited

VEN = "kitakyushu-bems"
"""As long as names of controllers are."""
_OFFER = {"kind": "usage", "unit": "power:powerReal", "scale": "k"}
_REQUEST, _LAST = 2, 4
"""Records of a request of OpenADR, its head and its body; and exchanges after all has been registered."""
_ALERT = 24
"""What says goodbye, whole (RFC 8446 6.1)."""
_OF_CLIENT, _OF_SERVER, _TICKETS = 3, 5, 2
"""Encrypted records of a handshake in which both ends show a certificate (RFC 8446 4.3, 4.4, 4.6.1)."""


@dataclass(frozen=True)
class Measured:
    """Records of exchanges, the largest of each kind: up, then down; and all octets of a whole beginning."""

    poll: tuple[int, ...]
    report: tuple[int, ...]
    alive: tuple[int, ...]
    handshake: int
    association: int


def openadr(folder: Path) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Return a poll, a report and the octets of a TLS handshake."""
    authority = Authority(folder)
    vtn = Vtn(folder, authority, (VEN,))
    vtn.start()
    battery = Battery(folder / f"{VEN}-battery.sock")
    with relayed(vtn.port) as relay:
        ven = Ven(folder, authority.issue(f"{VEN}.example"), relay.port, VEN)
        config = json.loads(ven.config.read_text())
        config["offers"] = [{"r_id": name, **_OFFER} for name in ("power", "stored")]
        ven.config.write_text(json.dumps(config))
        ven.start()
        try:
            awaited("two reports were measured", lambda: battery.measured >= 6)
        finally:
            ven.end()
            vtn.end()
            battery.close()
    (passed,) = relay.passed
    up, down = passed.up.encrypted[_OF_CLIENT:], passed.down.encrypted[_OF_SERVER + _TICKETS :]
    exchanges = [
        (*up[_REQUEST * number : _REQUEST * (number + 1)], answer) for number, answer in enumerate(down)
    ]
    handshake = passed.up.octets + passed.down.octets - sum(up) - sum(down)
    return min(exchanges, key=sum), max(exchanges[-_LAST:], key=sum), handshake


def mms(folder: Path) -> tuple[tuple[int, ...], int]:
    """Return a read of one object, and the octets of an association with all of its reports."""
    world = World(folder)
    world.resource.start()
    world.server.start()
    with relayed(world.server.port) as relay:
        config = json.loads(world.client.config.read_text())
        config["sites"][0]["port"] = relay.port
        world.client.config.write_text(json.dumps(config))
        world.client.start()
        try:
            awaited("a report of each kind that is due at once came", lambda: _begun(world.client))
        finally:
            world.close()
    (passed, *_) = relay.passed
    # The association's own requests are the first two; reports are longer than answers to reads.
    requests, answers = passed.up.encrypted[_OF_CLIENT + 2 :], passed.down.encrypted[_OF_SERVER:]
    return (max(requests), min(one for one in answers if one > _ALERT)), passed.up.octets + passed.down.octets


def _begun(client: Client) -> bool:
    (found,) = client.ask("reports")
    return found["problem"] is None and all(one["times"] for one in found["reports"] if one["every_s"])


def measured(folder: Path) -> Measured:
    """Return all of it."""
    for name in ("openadr", "mms"):
        (folder / name).mkdir()
    poll, report, handshake = openadr(folder / "openadr")
    alive, association = mms(folder / "mms")
    return Measured(poll, report, alive, handshake, association)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(f"octets of TLS: {measured(Path(place))}\n")
