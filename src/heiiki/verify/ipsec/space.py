"""R-THEFT, live: the Vault server has room to write; one that cannot write its audit log revokes nothing.

Any client of the server can make its log grow (T14): so its volume is looked at while there is time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from heiiki.design.associations import THEFT
from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet, printed
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

LEAST_SHARE = 0.10
"""Share of a volume that must be free: what is written below is seldom more than that in a day."""
LEAST_OCTETS = 256 << 20
"""Octets that must be free: the audit log is put aside every 50 MB, and compressed later."""
SMALL_SHARE = 0.25
"""Share that suffices instead on a volume too small for `LEAST_OCTETS`."""
STORAGE = "/var/lib/heiiki-vault"


def folders(plan: Plan, name: str) -> tuple[str, ...]:
    """Return where a server writes: its storage, then each of its audit logs."""
    server = plan.device(name).vault
    return (STORAGE, *(log.folder for log in server.audit_logs)) if server else (STORAGE,)


def subject(name: str) -> str:
    """Subject of the verdict on a server."""
    return f"room at {name}"


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield whether the volumes of each server's log and storage have room."""
    command = ("df", "--block-size=1", "--output=size,avail,target")
    asked = {name: {"commands": {"df": [*command, *folders(plan, name)]}} for name in plan.pki.vaults}
    for name, answer in fleet.ask("read", asked).items():
        evidence = (keep(f"trust/room-{name}.json", answer.raw),)
        yield judged(
            name,
            partial(of_server, plan, answer, evidence),
            partial(_not_known, name, evidence),
        )


def _not_known(name: str, evidence: tuple[Evidence, ...], why: str) -> Verdict:
    return unknown(THEFT, subject(name), why, evidence)


def of_server(plan: Plan, answer: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict; its figure is the share that is free on the fullest volume, per cent.

    Raises:
        UnreadableError: the server did not answer.
        ValueError, KeyError: it is no answer of `df`.
    """
    about = subject(answer.device)
    volumes = dict(zip(folders(plan, answer.device), _volumes(printed(answer, "df")), strict=True))
    least = min(one.free / one.size for one in volumes.values())
    figure = (round(100 * least, 1), 100 * LEAST_SHARE, "% free")
    if wrong := [*_short(volumes), *_shared(volumes)]:
        what = "a server that cannot write its audit log answers no request, so nothing is revoked: make room"
        return live(THEFT, about, Result.FAIL, f"{summarise(wrong)}; {what}", evidence, figure=figure)
    return live(THEFT, about, Result.PASS, "logs and storage can be written", evidence, figure=figure)


@dataclass(frozen=True, slots=True)
class _Volume:
    """A volume: its octets, those that are free, and where it is mounted."""

    size: int
    free: int
    mounted: str


def _short(volumes: Mapping[str, _Volume]) -> Iterator[str]:
    for folder, one in volumes.items():
        if one.free < max(LEAST_SHARE * one.size, min(LEAST_OCTETS, SMALL_SHARE * one.size)):
            yield f"{folder} has {one.free >> 20} MiB free of {one.size >> 20}"


def _shared(volumes: Mapping[str, _Volume]) -> Iterator[str]:
    """Yield the audit logs of one volume: what fills it silences the server."""
    logs: dict[str, str] = {}
    for folder, one in volumes.items():
        if folder != STORAGE and (other := logs.setdefault(one.mounted, folder)) != folder:
            yield f"the audit logs in {other} and {folder} are on one volume, {one.mounted}"


def _volumes(listed: str) -> Iterator[_Volume]:
    """Yield each folder's volume, after the line of titles."""
    for line in listed.splitlines()[1:]:
        size, free, mounted = line.split(maxsplit=2)
        if int(size) <= 0:
            raise ValueError(f"a volume of {size} octets")
        yield _Volume(int(size), int(free), mounted)
