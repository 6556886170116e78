"""What the service's programs say in TLS, the tables' messages and others: `python tests/service_octets.py`.

Both ends of OpenADR and of MMS run on the loopback, a relay between them counts records. Their certificates
are signed by a root alone; in service a chain has two, some 700 octets more each time it is shown.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mms_loopback import Client, World
from openadr_loopback import Authority, Battery, Ven, Vtn, event
from tls_relay import Passed, relayed
from waiting import awaited

from heiiki.design.volume import ALARM, CONTROL, MEASUREMENT, OPT, REQUEST, RESULT, RUNNING, SCHEDULE

VEN = "kitakyushu-bems"
"""As long as names of controllers are."""
_OFFER = {"kind": "usage", "unit": "power:powerReal", "scale": "k"}
_REQUEST, _LAST = 2, 4
"""Records of a request of OpenADR, its head and its body; and exchanges after all has been registered."""
_LONGEST_ID, _ORDERS = 64, 2
_PATIENCE = {"valid_s": 20.0, "wait_s": 15.0}
_EVENT = "verify-20261130T194500Z-messages"
_ALERT = 24
"""What says goodbye, whole (RFC 8446 6.1)."""
_OF_CLIENT, _OF_SERVER, _TICKETS = 3, 5, 2
"""Encrypted records of a handshake in which both ends show a certificate (RFC 8446 4.3, 4.4, 4.6.1)."""


@dataclass(frozen=True)
class Measured:
    """Records of exchanges, the largest of each kind: up, then down; and all octets of a whole beginning.

    Attributes:
        sent: records of each message of the tables, by its name; orders have the longest one.
    """

    poll: tuple[int, ...]
    report: tuple[int, ...]
    alive: tuple[int, ...]
    handshake: int
    association: int
    sent: Mapping[str, tuple[int, ...]]


Sent = dict[str, tuple[int, ...]]


def openadr(folder: Path) -> tuple[tuple[int, ...], tuple[int, ...], int, Sent]:
    """Return a poll, a report, the octets of a TLS handshake and the messages of table 5.5."""
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
            status, text = vtn.operate("POST", "/DRAS/events", event(_EVENT, VEN))
            assert status < 300, text
            awaited("the event was answered", lambda: vtn.show(_EVENT)[VEN][1])
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
    asked = max(range(len(exchanges)), key=lambda at: exchanges[at][-1])
    sent = {REQUEST: exchanges[asked][_REQUEST:], OPT: exchanges[asked + 1][:_REQUEST]}
    report = max(exchanges[:asked][-_LAST:], key=sum)
    sent[RESULT] = report[:_REQUEST]
    return min(exchanges, key=sum), report, handshake, sent


def mms(folder: Path) -> tuple[tuple[int, ...], int, Sent]:
    """Return a read of one object, the octets of an association with reports, and the tables' messages."""
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
            passed, begun = relay.passed[0], len(relay.passed[0].down.records)
            association = passed.up.octets + passed.down.octets
            # The association's own requests are the first two; reports are longer than answers to reads.
            requests, answers = passed.up.encrypted[_OF_CLIENT + 2 :], passed.down.encrypted[_OF_SERVER:]
            _order(world.client)
            awaited("both events came", lambda: len(world.client.reports()["event"]) == _ORDERS)
            awaited("a measurement came after", lambda: len(passed.down.records) > begun + _ORDERS)
        finally:
            world.close()
    reported = [size for _, size in passed.down.records[begun:] if size > _ALERT]
    orders = (_orders(one) for one in relay.passed[1 : 1 + _ORDERS])
    sent = {
        MEASUREMENT: (min(reported),),
        ALARM: (max(reported),),
        RUNNING: (max(answers),),
        **dict(zip((CONTROL, SCHEDULE), orders, strict=True)),
    }
    return (max(requests), min(one for one in answers if one > _ALERT)), association, sent


def _order(client: Client) -> None:
    """Order a power and a schedule, whose names are as long as names of orders may be."""
    start = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    schedule = {"start": start, "interval_s": 1, "powers_w": [1000.0]}
    for kind, order in (("set", {"power_w": 1000.0}), ("schedule", schedule)):
        name = f"{kind}-".ljust(_LONGEST_ID, "x")
        (entry,) = client.ask("order", kind=kind, order={"order_id": name, **order}, **_PATIENCE)
        assert entry["state"] == "done", entry


def _orders(passed: Passed) -> tuple[int, ...]:
    """Return the records of an order: what its session has between its association and its end."""
    return tuple(size for size in passed.up.encrypted[_OF_CLIENT + 2 :] if size > _ALERT)


def _begun(client: Client) -> bool:
    (found,) = client.ask("reports")
    return found["problem"] is None and all(one["times"] for one in found["reports"] if one["every_s"])


def measured(folder: Path) -> Measured:
    """Return all of it."""
    for name in ("openadr", "mms"):
        (folder / name).mkdir()
    poll, report, handshake, of_events = openadr(folder / "openadr")
    alive, association, of_control = mms(folder / "mms")
    return Measured(poll, report, alive, handshake, association, of_events | of_control)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(f"octets of TLS: {measured(Path(place))}\n")
