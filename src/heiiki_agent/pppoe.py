"""The program `pppoe`: what sessions of PPPoE there are on this device, as the kernel has them."""

import argparse
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heiiki_agent.errors import AgentError

CLIENT_UNIT = "heiiki-pppoe"
FOLDER = Path("/etc/heiiki/pppoe")
CLIENT_OPTIONS = FOLDER / "line.options"
PRE_UP = FOLDER / "pre-up"
RADIUS_CLIENT = FOLDER / "radiusclient.conf"
DICTIONARY = FOLDER / "dictionary"
PORT_MAP = FOLDER / "port-id-map"
"""pppd wants this file, and reads nothing from it."""


def server_unit(interface: str) -> str:
    """Return the unit of the access concentrator of one line."""
    return f"heiiki-pppoe-{interface}"


def server_options(interface: str) -> Path:
    """Return what pppd reads for a session on one line."""
    return FOLDER / f"{interface}.options"


def main(argv: Sequence[str]) -> int:
    """Run from the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="heiiki-agent pppoe", description="Sessions of PPPoE.")
    parser.add_argument("do", choices=("status",))
    parser.add_argument("interface", nargs="+")
    wanted = parser.parse_args(argv).interface
    print(json.dumps({"sessions": sessions(wanted, _links())}))
    return 0


def sessions(wanted: Sequence[str], links: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any] | None]:
    """Return of each interface what its session has, or None where there is none that is up."""
    found = {link["ifname"]: link for link in links}
    return {name: _session(found[name]) if name in found else None for name in wanted}


def _session(link: Mapping[str, Any]) -> dict[str, Any] | None:
    ends = [one for one in link.get("addr_info", ()) if one.get("family") == "inet"]
    if "UP" not in link["flags"] or not ends:
        return None
    return {
        "address": ends[0]["local"],
        "peer": ends[0].get("address", ""),
        "mtu": link["mtu"],
        "vrf": link.get("master", ""),
        "kind": link.get("link_type", ""),
    }


def _links() -> list[dict[str, Any]]:
    command = ("ip", "-json", "address", "show")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        raise AgentError(f"{' '.join(command)}: {error}") from error
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
