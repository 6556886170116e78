"""The devices of a service as the replacement of a CA asks them."""

from collections.abc import Mapping
from dataclasses import dataclass

from heiiki.deploy import program
from heiiki.pki.device_program import QUESTION, Status, command, credentials_status
from heiiki.verify.fleet import Fleet


@dataclass(frozen=True, slots=True)
class FleetDevices:
    """Asks all of them at once."""

    fleet: Fleet

    def statuses(self, names: list[str]) -> Mapping[str, Status]:
        """Return what each device says of its credentials."""
        answers = self.fleet.ask("read", dict.fromkeys(names, QUESTION))
        return {name: credentials_status(answers[name]) for name in names}

    def fetch_crls(self, names: list[str]) -> None:
        """Have devices fetch the CRLs."""
        asked = {"pull": command("pull"), "connections": [], "serials": [], "wait_s": 0}
        self.fleet.run(dict.fromkeys(names, program("end_associations", asked)))
