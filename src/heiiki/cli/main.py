"""`heiiki new | check | compile | verify | revoke ...`: what people type.

Exit codes: 0 all is well, 1 a verdict is fail or unknown or a command failed, 2 the input is bad.
"""

import gc
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

import click

from heiiki.cli.group import RootGroup, examples
from heiiki.cli.lazy import Later

_COMMANDS = {
    "check": Later("heiiki.cli.paper:check", "Show every mistake of a service, or its design verdicts."),
    "compile": Later("heiiki.cli.paper:compile_", "Write the configuration of every device."),
    "control": Later("heiiki.cli.control:control", "Control sites' resources directly."),
    "est": Later("heiiki.cli.est:est", "Let devices enrol by EST."),
    "event": Later("heiiki.cli.event:event", "Send events to sites, and see their answers."),
    "import": Later("heiiki.cli.import_sites:import_", "Take sites over from a table or NetBox."),
    "new": Later("heiiki.cli.new_service:new", "Write a new service into a folder."),
    "push": Later("heiiki.cli.push:push", "Bring routers of vendors to what the intent says."),
    "reference": Later("heiiki.cli.reference:reference", "Write the reference of service and site files."),
    "reinstate": Later("heiiki.cli.network:reinstate", "Let a device's replacement enrol."),
    "renew": Later("heiiki.cli.network:renew", "Renew certificates that are due."),
    "restore": Later("heiiki.cli.network:restore", "Put a snapshot of the Vault server back."),
    "revert": Later("heiiki.cli.push:revert", "Give a router of a vendor back what it had."),
    "revoke": Later("heiiki.cli.network:revoke", "Take a device's access away."),
    "rotate": Later("heiiki.cli.network:rotate", "Replace a CA while the service goes on."),
    "sign": Later(
        "heiiki.cli.sign:sign", "Sign the certificate request of an ESP's system or a vendor's router."
    ),
    "snapshot": Later("heiiki.cli.network:snapshot", "Keep all that the Vault server has."),
    "state": Later("heiiki.cli.paper:state_", "Say where the keys of a service are kept."),
    "verify": Later("heiiki.cli.network:verify", "Measure a running service."),
}
_BROUGHT = {one.name: Later(one.value, extra=one.name) for one in entry_points(group="heiiki.commands")}


@click.group(
    cls=RootGroup,
    later=_COMMANDS | _BROUGHT,
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a pipe that is closed early is no error."""
    # A command makes many thousands of frozen objects and ends: collecting cycles takes 0.7 s of its 2.3 s.
    gc.disable()
    try:
        cli(args=arguments, prog_name="heiiki")
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
