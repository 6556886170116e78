"""What the device has, and what is wrong with it; nothing secret is in it."""

import logging
import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from heiiki_agent.errors import AgentError
from heiiki_agent.pki.associations import Basis, loaded_lists
from heiiki_agent.pki.settings import Settings
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.verification import why_not
from heiiki_agent.pki.x509 import Certificate, RevocationList, now, public_key

_log = logging.getLogger("credentials")


def shown(moment: datetime) -> str:
    """Return a time as reports show it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def status(settings: Settings) -> dict[str, Any]:
    """Return what is there and what is wrong with it; nothing secret is in it.

    `refused_serials`, of a device that verifies peers: the serial numbers on the lists that what verifies
    them has loaded; None when it cannot be asked.
    """
    report, store = summary(settings), Store(settings.folder)
    if report["generation"] is not None:
        report["problems"] = list(_problems(store))
    if settings.revocation is not None:
        report["refused_serials"] = _refused_serials(settings, store)
    return report


def _refused_serials(settings: Settings, store: Store) -> list[str] | None:
    """Return the certificates that no peer is accepted with; None when that is not known."""
    if not settings.associations:
        lists = store.lists() if store.read("loaded") == store.digest() else None
    else:
        try:
            lists = loaded_lists()
        except AgentError as error:
            _log.error("%s", error)
            lists = None
    return None if lists is None else sorted({serial for one in lists for serial in one.serials})


def summary(settings: Settings) -> dict[str, Any]:
    """Return what is there as `status` does, without examining it: `problems` is empty."""
    store = Store(settings.folder)
    current = store.current()
    report: dict[str, Any] = {
        "device": settings.device,
        "wanted": settings.names.document(),
        "generation": current,
        "pending": store.pending(),
        "previous": store.previous(),
        "loaded": store.read("loaded") == store.digest(),
        "authenticated": Basis.of(store).holds(Basis.kept(store)) if settings.associations else None,
        "users": [shlex.join(command) for command in (*settings.users, *settings.listeners)],
        "pulls": settings.revocation is not None,
        "anchors": [_authority(item) for item in store.certificates("roots.pem")],
        "server_anchors": [_authority(item) for item in store.certificates("server.pem")],
        "crls": [listed(item) for item in store.lists()],
        "certificate": None,
        "problems": [],
    }
    if current is not None:
        report["certificate"] = _in_use(store)
    return report


def _authority(item: Certificate) -> dict[str, Any]:
    return {"subject": item.subject, "sha256": item.sha256, "not_after": shown(item.not_after)}


def listed(item: RevocationList) -> dict[str, Any]:
    """Return the facts of a CRL."""
    return {
        "issuer": item.issuer,
        "authority_key": item.authority_key,
        "number": item.number,
        "this_update": shown(item.this_update),
        "next_update": shown(item.next_update),
        "hours_left": round((item.next_update - now()).total_seconds() / 3600, 2),
        "revoked": len(item.serials),
    }


def _in_use(store: Store) -> dict[str, Any] | None:
    """Return the facts of the certificate in use; None when its file is missing."""
    found = store.certificates("current/certificate.pem")
    if not found:
        return None
    leaf, chain = found[0], store.certificates("current/chain.pem")
    life = (leaf.not_after - leaf.not_before).total_seconds()
    return {
        "serial": leaf.serial,
        "sha256": leaf.sha256,
        "subject": leaf.subject,
        "issuer": leaf.issuer,
        "issuer_sha256": chain[0].sha256 if chain else "",
        "not_before": shown(leaf.not_before),
        "not_after": shown(leaf.not_after),
        "days_left": round((leaf.not_after - now()).total_seconds() / 86_400, 3),
        "share_used": round((now() - leaf.not_before).total_seconds() / life, 4),
        "names": leaf.names.document(),
        "key": leaf.key,
        "chain": [_authority(item) for item in chain],
        "revoked": any(leaf.serial in item.serials for item in store.lists() if item.covers(leaf)),
    }


def _problems(store: Store) -> Iterator[str]:
    """Yield what makes the generation in use unfit, whatever the cause."""
    found, key = store.certificates("current/certificate.pem"), store.folder / "current/key.pem"
    if not found:
        yield "certificate.pem is missing"
        return
    leaf, chain = found[0], store.certificates("current/chain.pem")
    try:
        mode = key.stat().st_mode & 0o777
        if mode != 0o600:  # noqa: PLR2004
            yield f"key.pem has mode {mode:04o}, not 0600"
        if public_key(key.read_text(encoding="utf-8")) != leaf.spki:
            yield "key.pem is not the certificate's key"
    except FileNotFoundError:
        yield "key.pem is missing"
    except AgentError as error:
        yield f"key.pem: {error}"
    if not chain:
        yield "chain.pem is missing"
    roots = store.certificates("roots.pem")
    problem = why_not(leaf, chain, roots) if roots else "roots.pem is missing"
    if problem:
        yield problem
