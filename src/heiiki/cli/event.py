"""`heiiki event send | list | show | cancel | takeover`: demand-response events at the service's VTN."""

from datetime import UTC, datetime
from pathlib import Path

import click

from heiiki import service as use_cases
from heiiki.cli.group import FAILED, examples
from heiiki.cli.service import Folder, opened
from heiiki.cli.table import columns
from heiiki.cli.terminal import say
from heiiki.service import Event, Order, Service


@click.group(
    help=(
        "Send demand-response events to the sites of a service, and see what each of them answers.\n\n"
        "The VTN on the DRAS is asked, on its host; of two hosts, on the one that writes."
    ),
    epilog=examples(
        "heiiki event send inventories/osaka --value -5 --duration PT1H --wait 30",
        "heiiki event list inventories/osaka",
        "heiiki event cancel inventories/osaka EVENT",
    ),
)
def event() -> None:
    """Send demand-response events to the sites of a service, and see what each of them answers."""


@event.command(
    short_help="Send an event.",
    help=(
        "Send an event to sites of the service in FOLDER; the same event again changes nothing.\n\n"
        "Exit code 1: with --wait, a site has not answered in time."
    ),
    epilog=examples(
        "heiiki event send inventories/osaka --value -5 --duration PT1H --wait 30",
        "heiiki event send DIR --site umeda --value 40 --duration PT30M",
        "heiiki event send DIR --signal SIMPLE --kind level --value 1 --duration PT1H",
    ),
)
@click.argument("folder", type=Folder())
@click.option("--event", "event_id", help="Its permanent name.  [default: the time of now]")
@click.option("--site", "sites", multiple=True, help="This site; may be given several times.  [default: all]")
@click.option("--start", help="Date and time with a zone (ISO 8601).  [default: now]")
@click.option("--duration", required=True, help="Such as PT1H (ISO 8601); PT0S: until it is cancelled.")
@click.option("--value", type=float, required=True, help="Of the signal: a power in kW, or a level.")
@click.option("--signal", default="LOAD_DISPATCH", show_default=True, help="Its signalName (OpenADR 2.0b).")
@click.option("--kind", default="setpoint", show_default=True, help="Its signalType.")
@click.option("--test", is_flag=True, help="Nothing is to be done: it is tried whether it arrives.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for all answers.")
@click.pass_context
def send(  # noqa: PLR0913 - an option each
    ctx: click.Context,
    *,
    folder: Path,
    event_id: str | None,
    sites: tuple[str, ...],
    start: str | None,
    duration: str,
    value: float,
    signal: str,
    kind: str,
    test: bool,
    wait: float,
) -> None:
    """Send an event to sites of the service in FOLDER; the same event again changes nothing."""
    service, now = opened(folder), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    named = event_id or f"event-{now.translate(str.maketrans('', '', '-:'))}"
    asked = sites or tuple(site.name for site in service.plan.sites)
    order = Order(named, asked, start or now, duration, value, signal, kind, test)
    sent = use_cases.send_event(service, order)
    _answered(ctx, service, sent, wait)


@event.command("list", short_help="List events.", help="List the events of the service in FOLDER.")
@click.argument("folder", type=Folder())
def list_(folder: Path) -> None:
    """List the events of the service in FOLDER."""
    found = use_cases.list_events(opened(folder))
    rows = [(one.event_id, one.status, f"version {one.modification}", _counts(one)) for one in found]
    say(columns(rows) if rows else "there are no events")


@event.command(short_help="Show an event and its answers.", help="Show an event, and what each site answers.")
@click.argument("folder", type=Folder())
@click.argument("event_id", metavar="EVENT")
def show(folder: Path, event_id: str) -> None:
    """Show an event, and what each site answers."""
    _show(use_cases.show_event(opened(folder), event_id))


@event.command(
    short_help="Cancel an event.",
    help="Cancel an event; exit code 1: with --wait, a site has not answered in time.",
)
@click.argument("folder", type=Folder())
@click.argument("event_id", metavar="EVENT")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait for all answers.")
@click.pass_context
def cancel(ctx: click.Context, folder: Path, event_id: str, wait: float) -> None:
    """Cancel an event."""
    service = opened(folder)
    _answered(ctx, service, use_cases.cancel_event(service, event_id), wait)


@event.command(
    short_help="Have a host of the VTN write.",
    help=(
        "Have HOST write, one of the two hosts of the VTN (`dras_hosts`). Nothing that was answered is lost: "
        "a host whose book is not whole refuses. HOST writes alone until the other one has the whole book, "
        "which it is sent as soon as it is there. Where HOST writes already and waits for the other one, it "
        "goes on alone.\n\n"
        "Both are asked before how they stand. Never have both write alone while they do not reach one "
        "another.\n\n"
        "Exit code 1: HOST has not taken over; the reason is told."
    ),
    epilog=examples(
        "heiiki event takeover inventories/osaka dras-2",
        "heiiki event takeover inventories/osaka dras-2 --unasked",
    ),
)
@click.argument("folder", type=Folder())
@click.argument("host", metavar="HOST")
@click.option(
    "--unasked",
    is_flag=True,
    help="Although the other host cannot be asked: you know that no one has it write alone.",
)
def takeover(*, folder: Path, host: str, unasked: bool) -> None:
    """Have a host of the VTN write."""
    done = use_cases.take_over(opened(folder), host, unasked=unasked)
    say(f"{done.device} {'writes' if done.changed else 'wrote already'}, in epoch {done.epoch}")
    if done.problem:
        say(done.problem, err=True)


def _answered(ctx: click.Context, service: Service, found: Event, wait: float) -> None:
    if wait:
        found = use_cases.awaited(service, found, wait, lambda line: say(line, err=True))
    _show(found)
    if wait and found.missing:
        say(f"no answer within {wait:g} s: {', '.join(found.missing)}", err=True)
        ctx.exit(FAILED)


def _show(found: Event) -> None:
    say(f"{found.event_id}: {found.status}, version {found.modification}")
    late = {True: "", False: "not answered yet"}
    say(columns([(one.site, one.opt or "-", late[one.acknowledged]) for one in found.answers]))
    if found.standby:
        say(found.standby, err=True)


def _counts(found: Event) -> str:
    return f"{len(found.answers) - len(found.missing)} of {len(found.answers)} answered"
