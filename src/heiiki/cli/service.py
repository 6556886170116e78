"""From a folder on the command line to a plan."""

from pathlib import Path

import click

from heiiki.cli.terminal import say
from heiiki.intent import load
from heiiki.plan import Plan, build


class Folder(click.Path):
    """A folder that holds a service."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False, path_type=Path)


def planned(folder: Path) -> Plan:
    """Load, validate and resolve the service in `folder`; write its deprecation notices to standard error."""
    intent = load(folder)
    for notice in intent.notices:
        say(f"deprecated: {notice}", err=True)
    return build(intent)
