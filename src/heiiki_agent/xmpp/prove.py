"""The program `xmpp`: proves on the XMPP server's host that a stanza gets through only where it may.

The host logs in under a JID of its own, which may reach no other, and sends each kind of stanza to DRAS and
to a device. Each must come back as a violation of policy: a file with rules does not say that they hold.
"""

import argparse
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.settings import Address, Dns, Jid
from heiiki_agent.pki.x509 import Certificate
from heiiki_agent.xmpp.client import Client, Place, RefusedError, refusals
from heiiki_agent.xmpp.places import CREDENTIALS

_READY_S = 20.0
"""How long a server may take to listen, or to load a certificate: other things start at the same time."""
_PAUSE_S = 0.2
_RESOURCE = "proof"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is tried.

    Attributes:
        domain, address, port: the server.
        jid: of this host, in its certificate.
        dras: JID that it may not reach.
        devices: file of those that it may not reach either; the first is tried.
        credentials: folder with key.pem, certificate.pem and trust.pem.
    """

    domain: Dns
    address: Address
    port: Annotated[int, range(1, 65_536)]
    jid: Jid
    dras: Jid
    devices: Path
    credentials: Path = CREDENTIALS

    @property
    def place(self) -> Place:
        """Where the server is."""
        return Place(domain=self.domain, address=self.address, port=self.port)


def main(argv: Sequence[str]) -> int:
    """Run the proof; exit 0 where it holds, and 1 where it does not or cannot be had."""
    parser = argparse.ArgumentParser(prog="heiiki-agent xmpp", description="The XMPP server keeps its rules.")
    parser.add_argument("do", choices=("prove",))
    parser.add_argument("file", type=Path)
    print(prove(config.read(Settings, parser.parse_args(argv).file)))
    return 0


def prove(settings: Settings, ready_s: float = _READY_S) -> str:
    """Return what was proven; of a host that has no certificate under its JID yet, that nothing was.

    Raises:
        AgentError: the server let something through, or cannot be asked.
    """
    if not _enrolled(settings):
        return f"not proven: this host has no certificate that names {settings.jid} yet"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(settings.credentials / "certificate.pem", settings.credentials / "key.pem")
        context.load_verify_locations(settings.credentials / "trust.pem")
    except (OSError, ssl.SSLError) as error:
        raise AgentError(
            f"{settings.credentials}: cannot be used for TLS: {error}; enrol the host"
        ) from error
    forbidden = (*_devices(settings.devices)[:1], settings.dras)
    with _logged_in(settings, context, time.monotonic() + ready_s) as client:
        wrong = list(_passed(client, forbidden))
    if wrong:
        raise AgentError(f"{'; '.join(wrong)}: see the daemon's log, and apply the device's role")
    return f"{settings.jid} reaches none of {', '.join(forbidden)}"


def _devices(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError as error:
        raise AgentError(f"{file}: cannot be read: {error}; apply the device's role") from error


def _enrolled(settings: Settings) -> bool:
    try:
        text = (settings.credentials / "certificate.pem").read_text(encoding="ascii")
        return settings.jid in Certificate.read(text).names.jids
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise AgentError(f"{settings.credentials}: its certificate cannot be read: {error}") from error


def _logged_in(settings: Settings, context: ssl.SSLContext, until: float) -> Client:
    """Log in; one that does not listen yet, or is about to load its certificate, is asked again."""
    while True:
        try:
            client = Client(settings.place, context)
        except RefusedError as error:
            if time.monotonic() > until:
                raise AgentError(f"the XMPP server cannot be proven: {error}") from error
            time.sleep(_PAUSE_S)
            continue
        try:
            client.log_in(_RESOURCE)
        except BaseException:
            client.close()
            raise
        return client


def _passed(client: Client, forbidden: Sequence[str]) -> Iterator[str]:
    """Yield what was not refused for its addressee."""
    for to in forbidden:
        for kind, said in refusals(client, to).items():
            if said != "policy-violation":
                yield f"{client.jid} may send {kind} to {to} ({said})"
