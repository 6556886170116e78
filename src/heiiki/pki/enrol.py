"""Enrolment of many devices in one run: what all of them need is fetched once, a token is made for each.

The controller's part only. The device makes key and request (`heiiki_agent.pki`), and has the request
signed itself with what `order` sends it.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import IPv4Address
from typing import Any

from cryptography import x509

from heiiki.errors import CertificateError
from heiiki.pki import authorities, marks
from heiiki.pki.issue import check_request, mint, signing_call
from heiiki.pki.revoke import revoked_since
from heiiki.pki.server import login
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import Access
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.roles import is_mark, role_path
from heiiki.plan.model import Device, DeviceClass, Identity, Plan

Document = dict[str, Any]

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----")


def planned(plan: Plan) -> Document:
    """Return what the plan says of every device's certificate, as a document of JSON."""
    trust = plan.pki
    devices = {
        device.name: {
            "identity": _identity(device.identity),
            **_where(plan, device),
            "call": signing_call(trust, device.identity),
            "role": role_path(trust, device.name),
            "revoked": device.revoked,
            # Its only way to the server is one that its certificate opens.
            "handed": device.station is not None or device.supplicant is not None,
        }
        for device in plan.devices
        if device.identity is not None
    }
    return {"devices": devices, "renew_share": trust.lifetimes.renew_share}


def _identity(identity: Identity) -> Document:
    return {**asdict(identity), "addresses": [str(address) for address in identity.addresses]}


def _where(plan: Plan, device: Device) -> Document:
    """Return where the device reaches the servers: outside of its tunnels, if it has any."""
    if device.crl_source is not None:
        servers = [(one.url, one.host) for one in device.crl_source.servers]
    else:
        servers = [(f"https://{one.address}:{plan.pki.port}", one.host) for one in plan.pki.servers]
    (url, host), *others = servers
    return {"url": url, "host": host, "others": [{"url": url, "host": host} for url, host in others]}


def facts(vault: Vault, plan: Plan) -> Document:
    """Return who is to be trusted, who signs now and what is revoked, as a document of JSON; needs no token.

    Raises:
        VaultError: the server is away or sealed, or has no CA.
    """
    issuing = vault.fetch(f"{plan.pki.issuing_mount}/ca/pem").decode("ascii")
    return {
        "anchors": pems(authorities.trust_anchors(vault, plan.pki)),
        "server_anchors": _server_anchors(vault),
        "issuer_sha256": fingerprint(issuing),
        "lists": _lists(vault, plan),
    }


def _lists(vault: Vault, plan: Plan) -> list[str]:
    """Return the CRLs of the CAs that sign now."""
    mounts = plan.pki.issuing_mount, plan.pki.root_mount
    return [vault.fetch(f"{mount}/crl/pem").decode("ascii") for mount in mounts]


def _server_anchors(vault: Vault) -> list[str]:
    """Return what vouches for the servers' own certificates, each once."""
    return list(dict.fromkeys(pem for one in vault.server.every for pem in pems(one.ca_pem)))


def revoked(vault: Vault, plan: Plan) -> Document:
    """Return what the server has revoked, as a document of JSON: devices and serials, and since when.

    Args:
        vault: a session of AppRole enroller.
        plan: the service.
    """
    serials = revoked_since(vault, plan.pki)
    devices = marks.revoked_devices(vault, plan.pki, plan.identities(), serials)
    return {"revoked_devices": devices, "revoked_serials": serials}


def refusal(shared: Mapping[str, Any], device: str, certificate: Mapping[str, Any] | None) -> str:
    """Return why a device gets no certificate whatever it lacks, or nothing: the server has revoked it.

    That its certificate is revoked is never a reason to give it another: it may be in a thief's hands.

    Args:
        shared: `revoked`, or more.
        device: its name.
        certificate: the one that it says it has, if any.
    """
    serial = certificate["serial"] if certificate else ""
    since = shared["revoked_devices"].get(device) or shared["revoked_serials"].get(serial)
    if since or (certificate and certificate.get("revoked")):
        return f"{device} is revoked at the CA{f' on {since}' if since else ''}; {marks.lifts(device)}"
    return ""


def pems(text: str) -> list[str]:
    """Return each certificate of a PEM text."""
    return [f"{found.group()}\n" for found in _PEM.finditer(text)]


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of the first certificate in `pem`, hexadecimal.

    Raises:
        CertificateError: there is none.
    """
    found = _PEM.search(pem)
    if found is None:
        raise CertificateError("the Vault server's issuing engine gives no CA certificate; run role pki")
    return hashlib.sha256(base64.b64decode(found.group(1))).hexdigest()


def names(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of a device's document of `planned`, as the device's program reads them."""
    return {kind: list(document["identity"][kind]) for kind in ("dns", "addresses", "uris", "jids")}


def wanted(shared: Mapping[str, Any], device: str) -> Document:
    """Return what the certificate of `device` is compared with there, and by which way it gets another.

    Args:
        shared: `planned` and `facts` together.
        device: whose certificate.
    """
    document = shared["devices"][device]
    return {
        "names": names(document),
        **{key: document[key] for key in ("url", "others", "handed")},
        **{key: shared[key] for key in ("renew_share", "anchors", "server_anchors", "issuer_sha256")},
    }


def log_in(access: Access) -> str:
    """Return a token that may make devices' tokens, for every process of this run.

    Raises:
        VaultError: no credentials are known, or they are refused.
    """
    return login.log_in(access, AppRole.ENROLLER)


def order(vault: Vault, shared: Mapping[str, Any], device: str, csr: str) -> tuple[str, Document]:
    """Check a device's request, and return the wrapped token and what goes with it to the device.

    A device whose only way to the server is one that its certificate opens is handed the certificate itself,
    with the lists that it verifies its first peer by, and no token.

    Args:
        vault: a session of AppRole enroller.
        shared: `planned` and `facts` together.
        device: whose request.
        csr: the request, PEM.

    Raises:
        CertificateError: the device is revoked at the server, or the request is not what the plan allows; no
            token was made.
        VaultError: the server makes none.
    """
    document = shared["devices"][device]
    identity = _parsed(document["identity"])
    if is_mark(vault.read(document["role"])):
        raise CertificateError(f"{device} is revoked at the Vault server; {marks.lifts(device)}")
    check_request(csr, identity)
    path, parameters = document["call"]
    token = mint(vault, identity).token
    handed: Document = {}
    if document["handed"]:
        handed = {"signed": _signed(vault, token, path, {**parameters, "csr": csr}), "lists": shared["lists"]}
        token = ""
    return token, {
        **handed,
        **{key: document[key] for key in ("url", "host", "others")},
        "path": path,
        "parameters": parameters,
        "names": names(document),
        "anchors": shared["anchors"],
        "server_anchors": shared["server_anchors"],
    }


def _signed(vault: Vault, wrapped: str, path: str, parameters: Document) -> list[str]:
    """Have a request signed as its device would: by the token that is good for this one call.

    Returns:
        The certificate, and the CAs above it but the root.
    """
    opened = vault.with_token(wrapped).write("sys/wrapping/unwrap", {})
    device = vault.with_token(opened["auth"]["client_token"])
    answer = device.write(path, parameters)["data"]
    chain = answer.get("ca_chain") or [answer["issuing_ca"]]
    return [answer["certificate"], *(pem for pem in chain if not _is_root(pem))]


def _is_root(pem: str) -> bool:
    found = x509.load_pem_x509_certificate(pem.encode())
    return found.subject == found.issuer


def _parsed(document: Mapping[str, Any]) -> Identity:
    return Identity(
        device=document["device"],
        kind=DeviceClass(document["kind"]),
        dns=tuple(document["dns"]),
        uris=tuple(document["uris"]),
        addresses=tuple(map(IPv4Address, document["addresses"])),
        jids=tuple(document["jids"]),
    )
