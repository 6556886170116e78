# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of heiiki.network.vault_pki; its documentation stands beside the module of that name."""

from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package
from ansible_collections.heiiki.network.plugins.plugin_utils.service_action import ServiceAction

if TYPE_CHECKING:
    from heiiki.errors import VaultError
    from heiiki.pki.server.login import Access
    from heiiki.plan.model import Plan
    from heiiki.service import Service


class ActionModule(ServiceAction):
    """Bring the Vault API server to the plan, from the controller."""

    ARGUMENTS: ClassVar[dict[str, dict[str, Any]]] = {
        "initialise": {"type": "bool", "default": False},
        "unseal": {"type": "bool", "default": False},
        "key_shares": {"type": "int", "default": 5, "no_log": False},
        "key_threshold": {"type": "int", "default": 3, "no_log": False},
        "seed": {"type": "bool", "default": False},
        "rotate": {"type": "str", "choices": ["root", "issuing", "retire"]},
        "secret_state": {"type": "path", "no_log": False},
    }

    def answer(self, service: "Service", arguments: dict[str, Any]) -> dict[str, Any]:
        """Apply the plan to the server; see the module's documentation."""
        plan, bootstrap = service.plan, package("heiiki.pki.server.bootstrap")
        access = service.vault("setting up certificates and secrets")
        shares = bootstrap.Shares(arguments["key_shares"], arguments["key_threshold"])
        try:
            changes = bootstrap.apply(
                access,
                plan,
                shares=shares if arguments["initialise"] else None,
                unsealing=arguments["unseal"],
                check=self.check_mode,
            )
        except package("heiiki.errors").VaultError as error:
            if not (arguments["initialise"] and self._foreseen(access, error)):
                raise
            return {"changed": True, "changes": ["sys/init"], "warnings": [f"{error}: a run sets it up"]}
        if arguments["rotate"]:
            step = bootstrap.Rotation(arguments["rotate"])
            changes += bootstrap.rotate(access, plan, step, check=self.check_mode)
        seeded = self._seeded(access, plan) if arguments["seed"] else ()
        return {
            "warnings": [] if self.check_mode else list(self._warnings(access, plan)),
            "changed": bool(changes or seeded),
            "changes": [*(change.path for change in changes), *seeded],
            "diff": [
                {
                    "before_header": change.path,
                    "after_header": change.path,
                    "before": change.before,
                    "after": change.after,
                }
                for change in changes
            ],
        }

    def _foreseen(self, access: "Access", error: "VaultError") -> bool:
        """Tell whether in check mode a server is away that a run would start and initialise."""
        away = error.fault is package("heiiki.errors").VaultFault.UNREACHABLE
        return self.check_mode and away and not access.store.has(package("heiiki.pki.server.bootstrap").INIT)

    @staticmethod
    def _warnings(access: "Access", plan: "Plan") -> tuple[str, ...]:
        members = package("heiiki.pki.server.members").problems(access)
        return (*members, *package("heiiki.pki.authorities").expiring(access.vault, plan.pki))

    def _seeded(self, access: "Access", plan: "Plan") -> tuple[str, ...]:
        """Write the secrets that the server lacks; one that cannot be asked yet lacks all of them."""
        login, kv = package("heiiki.pki.server.login"), package("heiiki.pki.server.secrets")
        writer = package("heiiki.pki.server.policies").AppRole.SECRET_WRITER
        if self.check_mode and not login.usable(access, writer):
            return tuple(kv.named(plan))
        with login.logged_in(access, writer) as session:
            secrets = kv.VaultSecrets(session, plan.pki.secrets_mount)
            return tuple(kv.seed(secrets, kv.named(plan), access.store, check=self.check_mode))
