"""What the configuration of an end holds that speaks OpenADR over XMPP."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Annotated

from heiiki_agent.openadr.envelope import Security

Jid = Annotated[str, r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+"]


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Where an XMPP server listens."""

    address: Annotated[str, IPv4Address]
    port: Annotated[int, range(1, 65_536)]


@dataclass(frozen=True, kw_only=True)
class XmppSettings:
    """The sessions of an end.

    Attributes:
        domain: of every JID, and the name in the certificate of each server.
        servers: each serves the domain by itself; the end is logged in at all of them.
        jid: of the end, bare, as its certificate has it.
    """

    domain: Annotated[str, r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"]
    servers: Annotated[tuple[ServerSettings, ...], 1]
    jid: Jid


@dataclass(frozen=True, kw_only=True)
class VenXmppSettings(XmppSettings):
    """The same at a VEN; `vtn` is the VTN's JID, bare: who else sends an event is refused."""

    vtn: Jid


def unsigned(security: Security, xmpp: XmppSettings | None) -> None:
    """Refuse signed messages over XMPP, whose server rewrites their XML, which ends a signature.

    Raises:
        ValueError: both are asked for.
    """
    if security == "high" and xmpp is not None:
        raise ValueError("security: high: no signature outlives an XMPP server; use one of the two")
