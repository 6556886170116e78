# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.vault_ca; its documentation stands beside the module of that name."""

import base64
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    given,
    opened,
    package,
    translated,
)

ARGUMENTS = {
    "path": {"type": "path", "default": "/run/heiiki/vault-anchors.pem"},
    "service_dir": {"type": "path", "required": True},
    "secret_state": {"type": "path"},
}
FIELD = "pem"
BEGIN = "-----BEGIN CERTIFICATE-----"


class ActionModule(ActionBase):  # type: ignore[misc]  # the base is not typed
    """Read certificates on a node and keep them on the controller."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what changed."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(ARGUMENTS)
        read = self._execute_module(
            module_name="ansible.builtin.slurp",
            module_args={"src": arguments["path"]},
            task_vars=task_vars or {},
        )
        if read.get("failed"):
            return {**result, **self._unread(arguments["path"], read)}
        found = base64.b64decode(read["content"]).decode(errors="replace")
        if BEGIN not in found:
            msg = f"{arguments['path']} holds no certificate: see whether heiiki-vault runs"
            return {**result, "failed": True, "msg": msg}
        with translated():
            service = opened(Path(arguments["service_dir"]), given(arguments["secret_state"]))
            source, device = service.state.secrets, (task_vars or {}).get("inventory_hostname", "")
            secret = _secret(service, device)
        return {**result, **self._keep(found, source, secret)}

    def _unread(self, path: str, read: dict[str, Any]) -> dict[str, Any]:
        if self._task.check_mode:
            return {"changed": True, "msg": f"{path} is not there yet: the server makes it at its start"}
        return {"failed": True, "msg": f"{path}: {read.get('msg')}: see whether heiiki-vault runs"}

    def _keep(self, found: str, source: Any, secret: str) -> dict[str, Any]:
        with translated():
            before = source.read(secret, FIELD) if source.has(secret) else ""
            if before != found and not self._task.check_mode:
                source.write(secret, {FIELD: found})
        answer = {"changed": before != found, "certificates": found.count(BEGIN)}
        if before == found:
            return answer
        name = f"secret {secret}"
        return {
            **answer,
            "diff": {"before_header": name, "after_header": name, "before": before, "after": found},
        }


def _secret(service: Any, device: str) -> str:
    """Return where the controller keeps it: each server of a cluster has its own."""
    trust = service.plan.pki
    return str(
        package("heiiki.pki.server.login").ca_path(trust, device if device in trust.vaults else trust.vault)
    )
