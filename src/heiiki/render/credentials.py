"""What a device with an identity is sent: how to keep its certificate and CRLs."""

from collections.abc import Iterator
from typing import Any

from heiiki.plan.model import CrlSource, Device, Identity, Plan, VaultClient
from heiiki.render import agent, dot1x, mms, openadr, radius, wlan, xmpp
from heiiki.render.documents import by_key
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.units import unit
from heiiki_agent.crl_mirror import PORT as CRL_MIRROR
from heiiki_agent.est import places as est_places
from heiiki_agent.mms import places as mms_places
from heiiki_agent.openadr import places
from heiiki_agent.xmpp import places as xmpp_places

SERVICE = "heiiki-revocation"
MIRROR = "heiiki-crl-mirror"
_ANSWERS = ("python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {CRL_MIRROR}), 5)")
CONFIG = "/etc/heiiki/credentials.json"
_VAULT_RELOAD = list(agent.command("vault-node", "reload", "/etc/heiiki/vault_server.json"))


def config(plan: Plan, device: Device) -> RenderedFile | None:
    """Return the program's configuration; None where the device has no identity."""
    if device.identity is None:
        return None
    content = by_key(settings(plan, device, device.identity))
    # The hops that depend on it: those whose ends authenticate with this certificate.
    requirements = tuple(dict.fromkeys(connection.protects for connection in device.ipsec))
    return RenderedFile(CONFIG, content, service=_service(device), requirements=requirements)


def revocation(_plan: Plan, device: Device) -> Part | None:
    """Return the unit that pulls CRLs, and its service; program and configuration come by themselves."""
    if device.crl_source is None:
        return None
    health = agent.command("credentials", "check")
    return Part((unit(SERVICE),), Service(SERVICE, "restart", health, restart_on=(agent.PATH,)))


def mirror(_plan: Plan, device: Device) -> Part | None:
    """Return the unit that serves CRLs to others, and its service."""
    if not device.crl_mirror:
        return None
    return Part((unit(MIRROR),), Service(MIRROR, "restart", _ANSWERS, restart_on=(agent.PATH,)))


def _service(device: Device) -> str:
    return SERVICE if device.crl_source is not None else ""


def names(identity: Identity) -> dict[str, list[str]]:
    """Return the names of an identity, as the program reads them."""
    return {
        "dns": list(identity.dns),
        "addresses": [str(address) for address in identity.addresses],
        "uris": list(identity.uris),
        "jids": list(identity.jids),
    }


def settings(plan: Plan, device: Device, identity: Identity) -> dict[str, Any]:
    """Return the program's configuration, for a device with `identity`, as a document."""
    document: dict[str, Any] = {"device": device.name, **names(identity), **_of_programs(device)}
    if device.ipsec:
        if supervised := supervised_by(plan, device):
            document["supervised"] = supervised
        if initiated := [one.name for one in device.ipsec if one.initiates]:
            document["initiated"] = initiated
        document["sources"] = [_source(client) for client in device.vault_clients]
        document |= _strongswan()
    if device.crl_source is not None:
        document["revocation"] = _revocation(plan, device.crl_source)
    return document


def _of_programs(device: Device) -> dict[str, Any]:
    """Return which programs have copies of the credentials, and which are told of new ones or new lists."""
    found = {
        "copies": list(_copies(device)),
        "users": [_VAULT_RELOAD] if device.vault is not None else [_reload(unit) for unit in _users(device)],
        "listeners": [*wlan.listeners(device), *dot1x.listeners(device), *radius.listeners(device)],
    }
    return {key: value for key, value in found.items() if value}


def _reload(unit: str) -> list[str]:
    return ["systemctl", "try-reload-or-restart", f"{unit}.service"]


def _copies(device: Device) -> Iterator[dict[str, Any]]:
    """Yield what programs that run as users of their own need of the device's credentials."""
    if openadr.end(device) is not None:
        yield {"folder": str(places.CREDENTIALS), "user": places.ACCOUNT}
    if device.est is not None:
        yield {"folder": str(est_places.CREDENTIALS), "user": est_places.ACCOUNT}
    if mms.end(device) is not None:
        yield {"folder": str(mms_places.CREDENTIALS), "user": mms_places.ACCOUNT}
    if device.xmpp is not None:
        yield xmpp.copies()
    if wlan.listeners(device) or dot1x.listeners(device):
        yield wlan.copies()
    if radius.has_credentials(device):
        yield radius.copies()


def _users(device: Device) -> Iterator[str]:
    """Yield the units that load what is new."""
    if (end := openadr.end(device)) is not None:
        # It hangs up on everybody, so that no connection outlives what its peer's certificate is worth.
        yield places.unit(end)
    if device.est is not None:
        # The same, and it looks whose secrets are to be withdrawn.
        yield est_places.UNIT
    if (mms_end := mms.end(device)) is not None:
        # The same; each order of the client has a session of its own besides.
        yield mms_places.unit(mms_end)
    if device.xmpp is not None:
        # Sessions of certificates that are good no more end, and those alone.
        yield xmpp_places.UNIT


def _revocation(plan: Plan, source: CrlSource) -> dict[str, Any]:
    first, *others = source.servers
    document: dict[str, Any] = {
        "url": first.url,
        "host": first.host,
        "mounts": [plan.pki.issuing_mount, plan.pki.root_mount],
        "every_s": source.every_s,
        "mirrors": [
            {"address": str(one.address), "port": CRL_MIRROR, "source": _source(one.client)}
            for one in source.mirrors
        ],
    }
    if others:
        document["others"] = [{"url": one.url, "host": one.host} for one in others]
    return document


def supervised_by(plan: Plan, device: Device) -> dict[str, str]:
    """Return the gateways that a device must hear, by connection: at the hub those of all sites (R-THEFT)."""
    return {
        one.name: one.peer
        for one in device.ipsec
        if device.site is None and plan.device(one.peer).site and not plan.device(one.peer).revoked
    }


def _source(client: VaultClient) -> dict[str, str]:
    bound = {"interface": client.interface} if client.interface else {}
    return {"address": str(client.address), **bound}


def _strongswan() -> dict[str, Any]:
    """What strongSwan reads: one certificate a file, wherever there may be several."""
    return {
        "links": {
            "/etc/swanctl/private/device.pem": "key.pem",
            "/etc/swanctl/x509/device.pem": "certificate.pem",
        },
        "ca_folder": "/etc/swanctl/x509ca",
        "crl_folder": "/etc/swanctl/x509crl",
        # --clear drops retired CAs from charon's memory.
        "users": [["swanctl", "--load-creds", "--clear", "--noprompt"]],
        "associations": True,
    }
