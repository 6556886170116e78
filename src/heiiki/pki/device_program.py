"""The program on a device that keeps its key, certificate and CRLs: how it is called, and what it answers."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from heiiki.render import agent


def command(*words: str) -> list[str]:
    """Return the command line of the program on a device."""
    return list(agent.command("credentials", *words))


QUESTION = {"commands": {"status": command("status"), "check": command("check")}}
"""What the probe ``read`` asks of a device with a certificate."""

NO_ANSWER = "does not answer"
"""How the reason begins for which a device says nothing."""

Status = dict[str, Any] | str
"""What a device says of its credentials, or why it says nothing."""


class Answered(Protocol):
    """The answer of a probe."""

    @property
    def data(self) -> Mapping[str, Any]:
        """What the device answered; empty when it did not."""

    @property
    def error(self) -> str:
        """Why it did not."""


class Devices(Protocol):
    """The devices of a service, as far as their certificates are concerned."""

    def statuses(self, names: list[str]) -> Mapping[str, Status]:
        """Return what each device says of its credentials."""

    def fetch_crls(self, names: list[str]) -> None:
        """Have devices fetch the CRLs; whether that worked shows in their status afterwards."""


def credentials_status(answer: Answered) -> Status:
    """Return what a device says of its credentials in its answer to `QUESTION`."""
    said = answer.data.get("commands", {}).get("status", {})
    if answer.error or said.get("rc") != 0:
        return f"{NO_ANSWER}: {answer.error or said.get('err', '').strip() or 'no program answers there'}"
    try:
        found: dict[str, Any] = json.loads(said["out"])
    except ValueError as error:
        return f"{NO_ANSWER} so that it could be read: {error}"
    return found
