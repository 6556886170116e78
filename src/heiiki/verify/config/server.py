"""How the Vault server is set up, against the plan: who may be certified, log in, and be revoked."""

from collections.abc import Callable, Iterator, Sequence

from heiiki.errors import VaultError
from heiiki.requirements import Result, Stage, Verdict
from heiiki.verify.verdicts import Keep, summarise

Problems = Callable[[], Sequence[str]]
"""Asks the service's server for everything about it that is not as planned."""

SUBJECT = "settings of the Vault server"
REQUIREMENTS = ("R-SEC-ACCESS", "R-SEC-ESP", "R-THEFT")
_NO_SERVER = "no Vault server is known here that could be asked"


def verdicts(keep: Keep, problems: Problems | None) -> Iterator[Verdict]:
    """Yield a config verdict for each requirement that rests on the server's settings."""
    result, reason, found = _examined(problems)
    evidence = (keep("config/vault-settings.txt", "".join(f"{one}\n" for one in found).encode()),)
    for identifier in REQUIREMENTS:
        yield Verdict(identifier, SUBJECT, Stage.CONFIG, result, reason, evidence=evidence)


def _examined(problems: Problems | None) -> tuple[Result, str, Sequence[str]]:
    if problems is None:
        return Result.UNKNOWN, _NO_SERVER, ()
    try:
        found = problems()
    except VaultError as error:
        return Result.UNKNOWN, f"the server's settings are not known: {error}", ()
    if found:
        return Result.FAIL, f"{summarise(list(found))}; who changed it is in its audit log", found
    what = "engines, CAs, roles, policies, log-ins, quotas and audit logs"
    return Result.PASS, f"{what} are the plan's, and nothing else is there", ()
