"""Identities: the names that certificates bear, and the CA that vouches for them (NISTIR 7628 IA-5)."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from heiiki.intent import Site
from heiiki.intent.lan import authenticated, controlled
from heiiki.plan import addresses as addr
from heiiki.plan import names
from heiiki.plan.context import Context
from heiiki.plan.firewall import VAULT
from heiiki.plan.model import (
    CrlMirror,
    CrlSource,
    DeviceClass,
    Identity,
    Lifetimes,
    Network,
    Pki,
    Suite,
    VaultEndpoint,
    VaultHost,
)

SUITE = Suite(
    ike="aes256gcm16-prfsha384-ecp256,aes256gcm16-prfsha384-x25519",
    esp="aes256gcm16-ecp256,aes256gcm16-x25519",
)
"""AES-GCM with 256-bit keys, elliptic-curve exchanges only: MUST or SHOULD of RFC 8221 and RFC 8247."""

LIFETIMES = Lifetimes(
    certificate_h=30 * 24,
    renew_share=2 / 3,
    issuing_h=2 * 365 * 24,
    root_h=10 * 365 * 24,
    crl_h=72,
    delta_crl_min=15,
)
"""A certificate is renewed with ten days of margin; a CRL outlasts a weekend without the server."""

_TOP = "internal"
"""Top-level domain reserved for private use (ICANN, 2024-07-29)."""

_OPERATOR = "operator"
_SPEAKERS = frozenset({names.DRAS, names.XMPP})
"""Servers with an XMPP address: DRAS speaks with every device, the XMPP server's host tries its own rules."""
_LOOPBACK = IPv4Network("127.0.0.1/32")


def domain(context: Context) -> str:
    """Return the suffix of every host name of the service."""
    return f"{context.service.service.replace('_', '-')}.{_TOP}"


def host(context: Context, device: str) -> str:
    """Return the host name of a device: its identity in IKEv2 and TLS."""
    return f"{device}.{domain(context)}"


def identity(context: Context, device: str, kind: DeviceClass, served: Iterable[str] = ()) -> Identity:
    """Return the names that the certificate of `device` bears, with those that it is a server by."""
    return Identity(
        device=device,
        kind=kind,
        dns=(*_dns(context, device), *served),
        uris=(f"urn:heiiki:{context.service.service}:{device}",),
        addresses=_addresses(context, device),
        jids=(jid(context, device),) if kind is DeviceClass.EMS or device in _SPEAKERS else (),
    )


def jid(context: Context, device: str) -> str:
    """Return the XMPP address of a device."""
    return f"{device}@{domain(context)}"


def _dns(context: Context, device: str) -> tuple[str, ...]:
    """The XMPP server answers for the domain of every JID (RFC 6120 13.7.1.2)."""
    served = (domain(context),) if device == names.XMPP else ()
    return (host(context, device), *served)


def one_gateway(context: Context, site: Site) -> Identity:
    """Return the names of a site's one gateway, which is the EAP server where its LAN has one."""
    device, lan = names.gateway(site, Network.B), site.site_lan
    if not authenticated(lan):
        return identity(context, device, DeviceClass.GATEWAY)
    served = authenticator(context, device) if controlled(lan) else access_point(context, device)
    return identity(context, device, DeviceClass.ACCESS_POINT, (served,))


def access_point(context: Context, device: str) -> str:
    """Return the name of a gateway as access point; no other device's certificate bears one like it.

    A gateway that becomes one so gets a certificate for that, since its names are no longer those of before.
    """
    return f"wifi.{host(context, device)}"


def authenticator(context: Context, device: str) -> str:
    """Return the name of a gateway as authenticator of a wired LAN; likewise no other's."""
    return f"lan.{host(context, device)}"


def _addresses(context: Context, device: str) -> tuple[IPv4Address, ...]:
    """Return the addresses that a device's certificate bears: those of a Vault server."""
    own = context.vaults.get(device)
    return (own.lan, own.service) if own else ()


def vault_servers(context: Context) -> tuple[VaultHost, ...]:
    """Return the Vault servers as their clients know them."""
    return tuple(
        VaultHost(device, host(context, device), own.lan, own.service)
        for device, own in context.vaults.items()
    )


def crl_source(context: Context, mirrors: Iterable[CrlMirror]) -> CrlSource:
    """Return where a verifier outside of the closed group gets CRLs, and how often it asks."""
    servers = (VaultEndpoint(_url(one.service_address), one.host) for one in vault_servers(context))
    return CrlSource(tuple(servers), context.timers.crl_poll_s, tuple(mirrors))


def crl_source_inside(context: Context, mirrors: Iterable[CrlMirror]) -> CrlSource:
    """Return where a verifier of the closed group gets CRLs."""
    servers = (VaultEndpoint(_url(one.address), one.host) for one in vault_servers(context))
    return CrlSource(tuple(servers), context.timers.crl_poll_s, tuple(mirrors))


def _url(address: IPv4Address) -> str:
    return f"https://{address}:{VAULT}"


def pki(context: Context) -> Pki:
    """Return who vouches for whom."""
    return Pki(
        domain=domain(context),
        servers=vault_servers(context),
        port=VAULT,
        root_mount="pki-root",
        issuing_mount="pki-issuing",
        secrets_mount="kv",
        lifetimes=LIFETIMES,
        suite=SUITE,
        operator=identity(context, _OPERATOR, DeviceClass.OPERATOR),
        controllers=_controllers(context),
    )


def _controllers(context: Context) -> tuple[IPv4Network, ...]:
    """Return where log-ins come from: the servers' own hosts, and what the management network says."""
    used = context.management
    named = used.controllers or ((*used.sources, context.hub_lan) if used.sources else ())
    own = (addr.only(address) for one in context.vaults.values() for address in (one.lan, one.service))
    return (_LOOPBACK, *own, *named)
