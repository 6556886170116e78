# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The end of a run: the token by which its processes had devices' tokens made is revoked, not left to expire.

No task can do it: a play that fails does not come to its last one. The inventory is read in the process that
all others are forked from, so what that one does when it ends is done once, whatever became of the run.
"""

import atexit
import json
import os
from pathlib import Path

from ansible.utils.display import Display
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import opened, package
from ansible_collections.heiiki.network.plugins.plugin_utils.enrolment import run_name

STEP = "ending the run's session"
display = Display()


def revoke_at_end(service: Path, run: Path) -> None:
    """Have this process revoke, when it ends, what its run keeps in a folder.

    Args:
        service: folder of the service.
        run: the folder (`heiiki.state.ServiceState.run`); need not be there.
    """
    atexit.register(end, service, run, os.getpid())


def end(service: Path, run: Path, pid: int) -> None:
    """Revoke the tokens that the run of process `pid` keeps, and remove what its processes shared.

    A process that was forked from it does nothing.
    """
    if os.getpid() != pid:
        return
    for path in run.glob(f"{run_name(pid)}.*.json"):
        try:
            token = str(json.loads(path.read_text(encoding="utf-8")).get("token", ""))
        finally:
            path.unlink()
        if token:
            _revoke(service, token)


def _revoke(service: Path, token: str) -> None:
    try:
        access = opened(service).vault(STEP).hurried()
        access.vault.with_token(token).write("auth/token/revoke-self", {})
    except package("heiiki.errors").HeiikiError as error:
        display.vv(f"the token of this run is good until its life of some minutes ends: {error}")
