# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a running service says: its health, and its running configuration. Standard library only."""

import difflib
import hashlib
import shlex
import time

from ansible_collections.heiiki.network.plugins.module_utils.node_diff import DIGEST
from ansible_collections.heiiki.network.plugins.module_utils.node_files import NodeError
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


def drift(service: ManagedService, known: str, *, changing: bool) -> str:
    """Return how the running configuration of a service is not what it has to be; empty when it is.

    Args:
        service: runs, and says how to ask it.
        known: digest of what ran after the last run; empty: not known.
        changing: its files are about to change: they do not say yet what has to run.

    Raises:
        ServiceError: what runs, or has to run, cannot be had.
    """
    if service.wanted:
        wanted, runs = (
            () if changing else run(argv).splitlines() for argv in (service.wanted, service.running)
        )
        differs = "\n".join(difflib.unified_diff(runs, wanted, "running", "as applied", n=1, lineterm=""))
        return f":\n{differs}" if differs else ""
    now = running_digest(service) if known else known
    return f" ({known[:DIGEST]} -> {now[:DIGEST]})" if now != known else ""


def running_digest(service: ManagedService) -> str:
    """Return the digest of the running configuration; ServiceError when it cannot be had."""
    return hashlib.sha256(run(service.running).encode()).hexdigest()
