"""`heiiki lab`: the lab of a service, by hand."""

import click

from heiiki.cli.group import examples
from heiiki.cli.lazy import Later, LazyGroup

_COMMANDS = {
    "clean": Later("heiiki_lab.commands:clean", "Stop the lab, and remove what labs have left.", extra="lab"),
    "devices": Later("heiiki_lab.commands:devices", "Simulate a service's routers of vendors.", extra="lab"),
    "down": Later("heiiki_lab.commands:down", "Stop the lab.", extra="lab"),
    "exec": Later("heiiki_lab.commands:exec_", "Run a command on a node.", extra="lab"),
    "fail": Later("heiiki_lab.commands:fail", "Fail a link, a node, or a program of a node.", extra="lab"),
    "heal": Later("heiiki_lab.commands:heal", "Mend what is failed.", extra="lab"),
    "status": Later(
        "heiiki_lab.commands:status", "Say what is up, and which faults are in force.", extra="lab"
    ),
    "up": Later("heiiki_lab.commands:up", "Start the lab of a service.", extra="lab"),
}


@click.group(
    cls=LazyGroup,
    later=_COMMANDS,
    help="Start, look at, break and stop the lab.",
    epilog=examples(
        "heiiki lab up inventories/lab",
        "heiiki lab exec umeda-ce-a -- vtysh -c 'show bfd peers brief'",
        "heiiki lab fail umeda-ce-a --how poweroff",
        "heiiki lab heal",
    ),
)
def lab() -> None:
    """Start, look at, break and stop the lab."""
