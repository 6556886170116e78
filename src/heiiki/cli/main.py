"""`heiiki new | check | compile | lab`: what people type.

Exit codes: 0 all is well, 1 a verdict is fail or unknown or a command failed, 2 the input is bad.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path

import click

from heiiki.cli.new_service import generate, template
from heiiki.cli.reference import reference_files
from heiiki.cli.service import Folder, planned
from heiiki.cli.table import verdict_table
from heiiki.design import design
from heiiki.errors import HeiikiError, IntentError
from heiiki.intent.collector import held
from heiiki.render import compile_plan, facts, write
from heiiki.report import exit_code
from heiiki.report.verdicts import verdict_json
from heiiki.state import of_service

BAD_INPUT = 2


class _Group(click.Group):
    """A group whose commands end in a message, never in a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except IntentError as error:
            _say_problems(error, as_json=bool(ctx.meta.get("json")))
            ctx.exit(BAD_INPUT)
        except HeiikiError as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(
                f"{where}{error.strerror}; name a place that can be written"
            ) from error


def _say_problems(error: IntentError, *, as_json: bool) -> None:
    if as_json:
        problems = [asdict(problem) | {"file": str(problem.file)} for problem in error.problems]
        click.echo(json.dumps({"problems": problems}, indent=1))
        return
    for problem in error.problems:
        click.echo(str(problem), err=True)
    count = len(error.problems)
    click.echo(f"{count} {'problem' if count == 1 else 'problems'}", err=True)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="heiiki")
def cli() -> None:
    r"""Closed networks for demand response: written once, checked, built, measured, proven.

    \b
    Examples:
      heiiki new inventories/osaka          a small commented service to edit
      heiiki check inventories/osaka        every mistake at once, then the design verdicts
      heiiki compile inventories/osaka --out build
      heiiki lab up                         the worked example as a running network
    """


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--sites", type=click.IntRange(1, 4000), help="Generate this many sites, all variants mixed.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same service.")
def new(folder: Path, sites: int | None, seed: int) -> None:
    r"""Write a new service into FOLDER: small and commented, or generated with --sites.

    \b
    Examples:
      heiiki new inventories/osaka
      heiiki new /tmp/thousand --sites 1000 --seed 7
    """
    if folder.exists() and any(folder.iterdir()):
        raise click.UsageError(f"{folder} is not empty: name a new folder, nothing is overwritten")
    name = folder.resolve().name
    files = template(name) if sites is None else generate(name, sites, seed)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    click.echo(f"{folder}: {len(files)} files; next: heiiki check {folder}")


@cli.command()
@click.argument("folder", type=Folder())
@click.option("--json", "as_json", is_flag=True, help="Print verdicts or problems as JSON.")
@click.pass_context
@held()
def check(ctx: click.Context, folder: Path, as_json: bool) -> None:
    r"""Check FOLDER: every mistake of every file, or else the design verdicts.

    Exit code 0: all verdicts pass; 1: one is fail or unknown; 2: the files have mistakes.

    \b
    Examples:
      heiiki check inventories/lab
      heiiki check inventories/lab --json | jq '.verdicts[] | select(.result == "fail")'
    """
    ctx.meta["json"] = as_json
    plan = planned(folder)
    verdicts = design(plan, compile_plan(plan))
    if as_json:
        click.echo(
            json.dumps(
                {"service": plan.service, "verdicts": [verdict_json(item) for item in verdicts]}, indent=1
            )
        )
    else:
        click.echo(verdict_table(verdicts))
    ctx.exit(exit_code(verdicts))


@cli.command("compile")
@click.argument("folder", type=Folder())
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the configurations.")
@held()
def compile_(folder: Path, out: Path) -> None:
    r"""Write every device's configuration below --out, one folder a device.

    \b
    Example:
      heiiki compile inventories/lab --out build && less build/umeda-ce-a/etc/frr/frr.conf
    """
    plan = planned(folder)
    done = write(compile_plan(plan), out, facts(plan))
    for line in done.update.kept:
        click.echo(line, err=True)
    click.echo(f"{out}: {sum(1 for _ in plan.managed())} devices, {len(done.changed)} changed")


@cli.command("state")
@click.argument("folder", type=Folder())
@click.option("--take-over", is_flag=True, help="Let FOLDER have the state that another folder has.")
def state_(folder: Path, take_over: bool) -> None:
    r"""Say where the controller keeps the CA, the log-ins and the keys of the service in FOLDER.

    A service has one folder. When a copy of it is to be used from now on, say --take-over.

    \b
    Examples:
      heiiki state inventories/osaka
      heiiki state /srv/new-checkout/osaka --take-over
    """
    click.echo(of_service(planned(folder).service, folder, take_over=take_over).folder)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def reference(folder: Path) -> None:
    r"""Write the reference of service and site files into FOLDER: a page, and JSON Schemas for editors.

    \b
    Example:
      heiiki reference docs/reference
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in reference_files().items():
        (folder / name).write_text(text, encoding="utf-8")
        click.echo(folder / name)


for _command in entry_points(group="heiiki.commands"):
    cli.add_command(_command.load())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a pipe that is closed early is no error."""
    try:
        cli(args=arguments, prog_name="heiiki")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
