"""strongSwan takes newer CRLs, and forgets nothing meanwhile.

It has no command that unloads a certificate, so whatever is to be gone is got rid of by forgetting all and
loading all, and a peer that comes in between is refused. A newer CRL needs none of that: strongSwan keeps the
one of the highest number of each CA (libstrongswan, mem_cred.c). But it looks first at what it has verified
with already (cert_cache.c), so that is flushed, or the older list would be believed on.
"""

from collections.abc import Iterable

from heiiki_agent.pki.associations import listed, session
from heiiki_agent.pki.x509 import RevocationList

_LONGEST = 0xFFFF
"""Octets of a value in a message of VICI."""
_LISTS = {"type": "X509_CRL"}


def taken(lists: Iterable[RevocationList]) -> bool:
    """Have strongSwan load CRLs beside what it has; return whether it has each of them now.

    It has not where it has one of a higher number already, which somebody else gave it.

    Raises:
        AgentError: it does not answer.
    """
    wanted = {one.der for one in lists}
    if any(len(der) > _LONGEST for der in wanted):
        return False
    with session() as daemon:
        answers = [daemon.request("load-cert", {**_LISTS, "data": der}) for der in wanted]
        answers.append(daemon.request("flush-certs", _LISTS))
        there = {one.der for one in listed(daemon)}
    return all(one.get("success") == "yes" for one in answers) and wanted <= there
