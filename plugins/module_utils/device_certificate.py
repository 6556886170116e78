# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a device's program says of its certificate, and whether that is what the plan asks for.

Standard library only, and the program itself.
"""

import base64
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

NAME = "heiiki_agent.pki.commands"
WHERE = {
    "program": {"type": "path", "default": "/usr/local/lib/heiiki/heiiki-agent.pyz"},
    "config": {"type": "path", "default": "/etc/heiiki/credentials.json"},
}
"""Arguments of every module that asks the program: where it and its configuration are."""


class DeviceError(Exception):
    """The device's program refuses; the message is its own."""


@dataclass(frozen=True, slots=True)
class Program:
    """The device's program, loaded into this process: starting an interpreter for each step takes longer."""

    path: str
    config: str

    def __call__(self, command: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Do a command and return what it says."""
        program = loaded(self.path)
        text = "" if given is None else json.dumps(given)
        try:
            answer: dict[str, Any] = program.answer(command, Path(self.config), text)
        except (program.AgentError, OSError, ValueError) as error:
            raise DeviceError(f"`credentials {command}` failed: {str(error).strip()[-2000:]}") from error
        return answer


@cache
def loaded(path: str) -> Any:
    """Return the device's program for its certificate as a module.

    Raises:
        DeviceError: it is not there, or of a release that has no such program.
    """
    if not Path(path).is_file():
        raise DeviceError(f"there is no {path}: apply the device's build first (heiiki.network.linux_node)")
    sys.path.insert(0, path)
    try:
        program = import_module(NAME)
    except ImportError as error:
        raise DeviceError(
            f"{path} is of another release: apply the device's build first (heiiki.network.linux_node)"
        ) from error
    return program


def reasons(status: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield why a device with `status` needs a certificate.

    Args:
        status: what the program says.
        wanted: the module's parameters.
    """
    found = status["certificate"]
    if found is None:
        yield "there is no certificate"
        return
    if wanted["force"]:
        yield "asked for"
    if found["names"] != sorted_names(wanted["names"]):
        yield f"the plan's names are {shown(wanted['names'])}, the certificate's {shown(found['names'])}"
    if found["share_used"] >= wanted["renew_share"]:
        yield f"{found['share_used']:.0%} of its life is gone; it ends {found['not_after']}"
    if wanted["issuer_sha256"] and found["issuer_sha256"] != wanted["issuer_sha256"]:
        yield f"{found['issuer']}, which issued it, is no longer the issuing CA"
    yield from status["problems"]


def sorted_names(names: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return names as the program prints them."""
    return {kind: sorted(values) for kind, values in names.items()}


def shown(names: Mapping[str, Sequence[str]]) -> str:
    """Return names on one line."""
    return ", ".join(name for values in names.values() for name in sorted(values))


def digests(pems: Sequence[str]) -> set[str]:
    """Return the fingerprints of certificates in PEM."""
    bodies = ("".join(pem.strip().splitlines()[1:-1]) for pem in pems)
    return {hashlib.sha256(base64.b64decode(body)).hexdigest() for body in bodies}


def anchors_differ(status: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether the device trusts other CAs than it should; False when the server could not be asked."""
    if not wanted["anchors"]:
        return False
    roots, here = digests(wanted["anchors"]), {item["sha256"] for item in status["anchors"]}
    others = {item["sha256"] for item in status["server_anchors"]}
    # What the server used before it had a certificate of the service's CA may stay: it ends by itself.
    return here != roots or not digests(wanted["server_anchors"]) <= others | roots
