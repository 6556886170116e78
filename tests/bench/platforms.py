"""How long a comparison of two configurations of 200 lines takes, beside hier_config: `make bench`.

Milliseconds of the processor, the median of many runs in one process. What is running is text, as a device
prints it. What is intended is read again each time (*equal*, *changed*), or was read before (*tree*).
"""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator

import click
from hier_config import Platform, WorkflowRemediation, get_hconfig

from heiiki import platforms

LINES = 200
GOAL_MS = 1.0
HEAD = f"{'':<16}{'equal':>9}{'tree':>9}{'changed':>9}{'theirs equal':>14}{'changed':>10}"
THEIRS = {"cisco_iosxe": Platform.CISCO_IOS, "juniper_junos": Platform.JUNIPER_JUNOS}

SHAPES = {
    "cisco_iosxe": "interface Tunnel{0}\n description link {0}\n ip address 10.0.{0}.1 255.0.0.0\n"
    " tunnel source GigabitEthernet0/0/0\n tunnel destination 10.1.{0}.1\n",
    "frr": "route-map M{0} permit 10\n match ip address prefix-list P{0}\n set local-preference {0}\nexit\n"
    "ip prefix-list P{0} seq 5 permit 10.0.{0}.0/24\n",
    "juniper_junos": "set interfaces ge-0/0/{0} description link-{0}\nset interfaces ge-0/0/{0} mtu 1500\n"
    "set interfaces ge-0/0/{0} unit 0 family inet address 10.0.{0}.1/24\n"
    "set protocols bgp group PE neighbor 10.0.{0}.2 peer-as 64601\n"
    "set protocols bgp group PE neighbor 10.0.{0}.2 description peer-{0}\n",
    "nec_ix": "interface Tunnel{0}.0\n  description link{0}\n  ip address 10.0.{0}.1/30\n"
    "  tunnel mode ipsec-ikev2\nip route 10.2.{0}.0/24 Tunnel{0}.0\n",
    "yamaha_rtx": "tunnel select {0}\n ip tunnel mtu 1300\n ip tunnel address 10.0.{0}.1/30\n"
    " tunnel enable {0}\nip route 10.2.{0}.0/24 gateway tunnel {0}\n",
}
"""Five lines of each platform, of which a configuration is made by numbers in the place of ``{0}``."""


def configuration(name: str) -> str:
    """Return `LINES` lines of a platform."""
    return "".join(SHAPES[name].format(number) for number in range(1, LINES // 5 + 1))


def measured(work: Callable[[], object], runs: int) -> float:
    """Return the median of the processor's milliseconds that some work takes."""
    found = []
    for _ in range(runs):
        start = time.process_time()
        work()
        found.append(1000 * (time.process_time() - start))
    return statistics.median(found)


def theirs(name: str, running: str, intended: str) -> tuple[object, object]:
    """Compare by hier_config: remediation and rollback, as ours gives both."""
    workflow = WorkflowRemediation(*(get_hconfig(THEIRS[name], text) for text in (running, intended)))
    return workflow.remediation_config, workflow.rollback_config


def row(name: str, runs: int) -> tuple[str, float]:
    """Return the line of a platform, and the milliseconds of an equal configuration."""
    ours, text = platforms.of(name), configuration(name)
    running = f"{ours.table.comments[0]} as a device prints it\n{text}"
    changed = text.replace("10.0.7.", "10.0.77.")
    if ours.compare(running, text) or not ours.compare(changed, text):
        raise SystemExit(f"{name}: the comparison that is measured is wrong")
    tree = ours.read(text)
    figures = [
        measured(lambda: ours.compare(running, text), runs),
        measured(lambda: ours.compare(running, tree), runs),
        measured(lambda: ours.compare(changed, text), runs),
    ]
    return (
        f"{name:<16}{_columns(9, figures)}{_columns(12, _beside(name, (running, changed), text, runs))}",
        figures[0],
    )


def _beside(name: str, there: tuple[str, ...], intended: str, runs: int) -> list[float]:
    if name not in THEIRS:
        return []
    return [measured(lambda text=text: theirs(name, text, intended), max(runs // 5, 3)) for text in there]


def _columns(width: int, figures: list[float]) -> str:
    return "".join(f"{figure:>{width}.2f}" for figure in figures)


def report(runs: int) -> Iterator[str]:
    """Yield the lines of the report."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    yield f"two configurations of {LINES} lines, milliseconds of the processor, median of {runs} runs"
    yield f"Python {platform.python_version()}, {machine}"
    yield HEAD
    worst = 0.0
    for name in platforms.names():
        line, equal = row(name, runs)
        worst = max(worst, equal)
        yield line
    verdict = "met" if worst <= GOAL_MS else "missed"
    yield f"equal: {worst:.2f} ms at most, goal {GOAL_MS:g} ms: {verdict}"


@click.command()
@click.option(
    "--runs", type=click.IntRange(3, 1000), default=50, show_default=True, help="Medians are shown."
)
def main(runs: int) -> None:
    """Measure comparisons of configurations on one core of this machine."""
    gc.disable()  # as the command line does
    for line in report(runs):
        click.echo(line)


if __name__ == "__main__":
    main()
