"""How safe a push is, platform by platform: the page, from the drivers."""

from collections.abc import Callable

from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.model import ConfirmFrom, Safety

_HEAD = """\
# How safe a push is

Made from the drivers by `heiiki reference docs/reference`; do not edit. A change is applied with a rollback
timer of the device's own, tested from elsewhere over other sessions, and then confirmed. Where a platform has
none, Heiiki says so and changes nothing unless a person accepts that. [Decisions](../decisions/fleet.md) say
what a lost session means.

Every driver was tried on a simulated device alone (`heiiki_lab.devices`), none on a vendor's. What stands
here is what the sources say.
"""

_NONE = "**none**"
_SECONDS_PER_MINUTE = 60


def safety_page() -> str:
    """Return the page, one column a platform."""
    names = tuple(DRIVERS)
    rows = [
        f"| {what} | {' | '.join(cell(DRIVERS[name].safety) for name in names)} |"
        for what, cell in _ROWS.items()
    ]
    head = f"| | {' | '.join(f'`{name}`' for name in names)} |"
    return "\n".join([_HEAD, head, f"|---|{'---|' * len(names)}", *rows, ""])


def _range(safety: Safety) -> str:
    if not safety.arms:
        return _NONE
    unit = "min" if safety.unit_s == _SECONDS_PER_MINUTE else "s"
    return f"{safety.least_s // safety.unit_s} to {safety.most_s // safety.unit_s} {unit}"


def _word(text: str) -> str:
    return ", ".join(f"`{one}`" for one in text.split(", ")) if text else _NONE


_ROWS: dict[str, Callable[[Safety], str]] = {
    "timed rollback": lambda safety: _word(safety.arms),
    "its time": _range,
    "without a person's consent": lambda safety: "changed" if safety.arms else "**not changed**",
    "examined before it is applied": lambda safety: _word(safety.checks),
    "confirmed by": lambda safety: _word(safety.confirms),
    "confirmed from": lambda safety: (
        safety.confirm_from if safety.confirm_from is not ConfirmFrom.NOWHERE else "–"
    ),
    "taken back at once by": lambda safety: (
        _word(safety.reverts) if safety.reverts else "the inverse, line by line"
    ),
    "outlives a reload by": lambda safety: _word(safety.saves) if safety.saves else "the commit",
    "a lost session": lambda safety: safety.lost_session,
    "must be there": lambda safety: safety.needs,
    "source": lambda safety: safety.source,
}
