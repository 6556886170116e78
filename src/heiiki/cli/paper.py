"""`heiiki check | compile | state`: what touches no device."""

import json
from pathlib import Path

import click

from heiiki import service as use_cases
from heiiki.cli.group import examples
from heiiki.cli.service import Folder, opened
from heiiki.cli.table import verdict_table
from heiiki.cli.terminal import say
from heiiki.report import exit_code
from heiiki.report.verdicts import verdict_json
from heiiki.state import of_service


@click.command(
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


@click.command(
    "compile",
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


@click.command(
    "state",
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
