"""Stock openleadr as the other end, in a process of its own: `ven|vtn|crowd PORT CERTIFICATE KEY CA [MORE]`.

A ven and a vtn sign, and verify, where they are given the fingerprint of the peer's certificate. A crowd is
given a number of VENs.

What it sees it prints, one JSON object a line. `crowd` is the VTN of the bench: a line on standard input has
it send every VEN an event.
"""

import asyncio
import datetime as dt
import json
import ssl
import sys
import warnings
from typing import Any

import openleadr


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def ven(port: int, certificate: str, key: str, trust: str, fingerprint: str = "") -> None:
    """Register, offer a report, opt in to everything."""
    client = openleadr.OpenADRClient(
        ven_name="stock",
        vtn_url=f"https://127.0.0.1:{port}/OpenADR2/Simple/2.0b",
        cert=certificate,
        key=key,
        ca_file=trust,
        disable_signature=not fingerprint,
        vtn_fingerprint=fingerprint or None,
        check_hostname=False,
        show_fingerprint=False,
        allow_jitter=False,
    )

    async def on_event(event: dict[str, Any]) -> str:
        descriptor = event["event_descriptor"]
        step = event["event_signals"][0]["intervals"][0]
        say(
            event=descriptor["event_id"],
            modification=descriptor["modification_number"],
            status=descriptor["event_status"],
            value=step["signal_payload"],
        )
        return "optIn"

    async def measure() -> float:
        return 3.5

    client.add_handler("on_event", on_event)
    client.add_handler("on_update_event", on_event)
    client.add_report(
        callback=measure,
        resource_id="battery",
        measurement="power_real",
        sampling_rate=dt.timedelta(seconds=1),
    )
    await client.run()
    say(ven_id=client.ven_id)


async def vtn(port: int, certificate: str, key: str, trust: str, fingerprint: str = "") -> None:
    """Register who comes, ask for its reports, and send it one event."""
    signed = {
        "verify_message_signatures": True,
        "fingerprint_lookup": lambda _: fingerprint,
        "cert": certificate,
        "key": key,
    }
    every = dt.timedelta(seconds=1)
    server = made(port, certificate, key, trust, requested_poll_freq=every, **(signed if fingerprint else {}))

    async def registered(registration: dict[str, Any]) -> tuple[str, str]:
        say(ven_name=registration["ven_name"])
        return "ven-1", "registration-1"

    async def offered(
        ven_id: str,
        resource_id: str,
        measurement: str,
        unit: str,
        scale: str,
        min_sampling_interval: dt.timedelta | None,
        max_sampling_interval: dt.timedelta | None,
    ) -> tuple[Any, dt.timedelta]:
        say(offered=measurement, unit=unit, scale=scale, ven_id=ven_id)

        async def came(data: list[tuple[dt.datetime, float]]) -> None:
            say(values=[value for _, value in data])

        return came, dt.timedelta(seconds=1)

    async def answered(ven_id: str, event_id: str, opt_type: str) -> None:
        say(ven_id=ven_id, event=event_id, opt=opt_type)

    server.add_handler("on_create_party_registration", registered)
    server.add_handler("on_register_report", offered)
    send(server, "ven-1", answered, event_id="e-1")
    await server.run()


async def crowd(port: int, certificate: str, key: str, trust: str, vens: str) -> None:
    """Serve; say `serving`, and `done` when every VEN has answered the event."""
    names = [f"ven-{number}" for number in range(int(vens))]
    agreed: set[str] = set()
    server = made(port, certificate, key, trust)

    async def registered(registration: dict[str, Any]) -> tuple[str, str]:
        return registration["ven_name"], f"registration of {registration['ven_name']}"

    async def answered(ven_id: str, event_id: str, opt_type: str) -> None:
        assert event_id
        assert opt_type == "optIn"
        agreed.add(ven_id)
        if len(agreed) == len(names):
            say(crowd="done")

    server.add_handler("on_create_party_registration", registered)
    await server.run()
    say(crowd="serving")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    for name in names:
        send(server, name, answered)


def made(port: int, shown: str, private: str, trust: str, **more: Any) -> Any:
    """Return a VTN that is not started yet."""
    return openleadr.OpenADRServer(
        vtn_id="STOCK",
        http_port=port,
        http_host="127.0.0.1",
        http_cert=shown,
        http_key=private,
        http_ca_file=trust,
        show_fingerprint=False,
        show_server_cert_domain=False,
        **({"verify_message_signatures": False} | more),
    )


def send(server: Any, ven_id: str, answered: Any, **more: Any) -> None:
    """Send a VEN an event of one hour, an hour from now."""
    start = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    server.add_event(
        ven_id=ven_id,
        signal_name="LOAD_DISPATCH",
        signal_type="setpoint",
        intervals=[{"dtstart": start, "duration": dt.timedelta(hours=1), "signal_payload": -5.0}],
        callback=answered,
        **more,
    )


async def main() -> None:
    role, port, *rest = sys.argv[1:]
    await {"ven": ven, "vtn": vtn, "crowd": crowd}[role](int(port), *rest)
    await asyncio.Event().wait()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    assert ssl.HAS_TLSv1_2
    asyncio.run(main())
