"""`heiiki push | revert`: routers of vendors' platforms get what the intent says, or what they had."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

from heiiki import service as use_cases
from heiiki.cli.group import FAILED, examples
from heiiki.cli.progress import ProgressLine
from heiiki.cli.service import Folder, opened
from heiiki.cli.terminal import say
from heiiki.fleet import engine, ways
from heiiki.fleet.access import access_file
from heiiki.service import Pushed, PushOrder

Command = TypeVar("Command", bound=Callable[..., Any])

_CONSENT = "--without-rollback"
_OPTIONS = (
    click.option("--check", is_flag=True, help="Change nothing; say what would be done."),
    click.option("--diff", is_flag=True, help="Show what changes, secrets masked."),
    click.option("--shown", default="", metavar="DIGEST", help="Apply what --check has shown, or nothing."),
    click.option(
        "--confirm-timeout",
        type=click.IntRange(60, 7200),
        default=300,
        show_default=True,
        help="Seconds after which a device takes back what is not confirmed.",
    ),
    click.option(
        _CONSENT,
        is_flag=True,
        help="You accept that a device without a timed rollback is changed.",
    ),
    click.option(
        "--napalm",
        multiple=True,
        type=click.Choice(ways.NAPALM),
        help="A platform whose routers are reached by NAPALM; it needs heiiki[devices].",
    ),
    click.option(
        "--access",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File that says how devices are reached, as `heiiki lab devices` writes one.",
    ),
)
"""What both commands take."""


def _options(command: Command) -> Command:
    return reduce(lambda done, option: option(done), reversed(_OPTIONS), command)


@click.command(
    help=(
        "Bring the routers of vendors' platforms in FOLDER to what the intent says. Of Linux devices only "
        "the ends of their lines are changed; the others are site.yml's.\n\n"
        "Each device is read, compared, changed with its own timed rollback, looked at over a second "
        "session, confirmed and saved. With --check nothing is changed, and the digest that is told may be "
        "given to --shown, which ends the push where anything differs from what was shown.\n\n"
        "A line has both ends or none: where its Linux end (PE, hub) is not as the intent says either, the "
        "two are changed together, and both go back where one is refused or lost.\n\n"
        "A push goes in waves: one site first, then a tenth, then the rest, and never both networks of a "
        "site at once. It stops behind a wave that went wrong; the next push goes on from there.\n\n"
        "Log-ins are read where the service's other secrets are (login/DEVICE: password, admin_password), or "
        "from HEIIKI_DEVICE_PASSWORD, HEIIKI_DEVICE_ADMIN_PASSWORD, HEIIKI_DEVICE_KEY_FILE and "
        "HEIIKI_DEVICE_USER.\n\n"
        "Exit code 0: every device is, or could be, as intended; 1: a device failed or was not reached; 2: "
        "the files have mistakes."
    ),
    epilog=examples(
        "heiiki push inventories/osaka --check --diff",
        "heiiki push inventories/osaka --limit umeda",
        "heiiki push inventories/osaka --shown 5f0c",
    ),
)
@click.argument("folder", type=Folder())
@click.option(
    "--limit", multiple=True, metavar="NAME", help="A device or a site; may be given several times."
)
@_options
@click.option(
    "--width", type=click.IntRange(1, 1000), default=engine.WIDTH, show_default=True, help="Devices at once."
)
@click.option(
    "--max-unreachable",
    type=click.IntRange(0, 100),
    default=25,
    show_default=True,
    help="Percent of the devices that may be unreachable.",
)
@click.option(
    "--alone",
    is_flag=True,
    help="You accept a line with one end: Linux ends are neither looked at nor changed.",
)
@click.pass_context
def push(  # noqa: PLR0913 - options, each by its name
    ctx: click.Context,
    folder: Path,
    *,
    limit: tuple[str, ...],
    check: bool,
    diff: bool,
    shown: str,
    confirm_timeout: int,
    without_rollback: bool,
    napalm: tuple[str, ...],
    width: int,
    max_unreachable: int,
    alone: bool,
    access: Path | None,
) -> None:
    """Bring the routers of vendors' platforms in FOLDER to what the intent says."""
    order = PushOrder(
        only=limit,
        check=check,
        shown=shown,
        revert_in_s=float(confirm_timeout),
        without_rollback=without_rollback,
        consent=_CONSENT,
        napalm=napalm,
        width=width,
        most_unreachable=max_unreachable / 100,
        alone=alone,
    )
    done = use_cases.push(
        opened(folder), order, access_file(access) if access else None, watch=ProgressLine()
    )
    _tell(done, diff=diff)
    if not done.complete:
        ctx.exit(FAILED)


def _tell(done: Pushed, *, diff: bool) -> None:
    for result in done.results:
        for notice in result.notices:
            say(f"{result.device}: {notice}", err=True)
        if result.diff and diff:
            say(f"{result.device}: {result.outcome}\n{result.diff}")
    say("\n".join(engine.summary(done.results)))
    if done.stopped:
        left = f"; not begun: {', '.join(done.left)}" if done.left else ""
        say(f"stopped: {done.stopped}{left}")
    if done.unsettled:
        say(f"not settled, the next push asks again: {', '.join(done.unsettled)}", err=True)
    if done.digest:
        say(f"shown: {done.digest}")


@click.command(
    help=(
        "Bring DEVICE of the service in FOLDER back to a configuration that it had: the newest that is "
        "another one than the last, or the one that --to names.\n\n"
        "It is refused where the other end of a line was changed since. The intent stays as it is: the next "
        "push brings the device forward again. Exit codes are those of `heiiki push`."
    ),
    epilog=examples(
        "heiiki revert inventories/osaka umeda-ce-a --list",
        "heiiki revert inventories/osaka umeda-ce-a --check --diff",
        "heiiki revert inventories/osaka umeda-ce-a --to 20261130T091500Z-0",
    ),
)
@click.argument("folder", type=Folder())
@click.argument("device")
@click.option("--list", "listed", is_flag=True, help="Say which states are kept; change nothing.")
@click.option("--to", default="", metavar="STATE", help="A state, as --list names it.")
@click.option("--force", is_flag=True, help="Go back although the other ends were changed since.")
@_options
@click.pass_context
def revert(  # noqa: PLR0913 - options, each by its name
    ctx: click.Context,
    folder: Path,
    device: str,
    *,
    listed: bool,
    to: str,
    force: bool,
    check: bool,
    diff: bool,
    shown: str,
    confirm_timeout: int,
    without_rollback: bool,
    napalm: tuple[str, ...],
    access: Path | None,
) -> None:
    """Bring DEVICE of the service in FOLDER back to a configuration that it had."""
    service, reached = opened(folder), access_file(access) if access else None
    if listed:
        for kept in use_cases.kept_states(service, device, reached):
            since = f"; does not fit: {'; '.join(kept.changed_since)}" if kept.changed_since else ""
            say(f"{kept.state.name} {kept.state.origin}{since}")
        return
    order = PushOrder(
        check=check,
        shown=shown,
        revert_in_s=float(confirm_timeout),
        without_rollback=without_rollback,
        consent=_CONSENT,
        napalm=napalm,
    )
    state, done = use_cases.revert(
        service, device, order, to=to, force=force, access=reached, watch=ProgressLine()
    )
    say(f"{device}: back to {state}", err=True)
    _tell(done, diff=diff)
    if not done.complete:
        ctx.exit(FAILED)
