"""`heiiki control show | reports | set | schedule | book`: direct control of resources, by the DRAS."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent
from typing import TypeVar

import click

from heiiki import service as use_cases
from heiiki.cli.group import FAILED, examples
from heiiki.cli.service import Folder, opened
from heiiki.cli.table import columns
from heiiki.cli.terminal import say
from heiiki.control import Arrival, Entry, Order, Reported, Shown

_VALID_S, _WAIT_S, _MOST, _LONGEST_S = 60.0, 15.0, 20, 3600.0
_KW = 1000

_Command = TypeVar("_Command", bound=Callable[..., None])
_Site = TypeVar("_Site", Shown, Reported)
_Row = tuple[str, ...]


def _at_sites(command: _Command) -> _Command:
    """Give a command the folder of a service, and sites of it."""
    sites = click.argument("sites", metavar="SITE...", nargs=-1, required=True)
    return click.argument("folder", type=Folder())(sites(command))


def _of_an_order(command: _Command) -> _Command:
    """Give a command the options that every order has."""
    options = (
        click.option("--order", "order_id", help="Its permanent name.  [default: the time of now]"),
        click.option(
            "--valid",
            type=click.FloatRange(1, _LONGEST_S),
            default=_VALID_S,
            show_default=True,
            help="Seconds for which it is given again while there is no answer.",
        ),
        click.option(
            "--wait",
            type=click.FloatRange(0, _LONGEST_S),
            default=_WAIT_S,
            show_default=True,
            help="Seconds to wait for all answers.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(
    help=(
        "Control the resources of a service's sites directly, by IEC 61850 (MMS over TLS).\n\n"
        "The client on the DRAS is asked, on its host. It controls sites that have a resource with "
        "`control: direct`."
    ),
    epilog=examples(
        "heiiki control show inventories/osaka umeda",
        "heiiki control set inventories/osaka umeda --power -5",
        "heiiki control book inventories/osaka",
    ),
)
def control() -> None:
    """Control the resources of a service's sites directly, by IEC 61850 (MMS over TLS)."""


@control.command(
    short_help="Show what resources measure.",
    help=(
        "Show what the resources of SITES measure, and what was ordered last.\n\n"
        "Exit code 1: a site could not be asked."
    ),
    epilog=examples("heiiki control show inventories/osaka umeda sakai"),
)
@_at_sites
@click.pass_context
def show(ctx: click.Context, folder: Path, sites: tuple[str, ...]) -> None:
    """Show what the resources of SITES measure, and what was ordered last."""
    _tell(ctx, use_cases.show_control(opened(folder), sites), _measured)


@control.command(
    short_help="Show what resources report by themselves.",
    help=(
        "Show how often SITES report by themselves, when the last report was made, and how long the slowest "
        "of those that are remembered took.\n\nExit code 1: a site is not heard."
    ),
    epilog=examples("heiiki control reports inventories/osaka umeda"),
)
@_at_sites
@click.pass_context
def reports(ctx: click.Context, folder: Path, sites: tuple[str, ...]) -> None:
    """Show how often SITES report by themselves, and how long that took."""
    _tell(ctx, use_cases.reports_of_control(opened(folder), sites), _reports)


@control.command(
    "set",
    short_help="Order a power.",
    help=(
        "Order SITES to take a power from the network until the next order; the same order again changes "
        "nothing.\n\nExit code 1: a site has refused it or has not answered in time."
    ),
    epilog=examples(
        "heiiki control set inventories/osaka umeda --power -5",
        "heiiki control set DIR umeda sakai --power 20 --order evening-1",
    ),
)
@_at_sites
@click.option("--power", type=float, required=True, help="In kW; negative: what is to be given.")
@_of_an_order
@click.pass_context
def set_(
    ctx: click.Context,
    *,
    folder: Path,
    sites: tuple[str, ...],
    power: float,
    order_id: str | None,
    valid: float,
    wait: float,
) -> None:
    """Order SITES to take a power from the network until the next order."""
    order = use_cases.SetPoint(order_id or _named(), power)
    _ordered(ctx, folder, order, sites, valid, wait)


@control.command(
    short_help="Order powers one after the other.",
    help=(
        "Order SITES to take POWERS in turn, each for as long; the same order again changes nothing.\n\n"
        "Exit code 1: a site has refused it or has not answered in time."
    ),
    epilog=examples(
        "heiiki control schedule DIR umeda --start 2026-12-01T17:00+09:00 --power -5",
    ),
)
@_at_sites
@click.option("--start", required=True, help="Date and time with a zone (ISO 8601).")
@click.option(
    "--every",
    type=click.IntRange(1, 86_400),
    default=1800,
    show_default=True,
    help="Seconds that each power lasts.",
)
@click.option(
    "--power",
    "powers",
    type=float,
    multiple=True,
    required=True,
    help="In kW; give it for each step, 48 at most.",
)
@_of_an_order
@click.pass_context
def schedule(  # noqa: PLR0913 - an option each
    ctx: click.Context,
    *,
    folder: Path,
    sites: tuple[str, ...],
    start: str,
    every: int,
    powers: tuple[float, ...],
    order_id: str | None,
    valid: float,
    wait: float,
) -> None:
    """Order SITES to take POWERS in turn, each for as long."""
    order = use_cases.Schedule(order_id or _named(), start, every, powers)
    _ordered(ctx, folder, order, sites, valid, wait)


@control.command(
    short_help="List what was ordered and answered.",
    help="List the last orders of direct control in the service in FOLDER, to SITES or to all.",
    epilog=examples("heiiki control book inventories/osaka umeda --most 5"),
)
@click.argument("folder", type=Folder())
@click.argument("sites", metavar="[SITE...]", nargs=-1)
@click.option("--most", type=click.IntRange(1, 1000), default=_MOST, show_default=True, help="So many.")
def book(folder: Path, sites: tuple[str, ...], most: int) -> None:
    """List the last orders of direct control in the service in FOLDER, to SITES or to all."""
    found = use_cases.book_of_control(opened(folder), sites, most)
    say(_table(found) if found else "nothing was ordered")


def _ordered(
    ctx: click.Context, folder: Path, order: Order, sites: tuple[str, ...], valid: float, wait: float
) -> None:
    found = use_cases.order_control(opened(folder), order, sites, valid, wait)
    say(_table(found))
    if any(one.state != "done" for one in found):
        ctx.exit(FAILED)


def _named() -> str:
    return f"order-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"


def _table(found: tuple[Entry, ...]) -> str:
    return columns([(one.order_id, one.site, one.what, one.state, one.reason) for one in found])


def _tell(ctx: click.Context, found: Sequence[_Site], rows_of: Callable[[_Site], Sequence[_Row]]) -> None:
    """Show each site's rows below its name, or why it cannot be told; then end with `FAILED`."""
    for one in found:
        say(one.problem or f"{one.site}:")
        if rows := rows_of(one):
            say(indent(columns(rows), "  "))
    if any(one.problem for one in found):
        ctx.exit(FAILED)


def _measured(found: Shown) -> list[_Row]:
    rows: list[_Row] = [
        (name, _quantity(value, unit), "" if good else "invalid")
        for name, (value, unit, good) in found.values.items()
    ]
    power, order = found.set_point_kw
    if order:
        rows.append(("set point", f"{power:g} kW", order))
    if found.schedule:
        rows.append(("schedule", "", found.schedule))
    return rows


def _reports(found: Reported) -> list[_Row]:
    return [(name, *_came(found.every_s[name], came)) for name, came in found.arrivals.items()]


def _came(every_s: int, arrivals: Sequence[Arrival]) -> _Row:
    often = f"each {every_s} s" if every_s else "on change"
    if not arrivals:
        return often, "none yet", ""
    slowest = max((one.came - one.made).total_seconds() for one in arrivals)
    last = f"last {arrivals[-1].made:%Y-%m-%dT%H:%M:%SZ}"
    return often, last, f"slowest of {len(arrivals)}: {slowest:.3f} s"


def _quantity(value: float, unit: str) -> str:
    """Return a value in the unit that operators use: powers and energies in thousands."""
    return f"{value:g} {unit}" if unit in {"", "Hz"} else f"{value / _KW:g} k{unit}"
