"""What the node of the Vault API server is sent: configuration, unit, bounds of its audit log."""

import json

from heiiki.plan.model import Device, Identity, Plan, VaultServer
from heiiki.render import agent
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render

SERVICE = "heiiki-vault"
USER = "heiiki-vault"
_CONFIG = "/etc/heiiki/vault_server.json"
_SERVER = "/usr/local/lib/heiiki/vault"
_ACCEPTED = '"$0" operator validate-config -config="$1"; [ $? -ne 1 ]'
"""OpenBao answers 1 to a file it cannot use, 2 where it only warns; HashiCorp Vault has no such command."""


def parts(plan: Plan, device: Device) -> Part | None:
    """Return the files and the service of the server that `device` runs.

    A change is a restart: a server reads addresses and storage at its start only. It comes back sealed.
    """
    if device.vault is None or device.identity is None:
        return None
    files = (
        RenderedFile(
            f"/etc/systemd/system/{SERVICE}.service", render(f"linux/{SERVICE}.service.j2"), service=SERVICE
        ),
        RenderedFile(_CONFIG, _settings(device.identity, device.vault), service=SERVICE),
        RenderedFile(
            "/etc/heiiki/vault.hcl",
            render("linux/vault.hcl.j2", plan, device),
            validate=("sh", "-c", _ACCEPTED, _SERVER, "{path}"),
            service=SERVICE,
            requirements=("R-SEC-ACCESS", "R-SEC-ESP"),
        ),
        RenderedFile(f"/etc/logrotate.d/{SERVICE}", render(f"linux/{SERVICE}.logrotate.j2")),
    )
    return Part(files, Service(SERVICE, "restart", agent.command("vault-node", "health", _CONFIG)))


def _settings(identity: Identity, server: VaultServer) -> str:
    """Return what the program beside the server reads: names of the first certificate, and its owner."""
    settings = {
        "host": identity.common_name,
        "addresses": [str(address) for address in identity.addresses],
        "port": server.port,
        "user": USER,
    }
    return json.dumps(settings, indent=1) + "\n"
