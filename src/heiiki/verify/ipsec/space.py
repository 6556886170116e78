"""R-THEFT, live: the Vault server has room to write; one that cannot write its audit log revokes nothing.

Any client of the server can make its log grow (T14): so its volume is looked at while there is time.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from heiiki.design.associations import THEFT
from heiiki.plan.model import Plan
from heiiki.requirements import Result, Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.verdicts import Keep, judged, live, summarise, unknown

LEAST_SHARE = 0.10
"""Share of a volume that must be free: what is written below is seldom more than that in a day."""
LEAST_OCTETS = 256 << 20
"""Octets that must be free: the audit log is put aside every 50 MB, and compressed later."""
FOLDERS = ("/var/log/heiiki-vault", "/var/lib/heiiki-vault")


def subject(plan: Plan) -> str:
    """Subject of the verdict."""
    return f"room at {plan.pki.vault}"


def verdicts(plan: Plan, fleet: Fleet, keep: Keep) -> Iterator[Verdict]:
    """Yield whether the volumes of the server's log and storage have room."""
    name = plan.pki.vault
    asked = {"commands": {"df": ["df", "--block-size=1", "--output=size,avail,target", *FOLDERS]}}
    answer = fleet.ask("read", {name: asked})[name]
    evidence = (keep(f"trust/room-{name}.json", answer.raw),)
    yield judged(
        name,
        lambda: of_server(plan, answer, evidence),
        lambda why: unknown(THEFT, subject(plan), why, evidence),
    )


def of_server(plan: Plan, answer: Answer, evidence: tuple[Evidence, ...]) -> Verdict:
    """Return the verdict; its figure is the share that is free on the fullest volume, per cent.

    Raises:
        ValueError, KeyError: it is no answer of `df`.
    """
    about = subject(plan)
    if answer.error:
        return unknown(THEFT, about, answer.error, evidence)
    said = answer.data["commands"]["df"]
    if said["rc"] != 0:
        return unknown(THEFT, about, f"{answer.device}: df: {said['err'].strip()}", evidence)
    volumes = dict(zip(FOLDERS, _volumes(said), strict=True))
    short = [
        f"{folder} has {free >> 20} MiB free of {size >> 20}"
        for folder, (size, free) in volumes.items()
        if free < max(LEAST_SHARE * size, LEAST_OCTETS)
    ]
    least = min(free / size for size, free in volumes.values())
    figure = (round(100 * least, 1), 100 * LEAST_SHARE, "% free")
    if short:
        what = "a server that cannot write its audit log answers no request, so nothing is revoked: make room"
        return live(THEFT, about, Result.FAIL, f"{summarise(short)}; {what}", evidence, figure=figure)
    return live(THEFT, about, Result.PASS, "log and storage can be written", evidence, figure=figure)


def _volumes(said: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield size and free octets of each folder's volume, after the line of titles."""
    for line in said["out"].splitlines()[1:]:
        size, free = map(int, line.split()[:2])
        if size <= 0:
            raise ValueError(f"a volume of {size} octets")
        yield size, free
