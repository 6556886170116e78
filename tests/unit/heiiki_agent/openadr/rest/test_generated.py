"""Requests that schemathesis makes of the description, good and bad ones, to the program on loopback.

It holds each answer against the description, uses what one answer gives in the next request, and sends the
same each time. `make long` has it send many more.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from openadr_loopback import Authority, Program, Vtn
from rest_loopback import Esp, rest

from heiiki_agent.openadr.rest import description

HOOKS = Path(__file__).parents[4] / "rest_hooks.py"
TOOL = Path(sys.executable).with_name("schemathesis")


@pytest.mark.parametrize("examples", [10, pytest.param(500, marks=pytest.mark.long)])
def test_every_answer_is_as_described(
    tmp_path: Path, authority: Authority, running: list[Program], examples: int
) -> None:
    own = authority.issue("esp-kansai.example")
    vtn = Vtn(tmp_path, authority, ("umeda", "tenma"), rest(live_events=1000))
    running.append(vtn)
    vtn.start()
    sent = Esp(vtn.rest_port, own, own).send("order-0001", "umeda")
    assert sent.document["event_id"]
    file = tmp_path / "openapi.json"
    file.write_text(description.text())
    options = {
        "url": f"https://127.0.0.1:{vtn.rest_port}",
        "request-cert": own.certificate,
        "request-cert-key": own.key,
        # The name in the server's certificate is not that of the loopback; TLS is tried elsewhere.
        "tls-verify": "false",
        "max-examples": examples,
        "exclude-checks": "positive_data_acceptance",
    }
    told = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [str(TOOL), "run", str(file), "--generation-deterministic", "--no-color", *told],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 selected / 7 total" in done.stdout
    assert vtn.end() == 0
    assert "Traceback" not in vtn.log.read_text()
