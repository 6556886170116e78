"""credentials.py: names, orders and answers, wrong ones too; killed at every step; CRLs; the daemon."""

import errno
import getpass
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from fake_vault import HOST, Authority, FakeVault, fake_vault
from vault_server import RunningVault

from heiiki_agent import credentials
from heiiki_agent.credentials import (
    Certificate,
    Config,
    CredentialError,
    Request,
    ServerError,
    Store,
    install,
    parse,
    parse_anchors,
    parse_order,
    pull,
    read,
    request,
    rollback,
    status,
)

PROGRAM = (sys.executable, "-m", "heiiki_agent", "credentials")
WRAPPED, INNER = "wrapped-canary-7f3a", "inner-canary-9c1d"
NAMES = {
    "dns": ["gw.lab.internal"],
    "addresses": ["10.0.0.1"],
    "uris": ["urn:heiiki:lab:gw"],
    "jids": ["gw@lab.internal"],
}
NOT_TLS = "must be https://HOST:PORT without a path: Vault is spoken to in TLS only"
GOOD: dict[str, Any] = {"device": "gw", **NAMES}


class Device:
    """A device in a folder, and the server that it asks."""

    def __init__(self, folder: Path, fake: FakeVault) -> None:
        self.folder, self.fake = folder, fake
        self.file = folder / "credentials.json"
        self.told = folder / "told"
        self.document: dict[str, Any] = {
            **GOOD,
            "folder": str(folder / "pki"),
            "owner": getpass.getuser(),
            "links": {str(folder / "swanctl/private/device.pem"): "key.pem"},
            "ca_folder": str(folder / "swanctl/x509ca"),
            "crl_folder": str(folder / "swanctl/x509crl"),
            "users": [["sh", "-c", f"echo told >> {self.told}"]],
            "revocation": {
                "url": fake.url,
                "host": HOST,
                "mounts": ["pki-issuing", "pki-root"],
                "every_s": 1,
            },
        }
        self.configure()

    def configure(self, **more: Any) -> None:
        self.document |= more
        self.file.write_text(json.dumps(self.document), encoding="utf-8")

    @property
    def config(self) -> Config:
        return read(self.file)

    @property
    def store(self) -> Store:
        return Store(self.config.folder)

    def order(self, generation: int, **more: Any) -> str:
        order = {
            "token": WRAPPED,
            "url": self.fake.url,
            "host": HOST,
            "path": "pki-issuing/sign/gateway",
            "parameters": {"common_name": "gw.lab.internal"},
            "names": NAMES,
            "generation": generation,
            "anchors": [self.fake.root.pem],
            "server_anchors": [],
        }
        return json.dumps(order | more)

    def enrol(self, **more: Any) -> int:
        generation: int = request(self.config)["generation"]
        install(self.config, parse_order(self.order(generation, **more)))
        return generation

    def told_times(self) -> int:
        return len(self.told.read_text().splitlines()) if self.told.exists() else 0

    def publish_crls(self, number: int, *serials: int) -> None:
        self.fake.crls = {
            "pki-issuing": {"i": (self.fake.issuing, self.fake.issuing.crl(number, serials))},
            "pki-root": {"r": (self.fake.root, self.fake.root.crl(1))},
        }

    def run(self, command: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*PROGRAM, "--config", str(self.file), command],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with fake_vault(tmp_path, NAMES) as fake:
        yield Device(tmp_path, fake)


def sound(store: Store) -> bool:
    """Whether what is in use is whole and fits together; an empty store is."""
    current = store.current()
    if current is None:
        return not (store.folder / "current").exists()
    folder = store.folder / "current"
    leaf, chain = store.certificates("current/certificate.pem"), store.certificates("current/chain.pem")
    mode = stat.S_IMODE((folder / "key.pem").stat().st_mode)
    roots = [item.pem for item in store.certificates("roots.pem")]
    return (
        mode == 0o600
        and leaf[0].spki == credentials.public_key(folder / "key.pem")
        and not credentials.verify_chain(leaf[0].pem, [item.pem for item in chain], roots)
    )


# --- what is read


def test_configuration_is_read() -> None:
    config = parse(json.dumps(GOOD), "F")
    assert config.names.document() == NAMES
    assert config.folder == Path("/etc/heiiki/pki")
    assert config.revocation is None


def test_every_mistake_of_the_configuration_is_named_at_once() -> None:
    wrong = {
        "dns": [],
        "addresses": ["10.0.0.300"],
        "uris": ["urn:heiiki:lab:gw,DNS:other"],
        "jids": ["two@at@signs"],
        "folder": "relative",
        "users": ["swanctl"],
        "links": {"/etc/x": "passwd"},
        "revocation": {"url": "http://10.96.3.253:8200", "host": "v", "mounts": ["../x y"], "every_s": 0},
        "more": 1,
    }
    with pytest.raises(CredentialError) as caught:
        parse(json.dumps(wrong), "F")
    assert str(caught.value).splitlines() == [
        "F: more: is not known here; remove it",
        "F: device: is missing; add it",
        "F: dns: is wrong: give a list of names, the first is the common name",
        "F: addresses: is wrong: '10.0.0.300' does not appear to be an IPv4 or IPv6 address",
        "F: uris: is wrong: 'urn:heiiki:lab:gw,DNS:other' is no name of this kind",
        "F: jids: is wrong: 'two@at@signs' is no name of this kind",
        f"F: revocation: is wrong: in it: url: is wrong: {NOT_TLS}",
        "in it: mounts: is wrong: must be a path of letters, digits, dots and dashes",
        "in it: every_s: is wrong: must be a whole number from 1 to 86400",
        "F: folder: is wrong: must be an absolute path",
        "F: links: is wrong: passwd is no file of a generation: key.pem, certificate.pem or chain.pem",
        "F: users: is wrong: must be a list of argument vectors",
    ]


def test_what_is_no_json_is_said_with_its_place() -> None:
    with pytest.raises(CredentialError, match=r"^F:2:1: is not JSON: Expecting value$"):
        parse("[\n", "F")


def test_a_wrong_order_says_all_that_is_wrong_and_never_the_token(device: Device) -> None:
    leaf = device.fake.issuing.pem
    text = device.order(1, url="http://x", anchors=[], names={"dns": []}, server_anchors=["no PEM"], extra=1)
    with pytest.raises(CredentialError) as caught:
        parse_order(text)
    assert str(caught.value).splitlines() == [
        "standard input: extra: is not known here; remove it",
        f"standard input: url: is wrong: {NOT_TLS}",
        "standard input: names: is wrong: must have exactly dns, addresses, uris, jids",
        "standard input: anchors: is wrong: give at least one root: without it nobody could be trusted",
    ]
    assert WRAPPED not in repr(parse_order(device.order(1)))
    assert parse_anchors(json.dumps({"anchors": [leaf], "server_anchors": []})).roots == (leaf,)


def test_a_leaf_is_no_trust_anchor(device: Device) -> None:
    device.enrol()
    leaf = device.store.read("current/certificate.pem")
    with pytest.raises(
        CredentialError, match=r"^standard input: anchors: is wrong: CN=gw.lab.internal is no CA$"
    ):
        parse_anchors(json.dumps({"anchors": [leaf], "server_anchors": []}))


# --- the request


def test_the_request_holds_the_names_and_a_key_on_p256(device: Device) -> None:
    made = request(device.config)
    asked = Request.read(made["csr"])
    assert (asked.subject, asked.names.document(), asked.strange) == ("CN=gw.lab.internal", NAMES, ())
    assert asked.key == ("EC", "P-256", 256)
    key = device.store.path(made["generation"]) / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert credentials.public_key(key) == asked.spki
    code, _, said = credentials.openssl(["req", "-verify", "-noout"], made["csr"])
    assert code == 0, said


def test_a_second_request_clears_the_first_away(device: Device) -> None:
    assert [request(device.config)["generation"] for _ in range(2)] == [1, 1]
    assert device.store.numbers() == [1]


def test_openssl_that_fails_leaves_no_key(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openssl").write_text("#!/bin/sh\necho no entropy >&2\nexit 1\n")
    (tmp_path / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CredentialError, match=r"openssl made no key and CSR for .*: no entropy$"):
        request(device.config)
    assert not list(device.store.folder.rglob("key.pem"))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CredentialError, match=r"^there is no openssl: install package openssl$"):
        request(device.config)


# --- the certificate


def test_key_certificate_and_chain_are_installed_and_told(device: Device) -> None:
    generation = device.enrol()
    assert sound(device.store)
    report = status(device.config)
    facts = report["certificate"]
    assert (report["generation"], report["pending"], report["problems"]) == (generation, None, [])
    assert facts["names"] == NAMES
    assert facts["key"] == {"algorithm": "EC", "curve": "P-256", "bits": 256}
    assert facts["issuer_sha256"] == Certificate.read(device.fake.issuing.pem).sha256
    assert 9.9 < facts["days_left"] < 10
    assert not report["loaded"]
    credentials.reload(device.config)
    assert status(device.config)["loaded"]
    assert device.told_times() == 1
    link = device.folder / "swanctl/private/device.pem"
    assert link.read_text() == device.store.read("current/key.pem")
    assert len(list((device.folder / "swanctl/x509ca").iterdir())) == 2


def test_the_order_is_what_vault_gets_and_the_token_opens_once(device: Device) -> None:
    device.enrol()
    (_, unwrap, first), (_, sign, second) = device.fake.asked
    assert (unwrap, first) == ("/v1/sys/wrapping/unwrap", WRAPPED)
    assert (sign, second) == ("/v1/pki-issuing/sign/gateway", INNER)
    assert set(device.fake.bodies[1]) == {"common_name", "csr"}


def test_the_generation_before_is_kept_and_older_ones_go(device: Device) -> None:
    for _ in range(3):
        device.enrol()
    assert device.store.numbers() == [2, 3]
    assert rollback(device.config) == {"generation": 2}
    assert device.store.current() == 2
    assert sound(device.store)
    with pytest.raises(CredentialError, match=r"there is no generation before the one in use$"):
        rollback(device.config)


WRONG: dict[str, tuple[str, str, str]] = {
    "sealed": (
        "",
        "sys/wrapping/unwrap: status 503: Vault is sealed: Vault is sealed or not ready: unseal it",
        "sealed",
    ),
    "spent": (
        "unwrap",
        "status 400: wrapping token is not valid or does not exist: the wrapped token is spent or too old. ",
        "spent",
    ),
    "forbidden": ("sign", "permission denied: the token may not do this: apply role pki", "forbidden"),
    "garbage": ("sign", "the answer is not JSON: is this Vault?", "garbage"),
    "garbage at unwrapping": ("unwrap", "the answer is not JSON: is this Vault?", "garbage"),
    "no token": ("unwrap", "sys/wrapping/unwrap: the answer holds no token", "empty"),
    "no certificate": ("sign", "pki-issuing/sign/gateway: the answer holds no certificate", "empty"),
    "drop": ("sign", "no answer to POST pki-issuing/sign/gateway: ", "drop"),
    "cut": ("sign", "no answer to POST pki-issuing/sign/gateway: IncompleteRead", "cut"),
    "hang": ("sign", "no answer to POST pki-issuing/sign/gateway: The read operation timed out", "hang"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_server_that_fails_changes_nothing(
    device: Device, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "ANSWER_S", 0.3)
    before = device.enrol()
    device.fake.at, message, device.fake.wrong = WRONG[case]
    with pytest.raises(ServerError) as caught:
        device.enrol()
    assert message in str(caught.value)
    assert WRAPPED not in str(caught.value)
    assert device.store.current() == before
    assert sound(device.store)
    device.fake.wrong = ""
    device.enrol()
    assert sound(device.store)


def test_a_server_that_drips_is_given_up(device: Device) -> None:
    device.fake.wrong, device.fake.at = "drip", "sign"
    generation = request(device.config)["generation"]
    text = device.order(generation)
    with pytest.raises(ServerError, match="was not done within 1 s"), credentials.limited(1, "install"):
        install(device.config, parse_order(text))
    assert device.store.current() is None


def test_a_port_where_nobody_listens(device: Device) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with pytest.raises(
        ServerError, match=r"no answer to POST sys/wrapping/unwrap: .*Connection refused; start Vault"
    ):
        device.enrol(url=f"https://127.0.0.1:{port}")


def test_the_token_goes_to_nobody_who_is_not_the_server(device: Device) -> None:
    other = Authority("Somebody")
    with pytest.raises(
        ServerError, match=r"certificate is not good for vault.lab.internal: .*; nothing was sent"
    ):
        device.enrol(anchors=[other.pem])
    with pytest.raises(ServerError, match=r"not good for elsewhere.lab.internal: Hostname mismatch"):
        device.enrol(host="elsewhere.lab.internal")
    assert device.fake.asked == []


def test_a_pinned_certificate_of_the_server_alone_is_enough_for_tls(device: Device) -> None:
    other = Authority("Somebody")
    device.fake.signer = Authority("Else", other)
    device.enrol(anchors=[other.pem], server_anchors=[device.fake.root.pem])
    assert sound(device.store)


def _foreign(fake: FakeVault) -> None:
    fake.signer = Authority("Test Issuing", Authority("Test Root"))


ANSWERS: dict[str, tuple[Callable[[FakeVault], Any], str]] = {
    "another key": (
        lambda fake: setattr(fake, "wrong", "another key"),
        "the certificate that came is for another key: not installed; read Vault's log",
    ),
    "more names": (
        lambda fake: fake.names["dns"].append("other.lab.internal"),
        "the certificate that came has the names dns gw.lab.internal, dns other.lab.internal, ",
    ),
    "fewer names": (
        lambda fake: fake.names.update(jids=[]),
        "has the names dns gw.lab.internal, addresses 10.0.0.1, uris urn:heiiki:lab:gw, asked for were ",
    ),
    "foreign CA": (_foreign, "does not verify against the trust anchors: "),
    "no chain": (
        lambda fake: setattr(fake, "chain", [fake.root.pem]),
        "does not verify against the trust anchors: ",
    ),
    "expired": (
        lambda fake: setattr(fake, "since", timedelta(days=-20)),
        "does not verify against the trust anchors: error 10 at 0 depth lookup: certificate has expired",
    ),
    "not yet good": (
        lambda fake: setattr(fake, "since", timedelta(days=2)),
        "does not verify against the trust anchors: error 9 at 0 depth lookup: certificate is not yet valid",
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_a_wrong_certificate_is_not_installed(device: Device, case: str) -> None:
    before = device.enrol()
    fake = device.fake
    fake.names = {kind: list(names) for kind, names in NAMES.items()}
    spoil, message = ANSWERS[case]
    spoil(fake)
    with pytest.raises(CredentialError) as caught:
        device.enrol()
    assert message in str(caught.value)
    assert device.store.current() == before
    assert sound(device.store)


def test_an_order_for_other_names_is_refused_before_the_token_is_opened(device: Device) -> None:
    other = {**NAMES, "dns": ["other.lab.internal"]}
    with pytest.raises(
        CredentialError, match=r"^the order is for dns other.lab.internal, .*: compile and apply"
    ):
        device.enrol(names=other)
    assert device.fake.asked == []


def test_an_order_for_another_generation_is_refused(device: Device) -> None:
    request(device.config)
    with pytest.raises(
        CredentialError, match=r"the order is for generation 7, the one that waits is 1: another run"
    ):
        install(device.config, parse_order(device.order(7)))
    device.enrol()
    with pytest.raises(CredentialError, match=r"that waits is none: another run came between; run again$"):
        install(device.config, parse_order(device.order(1)))


def test_a_spoilt_generation_is_told(device: Device) -> None:
    device.enrol()
    folder = device.store.folder / "current"
    (folder / "key.pem").chmod(0o644)
    (folder / "chain.pem").unlink()
    first, second, third = status(device.config)["problems"]
    assert (first, second) == ("key.pem has mode 0644, not 0600", "chain.pem is missing")
    assert "unable to get local issuer certificate" in third
    (folder / "key.pem").write_text(credentials.new_key(device.config.names)[0])
    assert "key.pem is not the certificate's key" in status(device.config)["problems"]


def test_a_lost_generation_is_replaced_by_one_with_a_new_number(device: Device) -> None:
    device.enrol()
    device.enrol()
    shutil.rmtree(device.store.folder / "generations")
    assert status(device.config)["certificate"] is None
    assert device.enrol() == 3
    assert sound(device.store)


def test_several_that_tell_users_at_once_do_not_disturb_each_other(device: Device) -> None:
    device.enrol()
    device.configure(users=[["sleep", "0.02"]])
    processes = [
        subprocess.Popen([*PROGRAM, "--config", str(device.file), "reload"], stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]
    assert [process.wait() for process in processes] == [0] * 4
    assert status(device.config)["loaded"]


# --- trust anchors


def test_anchors_that_would_orphan_the_device_are_refused(device: Device) -> None:
    device.enrol()
    new = Authority("New Root")
    with pytest.raises(
        CredentialError, match=r"would not verify .*: keep the old root beside the new one until"
    ):
        credentials.install_anchors(device.config, credentials.Anchors((new.pem,)))
    both = credentials.Anchors((device.fake.root.pem, new.pem))
    assert credentials.install_anchors(device.config, both) == {"changed": True}
    assert credentials.install_anchors(device.config, both) == {"changed": False}
    assert len(device.store.certificates("roots.pem")) == 2


# --- the token leaves no trace


def test_the_token_is_in_no_file_no_argument_and_no_output(device: Device) -> None:
    made = json.loads(device.run("request").stdout)
    done = device.run("install", device.order(made["generation"]))
    assert done.returncode == 0, done.stderr
    outputs = done.stdout + done.stderr
    assert WRAPPED not in outputs
    assert INNER not in outputs
    for path in device.folder.rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes(), path


def test_failures_have_their_exit_status_and_no_traceback(device: Device) -> None:
    made = json.loads(device.run("request").stdout)
    device.fake.wrong = "sealed"
    done = device.run("install", device.order(made["generation"]))
    assert done.returncode == 3
    assert done.stderr.startswith(f"{device.fake.url}: sys/wrapping/unwrap: status 503")
    assert device.run("install", "nonsense").stderr == "standard input:1:1: is not JSON: Expecting value\n"
    device.file.unlink()
    done = device.run("status")
    assert done.returncode == 1
    assert re.fullmatch(r"/\S+: cannot be read: .*; apply the device's build first\n", done.stderr)


# --- killed at every step

DRIVER = """
import io, json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from heiiki_agent import credentials
STEPS = ("open", "os.", "subprocess.Popen", "socket.connect", "http.client.", "fcntl.flock", "shutil.rmtree")
QUIET = ("os.listdir", "os.scandir", "os.putenv", "os.unsetenv", "os.fwalk")

def child(task):
    sys.stdin = io.StringIO(task["given"])
    sys.stdout = open(os.devnull, "w")
    count = 0
    def hook(event, arguments):
        nonlocal count
        if not event.startswith(STEPS) or event in QUIET:
            return
        if event == "open" and isinstance(arguments[2], int) and not arguments[2] & 3:
            return
        count += 1
        if count == task["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    os._exit(credentials.main(["--config", task["config"], task["command"]]))

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        child(json.loads(line))
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Driver:
    """Runs the program in forks of one process and kills each at its Nth step that others could see."""

    def __init__(self, device: Device) -> None:
        self._device = device
        source = str(Path(credentials.__file__).parents[1])
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def finished(self, command: str, kill_at: int, given: str = "") -> bool:
        task = {"command": command, "kill_at": kill_at, "given": given, "config": str(self._device.file)}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        ended = int(self._process.stdout.readline())
        assert ended in {0, signal.SIGKILL}, f"{command} failed at {kill_at}: {ended}"
        return ended == 0


def test_killed_at_any_step_of_a_request(device: Device) -> None:
    before = device.enrol()
    with Driver(device) as driver:
        step = 1
        while not driver.finished("request", step):
            assert device.store.current() == before
            step += 1
        assert step > 10
    assert device.store.pending() == before + 1
    device.enrol()
    assert sound(device.store)


@pytest.mark.timeout(120)
def test_killed_at_any_step_of_an_installation(device: Device) -> None:
    device.enrol()
    seen = set()
    with Driver(device) as driver:
        step, done = 1, False
        while not done:
            before = device.store.current()
            generation = request(device.config)["generation"]
            done = driver.finished("install", step, device.order(generation))
            current = device.store.current()
            assert current in {before, generation}
            seen.add(current == generation)
            assert sound(device.store), f"killed at step {step}"
            step += 1
        assert step > 25
    assert seen == {False, True}
    device.enrol()
    assert device.store.pending() is None
    assert len(device.store.numbers()) == 2
    strange = [path for path in device.store.folder.rglob(".*") if path.name != ".current.new"]
    assert strange == [], "what was cut off is cleared away"


def test_killed_at_any_step_of_the_first_installation(device: Device) -> None:
    with Driver(device) as driver:
        for step in range(1, 60, 4):
            generation = request(device.config)["generation"]
            if driver.finished("install", step, device.order(generation)):
                break
            if device.store.current() is not None:
                break
    device.enrol()
    assert sound(device.store)


def test_killed_at_any_step_of_a_pull(device: Device) -> None:
    device.enrol()
    number = 1
    with Driver(device) as driver:
        done, step = False, 1
        while not done:
            device.publish_crls(number)
            done = driver.finished("pull", step)
            assert all(item.number >= 1 for item in device.store.lists()), "never half a CRL"
            step, number = step + 1, number + 1
    told = device.told_times()
    pull(device.config)
    assert status(device.config)["loaded"]
    assert device.told_times() == told
    assert max(item.number for item in device.store.lists()) == number - 1


def test_users_that_a_killed_run_did_not_tell_are_told_by_the_next_pull(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    device.configure(users=[["false"]])
    with pytest.raises(
        CredentialError, match=r"^`false` exited 1: it printed nothing. What it uses is in place"
    ):
        pull(device.config)
    assert len(device.store.lists()) == 2
    assert not status(device.config)["loaded"]
    device.configure(users=[["sh", "-c", f"echo told >> {device.told}"]])
    assert pull(device.config) == {"changed": [], "refused": []}
    assert device.told_times() == 1


# --- CRLs


def test_a_newer_crl_is_taken_and_an_older_one_refused(device: Device) -> None:
    device.enrol()
    serial = int(status(device.config)["certificate"]["serial"].replace(":", ""), 16)
    device.publish_crls(5)
    pull(device.config)
    assert not status(device.config)["certificate"]["revoked"]
    device.publish_crls(6, serial)
    assert pull(device.config)["changed"] == ["CRL of CN=Test Issuing: number 5 -> 6, 1 revoked"]
    assert status(device.config)["certificate"]["revoked"]
    assert device.told_times() == 2
    assert pull(device.config) == {"changed": [], "refused": []}
    assert device.told_times() == 2
    device.publish_crls(4)
    assert pull(device.config)["refused"] == [
        "CRL 4 of CN=Test Issuing: is older than number 6, which is here"
    ]
    assert status(device.config)["certificate"]["revoked"]
    assert len(list((device.folder / "swanctl/x509crl").iterdir())) == 2


def test_a_crl_that_the_ca_did_not_sign_is_refused(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    pull(device.config)
    genuine = device.fake.issuing.crl(9)
    broken = genuine.splitlines()
    broken[-2] = broken[-2][:-8] + "AAAAAA" + broken[-2][-2:]
    device.fake.crls["pki-issuing"] = {"i": (device.fake.issuing, "\n".join(broken) + "\n")}
    (refused,) = pull(device.config)["refused"]
    assert refused.startswith("CRL 9 of CN=Test Issuing: its signature is not the CA's: ")
    assert {item.number for item in device.store.lists()} == {1}
    device.fake.crls["pki-issuing"] = {"i": (device.fake.issuing, genuine)}
    assert pull(device.config)["changed"] == ["CRL of CN=Test Issuing: number 1 -> 9, 0 revoked"]


def test_a_crl_of_a_foreign_ca_is_refused(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    foreign = Authority("Foreign", Authority("Foreign Root"))
    device.fake.crls["pki-issuing"]["f"] = (foreign, foreign.crl(3))
    done = pull(device.config)
    assert len(done["changed"]) == 2
    (refused,) = done["refused"]
    assert refused.startswith("CRL 3 of CN=Foreign: its CA does not verify against the trust anchors: ")


def test_the_crl_of_a_new_issuing_ca_is_learned_with_its_certificate(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    new = Authority("Test Issuing", device.fake.root)
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    assert pull(device.config)["changed"][1:] == [
        "CRL of CN=Test Issuing: number none -> 1, 0 revoked",
        "CRL of CN=Test Root: number none -> 1, 0 revoked",
    ]
    assert len(device.store.lists()) == 3
    assert len(list((device.folder / "swanctl/x509ca").iterdir())) == 3
    assert pull(device.config) == {"changed": [], "refused": []}
    told = device.told_times()
    del device.fake.crls["pki-issuing"]["n"]
    pull(device.config)
    assert len(device.store.lists()) == 2, "a CA that was retired takes its CRL along"
    assert len(list((device.folder / "swanctl/x509ca").iterdir())) == 2
    assert device.told_times() == told + 1


def test_peers_of_the_old_issuing_ca_are_verified_after_the_renewal_by_the_new_one(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    pull(device.config)
    old, new = device.fake.issuing, Authority("Test Issuing 2", device.fake.root)
    device.fake.signer = new
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    device.enrol()
    credentials.reload(device.config)
    for _ in range(2):
        lists = {item.issuer for item in device.store.lists()}
        assert f"CN={old.name}" in lists
        files = [path.read_text() for path in (device.folder / "swanctl/x509ca").iterdir()]
        assert {old.pem, new.pem, device.fake.root.pem} == set(files)
        pull(device.config)
    assert len(device.store.lists()) == 3


def test_a_pull_before_enrolment_says_so(device: Device) -> None:
    with pytest.raises(CredentialError, match=r"roots.pem: is missing: enrol the device first$"):
        pull(device.config)


def test_a_device_without_revocation_pulls_nothing(device: Device) -> None:
    device.enrol()
    with pytest.raises(
        CredentialError, match=r"^gw: has no `revocation` in its configuration: it pulls no CRLs$"
    ):
        pull(replace(device.config, revocation=None))


@pytest.mark.parametrize("missing", [errno.ENETUNREACH, errno.EHOSTUNREACH])
def test_a_route_that_is_gone_for_a_moment_costs_no_token(
    device: Device, monkeypatch: pytest.MonkeyPatch, missing: int
) -> None:
    connect, tried = credentials._Connection._plain, []

    def flapping(connection: credentials._Connection) -> socket.socket:
        tried.append(missing)
        if len(tried) == 1:
            raise OSError(missing, os.strerror(missing))
        return connect(connection)

    monkeypatch.setattr(credentials._Connection, "_plain", flapping)
    monkeypatch.setattr(credentials, "REACH_POLL_S", 0.01)
    device.enrol()
    assert device.store.current() is not None
    assert len(tried) == 2


def test_connections_come_from_the_address_that_leads_there(device: Device) -> None:
    device.configure(sources=["192.0.2.1", "127.0.0.9"])
    device.enrol()
    assert {peer[0] for peer in device.fake.peers} == {"127.0.0.9"}


@pytest.mark.skipif(os.geteuid() != 0, reason="binding to an interface wants root")
def test_connections_leave_by_the_interface_of_the_configuration(device: Device) -> None:
    device.configure(interface="lo")
    device.enrol()
    device.configure(interface="none0")
    with pytest.raises(
        ServerError, match=r"no answer to POST sys/wrapping/unwrap: .*No such device; start Vault"
    ):
        device.enrol()


def test_a_way_to_the_server_is_waited_for(device: Device) -> None:
    assert credentials.reach(device.config, device.fake.url, 5)["waited_s"] < 5
    assert device.fake.asked == []
    done = device.run("reach", json.dumps({"url": "https://127.0.0.1:1", "wait_s": 0}))
    assert done.returncode == 3
    assert done.stderr.startswith("https://127.0.0.1:1: no way to it within 0 s: ")


# --- the daemon


def _waits(done: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_watch_pulls_backs_off_and_pulls_at_once_when_told(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    device.document["revocation"]["every_s"] = 3600
    device.configure()
    state, log = device.folder / "state.json", device.folder / "log"
    command = [*PROGRAM, "--config", str(device.file), "--state", str(state)]
    with log.open("wb") as stream:
        process = subprocess.Popen([*command, "watch"], stderr=stream)
    try:
        _waits(lambda: device.told_times() == 1)
        _waits(lambda: state.exists() and json.loads(state.read_text())["pulled"])
        device.publish_crls(2)
        process.send_signal(signal.SIGHUP)
        _waits(lambda: device.told_times() == 2)
        device.fake.wrong = "sealed"
        process.send_signal(signal.SIGHUP)
        _waits(lambda: "unseal it" in log.read_text())
        process.send_signal(signal.SIGHUP)
        _waits(lambda: json.loads(state.read_text())["failures"] == 2)
        device.fake.wrong = ""
        process.send_signal(signal.SIGHUP)
        _waits(lambda: "all is well again" in log.read_text())
        assert subprocess.run([*command, "check"], capture_output=True, check=False).returncode == 0
    finally:
        process.terminate()
        process.wait()
    lines = log.read_text().splitlines()
    assert "credentials: CRL of CN=Test Issuing: number 1 -> 2, 0 revoked" in lines
    (sealed,) = [line for line in lines if "unseal it" in line]
    assert "; the CRLs here are good until 20" in sealed
    assert sealed.endswith("then no new peer is accepted")
    gone = subprocess.run([*command, "check"], capture_output=True, text=True, check=False)
    assert (gone.returncode, gone.stdout) == (
        1,
        f"{state}: the watch that wrote it is gone; start heiiki-revocation\n",
    )


def test_the_wait_grows_while_vault_is_away_and_no_two_devices_agree(device: Device) -> None:
    device.document["revocation"]["every_s"] = 10
    device.configure()
    watch = credentials.Daemon(device.file, device.folder / "state.json")
    assert all(9 <= watch.wait_s() <= 11 for _ in range(100))
    assert len({watch.wait_s() for _ in range(10)}) == 10
    for failures, seconds in ((1, 20), (2, 40), (3, 60), (30, 60)):
        watch._failures = failures
        assert 0.9 * seconds <= watch.wait_s() <= 1.1 * seconds


def test_health_of_the_watch(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert credentials.health(state, 0.0) == f"{state}: no watch has reported yet; start heiiki-revocation"
    state.write_text(json.dumps({"pid": os.getpid(), "due": 100.0}))
    assert credentials.health(state, 100.0) == ""
    assert credentials.health(state, 200.0) == f"{state}: the watch hangs; restart heiiki-revocation"
    state.write_text("{")
    assert credentials.health(state, 0.0).startswith(f"{state}: cannot be read: JSONDecodeError")


# --- IKE SAs


SWANCTL = """#!/bin/sh
# Stands for strongSwan: SAs are files of {folder}, named by number, holding their state.
cd {folder} || exit 9
echo "$@" >> ../swanctl.log
case "$*" in
    --list-sas)
        for sa in *; do
            # This end began those below 10 and from 100 on.
            test ${{#sa}} = 2 && spis="1_i 2_r*" || spis="1_i* 2_r"
            echo "hub-b: #$sa, $(cat $sa), IKEv2, $spis"; echo "  local 'x'"
        done ;;
    *--reauth) sh ../reauth "$3" ;;
    --terminate*) rm "$3" ;;
esac
"""


class Charon:
    """A strongSwan that is a folder of files."""

    def __init__(self, device: Device, patched: pytest.MonkeyPatch) -> None:
        self.folder = device.folder / "sas"
        self.log = device.folder / "swanctl.log"
        self._reauth = device.folder / "reauth"
        self.folder.mkdir()
        programs = device.folder / "bin"
        programs.mkdir()
        (programs / "swanctl").write_text(SWANCTL.format(folder=self.folder))
        (programs / "swanctl").chmod(0o755)
        patched.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        self.answers("mv $1 $(($1 + 100))")

    def answers(self, script: str) -> None:
        self._reauth.write_text(script)

    def stand(self, *numbers: int, state: str = "ESTABLISHED") -> None:
        for number in numbers:
            (self.folder / str(number)).write_text(state)

    @property
    def numbers(self) -> set[int]:
        return {int(path.name) for path in self.folder.iterdir()}

    def told(self) -> list[str]:
        told = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line for line in told if line != "--list-sas"]


@pytest.fixture
def charon(device: Device, monkeypatch: pytest.MonkeyPatch) -> Charon:
    device.configure(associations=True)
    device.enrol()
    device.publish_crls(1)
    pull(device.config)
    return Charon(device, monkeypatch)


@pytest.fixture
def watch(device: Device, charon: Charon, monkeypatch: pytest.MonkeyPatch) -> credentials.Daemon:
    for name in ("ANEW_PACE_S", "ANEW_AFTER_S", "ANEW_S", "ANEW_LOOK_S"):
        monkeypatch.setattr(credentials, name, 0.0)
    return credentials.Daemon(device.file, device.folder / "state.json")


def _turn(watch: credentials.Daemon) -> None:
    """What the daemon does between two pulls."""
    watch.step()
    watch.compare()
    while watch.go_on() < 60:
        pass


def test_associations_are_made_anew_once_and_not_for_a_crl_that_is_merely_newer(
    device: Device, charon: Charon, watch: credentials.Daemon
) -> None:
    charon.stand(1, 2, 3)
    charon.stand(4, state="CONNECTING")
    assert status(device.config)["authenticated"] is False
    _turn(watch)
    assert sorted(charon.told()) == [f"--rekey --ike-id {number} --reauth" for number in (1, 2, 3)]
    assert charon.numbers == {101, 102, 103, 4}
    assert status(device.config)["authenticated"] is True
    for number in (1, 2, 3):
        device.publish_crls(number)
        _turn(watch)
    assert charon.told() == []
    device.publish_crls(4, 77)
    _turn(watch)
    assert len(charon.told()) == 3
    device.publish_crls(5, 77)
    _turn(watch)
    device.publish_crls(6)
    _turn(watch)
    assert charon.told() == [], "a serial number that is no longer named had expired"


def test_a_new_certificate_of_its_own_and_a_ca_that_is_gone_make_associations_anew(
    device: Device, charon: Charon, watch: credentials.Daemon
) -> None:
    _turn(watch)
    charon.stand(1)
    device.enrol()
    watch.compare()
    assert watch.go_on() == float("inf"), "strongSwan has not loaded it yet"
    credentials.reload(device.config)
    _turn(watch)
    assert charon.told() == ["--rekey --ike-id 1 --reauth"]
    new = Authority("Test Issuing", device.fake.root)
    device.fake.crls["pki-issuing"]["n"] = (new, new.crl(1))
    _turn(watch)
    assert charon.told() == [], "one CA more puts nobody out"
    del device.fake.crls["pki-issuing"]["n"]
    _turn(watch)
    assert charon.told() == ["--rekey --ike-id 101 --reauth"]


def test_who_began_an_association_begins_anew_and_the_other_looks_whether_that_was_done(
    charon: Charon, watch: credentials.Daemon
) -> None:
    charon.stand(10, 11, 5)
    watch.step()
    watch.compare()
    watch.go_on()
    assert charon.told() == ["--rekey --ike-id 5 --reauth"]
    watch.go_on()
    (charon.folder / "10").rename(charon.folder / "110")
    while watch.go_on() < 60:
        pass
    assert charon.told() == ["--rekey --ike-id 11 --reauth"]
    assert charon.numbers == {105, 110, 111}


def test_who_does_not_prove_itself_is_closed(
    device: Device, charon: Charon, watch: credentials.Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    charon.stand(1, 2)
    charon.answers("test $1 = 2 || mv $1 $(($1 + 100))")
    _turn(watch)
    assert charon.numbers == {101}
    assert charon.told()[-1] == "--terminate --ike-id 2 --force --timeout 2"
    assert "IKE SA 2 was not made anew within 0 s: it is closed" in caplog.text


def test_an_association_that_went_by_itself_is_no_failure(
    device: Device, charon: Charon, watch: credentials.Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    charon.stand(1)
    charon.answers("rm $1; echo no matching SAs; exit 1")
    _turn(watch)
    assert status(device.config)["authenticated"] is True
    assert "was not made anew" not in caplog.text


def test_what_fails_is_logged_and_tried_again(
    device: Device, charon: Charon, watch: credentials.Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    charon.stand(1)
    program = device.folder / "bin/swanctl"
    good = program.read_text()
    program.write_text("#!/bin/sh\necho connecting failed >&2\nexit 1\n")
    _turn(watch)
    assert status(device.config)["authenticated"] is False
    assert (
        "IKE SAs are not made anew, it is tried again: swanctl --list-sas: connecting failed: "
        "see whether strongswan runs" in caplog.text
    )
    program.write_text(good)
    charon.answers("echo refused; exit 22")
    _turn(watch)
    assert "IKE SA 1 was not made anew: refused" in caplog.text
    assert charon.numbers == set()
    assert status(device.config)["authenticated"] is True


def test_a_signal_takes_no_time_from_a_peer_that_was_asked(
    charon: Charon, watch: credentials.Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "ANEW_LOOK_S", 30.0)
    monkeypatch.setattr(credentials, "ANEW_S", 30.0)
    charon.stand(1)
    charon.answers("true")
    watch.step()
    watch.compare()
    while watch.go_on() < 1:
        pass
    watch.step()
    watch.compare()
    assert 25 < watch.go_on() <= 30
    assert charon.numbers == {1}


def test_a_revocation_in_the_middle_begins_again(
    device: Device, charon: Charon, watch: credentials.Daemon
) -> None:
    charon.stand(1, 2)
    watch.step()
    watch.compare()
    watch.go_on()
    device.publish_crls(2, 77)
    _turn(watch)
    told = charon.told()
    assert len(told) == 3, "one, and then both"
    assert charon.numbers in ({102, 201}, {101, 202})


# --- against a real server


@pytest.fixture(scope="module")
def real(vault_server: RunningVault) -> tuple[RunningVault, str]:
    """PKI engines of this test's own on the run's server; returns the root certificate."""
    root = vault_server.root
    for mount in ("dev-root", "dev-issuing"):
        root.write(f"sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    ec = {"key_type": "ec", "key_bits": 256}
    anchor = root.write("dev-root/root/generate/internal", {"common_name": "Device Root", **ec})["data"]
    asked = root.write("dev-issuing/intermediate/generate/internal", {"common_name": "Device Issuing", **ec})
    signed = root.write(
        "dev-root/root/sign-intermediate", {"csr": asked["data"]["csr"], "common_name": "Device Issuing"}
    )["data"]["certificate"]
    both = f"{signed}\n{anchor['certificate']}"
    root.write("dev-issuing/intermediate/set-signed", {"certificate": both})
    root.write("dev-issuing/roles/gateway", ROLE)
    rule = '{ capabilities = ["update"] }'
    root.write("sys/policies/acl/dev-gw", {"policy": f'path "dev-issuing/sign/gateway" {rule}'})
    return vault_server, anchor["certificate"]


ROLE = {
    "allowed_domains": NAMES["dns"],
    "allow_bare_domains": True,
    "allowed_uri_sans": NAMES["uris"],
    "allowed_other_sans": ["1.3.6.1.5.5.7.8.5;UTF8:gw@lab.internal"],
    "use_csr_common_name": False,
    "use_csr_sans": False,
    "key_type": "ec",
    "key_bits": 256,
    "ttl": "72h",
}
PARAMETERS = {
    "common_name": "gw.lab.internal",
    "alt_names": "gw.lab.internal",
    "uri_sans": "urn:heiiki:lab:gw",
    "ip_sans": "10.0.0.1",
    "other_sans": "1.3.6.1.5.5.7.8.5;UTF8:gw@lab.internal",
}


def _wrapped(server: RunningVault) -> str:
    asked = {"policies": ["dev-gw"], "num_uses": 1, "ttl": "5m", "no_default_policy": True}
    token: str = server.root.write("auth/token/create", asked, wrap_s=60)["wrap_info"]["token"]
    return token


def test_a_real_server_issues_refuses_and_revokes(device: Device, real: tuple[RunningVault, str]) -> None:
    server, root = real
    url = server.server.url
    where = {"url": url, "host": HOST, "mounts": ["dev-issuing", "dev-root"], "every_s": 1}
    device.configure(revocation=where)
    order = {
        "url": url,
        "path": "dev-issuing/sign/gateway",
        "parameters": PARAMETERS,
        "anchors": [root],
        "server_anchors": [server.server.ca_pem],
    }
    token = _wrapped(server)
    device.enrol(token=token, **order)
    assert sound(device.store)
    assert status(device.config)["certificate"]["names"] == NAMES
    with pytest.raises(ServerError, match="the wrapped token is spent or too old"):
        device.enrol(token=token, **order)
    wrong = PARAMETERS | {"alt_names": "other.lab.internal"}
    with pytest.raises(
        ServerError, match=r"status 400: subject alternate name other.lab.internal not allowed"
    ):
        device.enrol(token=_wrapped(server), **(order | {"parameters": wrong}))
    with pytest.raises(ServerError, match="the token may not do this"):
        device.enrol(token=_wrapped(server), **(order | {"path": "dev-issuing/sign/other"}))
    assert sound(device.store)
    assert len(pull(device.config)["changed"]) == 2
    serial = status(device.config)["certificate"]["serial"]
    server.root.write("dev-issuing/revoke", {"serial_number": serial})
    assert pull(device.config)["changed"][0].endswith(", 1 revoked")
    assert status(device.config)["certificate"]["revoked"]
    assert token not in server.audit
