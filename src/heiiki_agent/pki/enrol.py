"""Enrolment: key and request are made here, and the certificate that Vault signs is checked and installed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heiiki_agent import files
from heiiki_agent.errors import AgentError, ServerError
from heiiki_agent.pki import crl
from heiiki_agent.pki.names import Names
from heiiki_agent.pki.settings import Anchors, Order, Settings
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.vault import UNWRAP, Server
from heiiki_agent.pki.verification import why_not
from heiiki_agent.pki.x509 import Certificate, RevocationList, certificates, new_key, now, public_key


def request(settings: Settings) -> dict[str, Any]:
    """Make key and CSR in a new generation; return its number and the CSR."""
    store = Store(settings.folder)
    with store.alone():
        number = store.begin()
        key, csr = new_key(settings.names)
        files.write(store.path(number) / "key.pem", key, 0o600)
        files.write(store.path(number) / "request.pem", csr)
    return {"generation": number, "csr": csr, "names": settings.names.document()}


def install(settings: Settings, order: Order) -> dict[str, Any]:
    """Have the pending generation's CSR signed as `order` says, check the answer, and switch to it.

    Raises:
        AgentError: something is wrong with order, answer or device; what is in use has not changed.
    """
    if order.names.document() != settings.names.document():
        raise AgentError(
            f"the order is for {order.names}, this device's configuration has {settings.names}: "
            "compile and apply the plan, then run again"
        )
    roots(order.trusted)
    store = Store(settings.folder)
    with store.alone():
        folder = _pending(store, order.generation)
        if order.signed:
            leaf, *chain = (Certificate.read(text) for text in order.signed)
        else:
            leaf, chain = sign(settings, order, (folder / "request.pem").read_text(encoding="utf-8"))
        key = public_key((folder / "key.pem").read_text(encoding="utf-8"))
        _accept(settings.names, key, leaf, chain, order.trusted)
        files.write(folder / "certificate.pem", leaf.pem)
        files.write(folder / "chain.pem", "".join(item.pem for item in chain))
        store.keep_anchors(order.trusted)
        store.switch(order.generation)
        store.prune(keep_previous=not order.compromised)
    if order.lists:
        crl.take(settings, _handed(order), store.authorities())
    return {"generation": order.generation, "serial": leaf.serial}


def _handed(order: Order) -> list[crl.Fetched]:
    try:
        return [crl.Fetched("the order", RevocationList.read(text), None) for text in order.lists]
    except ValueError as error:
        raise AgentError(f"the order's lists cannot be read: {error}; run again") from error


def _pending(store: Store, generation: int) -> Path:
    pending = store.pending()
    if pending != generation:
        raise AgentError(
            f"{store.folder}: the order is for generation {generation}, the one that waits is "
            f"{pending or 'none'}: another run came between; run again"
        )
    folder = store.path(generation)
    if not (folder / "key.pem").is_file() or not (folder / "request.pem").is_file():
        raise AgentError(f"{folder}: its key was never finished: run again")
    return folder


def sign(settings: Settings, order: Order, csr: str) -> tuple[Certificate, list[Certificate]]:
    """Unwrap the token, have `csr` signed, and return certificate and chain, roots left out.

    Raises:
        ServerError: Vault is away, refuses, or gives no certificate.
    """
    with Server(order.endpoints, order.trusted, settings.sources) as server:
        unwrapped = server.document("POST", UNWRAP, order.token, {})
        try:
            token = str(unwrapped["auth"]["client_token"])
        except (KeyError, TypeError) as error:
            raise ServerError(f"{order.url}: {UNWRAP}: the answer holds no token") from error
        answer = server.document("POST", order.path, token, {**order.parameters, "csr": csr})
    try:
        data = answer["data"]
        texts = [str(text) for text in data.get("ca_chain") or [data["issuing_ca"]]]
        leaf = Certificate.read(str(data["certificate"]))
        chain = [item for text in texts for item in certificates(text)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ServerError(f"{order.url}: {order.path}: the answer holds no certificate: {error}") from error
    return leaf, [item for item in chain if not item.self_issued]


def _accept(
    names: Names, spki: bytes, leaf: Certificate, chain: Sequence[Certificate], anchors: Anchors
) -> None:
    """Take a certificate for what was asked, or raise AgentError."""
    if leaf.spki != spki:
        raise AgentError("the certificate that came is for another key: not installed; read Vault's log")
    if leaf.names.document() != names.document() or leaf.unexpected:
        found = ", ".join(filter(None, (str(leaf.names), *leaf.unexpected)))
        raise AgentError(f"the certificate that came has the names {found}, asked for were {names}")
    if leaf.subject != f"CN={names.dns[0]}":
        raise AgentError(f"the certificate that came is for {leaf.subject}, not CN={names.dns[0]}")
    if leaf.ca:
        raise AgentError("the certificate that came is a CA's: not installed; look at the role in Vault")
    problem = why_not(leaf, chain, roots(anchors))
    if problem:
        raise AgentError(
            f"the certificate that came does not verify against the trust anchors: {problem}; "
            "not installed: check the clock, and that the anchors are those of Vault's root"
        )


def install_anchors(settings: Settings, anchors: Anchors) -> dict[str, Any]:
    """Write trust anchors; they must go on vouching for the certificate in use.

    Raises:
        AgentError: the certificate in use would no longer verify.
    """
    store = Store(settings.folder)
    trusted = roots(anchors)
    with store.alone():
        if leaf := next(iter(store.certificates("current/certificate.pem")), None):
            problem = why_not(leaf, store.certificates("current/chain.pem"), trusted)
            if problem and now() <= leaf.not_after:
                raise AgentError(
                    f"with these trust anchors this device's own certificate would not verify ({problem}): "
                    "keep the old root beside the new one until every device is renewed"
                )
        return {"changed": store.keep_anchors(anchors)}


def roots(anchors: Anchors) -> list[Certificate]:
    """Return the root CAs.

    Raises:
        AgentError: one of them is no CA certificate.
    """
    try:
        found, _ = (
            [Certificate.read(text) for text in texts] for texts in (anchors.anchors, anchors.server_anchors)
        )
    except ValueError as error:
        raise AgentError(f"trust anchors: {error}: nothing was changed; run again") from error
    for item in found:
        if not item.ca:
            raise AgentError(f"trust anchors: {item.subject} is no CA: nothing was changed; run again")
    return found
