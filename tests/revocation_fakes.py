"""A fleet and the means of a revocation, for its tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from heiiki import revocation
from heiiki.intent import load
from heiiki.intent.revoked import marked
from heiiki.plan import build
from heiiki.plan.model import Plan
from heiiki.report.ledger import Ledger
from heiiki.revocation import BOUND_S, RevocationStep, RevokedAtServer
from heiiki.state import ServiceState
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import Credential

DEVICE = "umeda-gw-b"
LOGS = "/var/log/units"
AT_ACCESSES = "newest revocation, tried at every access"


class Devices:
    """A fleet that does as it is told, and notes what it was told."""

    def __init__(self, errors: Mapping[str, str] | None = None) -> None:
        self.told: list[tuple[str, str]] = []
        self.errors = errors or {}

    def run(self, programs: Mapping[str, bytes], timeout: float = 30.0) -> dict[str, Answer]:
        assert timeout > BOUND_S
        self.told += [(name, source.decode()) for name, source in programs.items()]
        done = {"changed": ["x"], "error": ""}
        return {
            name: Answer(name, {} if name in self.errors else done, self.errors.get(name, ""), b"")
            for name in programs
        }

    def of(self, device: str) -> list[str]:
        return [source for name, source in self.told if name == device]


def without(plan: Plan, device: str) -> Plan:
    """The plan of the intent in which the device is marked."""
    intent = load(Path(__file__).parents[1] / "inventories/lab")
    assert intent.service.service == plan.service
    return build(marked(intent, device, "stolen", None))


def steps(
    plan: Plan,
    devices: Devices,
    device: str = DEVICE,
    revoke: Any = lambda: RevokedAtServer(("certificate 01",), ("01",)),
    read: Any = lambda path, field: f"{path} {field}",
) -> list[RevocationStep]:
    means = revocation.Means(
        mark=lambda: ["revoked.yml"],
        planned=lambda: without(plan, device),
        former=lambda: plan,
        revoke=revoke,
        fleet=cast("Fleet", devices),
        read_secret=read,
        sign=lambda identity: Credential(f"certificate of {identity.device}", "key"),
        logs=LOGS,
    )
    return list(revocation.revoke(revocation.find(plan, device), means))


def ledger(artifacts: Path) -> Ledger:
    return Ledger(ServiceState(artifacts / "state"))
