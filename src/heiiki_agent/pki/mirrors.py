"""CRLs from mirrors: from devices that have them already, for when the server does not answer.

A mirror is believed in nothing: a list of it is taken where one of the server's would be, signed by a CA that
is known here and not older than what is here (RFC 5280 5.2.3). Which CAs were retired only the server says.
"""

import http.client
from collections.abc import Iterable
from typing import Any

from heiiki_agent.crl_mirror import PATH
from heiiki_agent.errors import ServerError
from heiiki_agent.pki import crl
from heiiki_agent.pki.report import listed
from heiiki_agent.pki.settings import Mirror, Settings
from heiiki_agent.pki.store import Store
from heiiki_agent.pki.vault import CONNECT_S, connected
from heiiki_agent.pki.x509 import Certificate, RevocationList, blocks

LIMIT = 8 << 20
"""Octets of an answer at most."""


def pull(settings: Settings) -> dict[str, Any]:
    """Take what is newer and good from every mirror, and have users load it.

    Returns:
        As `crl.pull`, and `answered`: the addresses of those that gave lists.

    Raises:
        ServerError: there is none, or none answers.
        AgentError: a user did not load what is new.
    """
    store = Store(settings.folder)
    answered: list[str] = []
    found: list[RevocationList] = []
    problems: list[str] = []
    for mirror in crl.source(settings).mirrors:
        try:
            found += fetch(mirror)
            answered.append(mirror.address)
        except ServerError as error:
            problems.append(str(error))
    if not answered:
        raise ServerError("; ".join(problems) or "there is no mirror")
    known = store.authorities()
    every = {one.pem: one for one in found if _authority(one, known)}
    # Of several mirrors the older list first: it is no fault of a mirror that another has a newer one.
    by_number = sorted(every.values(), key=lambda one: one.number)
    changed, refused = crl.take(settings, [crl.Fetched("mirror", one, None) for one in by_number], known)
    return {"changed": changed, "refused": refused, "answered": answered}


def state(settings: Settings) -> dict[str, Any]:
    """Return what each mirror has, compared with what is here; nothing is changed.

    `mirrors`: by address, `problem` when it does not answer, and `crls` as in a report, each with `problem`:
    why it would be refused here, its age aside.
    """
    store = Store(settings.folder)
    here = store.lists()
    return {
        "crls": [listed(one) for one in here],
        "mirrors": {mirror.address: _state(mirror, store, here) for mirror in crl.source(settings).mirrors},
    }


def _state(mirror: Mirror, store: Store, here: Iterable[RevocationList]) -> dict[str, Any]:
    try:
        lists = fetch(mirror)
    except ServerError as error:
        return {"problem": str(error), "crls": []}
    known, kept = store.authorities(), {one.authority: one for one in here}
    told = []
    for one in lists:
        old = kept.get(one.authority)
        same = old if old and old.number == one.number else None
        problem = crl.why_refused(one, same, _authority(one, known), (), known)
        told.append({**listed(one), "problem": problem})
    return {"problem": "", "crls": told}


def _authority(revoked: RevocationList, known: Iterable[Certificate]) -> Certificate | None:
    return next((one for one in known if revoked.is_of(one)), None)


def fetch(mirror: Mirror) -> list[RevocationList]:
    """Return the lists of one mirror.

    Raises:
        ServerError: it does not answer, or with something else.
    """
    where = f"http://{mirror.address}:{mirror.port}{PATH}"
    connection = http.client.HTTPConnection(mirror.address, mirror.port, timeout=CONNECT_S)
    try:
        connection.sock = connected(mirror.address, mirror.port, mirror.source)
        connection.request("GET", PATH)
        answer = connection.getresponse()
        text = answer.read(LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise ServerError(f"{where}: no answer: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ServerError(f"{where}: status {answer.status} {answer.reason}", answer.status)
    try:
        return [RevocationList.read(pem) for pem in blocks(text.decode("ascii", "replace"), "X509 CRL")]
    except ValueError as error:
        raise ServerError(f"{where}: is no CRL: {error}") from error
