"""The worked example with three Vault servers, for tests."""

from pathlib import Path

from heiiki.intent import load
from heiiki.plan import Plan, build

EXAMPLE = Path(__file__).parents[1] / "inventories" / "lab"
VAULTS = ("vault", "vault-2", "vault-3")


def with_vaults(*hosts: str) -> Plan:
    """Return the plan of the worked example with these Vault servers."""
    intent = load(EXAMPLE)
    service = intent.service.model_copy(update={"vault_hosts": hosts or VAULTS})
    return build(intent.model_copy(update={"service": service}))
