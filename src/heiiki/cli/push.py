"""`heiiki push`: routers of vendors' platforms are brought to what the intent says."""

from pathlib import Path

import click

from heiiki import service as use_cases
from heiiki.cli.group import FAILED, examples
from heiiki.cli.progress import ProgressLine
from heiiki.cli.service import Folder, opened
from heiiki.cli.terminal import say
from heiiki.fleet import engine
from heiiki.fleet.access import access_file
from heiiki.service import Pushed, PushOrder


@click.command(
    short_help="Bring routers of vendors to what the intent says.",
    help=(
        "Bring the routers of vendors' platforms in FOLDER to what the intent says. Linux devices are "
        "site.yml's.\n\n"
        "Each device is read, compared, changed with its own timed rollback, looked at over a second "
        "session, confirmed and saved. With --check nothing is changed, and the digest that is told may be "
        "given to --shown, which ends the push where anything differs from what was shown.\n\n"
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
        "heiiki push inventories/osaka --shown 5f0c...",
    ),
)
@click.argument("folder", type=Folder())
@click.option(
    "--limit", multiple=True, metavar="NAME", help="A device or a site; may be given several times."
)
@click.option("--check", is_flag=True, help="Change nothing; say what would be done.")
@click.option("--diff", is_flag=True, help="Show what changes, secrets masked.")
@click.option("--shown", default="", metavar="DIGEST", help="Apply what --check has shown, or nothing.")
@click.option(
    "--confirm-timeout",
    type=click.IntRange(60, 7200),
    default=300,
    show_default=True,
    help="Seconds after which a device takes back what is not confirmed.",
)
@click.option(
    "--without-rollback",
    is_flag=True,
    help="You accept that a device without a timed rollback is changed.",
)
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
    "--access",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File that says how devices are reached, as heiiki lab devices writes one.",
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
    width: int,
    max_unreachable: int,
    access: Path | None,
) -> None:
    """Bring the routers of vendors' platforms in FOLDER to what the intent says."""
    order = PushOrder(
        only=limit,
        check=check,
        shown=shown,
        revert_in_s=float(confirm_timeout),
        without_rollback=without_rollback,
        width=width,
        most_unreachable=max_unreachable / 100,
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
