"""The command line: apply, check, keep."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from heiiki_agent import netlink
from heiiki_agent.errors import AgentError
from heiiki_agent.links import kernel, settings
from heiiki_agent.links.difference import difference, problems
from heiiki_agent.service_start import notify_ready

OWNED = Path("/var/lib/heiiki/links-owned.json")


def run(action: str, file: Path, owned: Path) -> int:
    """Do `action` (``apply`` or ``check``) with `file` and return the exit status."""
    wanted = settings.read(file)
    state = kernel.read_state(wanted, owned)
    if wrong := problems(wanted, state):
        raise AgentError("\n".join(wrong))
    change = difference(wanted, state)
    if action == "apply" and (change.changes or state.owned != wanted.made):
        # Written first: what an interrupted run has made is still known as ours.
        kernel.write_owned(owned, state.owned | wanted.made)
        kernel.apply(change)
        kernel.write_owned(owned, wanted.made)
    for line in change.changes:
        print(line)
    return 1 if action == "check" and change.changes else 0


def keep(file: Path, owned: Path) -> NoReturn:
    """Make the kernel match `file` now and after every change of a link (RTM_NEWLINK, RTM_DELLINK).

    Raises:
        AgentError: it cannot be made to match now; later that is said, and tried again at the next change.
    """
    changes = netlink.Changes(netlink.GROUP_LINK)
    run("apply", file, owned)
    notify_ready()
    while True:
        changes.wait()
        try:
            run("apply", file, owned)
        except AgentError as error:
            print(error, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="heiiki-agent links",
        description="Make interfaces, addresses, static routes and settings match FILE.",
    )
    parser.add_argument("action", choices=("apply", "check", "keep"))
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--owned", type=Path, default=OWNED, help="where the interfaces made by us are remembered"
    )
    options = parser.parse_args(arguments)
    if options.action == "keep":
        keep(options.file, options.owned)
    return run(options.action, options.file, options.owned)
