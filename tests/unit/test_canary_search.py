"""The search for secrets finds what was planted, in every form, and is quiet about what is meant to be."""

import base64
import json
import math
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote

import canaries
import process_sampler
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from waiting import awaited

KEY = "00112233445566778899aabbccddeeff"
SECRET = "p+1/ä\"quoted\" and 'long enough'"  # noqa: S105
SCALAR = bytes(range(7, 39))
NEEDLES = (
    canaries.of_text("K", KEY),
    canaries.of_text("secret_id", SECRET),
    canaries.of_octets("scalar", SCALAR),
)
# Put together here: no file of the repository holds what looks like a secret.
TOKEN = f"s.{'aB3' * 8}"
BEGIN = "-----BEGIN PRIVATE" + " KEY-----"
PEM = f"{BEGIN}\nMIGHAgEAMBMGByqGSM49AgEG\n"


def planted(text: bytes) -> list[str]:
    return list(canaries.found(NEEDLES, b"x" * 50 + text + b"y" * 50))


@pytest.mark.parametrize(
    "text",
    [
        KEY.encode(),
        bytes.fromhex(KEY),
        KEY.upper().encode(),
        base64.b64encode(KEY.encode()),
        base64.b64encode(bytes.fromhex(KEY)),
    ],
)
def test_a_key_is_found_in_every_form(text: bytes) -> None:
    assert planted(text) == ["K"]


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_secret_inside_something_encoded_is_found(before: str, encode: object) -> None:
    inside = f"{before}{SECRET}{before}".encode()
    assert planted(encode(inside)) == ["secret_id"]  # type: ignore[operator]
    assert planted(encode(before.encode() + SCALAR + before.encode())) == ["scalar"]  # type: ignore[operator]


@pytest.mark.parametrize("text", [SECRET, json.dumps(SECRET), quote(SECRET)])
def test_a_text_is_found_as_it_is_written(text: str) -> None:
    assert planted(text.encode()) == ["secret_id"]


@pytest.mark.parametrize("text", [SCALAR, SCALAR.hex().encode(), SCALAR.hex(":").encode()])
def test_a_scalar_is_found(text: bytes) -> None:
    assert planted(text) == ["scalar"]


def test_a_key_is_found_in_its_file_as_a_known_one() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        pem = key.private_bytes(Encoding.PEM, form, NoEncryption())
        needle = canaries.of_key("key", pem.decode(), scalar)
        assert list(canaries.found([needle], b"x" + pem.splitlines()[1] + b"x")) == ["key"]
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert list(canaries.found([needle], public)) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f'"token": "{TOKEN}"', ["a token"]),
        (f"hv{TOKEN}", ["a token"]),
        (PEM, ["a private key"]),
        (json.dumps(PEM), ["a private key"]),
        (json.dumps(json.dumps(PEM)), ["a private key"]),
        ("s.averyveryveryverylongname", []),
        (f"class.{TOKEN}", []),
        (f"{BEGIN} is how it begins", []),
        (KEY[:-2], []),
    ],
)
def test_what_has_the_shape_of_a_secret_is_found_and_nothing_else(text: str, what: list[str]) -> None:
    assert list(canaries.found(NEEDLES, text.encode())) == what


def test_a_planted_canary_in_a_log_is_a_leak_and_its_own_place_is_not(tmp_path: Path) -> None:
    own = tmp_path / "secrets" / "sim.json"
    own.parent.mkdir()
    own.write_text(KEY)
    own.chmod(0o600)
    log = tmp_path / "run.log"
    log.write_text(f"changed: [b-hss] => k: {KEY}\n")
    log.chmod(0o644)
    meant = (canaries.Place("state/secrets/*", "the controller's own"),)
    assert canaries.leaks(canaries.in_folder(NEEDLES, tmp_path, "state"), meant) == [
        "state/run.log (mode 644): K"
    ]
    own.chmod(0o640)
    assert "state/secrets/sim.json (mode 640): K" in canaries.leaks(
        canaries.in_folder(NEEDLES, tmp_path, "state"), meant
    )


class Looks:
    """Stands for the file that ends the sampler: it is there after so many looks."""

    def __init__(self) -> None:
        self.count = 0
        self.last: float = math.inf

    def exists(self) -> bool:
        self.count += 1
        return self.count > self.last


def test_a_secret_on_a_command_line_or_in_an_environment_is_seen(tmp_path: Path) -> None:
    looks, result = Looks(), tmp_path / "result"
    sampler = threading.Thread(target=process_sampler.main, args=(looks, result, 0.005))
    sampler.start()
    wait = "import time; time.sleep(3600)"
    shown = [
        subprocess.Popen([sys.executable, "-c", wait, KEY]),
        subprocess.Popen([sys.executable, "-c", wait], env={"SECRET": SECRET}),
    ]
    try:
        for one in shown:
            awaited(
                "the program runs",
                lambda pid=one.pid: wait.encode() in Path(f"/proc/{pid}/cmdline").read_bytes(),
            )
    finally:
        # On a busy machine both looks at a new process may come too soon: then the look at all finds it.
        looks.last = looks.count + process_sampler.ALL_EVERY + 1
        sampler.join()
        for one in shown:
            one.kill()
            one.wait()
    assert result.stat().st_mode & 0o777 == 0o600
    assert {"K", "secret_id"} <= set(canaries.found(NEEDLES, result.read_bytes()))
