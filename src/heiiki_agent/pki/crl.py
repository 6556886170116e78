"""CRLs: pulled from Vault, and kept when they are newer and good."""

import http.client
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from heiiki_agent import files
from heiiki_agent.errors import AgentError, ServerError
from heiiki_agent.pki.publish import renew_lists
from heiiki_agent.pki.settings import Anchors, CrlSource, Settings
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.vault import Server
from heiiki_agent.pki.verification import why_not
from heiiki_agent.pki.x509 import Certificate, RevocationList, blocks, now

_log = logging.getLogger("credentials")


Bare = dict[str, Certificate]
"""CAs of which the server has the certificate and no CRL, by where that is."""


def pull(settings: Settings, bare: Bare | None = None) -> dict[str, Any]:
    """Fetch the CRL of every CA, keep what is newer and good, and have users load it.

    Args:
        settings: the configuration.
        bare: what earlier pulls learned; this one changes it. The engine of the issuing CA has the root's
            certificate beside its own and answers with an error when asked for its CRL, which another engine
            gives: a third of a pull's octets, which a metered line pays for each time.

    Returns:
        What changed, and what was refused: {"changed": [...], "refused": [...]}.

    Raises:
        ServerError: Vault is away; the CRLs that are here stay.
        AgentError: the device has no trust anchors yet, or a user did not load them.
    """
    store, where = Store(settings.folder), source(settings)
    roots = store.certificates("roots.pem")
    if not roots:
        raise AgentError(f"{store.folder / 'roots.pem'}: is missing: enrol the device first")
    others = store.certificates("server.pem")
    anchors = Anchors(tuple(item.pem for item in roots), tuple(item.pem for item in others))
    with Server(where.endpoints, anchors, settings.sources) as server:
        answers = _answers(server, where.mounts, store, {} if bare is None else bare)
    fetched = [item for item in answers if isinstance(item, Fetched)]
    unlisted = [item.authority for item in answers if isinstance(item, Unlisted)]
    changed, refused = take(settings, fetched, unlisted)
    return {"changed": changed, "refused": refused}


def take(
    settings: Settings, fetched: Sequence["Fetched"], unlisted: Sequence[Certificate]
) -> tuple[list[str], list[str]]:
    """Keep what is newer and good of `fetched`, and have users load it.

    Args:
        settings: the configuration.
        fetched: lists; the older of a CA first.
        unlisted: CAs that are not retired though `fetched` has no list of theirs.

    Returns:
        What changed, and what was refused.

    Raises:
        AgentError: a user did not load what is new.
    """
    store = Store(settings.folder)
    with store.alone():
        changed, refused = _merge(store, store.certificates("roots.pem"), fetched, unlisted)
    for line in changed:
        _log.warning("%s", line)
    if store.read("loaded") != store.digest():
        renew_lists(settings)
    return changed, refused


def source(settings: Settings) -> CrlSource:
    """Return where the device pulls CRLs from; AgentError when it pulls none."""
    if settings.revocation is None:
        raise AgentError(f"{settings.device}: has no `revocation` in its configuration: it pulls no CRLs")
    return settings.revocation


@dataclass(frozen=True, slots=True)
class Fetched:
    """A CRL, and the certificate of its CA where that was not known here."""

    where: str
    revoked: RevocationList
    authority: Certificate | None


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A CA that the server has, and of which it gives no CRL: now, or ever."""

    authority: Certificate
    where: str


def _answers(server: Server, mounts: Iterable[str], store: Store, bare: Bare) -> list[Fetched | Unlisted]:
    """Return the CRL of every CA of every mount; one that only holds another's certificate has none.

    Such a one is asked for its CRL again only where no other place gave it.
    """
    known, remembered = store.authorities(), dict(bare)
    bare.clear()  # whatever goes wrong: the next pull asks for everything
    answers: list[Fetched | Unlisted] = []
    later: list[str] = []
    for mount in mounts:
        places = _places(server, mount)
        later += [where for where in places if where in remembered]
        found = [one for where in places if where not in remembered for one in _fetch(server, where, known)]
        if not any(isinstance(one, Fetched) for one in found):
            raise ServerError(f"{mount}: none of its {len(places)} CAs has a CRL: apply role pki")
        answers += found
    for where in later:
        authority = remembered[where]
        given = any(isinstance(one, Fetched) and one.revoked.is_of(authority) for one in answers)
        answers += [Unlisted(authority, where)] if given else _fetch(server, where, known)
    bare.update({one.where: one.authority for one in answers if isinstance(one, Unlisted)})
    return answers


def _places(server: Server, mount: str) -> list[str]:
    answer = server.document("GET", f"{mount}/issuers?list=true")
    try:
        return [f"{mount}/issuer/{item}" for item in answer["data"]["keys"]]
    except (KeyError, TypeError) as error:
        raise ServerError(f"{mount}/issuers: the answer lists no CA") from error


def _fetch(server: Server, where: str, known: Sequence[Certificate]) -> Iterator[Fetched | Unlisted]:
    """Yield the CRL of one CA, or its certificate where it has none."""
    found = _crl_of(server, where)
    if not found:
        yield Unlisted(_authority_of(server, where), where)
    for pem in found:
        try:
            revoked = RevocationList.read(pem)
        except ValueError as error:
            raise ServerError(f"{where}/crl/pem: is no CRL: {error}") from error
        if any(revoked.is_of(item) for item in known):
            yield Fetched(where, revoked, None)
        else:
            yield Fetched(where, revoked, _authority_of(server, where))


def _crl_of(server: Server, where: str) -> list[str]:
    """Return the CRL of one CA; none when only its certificate is there, which Vault answers with 500."""
    try:
        text = server.call("GET", f"{where}/crl/pem")
    except ServerError as error:
        if error.status in {http.client.INTERNAL_SERVER_ERROR, http.client.NOT_FOUND}:
            return []
        raise
    return blocks(text.decode("ascii", "replace"), "X509 CRL")


def _authority_of(server: Server, where: str) -> Certificate:
    text = server.call("GET", f"{where}/pem").decode("ascii", "replace")
    try:
        return Certificate.read("".join(blocks(text, "CERTIFICATE")[:1]))
    except ValueError as error:
        raise ServerError(f"{where}/pem: is no certificate: {error}") from error


def _merge(
    store: Store,
    roots: Sequence[Certificate],
    fetched: Sequence[Fetched],
    unlisted: Sequence[Certificate],
) -> tuple[list[str], list[str]]:
    """Keep what is newer and good of `fetched`; return what changed and what was refused."""
    known = store.authorities()
    kept = {item.authority: item for item in store.lists()}
    before, learned = dict(kept), []
    changed: list[str] = []
    refused: list[str] = []
    for item in fetched:
        revoked, old = item.revoked, kept.get(item.revoked.authority)
        authority = next((one for one in known if revoked.is_of(one)), item.authority)
        same = old is not None and revoked.number == old.number and revoked.pem == old.pem
        if same and authority in known:
            continue
        problem = why_refused(revoked, old, authority, roots, known)
        if problem or authority is None:
            refused.append(f"CRL {revoked.number} of {revoked.issuer}: {problem}")
            continue
        if authority not in known:
            known.append(authority)
            learned.append(authority)
        kept[revoked.authority] = revoked
        if not same:
            numbers = f"{'none' if old is None else old.number} -> {revoked.number}"
            changed.append(f"CRL of {revoked.issuer}: number {numbers}, {len(revoked.serials)} revoked")
    _keep_issuers(store, learned, fetched, unlisted)
    known = store.authorities()
    kept = {key: one for key, one in kept.items() if any(one.is_of(ca) for ca in known)}
    if kept != before:
        files.write(store.folder / "crl.pem", "".join(one.pem for one in kept.values()))
    return changed, refused


def _keep_issuers(
    store: Store,
    learned: Iterable[Certificate],
    fetched: Sequence[Fetched],
    unlisted: Sequence[Certificate],
) -> None:
    """Keep the CAs below the anchors that Vault still has: one that was retired is trusted no longer.

    One that it has and gives no CRL of, because it failed at that moment, is not retired.
    The device's own is among them: after a renewal by the next one its peers may still be certified by it.
    """
    own = store.certificates("current/chain.pem")
    issuers = {one.sha256: one for one in (*store.certificates("issuers.pem"), *own, *learned)}
    there = {one.sha256 for one in unlisted}
    served = [
        one
        for one in issuers.values()
        if one.sha256 in there or any(item.revoked.is_of(one) for item in fetched)
    ]
    text = "".join(one.pem for one in served if one.not_after > now())
    if text != store.read("issuers.pem"):
        files.write(store.folder / "issuers.pem", text)


def why_refused(
    revoked: RevocationList,
    old: RevocationList | None,
    authority: Certificate | None,
    roots: Sequence[Certificate],
    known: Sequence[Certificate],
) -> str:
    """Return why a CRL is not taken, or nothing."""
    if old is not None and revoked.number < old.number:
        return f"is older than number {old.number}, which is here"
    if old is not None and revoked.number == old.number and revoked.pem != old.pem:
        return "has the number of the one that is here, and says something else"
    if authority is None or not revoked.is_of(authority):
        return "is of no CA that is known here"
    if authority not in known:
        problem = why_not(authority, known, roots)
        if problem:
            return f"its CA does not verify against the trust anchors: {problem}"
    return "" if revoked.is_signed_by(authority) else "its signature is not the CA's"
