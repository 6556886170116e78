"""What the Vault API server of this node needs beside itself: its TLS certificate, checks, a reload.

    vault-node prepare CONFIG           put in place what the server reads; before every start, as root
    vault-node reload CONFIG            the same, then have the server read it; no connection breaks
    vault-node health CONFIG            exit 0 when the API answers over verified TLS, sealed or not

The configuration is JSON: {"host": name in the certificate, "addresses": [...], "port": 8200, "user": name,
"logs": [folder of an audit log]}. A member of a cluster has "cluster" besides: {"node_id": its name there,
"address": where the others reach it}.

The server's certificate is the one that this node's enrolment brought. Before the very first enrolment there
is none: then the program makes a key and a self-signed certificate for the same names, for `STARTUP_DAYS`.
The certificates that vouch for the one in use stand in `ANCHORS`; the node's administrator takes them from
there, so no client ever trusts a certificate unseen.
"""

import argparse
import http.client
import os
import pwd
import signal
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated

from heiiki_agent import config, files, vault_cluster
from heiiki_agent.errors import AgentError

ISSUED = Path("/etc/heiiki/pki")
STARTUP = Path("/var/lib/heiiki/vault-startup")
STATE = Path("/var/lib/heiiki-vault")
RUN = Path("/run/heiiki-vault")
KEY, CERTIFICATE, PEERS, PID = (RUN / name for name in ("key.pem", "certificate.pem", "peers.pem", "pid"))
# Root's own: a person who takes the server over must not choose whom controllers trust.
ANCHORS = Path("/run/heiiki/vault-anchors.pem")
STARTUP_DAYS = 7
RENEW_BEFORE = timedelta(days=2)
HEALTH = "/v1/sys/health?standbyok=true&sealedcode=200&uninitcode=200"
HEALTH_S = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration, parsed."""

    host: str
    addresses: Annotated[tuple[Annotated[str, IPv4Address], ...], 1]
    port: Annotated[int, range(1, 65_536)]
    user: str
    logs: Annotated[tuple[str, ...], 1]
    cluster: vault_cluster.Member | None = None


def make_startup(settings: Settings, folder: Path) -> None:
    """Make key and self-signed certificate in `folder`, unless good ones are there."""
    # Imported where it is needed: a health check asks for none of it.
    from heiiki_agent.pki.names import Names  # noqa: PLC0415
    from heiiki_agent.pki.x509 import self_signed  # noqa: PLC0415

    names = Names((settings.host,), settings.addresses)
    if _is_good(names.document(), folder):
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key, certificate = self_signed(names, STARTUP_DAYS)
    # The certificate last: a pair that a power cut tears apart is not good, and is replaced.
    files.write(folder / "key.pem", key, 0o600)
    files.write(folder / "certificate.pem", certificate)


def _is_good(names: Mapping[str, list[str]], folder: Path) -> bool:
    """Whether the pair there belongs together, bears the names, and does not expire soon."""
    from heiiki_agent.pki.x509 import Certificate, now, public_key  # noqa: PLC0415

    try:
        certificate = Certificate.read((folder / "certificate.pem").read_text(encoding="utf-8"))
        same = public_key((folder / "key.pem").read_text(encoding="utf-8")) == certificate.spki
    except (OSError, ValueError, AgentError):
        return False
    lasts = now() + RENEW_BEFORE < certificate.not_after
    return same and lasts and certificate.names.document() == names


def chosen(settings: Settings) -> tuple[bytes, bytes, bytes]:
    """Return key, certificate with its chain, and what vouches for it, all PEM."""
    current = ISSUED / "current"
    if (current / "key.pem").exists():
        chain = (current / "certificate.pem").read_bytes() + (current / "chain.pem").read_bytes()
        return (current / "key.pem").read_bytes(), chain, (ISSUED / "roots.pem").read_bytes()
    make_startup(settings, STARTUP)
    certificate = (STARTUP / "certificate.pem").read_bytes()
    return (STARTUP / "key.pem").read_bytes(), certificate, certificate


def prepare(settings: Settings) -> None:
    """Put in place what the server reads, readable for it alone where it is secret.

    Raises:
        AgentError: the node has no such user, or its place in a cluster is another now.
        OSError: a file cannot be read or written.
    """
    try:
        owner = pwd.getpwnam(settings.user)
    except KeyError as error:
        raise AgentError(f"the node has no user {settings.user}: role vault_server makes it") from error
    logs = ((Path(folder), 0o750) for folder in settings.logs)
    for folder, mode in ((STATE, 0o700), *logs, (RUN, 0o755)):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        folder.chmod(mode)
    key, certificate, anchors = chosen(settings)
    files.write(KEY, key, 0o400, owner.pw_uid)
    files.write(CERTIFICATE, certificate, 0o444, owner.pw_uid)
    ANCHORS.parent.mkdir(parents=True, exist_ok=True)
    files.write(ANCHORS, anchors, 0o444)
    if settings.cluster:
        # The service's CAs vouch for the other servers too; the file above is not the server's to read.
        files.write(PEERS, anchors, 0o444, owner.pw_uid)
    vault_cluster.settle(settings.cluster, STATE, owner.pw_uid)


def reload(settings: Settings) -> None:
    """Have the running server read its certificate and reopen its audit log (SIGHUP).

    Raises:
        AgentError: it does not run.
        OSError: a file cannot be read or written.
    """
    prepare(settings)
    try:
        pid = int(PID.read_text(encoding="utf-8"))
        # A server that was killed leaves its number behind, and another process may have it now.
        if Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam(settings.user).pw_uid:
            os.kill(pid, signal.SIGHUP)
            return
    except (OSError, ValueError) as error:
        raise AgentError(f"{PID} names no running server ({error}): start heiiki-vault") from error
    raise AgentError(f"{PID} names process {pid}, which is not the server's: start heiiki-vault")


def health(settings: Settings) -> str:
    """Return what the API says of itself; its certificate must hold.

    Raises:
        AgentError: it does not answer, or not so.
    """
    address = settings.addresses[0]
    try:
        context = ssl.create_default_context(cafile=str(ANCHORS))
        connection = http.client.HTTPSConnection(address, settings.port, timeout=HEALTH_S, context=context)
        connection.request("GET", HEALTH)
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AgentError(f"https://{address}:{settings.port} does not answer: {error}") from error
    if answer.status != http.client.OK:
        raise AgentError(f"https://{address}:{settings.port}{HEALTH} answers {answer.status}: {text.strip()}")
    return text.strip()


def tell_health(settings: Settings) -> None:
    """Print what the API says of itself."""
    print(health(settings))


VERBS: Mapping[str, Callable[[Settings], None]] = {
    "prepare": prepare,
    "reload": reload,
    "health": tell_health,
}


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="heiiki-agent vault-node")
    parser.add_argument("verb", choices=sorted(VERBS))
    parser.add_argument("file", type=Path)
    asked = parser.parse_args(arguments)
    VERBS[asked.verb](config.read(Settings, asked.file))
    return 0
