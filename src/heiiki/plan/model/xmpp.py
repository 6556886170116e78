"""XMPP (RFC 6120): the server of the closed group, and who may exchange what over it."""

from dataclasses import dataclass
from ipaddress import IPv4Address


@dataclass(frozen=True, slots=True)
class XmppServer:
    """What a device serves as XMPP server. JIDs are those of certificates, bare.

    Attributes:
        domain: what every JID ends in; its certificate bears it as a DNS name (RFC 6120 13.7.1.2).
        address, port: where it listens.
        dras: JID of the DRAS, the one that exchanges stanzas with every device.
        devices: JIDs of the sites' controllers, but for those that are revoked.
        probe: JID of the server's own host, which tries that it reaches no one.
    """

    domain: str
    address: IPv4Address
    port: int
    dras: str
    devices: tuple[str, ...]
    probe: str
