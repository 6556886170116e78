"""The worked example with two hosts of DRAS, for tests."""

from pathlib import Path

from heiiki.intent import load
from heiiki.plan import Plan, build

EXAMPLE = Path(__file__).parents[1] / "inventories" / "lab"
HOSTS = ("dras", "dras-2")


def with_two() -> Plan:
    """Return the plan of the worked example whose VTN has a second host."""
    intent = load(EXAMPLE)
    service = intent.service.model_copy(update={"dras_hosts": HOSTS})
    return build(intent.model_copy(update={"service": service}))
