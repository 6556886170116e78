"""What the node of the Vault API server is sent: configuration, unit, bounds of its audit log."""

import json
from collections.abc import Iterator

from heiiki.plan.model import Device, Identity, Plan, VaultServer
from heiiki.render import agent
from heiiki.render.model import Part, RenderedFile, Service
from heiiki.render.templates import render

SERVICE = "heiiki-vault"
USER = "heiiki-vault"
_CONFIG = "/etc/heiiki/vault_server.json"
_LOGS = "/etc/heiiki/vault-logs.conf"
_UNITS = "/etc/systemd/system"
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
            f"{_UNITS}/{SERVICE}.service",
            render(f"linux/{SERVICE}.service.j2", plan, device),
            service=SERVICE,
        ),
        *_log_units(plan, device, device.vault),
        RenderedFile(_CONFIG, _settings(device.identity, device.vault), service=SERVICE),
        RenderedFile(
            "/etc/heiiki/vault.hcl",
            render("linux/vault.hcl.j2", plan, device),
            validate=("sh", "-c", _ACCEPTED, _SERVER, "{path}"),
            service=SERVICE,
            requirements=("R-SEC-ACCESS", "R-SEC-ESP"),
        ),
        RenderedFile(_LOGS, render("linux/heiiki-vault-logs.conf.j2", plan, device)),
    )
    return Part(files, Service(SERVICE, "restart", agent.command("vault-node", "health", _CONFIG)))


def _log_units(plan: Plan, device: Device, server: VaultServer) -> Iterator[RenderedFile]:
    """Yield what bounds the logs, and the volume in memory; the server's unit starts all of it."""
    for kind in ("service", "timer"):
        name = f"{SERVICE}-logs.{kind}"
        yield RenderedFile(f"{_UNITS}/{name}", render(f"linux/{name}.j2", plan, device), service=SERVICE)
    for log in server.audit_logs:
        if log.memory_mib:
            # Its name must be the folder's, with dashes (systemd.mount(5)).
            name = log.folder.strip("/").replace("/", "-")
            text = render("linux/memory.mount.j2", plan, device)
            yield RenderedFile(f"{_UNITS}/{name}.mount", text, service=SERVICE)


def _settings(identity: Identity, server: VaultServer) -> str:
    """Return what the program beside the server reads: names of the first certificate, and its owner."""
    settings: dict[str, object] = {
        "host": identity.common_name,
        "addresses": [str(address) for address in identity.addresses],
        "port": server.port,
        "user": USER,
        "logs": [log.folder for log in server.audit_logs],
    }
    if server.peers:
        settings["cluster"] = {
            "node_id": server.node_id,
            "address": f"{server.address}:{server.cluster_port}",
        }
    return json.dumps(settings, indent=1) + "\n"
