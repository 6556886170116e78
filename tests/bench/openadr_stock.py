"""Stock openleadr as the VTN of the bench: `PORT CERTIFICATE KEY CA VENS`.

A line on stdin sends every VEN an event.
"""

import asyncio
import datetime as dt
import sys
import warnings
from typing import Any

import openleadr


async def main() -> None:
    """Serve; say `serving`, and `done` when every VEN has answered the event."""
    port, certificate, key, trust, vens = sys.argv[1:]
    names = [f"ven-{number}" for number in range(int(vens))]
    answered: set[str] = set()
    server = openleadr.OpenADRServer(
        vtn_id="STOCK",
        http_port=int(port),
        http_host="127.0.0.1",
        http_cert=certificate,
        http_key=key,
        http_ca_file=trust,
        show_fingerprint=False,
        show_server_cert_domain=False,
        verify_message_signatures=False,
    )

    async def registered(registration: dict[str, Any]) -> tuple[str, str]:
        return registration["ven_name"], f"registration of {registration['ven_name']}"

    async def opted(ven_id: str, event_id: str, opt_type: str) -> None:
        assert event_id
        assert opt_type == "optIn"
        answered.add(ven_id)
        if len(answered) == len(names):
            say("done")

    server.add_handler("on_create_party_registration", registered)
    await server.run()
    say("serving")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    start = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    for name in names:
        server.add_event(
            ven_id=name,
            signal_name="LOAD_DISPATCH",
            signal_type="setpoint",
            intervals=[{"dtstart": start, "duration": dt.timedelta(hours=1), "signal_payload": -5.0}],
            callback=opted,
        )
    await asyncio.Event().wait()


def say(word: str) -> None:
    """Tell the bench."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asyncio.run(main())
