"""How safe a push is, platform by platform: the page, from the drivers."""

from collections.abc import Callable

from heiiki.fleet import linux
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.model import ConfirmFrom, Safety

_HEAD = """\
# How safe a push is

Made from the drivers by `heiiki reference docs/reference`; do not edit. A change is applied with a rollback
timer of the device's own, tested from elsewhere over other sessions, and then confirmed. Where a platform has
none, Heiiki says so and changes nothing unless a person accepts that. [Decisions](../decisions/fleet.md) say
what a lost session means.

NETCONF was tried on yuma123's server, the Linux end of a line (PE, hub) on a node in a folder with a bgpd of
FRRouting and a stand-in for systemd. Every other driver was tried on a simulated device alone
(`heiiki_lab.devices`). None was tried on a vendor's; what stands here is what the sources say.
"""

NETCONF = Safety(
    arms="commit confirmed, persist",
    unit_s=1,
    least_s=1,
    most_s=4_294_967_295,
    confirms="commit, persist-id",
    confirm_from=ConfirmFrom.ANY,
    reverts="cancel-commit, persist-id",
    checks="edit-config with test-then-set",
    saves="copy-config to startup",
    lost_session="the timer goes on; what was not committed is discarded",
    needs="`:candidate`, `:validate`, `:confirmed-commit:1.1`",
    source="RFC 6241, 8.3 to 8.6",
)
"""How safe a push is at a server of NETCONF (`heiiki.fleet.netconf`)."""

NAPALM_JUNOS = Safety(
    arms="commit-configuration, confirmed",
    unit_s=60,
    least_s=60,
    most_s=65_535 * 60,
    confirms="commit-configuration",
    confirm_from=ConfirmFrom.ANY,
    reverts="load-configuration of rollback 1, commit-configuration",
    checks="commit-configuration, check",
    lost_session="the timer goes on; a session that is killed takes the change back",
    needs="`system services netconf ssh`; no other operator with a change",
    source="Juniper, Junos XML Management Protocol Guide; NAPALM 5.2, driver junos",
)
"""How safe a push is on Junos by NAPALM (`heiiki.fleet.by_napalm`)."""

_NONE = "**none**"
_SECONDS_PER_MINUTE = 60


def safety_page() -> str:
    """Return the page, one column a platform."""
    columns = {f"`{name}`": driver.safety for name, driver in DRIVERS.items()} | {
        "`juniper_junos` by NAPALM": NAPALM_JUNOS,
        "NETCONF": NETCONF,
        "Linux end of a line": linux.SAFETY,
    }
    rows = [f"| {what} | {' | '.join(map(cell, columns.values()))} |" for what, cell in _ROWS.items()]
    head = f"| | {' | '.join(columns)} |"
    return "\n".join([_HEAD, head, f"|---|{'---|' * len(columns)}", *rows, ""])


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
