"""Secrets stand where they are meant to, and nowhere else: after everything that the tests did on the lab.

The lab's own secrets are the canaries. They are looked for in what a full run prints at -vvv with --diff, in
every file that it leaves on the controller and on every node, and in what all processes showed of themselves
during it. Whatever has the shape of a token or of a private key counts too, no matter what made it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import canaries
import pytest
from canaries import Finding, Needle, Place
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from heiiki_agent import frr

from .conftest import Provisioned, guest_client

MEANT = (
    Place(
        "controller/services/*/secrets/*",
        "the controller's own secrets (D10): SIM keys, unseal keys, log-ins",
    ),
    Place(
        "controller/services/*/run/*.json",
        "the log-in that the processes of one run share; the next run removes it",
    ),
    Place("*:/etc/heiiki/pki/generations/*/key.pem", "a device's own key"),
    Place("*:/etc/heiiki/pki/openadr/key.pem", "a copy for the account of the host's own service", 0o440),
    Place("namba-*:/etc/heiiki/pki/lan/key.pem", "a copy for the daemon of a wireless LAN", 0o440),
    Place("*:/etc/heiiki/pki/mms/key.pem", "a copy for the account of the host's own service", 0o440),
    Place("xmpp:/etc/heiiki/pki/xmpp/key.pem", "a copy for the account of the host's own service", 0o440),
    Place("*:/etc/heiiki/pki/radius/key.pem", "a copy for the account of the host's own service", 0o440),
    Place("*:/etc/heiiki/radius/*", "what a RADIUS server or proxy knows others by, for its account alone"),
    Place("*:/etc/heiiki/pppoe/*", "a router's own password on an optical line; a PE's secret for its proxy"),
    Place("vault:/*/key.pem", "the Vault server's own key for TLS"),
    Place("b-hss:/etc/heiiki/subscribers.json", "what the home subscriber server authenticates by"),
    Place("*:/etc/heiiki-sim/*.json", "the SIM card itself, which the lab has as a file"),
    Place("*:/etc/frr/frr.conf", "the keys of a router's own sessions, which FRRouting reads there", 0o640),
    Place("*:/etc/chrony/chrony.keys", "a device's key of NTP; the time servers have all of them"),
    Place("*:/var/lib/frr/commit-*.json", "the last configurations, which FRRouting keeps of itself", 0o640),
)

_COLLECT = """
import json, os, sys
def nodes():
    seen = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            seen.setdefault(os.readlink(f"/proc/{pid}/ns/mnt"), pid)
        except OSError:
            continue
    for pid in seen.values():
        try:
            yield open(f"/proc/{pid}/root/etc/hostname").read().strip(), pid
        except OSError:
            continue
def files():
    for node, pid in nodes():
        upper = f"/run/heiiki/nodes/{node}/upper"
        if not os.path.isdir(upper):
            continue  # the guest itself
        for top in (upper, *(f"/proc/{pid}/root/{name}" for name in ("run", "tmp", "dev/shm"))):
            prefix = upper if top == upper else f"/proc/{pid}/root"
            for folder, _, names in os.walk(top):
                for name in names:
                    path = os.path.join(folder, name)
                    if os.path.isfile(path) and not os.path.islink(path):
                        yield node + ":" + path[len(prefix):], path
"""
"""The beginning of a program for the guest, which sees what each node wrote, and what it has in RAM."""


def guest_program(lab: Provisioned, rest: str, *, stdin: bytes = b"", timeout: float = 300) -> bytes:
    done = guest_client(lab.state).python(_COLLECT + rest, stdin=stdin, timeout=timeout)
    assert done.rc == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def keys(lab: Provisioned) -> dict[str, str]:
    """Every private key of every node, by its place."""
    found = guest_program(
        lab,
        "found = [(place, path) for place, path in files() if place.endswith('key.pem')]\n"
        "print(json.dumps({place: open(path).read() for place, path in found}))",
    )
    documents: dict[str, str] = json.loads(found)
    return documents


@pytest.fixture(scope="module")
def clocks(lab: Provisioned) -> dict[str, str]:
    """The keys of NTP of every device, by the place of their file."""
    return _files(lab, ":/etc/chrony/chrony.keys")


@pytest.fixture(scope="module")
def routing(lab: Provisioned) -> dict[str, str]:
    """FRRouting's file of every router, by its place."""
    return _files(lab, ":/etc/frr/frr.conf")


@pytest.fixture(scope="module")
def optical(lab: Provisioned) -> dict[str, str]:
    """What RADIUS servers and proxies are configured with, by the place of each file."""
    return {**_files(lab, ":/etc/heiiki/radius/radiusd.conf"), **_files(lab, ":/etc/heiiki/radius/users")}


def _files(lab: Provisioned, ending: str) -> dict[str, str]:
    found = guest_program(
        lab,
        f"found = [(place, path) for place, path in files() if place.endswith({ending!r})]\n"
        "print(json.dumps({place: open(path).read() for place, path in found}))",
    )
    documents: dict[str, str] = json.loads(found)
    return documents


@pytest.fixture(scope="module")
def needles(
    lab: Provisioned,
    keys: dict[str, str],
    routing: dict[str, str],
    clocks: dict[str, str],
    optical: dict[str, str],
) -> tuple[Needle, ...]:
    kept = _kept(lab.state / "services/lab/secrets")
    return (*kept, *_private(keys), *_routing(routing), *_clocks(clocks), *_optical(optical))


def _optical(files: dict[str, str]) -> Iterator[Needle]:
    for place, text in files.items():
        passwords = re.findall(r'Cleartext-Password := "([^"]+)"', text)
        # The secret of RadSec is no secret: RFC 6614 has it say `radsec`.
        secrets = {one for one in re.findall(r"^\s*secret = (\S+)$", text, re.MULTILINE) if one != "radsec"}
        for number, value in enumerate((*passwords, *sorted(secrets))):
            yield canaries.of_text(f"optical {place} {number}", value)


def _clocks(files: dict[str, str]) -> Iterator[Needle]:
    for place, text in files.items():
        for number, key in re.findall(r"^(\d+) AES256 HEX:(\S+)$", text, re.MULTILINE):
            yield canaries.of_text(f"time {place} {number}", key)


def _routing(files: dict[str, str]) -> Iterator[Needle]:
    for place, text in files.items():
        for line, key in frr.keys(text).items():
            yield canaries.of_text(f"routing {place} {' / '.join(line)}", key)


def _kept(folder: Path) -> Iterator[Needle]:
    for path in sorted(folder.rglob("*.json")):
        for field, value in json.loads(path.read_text(encoding="utf-8")).items():
            if field in {"k", "opc", "secret_id"} or field.startswith("key-"):
                yield canaries.of_text(f"{path.relative_to(folder)} {field}", value)


def _private(keys: dict[str, str]) -> Iterator[Needle]:
    for place, pem in keys.items():
        key = load_pem_private_key(pem.encode(), None)
        if isinstance(
            key, ec.EllipticCurvePrivateKey
        ):  # the lab's mobile core has some of RSA; by their shape
            scalar = key.private_numbers().private_value.to_bytes(32, "big")
            yield canaries.of_key(f"key of {place}", pem, scalar)


def test_there_are_canaries_of_every_kind(needles: tuple[Needle, ...]) -> None:
    names = " ".join(needle.name for needle in needles)
    for part in (
        "sim/",
        " k",
        " opc",
        "approle/",
        "secret_id",
        "init.json key-1",
        "key of hub-ce-a:",
        "a-p1:/etc/frr",
        "umeda-bems:/etc/chrony",
        "optical radius:/etc/heiiki/radius/users",
        "optical a-pe2:/etc/heiiki/radius/radiusd.conf",
    ):
        assert part in names


def test_what_a_run_prints_at_vvv_with_diff_holds_none(lab: Provisioned, needles: tuple[Needle, ...]) -> None:
    assert "PLAY RECAP" in lab.said
    assert "TASK PATH" in lab.said.upper()  # -vvv
    assert list(canaries.found(needles, lab.said.encode())) == []


@pytest.mark.parametrize("place", ["machine", "guest"])
def test_no_process_shows_one(lab: Provisioned, needles: tuple[Needle, ...], place: str) -> None:
    seen = lab.processes[place]
    assert {"machine": b"ansible-playbook", "guest": b"vtysh"}[place] in seen
    assert list(canaries.found(needles, seen)) == []


def test_no_file_of_the_controller_holds_one(lab: Provisioned, needles: tuple[Needle, ...]) -> None:
    findings = [
        finding
        for folder, name in (
            (lab.state, "controller"),
            (lab.root / "artifacts" / "molecule", "artifacts"),
            (lab.root / ".ansible", "ansible"),
        )
        for finding in canaries.in_folder(needles, folder, name)
    ]
    assert canaries.leaks(findings, MEANT) == []
    assert any(finding.place.startswith("controller/services/lab/secrets/sim") for finding in findings)


@pytest.mark.long
def test_no_file_of_a_node_holds_one(lab: Provisioned, needles: tuple[Needle, ...]) -> None:
    search = Path(canaries.__file__).read_text(encoding="utf-8")
    asked = json.dumps([[needle.name, [form.hex() for form in needle.forms]] for needle in needles])
    said = guest_program(
        lab,
        search
        + """
needles = [Needle(name, tuple(map(bytes.fromhex, forms))) for name, forms in json.load(sys.stdin)]
for place, path in files():
    try:
        hay, mode = open(path, "rb").read(), os.stat(path).st_mode & 0o777
    except OSError:
        continue
    for what in found(needles, hay):
        print(json.dumps([place, what, mode]))
""",
        stdin=asked.encode(),
    )
    findings = [Finding(*json.loads(line)) for line in said.splitlines()]
    assert canaries.leaks(findings, MEANT) == []
    # It does find what is where it should be.
    assert any(one.what.startswith("key of hub-ce-a:") for one in findings)
    assert any(one.place == "b-hss:/etc/heiiki/subscribers.json" for one in findings)
    assert any(one.place == "a-p1:/etc/frr/frr.conf" for one in findings)
