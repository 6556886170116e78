"""What the Vault API server of this node needs beside itself: its TLS certificate, checks, a reload.

    vault-node prepare CONFIG           put in place what the server reads; before every start, as root
    vault-node reload CONFIG            the same, then have the server read it; no connection breaks
    vault-node health CONFIG            exit 0 when the API answers over verified TLS, sealed or not

The configuration is JSON: {"host": name in the certificate, "addresses": [...], "port": 8200, "user": name}.

The server's certificate is the one that this node's enrolment brought. At the very first start nobody can
have issued one: then the program makes a key and a self-signed certificate for the same names, good for
`STARTUP_DAYS`. The certificates that vouch for whichever is in use stand in `ANCHORS`; who may read the node
as its administrator takes them from there, so no client ever trusts a certificate unseen.
"""

import argparse
import http.client
import ipaddress
import json
import os
import pwd
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ISSUED = Path("/etc/heiiki/pki")
STARTUP = Path("/var/lib/heiiki/vault-startup")
STATE = Path("/var/lib/heiiki-vault")
LOG = Path("/var/log/heiiki-vault")
RUN = Path("/run/heiiki-vault")
KEY, CERTIFICATE, ANCHORS, PID = (RUN / name for name in ("key.pem", "certificate.pem", "anchors.pem", "pid"))
STARTUP_DAYS = 7
RENEW_BEFORE_S = 2 * 86400
HEALTH = "/v1/sys/health?standbyok=true&sealedcode=200&uninitcode=200"
HEALTH_S = 5.0


class ServerError(Exception):
    """Something is missing or wrong; the message says what, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Config:
    """The program's configuration."""

    host: str
    addresses: tuple[str, ...]
    port: int
    user: str


def parse(text: str, name: str) -> Config:
    """Read the configuration.

    Raises:
        ServerError: it is wrong.
    """
    try:
        found = json.loads(text)
        addresses = tuple(str(ipaddress.ip_address(address)) for address in found["addresses"])
        config = Config(str(found["host"]), addresses, int(found["port"]), str(found["user"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ServerError(f"{name}: {error!r}: compile the service again") from error
    if not config.addresses:
        raise ServerError(f"{name}: addresses: give at least one")
    return config


def run(*argv: str) -> str:
    """Run a program and return what it printed.

    Raises:
        ServerError: it cannot be run, or does not exit 0.
    """
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ServerError(f"{argv[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        raise ServerError(f"{' '.join(argv[:2])}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


# -- certificates


def request_config(config: Config) -> str:
    """Return the configuration of `openssl req` for the certificate of the first start."""
    names = [f"DNS:{config.host}", *(f"IP:{address}" for address in config.addresses)]
    return "\n".join(
        (
            "[req]",
            "prompt = no",
            "distinguished_name = subject",
            "x509_extensions = extensions",
            "[subject]",
            f"CN = {config.host}",
            "[extensions]",
            f"subjectAltName = {', '.join(names)}",
            "basicConstraints = critical, CA:FALSE",
            "keyUsage = critical, digitalSignature",
            "extendedKeyUsage = serverAuth",
            "subjectKeyIdentifier = hash",
            "",
        )
    )


def make_startup(config: Config, folder: Path) -> None:
    """Make key and self-signed certificate in `folder`, unless good ones are there."""
    if _is_good(config, folder):
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _fresh(folder) as fresh:
        (fresh / "request").write_text(request_config(config), encoding="utf-8")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc")
        out = ("-keyout", str(fresh / "key.pem"), "-out", str(fresh / "certificate.pem"))
        run(
            "openssl",
            "req",
            "-x509",
            *curve,
            *out,
            "-days",
            str(STARTUP_DAYS),
            "-config",
            str(fresh / "request"),
        )
        # The certificate last: a pair that a power cut tears apart is not good, and is made anew.
        for name in ("key.pem", "certificate.pem"):
            (fresh / name).replace(folder / name)


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """A folder beside the final one for what is not complete yet; nobody else reads it."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


def _is_good(config: Config, folder: Path) -> bool:
    """Whether the pair there belongs together, bears the names, and does not end soon."""
    certificate, key = (str(folder / name) for name in ("certificate.pem", "key.pem"))
    asked = ("openssl", "x509", "-noout", "-in", certificate)
    try:
        run(*asked, "-checkend", str(RENEW_BEFORE_S))
        same = run(*asked, "-pubkey") == run("openssl", "pkey", "-pubout", "-in", key)
        said = [run(*asked, "-checkhost", config.host)]
        said += [run(*asked, "-checkip", address) for address in config.addresses]
    except ServerError:
        return False
    return same and not any("NOT match" in answer for answer in said)


def chosen(config: Config) -> tuple[bytes, bytes, bytes]:
    """Return key, certificate with its chain, and what vouches for it, all PEM."""
    current = ISSUED / "current"
    if (current / "key.pem").exists():
        chain = (current / "certificate.pem").read_bytes() + (current / "chain.pem").read_bytes()
        return (current / "key.pem").read_bytes(), chain, (ISSUED / "roots.pem").read_bytes()
    make_startup(config, STARTUP)
    certificate = (STARTUP / "certificate.pem").read_bytes()
    return (STARTUP / "key.pem").read_bytes(), certificate, certificate


def prepare(config: Config) -> None:
    """Put in place what the server reads, readable for it alone where it is secret.

    Raises:
        ServerError: the node has no such user.
        OSError: a file cannot be read or written.
    """
    try:
        owner = pwd.getpwnam(config.user)
    except KeyError as error:
        raise ServerError(f"the node has no user {config.user}: role vault_server makes it") from error
    for folder, mode in ((STATE, 0o700), (LOG, 0o750), (RUN, 0o755)):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        folder.chmod(mode)
    key, certificate, anchors = chosen(config)
    install(KEY, key, 0o400, owner.pw_uid)
    install(CERTIFICATE, certificate, 0o444, owner.pw_uid)
    install(ANCHORS, anchors, 0o444, owner.pw_uid)


def install(path: Path, content: bytes, mode: int, uid: int) -> None:
    """Write a file in one step: whoever reads it sees the old content or the new."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        os.fchown(handle, uid, -1)
        os.fchmod(handle, mode)
    Path(name).replace(path)


# -- the server


def reload(config: Config) -> None:
    """Have the running server read its certificate and open its audit log anew (SIGHUP).

    Raises:
        ServerError: it does not run.
        OSError: a file cannot be read or written.
    """
    prepare(config)
    try:
        pid = int(PID.read_text(encoding="utf-8"))
        # A server that was killed leaves its number behind, and somebody else may bear it now.
        if Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam(config.user).pw_uid:
            os.kill(pid, signal.SIGHUP)
            return
    except (OSError, ValueError) as error:
        raise ServerError(f"{PID} names no running server ({error}): start heiiki-vault") from error
    raise ServerError(f"{PID} names process {pid}, which is not the server's: start heiiki-vault")


def health(config: Config) -> str:
    """Return what the API says of itself; its certificate must hold.

    Raises:
        ServerError: it does not answer, or not so.
    """
    address = config.addresses[0]
    try:
        context = ssl.create_default_context(cafile=str(ANCHORS))
        connection = http.client.HTTPSConnection(address, config.port, timeout=HEALTH_S, context=context)
        connection.request("GET", HEALTH)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ServerError(f"https://{address}:{config.port} does not answer: {error}") from error
    if answer.status != http.client.OK:
        raise ServerError(f"https://{address}:{config.port}{HEALTH} answers {answer.status}: {text.strip()}")
    return text.strip()


def tell_health(config: Config) -> None:
    """Print what the API says of itself."""
    print(health(config))


VERBS: Mapping[str, Callable[[Config], None]] = {"prepare": prepare, "reload": reload, "health": tell_health}


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="heiiki-agent vault-node")
    parser.add_argument("verb", choices=sorted(VERBS))
    parser.add_argument("file")
    asked = parser.parse_args(arguments)
    try:
        VERBS[asked.verb](parse(Path(asked.file).read_text(encoding="utf-8"), asked.file))
    except (ServerError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
