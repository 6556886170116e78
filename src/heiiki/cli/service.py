"""From a folder on the command line to a service."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from heiiki import service as use_cases
from heiiki.cli.terminal import say

if TYPE_CHECKING:
    from heiiki.service import Service


class Folder(click.Path):
    """A folder that holds a service."""

    def __init__(self) -> None:
        super().__init__(exists=True, file_okay=False, path_type=Path)


def opened(folder: Path) -> "Service":
    """Load, validate and resolve the service in `folder`; write its deprecation notices to standard error."""
    return use_cases.opened(folder, notify=lambda notice: say(f"deprecated: {notice}", err=True))
