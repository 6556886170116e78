"""`heiiki new | check | compile | verify | revoke ...`: what people type.

Exit codes: 0 all is well, 1 a verdict is fail or unknown or a command failed, 2 the input is bad.
"""

import gc
import json
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click

from heiiki import service as use_cases
from heiiki.cli.control import control
from heiiki.cli.est import est
from heiiki.cli.event import event
from heiiki.cli.group import RootGroup, examples
from heiiki.cli.import_sites import import_
from heiiki.cli.network import COMMANDS
from heiiki.cli.new_service import generate, template
from heiiki.cli.push import push, revert
from heiiki.cli.reference import may_be_replaced, reference_files
from heiiki.cli.service import Folder, opened
from heiiki.cli.sign import sign
from heiiki.cli.table import verdict_table
from heiiki.cli.terminal import say
from heiiki.report import exit_code
from heiiki.report.verdicts import verdict_json
from heiiki.state import of_service


@click.group(
    cls=RootGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Closed networks for demand response: written once, checked, built, measured, proven.",
    epilog=examples(
        "heiiki new inventories/osaka      a small commented service to edit",
        "heiiki check inventories/osaka    every mistake, or else the design verdicts",
        "heiiki compile inventories/osaka --out build",
        "heiiki verify inventories/osaka   what is measured of the running network",
        "heiiki lab up                     the worked example as a running network",
    ),
)
@click.version_option(package_name="heiiki")
def cli() -> None:
    """Closed networks for demand response: written once, checked, built, measured, proven."""


@cli.command(
    short_help="Write a new service into a folder.",
    help="Write a new service into FOLDER: small and commented, or generated with --sites.",
    epilog=examples("heiiki new inventories/osaka", "heiiki new /tmp/thousand --sites 1000 --seed 7"),
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sites", type=click.IntRange(1, 4000), help="Generate this many sites, all variants mixed.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same service.")
def new(folder: Path, sites: int | None, seed: int) -> None:
    """Write a new service into FOLDER: small and commented, or generated with --sites."""
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty: name a new folder, nothing is overwritten")
    name = folder.resolve().name
    files = template(name) if sites is None else generate(name, sites, seed)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of two at once one is refused: each file is made, never overwritten.
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    say(f"{folder}: {len(files)} files; next: heiiki check {folder}")


@cli.command(
    short_help="Show every mistake of a service, or its design verdicts.",
    help=(
        "Check FOLDER: every mistake of every file, or else the design verdicts.\n\n"
        "Exit code 0: all verdicts pass; 1: one is fail or unknown; 2: the files have mistakes."
    ),
    epilog=examples(
        "heiiki check inventories/lab", "heiiki check inventories/lab --json | jq '.verdicts[].result'"
    ),
)
@click.argument("folder", type=Folder())
@click.option("--json", "as_json", is_flag=True, help="Print verdicts or problems as JSON.")
@click.pass_context
def check(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Check FOLDER: every mistake of every file, or else the design verdicts."""
    ctx.meta["json"] = as_json
    plan = opened(folder).plan
    verdicts = use_cases.check(plan)
    if as_json:
        say(
            json.dumps(
                {"service": plan.service, "verdicts": [verdict_json(item) for item in verdicts]}, indent=1
            )
        )
    else:
        say(verdict_table(verdicts))
    ctx.exit(exit_code(verdicts))


@cli.command(
    "compile",
    short_help="Write the configuration of every device.",
    help="Write every device's configuration below --out, one folder a device.",
    epilog=examples("heiiki compile inventories/lab --out build && ls build/umeda-ce-a/etc"),
)
@click.argument("folder", type=Folder())
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the configurations.")
def compile_(folder: Path, out: Path) -> None:
    """Write every device's configuration below --out, one folder a device."""
    service = opened(folder)
    done = use_cases.compile_service(service, out)
    for line in done.update.kept:
        say(line, err=True)
    say(f"{out}: {sum(1 for _ in service.plan.configured())} devices, {len(done.changed)} changed")
    for device in service.plan.by_hand():
        say(
            f"{device.name} ({device.platform}) is not provisioned by site.yml: run heiiki push for it",
            err=True,
        )


@cli.command(
    "state",
    short_help="Say where the keys of a service are kept.",
    help=(
        "Say where the controller keeps the CA, the log-ins and the keys of the service in FOLDER.\n\n"
        "A service has one folder. When a copy of it is to be used from now on, say --take-over."
    ),
    epilog=examples("heiiki state inventories/osaka", "heiiki state /srv/new-checkout/osaka --take-over"),
)
@click.argument("folder", type=Folder())
@click.option("--take-over", is_flag=True, help="Let FOLDER have the state that another folder has.")
def state_(folder: Path, take_over: bool) -> None:
    """Say where the controller keeps the CA, the log-ins and the keys of the service in FOLDER."""
    say(of_service(opened(folder).plan.service, folder, take_over=take_over).folder)


@cli.command(
    short_help="Write the reference of service and site files.",
    help=("Write the reference of service and site files into FOLDER: a page, and JSON Schemas for editors."),
    epilog=examples("heiiki reference docs/reference"),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def reference(folder: Path) -> None:
    """Write the reference of service and site files into FOLDER: a page, and JSON Schemas for editors."""
    folder.mkdir(parents=True, exist_ok=True)
    files = reference_files()
    foreign = [folder / name for name in files if not may_be_replaced(folder / name)]
    if foreign:
        raise click.UsageError(f"{foreign[0]} was not made by heiiki reference: name another folder")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        say(folder / name)


def _brought(entry: EntryPoint) -> click.Command:
    """Return a command that an extra brings, or one that says how to get it."""
    try:
        command: click.Command = entry.load()
    except ImportError as error:
        what = f"`heiiki {entry.name}` needs more than is installed here ({error.name})"
        remedy = f"{what}: run `pip install heiiki[{entry.name}]`"

        @click.command(
            entry.name,
            context_settings={"ignore_unknown_options": True},
            help=f"Needs the extra `heiiki[{entry.name}]`, which is not installed.",
        )
        @click.argument("arguments", nargs=-1)
        def command(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - whatever they are
            """Say how to get the command."""
            raise click.ClickException(remedy)

    return command


for _command in (*COMMANDS, control, est, event, import_, push, revert, sign):
    cli.add_command(_command)
for _entry in entry_points(group="heiiki.commands"):
    cli.add_command(_brought(_entry))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a pipe that is closed early is no error."""
    # A command makes many thousands of frozen objects and ends: collecting cycles takes 0.7 s of its 2.3 s.
    gc.disable()
    try:
        cli(args=arguments, prog_name="heiiki")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
