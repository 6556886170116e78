"""What chronyd says, as chrony 4.6.1 of Debian 13 printed it, and waiting for a clock that can be right."""

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from heiiki_agent import clock
from heiiki_agent.errors import AgentError

SYNCHRONISED = {
    "tracking": "7F000001,127.0.0.1,9,1795956719.185038401,-0.000001733,0.000000201,0.000000201,-0.037,0.000,"
    "1.309,0.000006552,0.000002238,2.0,Normal\n",
    "authdata": "127.0.0.1,SK,272,14,256,4294967295,0,0,0,0\n127.0.0.2,-,0,0,0,4294967295,0,0,0,0\n",
    "sources": "^,*,127.0.0.1,8,6,17,1,0.000000074,0.000000275,0.000003312\n"
    "^,?,127.0.0.2,0,6,16,4294967295,0.000000000,0.000000000,0.000000000\n",
}
NOT_YET = "00000000,,0,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


@pytest.fixture
def chronyc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a `chronyc` first that prints a file named after what it is asked."""
    program = tmp_path / "chronyc"
    program.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "-n -c" ] || exit 9\n'
        f'[ "$3" = burst ] && {{ echo "$4" >> {tmp_path}/bursts; exit; }}\nexec cat {tmp_path}/"$3"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    for name, text in SYNCHRONISED.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.usefixtures("chronyc")
def test_what_chronyd_says() -> None:
    assert asdict(clock.status()) == {
        "synchronised": True,
        "offset_s": -0.000001733,
        "error_s": pytest.approx(0.000006552 / 2 + 0.000002238),
        "stratum": 9,
        "source": "127.0.0.1",
        "sources": (
            {"address": "127.0.0.1", "key": 272, "state": "*", "answered": True},
            {"address": "127.0.0.2", "key": 0, "state": "?", "answered": False},
        ),
    }


def test_a_clock_that_was_not_set(chronyc: Path) -> None:
    (chronyc / "tracking").write_text(NOT_YET)
    found = clock.status()
    assert (found.synchronised, found.source) == (False, None)


@pytest.mark.parametrize("said", ["", "1,2,3\n", NOT_YET * 2, "a" + "," * 13])
def test_an_answer_that_is_none(chronyc: Path, said: str) -> None:
    (chronyc / "tracking").write_text(said)
    with pytest.raises(AgentError, match="chronyc"):
        clock.status()


def test_a_daemon_that_does_not_answer(chronyc: Path) -> None:
    (chronyc / "tracking").unlink()
    with pytest.raises(AgentError, match=r"chronyd does not answer: .*tracking"):
        clock.status()


def certificate(folder: Path) -> Path:
    """Make a certificate that is good for ten days around `NOW`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "device")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=5))
        .not_valid_after(NOW + timedelta(days=5))
        .sign(key, hashes.SHA256())
    )
    path = folder / "device.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_time_outside_of_the_own_certificate_cannot_be_right(tmp_path: Path) -> None:
    own = certificate(tmp_path)
    assert clock.doubt(own, NOW) == ""
    assert clock.doubt(own, datetime(1970, 1, 1, tzinfo=UTC)) == (
        "the clock says 1970-01-01 00:00:00 UTC, and the own certificate begins at 2026-11-24 12:00:00 UTC"
    )
    assert "ended at 2026-12-04" in clock.doubt(own, NOW + timedelta(days=6))


def test_without_a_certificate_nothing_speaks_against_any_time(tmp_path: Path) -> None:
    assert clock.doubt(tmp_path / "none.pem", datetime(1970, 1, 1, tzinfo=UTC)) == ""
    (tmp_path / "bad.pem").write_text("no certificate")
    assert clock.doubt(tmp_path / "bad.pem", NOW) == ""


def test_a_clock_that_can_be_right_is_not_waited_for() -> None:
    said: list[str] = []
    assert clock.wait(60, lambda: "", lambda: pytest.fail("chronyd is not asked"), said.append)
    assert said == []


def test_a_clock_of_1970_is_waited_for_until_a_server_is_heard() -> None:
    said: list[str] = []
    doubts, heard = iter(["it says 1970", ""]), iter([False, True])
    assert clock.wait(60, lambda: next(doubts), lambda: next(heard), said.append)
    assert said[0] == "it says 1970: waiting for a time server, 60 s at most"
    assert said[1].startswith("the clock was set after ")
    assert said[1].endswith(" s; it can be right")


def test_the_wait_ends_and_says_so() -> None:
    said: list[str] = []
    assert not clock.wait(0, lambda: "it says 1970", lambda: False, said.append)
    assert said[-1] == "no time server was heard in 0 s: going on, though it says 1970"


@pytest.mark.parametrize(("action", "bursts"), [("status", 0), ("ask", 1)])
def test_from_the_command_line(chronyc: Path, action: str, bursts: int) -> None:
    command = [sys.executable, "-m", "heiiki_agent", "clock", action]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["stratum"] == 9
    asked = chronyc / "bursts"
    assert (asked.read_text().split() if asked.exists() else []) == ["4/8"] * bursts
