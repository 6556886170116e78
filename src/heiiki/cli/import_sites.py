"""`heiiki import csv | netbox | finish`: site files from where sites are recorded already."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from heiiki import service as use_cases
from heiiki.cli.group import FAILED, examples
from heiiki.cli.service import Folder
from heiiki.cli.terminal import say
from heiiki.requirements import Result
from heiiki.sources import Change, Inventory, read_csv, read_netbox

_Command = TypeVar("_Command", bound=Callable[..., None])
_EXIT = (
    "A key that the source gives a value is set; other keys and all comments stay, and so does a site that "
    "the source does not have. The files are written all or none, after the same examination as `heiiki "
    "check`.\n\n"
    "Exit code 0: done, or nothing to do; 1: a design verdict of the service fails then; 2: there are "
    "problems, and nothing was written."
)


def _modes(command: _Command) -> _Command:
    """Give a command the options of a change that can be looked at first."""
    for option in (
        click.option("--diff", is_flag=True, help="Show each change as a diff."),
        click.option("--check", is_flag=True, help="Write nothing; say what would be written."),
    ):
        command = option(command)
    return command


@click.group(
    "import",
    help="Take sites over from where they are recorded already, as changes of the service's site files.",
    epilog=examples(
        "heiiki import csv sites.csv inventories/osaka --check --diff",
        "heiiki import netbox https://netbox.example inventories/osaka",
    ),
)
def import_() -> None:
    """Take sites over from where they are recorded already, as changes of the service's site files."""


@import_.command(
    "csv",
    short_help="Take sites over from a CSV file.",
    help=(
        "Take the sites in FILE over into the service in FOLDER. A row is a site, a column a key of its "
        f"file, such as `a.circuit`; docs/reference/import.md has them all.\n\n{_EXIT}"
    ),
    epilog=examples(
        "heiiki import csv sites.csv inventories/osaka --check --diff",
        "heiiki import csv sites.csv inventories/osaka",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=Folder())
@_modes
@click.pass_context
def csv(ctx: click.Context, *, file: Path, folder: Path, check: bool, diff: bool) -> None:
    """Take the sites in FILE over into the service in FOLDER."""
    _taken_over(ctx, folder, lambda: read_csv(file), check=check, diff=diff)


@import_.command(
    short_help="Take sites over from NetBox.",
    help=(
        "Take the sites that NetBox at URL has over into the service in FOLDER. NetBox is only read. Its "
        "token is that of the variable HEIIKI_NETBOX_TOKEN; docs/reference/import.md says what each key "
        f"comes from.\n\n{_EXIT}"
    ),
    epilog=examples(
        "heiiki import netbox https://netbox.example inventories/osaka --check --diff",
        "heiiki import netbox https://netbox.example DIR --tag osaka",
    ),
)
@click.argument("url")
@click.argument("folder", type=Folder())
@click.option("--tag", default="heiiki", show_default=True, help="Slug of the tag of the service's sites.")
@_modes
@click.pass_context
def netbox(ctx: click.Context, *, url: str, folder: Path, tag: str, check: bool, diff: bool) -> None:
    """Take the sites that NetBox at URL has over into the service in FOLDER."""
    _taken_over(ctx, folder, lambda: read_netbox(url, folder, tag), check=check, diff=diff)


@import_.command(
    short_help="Finish an import that was cut off.",
    help="Put the files of an import that was cut off while it wrote in their places in FOLDER.",
    epilog=examples("heiiki import finish inventories/osaka"),
)
@click.argument("folder", type=Folder())
def finish(folder: Path) -> None:
    """Put the files of an import that was cut off while it wrote in their places in FOLDER."""
    names = use_cases.finish_import(folder)
    for name in names:
        say(f"sites/{name}: written")
    if not names:
        say(f"{folder}: nothing was cut off")


def _taken_over(
    ctx: click.Context, folder: Path, read: Callable[[], Inventory], *, check: bool, diff: bool
) -> None:
    for name in () if check else use_cases.finish_import(folder):
        say(f"sites/{name}: written, as an import that was cut off had decided", err=True)
    done = use_cases.import_sites(folder, read(), check_mode=check)
    proposal = done.proposal
    for change in proposal.changes:
        say(change.diff.rstrip("\n") if diff else _line(change))
    if proposal.others:
        say(f"not in the source, left as they are: {', '.join(proposal.others)}", err=True)
    new = sum(change.before is None for change in proposal.changes)
    changed = len(proposal.changes) - new
    written = "; nothing was written (--check)" if check and proposal.changes else ""
    say(f"{folder}: {new} new, {changed} changed, {proposal.unchanged} as they were{written}")
    totals = Counter(verdict.result for verdict in done.verdicts)
    say(f"design: {totals[Result.PASS]} pass, {totals[Result.FAIL]} FAIL, {totals[Result.UNKNOWN]} UNKNOWN")
    if totals[Result.FAIL]:
        say("`heiiki check` says what fails", err=True)
        ctx.exit(FAILED)


def _line(change: Change) -> str:
    what = "new" if change.before is None else f"changed: {', '.join(change.keys)}"
    return f"sites/{change.path.name}: {what}"
