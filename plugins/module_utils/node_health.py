# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a running service says: its health, and its running configuration. Standard library only."""

import hashlib
import shlex
import time

from ansible_collections.heiiki.network.plugins.module_utils.journal import NodeError
from ansible_collections.heiiki.network.plugins.module_utils.node_manifest import ManagedService
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import ServiceError, run

HEALTH_POLL_S = 0.2


def await_healthy(service: ManagedService) -> None:
    """Wait until the health check of a service passes.

    Raises:
        NodeError: it did not within the service's time.
    """
    if not service.health:
        return
    deadline = time.monotonic() + service.health_s
    while True:
        asked = time.monotonic()
        try:
            run(service.health)
        except ServiceError as error:
            if time.monotonic() > deadline:
                command = shlex.join(service.health)
                raise NodeError(
                    f"{service.name} is not healthy after {service.health_s:g} s: `{command}`: {error}"
                ) from error
            # Where asking is slow the machine is busy, maybe with starting this very service: it gets half.
            time.sleep(max(HEALTH_POLL_S, time.monotonic() - asked))
        else:
            return


def running_digest(service: ManagedService) -> str:
    """Return the digest of the running configuration; ServiceError when it cannot be had."""
    return hashlib.sha256(run(service.running).encode()).hexdigest()
