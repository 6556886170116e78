"""The wired LANs of the lab: what crosses them without protection is seen, on a planned port too."""

import pytest

from .mutants import Act, Bench, TrustMutant, chosen, try_trust_mutant

CONTROLLER = "umeda-bems"
LAN_OF_UMEDA = ("R-SEC-LAN/data", "live", "LAN of umeda")
_UNIT = "unprotected"
_PLAIN = """
import contextlib, socket, time
while True:
    with contextlib.suppress(OSError), socket.create_connection(("10.15.0.4", 8443), 2) as dras:
        dras.sendall(b"POST /OpenADR2/Simple/2.0b/OadrPoll HTTP/1.1\\r\\nHost: dras\\r\\n\\r\\n")
        dras.recv(100)
    time.sleep(1)
"""
_TELEGRAM = """
import socket, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as meter:
    while True:
        meter.sendto(b"P=4711 W", ("10.16.1.18", 2222))
        time.sleep(1)
"""


def runs(program: str) -> Act:
    """A program of nobody's plan speaks from the controller."""

    def act(bench: Bench) -> None:
        bench.call(CONTROLLER, ("systemd-run", "--quiet", f"--unit={_UNIT}", "--", "python3", "-c", program))

    return act


def is_gone(bench: Bench) -> None:
    bench.call(CONTROLLER, ("systemctl", "stop", _UNIT))


MUTANTS = (
    TrustMutant(
        "polls of OpenADR without TLS, at the port that has it",
        runs(_PLAIN),
        is_gone,
        ("lan",),
        {LAN_OF_UMEDA: "to 10.15.0.4:8443: no records of TLS"},
    ),
    TrustMutant(
        "telegrams of a meter in clear",
        runs(_TELEGRAM),
        is_gone,
        ("lan",),
        {LAN_OF_UMEDA: "to 10.16.1.18:2222"},
    ),
)


@pytest.mark.parametrize("mutant", chosen(MUTANTS, "trust"))
def test_a_mutant_flips_its_verdict_and_no_others(bench: Bench, mutant: TrustMutant) -> None:
    try_trust_mutant(bench, mutant)
