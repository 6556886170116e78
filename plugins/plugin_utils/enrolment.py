# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's part of enrolment: once a run what all devices share, and once a device its token.

What is shared is made by the first device that needs it, and kept in a file that only its user can read.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import (
    opened,
    package,
    translated,
)

if TYPE_CHECKING:
    from heiiki.pki.server.connection import Vault

Document = dict[str, Any]
STEP = "issuing certificates"


def run_name(pid: int) -> str:
    """Return a name for the run whose main process is `pid`, and no other that gets the number later."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return str(pid)
    return f"{pid}-{after_name[19]}"


def shared(folder: Path, key: str, make: Callable[[], Document], pid: int | None = None) -> Document:
    """Return what `make` made in this run, for the first caller or for this one.

    Ansible works on each host in a process of its own, so only a file can be common to them.

    Args:
        folder: for the file; those that earlier runs left are removed.
        key: what it is about; another service is another key.
        make: makes it; called once, while the others wait.
        pid: main process of the run; by default the parent of this one.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    run = run_name(pid or os.getppid())
    path = folder / f"{run}.{key}.json"
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            document: Document = json.loads(path.read_text(encoding="utf-8"))
            return document
        _clear(folder)
        document = make()
        package("heiiki.files").replace(path, json.dumps(document).encode(), 0o600)
    return document


def forget(folder: Path) -> None:
    """Discard what the devices of this run share, so that the next one asks for it: a CA was replaced."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in folder.glob(f"{run_name(os.getppid())}.*.json"):
            path.unlink()


def beside(folder: Path, key: str, pid: int) -> str:
    """Say which other run is at work on the same, or nothing; called when `shared` has cleared up."""
    others = sorted(path.name.partition("-")[0] for path in folder.glob(f"*.{key}.json"))
    others = [other for other in others if other != str(pid)]
    if not others:
        return ""
    return (
        f"another run (process {others[0]}) issues certificates of this service: let it end, then run again"
    )


def _clear(folder: Path) -> None:
    """Remove what runs that are over have left; the tokens in it live some minutes only."""
    for path in folder.glob("*.json"):
        run = path.name.partition(".")[0]
        pid = run.partition("-")[0]
        if not pid.isdigit() or run_name(int(pid)) != run:
            path.unlink(missing_ok=True)


class Enrolment:
    """One run's enrolment, as one host's process sees it.

    Attributes:
        problem: why nothing can be issued now; empty when it can.
        warnings: what is to be done soon, such as the rotation of a CA.
    """

    def __init__(self, service: Path, state: Path | None, *, check: bool = False) -> None:
        """Share what is needed for the service in folder `service`.

        Args:
            service: with its ``service.yml``.
            state: holds what the controller keeps of it; None for the service's own state folder.
            check: change nothing: the controller's own log-ins are not renewed.
        """
        self._check = check
        self._service = opened(service, state)
        with translated():
            folder = self._service.state.run
        key = hashlib.sha256(str(service.resolve()).encode()).hexdigest()[:12]
        self._shared = shared(folder, key, lambda: self._prepare(beside(folder, key, os.getppid())))
        self.problem: str = self._shared["problem"]
        self.warnings: list[str] = self._shared["warnings"]
        self._refresh()

    def _refresh(self) -> None:
        """Read again who vouches for the server: in this very run it may have got another certificate."""
        pems, servers = package("heiiki.pki.enrol").pems, self._shared["servers"]
        for server in servers:
            if server["kept"]:
                with translated():
                    server["ca_pem"] = self._service.state.secrets.read(server["kept"], "pem")
        if servers:
            found = (pem for server in servers for pem in pems(server["ca_pem"]))
            self._shared["server_anchors"] = list(dict.fromkeys(found))

    def wanted(self, device: str) -> Document:
        """Return what the module on `device` compares.

        Raises:
            AnsibleError: the plan gives the device no certificate, or it is revoked.
        """
        if device not in self._shared["devices"]:
            raise AnsibleError(
                f"{device}: the plan gives it no certificate: call this for devices with an identity only"
            )
        if why := self._shared["devices"][device]["revoked"]:
            raise AnsibleError(
                f"{device} is revoked ({why}) and gets no certificate: see revoked.yml; "
                f"for its replacement run enrol.yml -e heiiki_device={device}"
            )
        return dict(package("heiiki.pki.enrol").wanted(self._shared, device))

    def refusal(self, device: str, certificate: Document | None) -> str:
        """Return why the server has `device` barred, or nothing; `certificate` is what it says it has."""
        return str(package("heiiki.pki.enrol").refusal(self._shared, device, certificate))

    def order(self, device: str, csr: str) -> tuple[str, Document]:
        """Return the wrapped token for the request of `device`, and what goes with it.

        Raises:
            AnsibleError: the request is not what the plan allows, or the server makes no token.
        """
        with translated():
            vault = self._vault(self._shared["token"] or os.environ.get("VAULT_TOKEN", ""))
            try:
                token, document = package("heiiki.pki.enrol").order(vault, self._shared, device, csr)
            finally:
                vault.close()
        return str(token), dict(document)

    def revoke_replaced(self, device: str, serial: str) -> list[str]:
        """Revoke every certificate of `device` but that with `serial`; returns the serials.

        Raises:
            AnsibleError: the server does not, so that they are still good.
        """
        login, roles = package("heiiki.pki.server.login"), package("heiiki.pki.server.policies").AppRole
        plan = self._service.plan
        with translated():
            access = self._service.vault(f"revoking what the new certificate of {device} replaces")
            identity = plan.device(device).identity
            with login.logged_in(access, roles.REVOKER) as vault:
                gone = package("heiiki.pki.revoke").revoke_replaced(vault, plan.pki, identity, serial)
        return list(gone)

    def _prepare(self, other: str) -> Document:
        """Read the plan, ask who signs now, and log in; what goes wrong there is part of the answer.

        Two runs would take each other's requests away, so one that finds an `other` issues nothing.
        """
        enrol, errors, plan = package("heiiki.pki.enrol"), package("heiiki.errors"), self._service.plan
        planned: Document = enrol.planned(plan)
        nothing: Document = {"anchors": [], "server_anchors": [], "issuer_sha256": ""}
        nothing |= {"revoked_devices": {}, "revoked_serials": {}, "token": "", "servers": [], "warnings": []}
        if other:
            return {**planned, **nothing, "problem": other}
        try:
            access = self._service.vault(STEP)
            token = enrol.log_in(access)
            return {
                **planned,
                **enrol.facts(access.vault, plan),
                **enrol.revoked(access.vault.with_token(token), plan),
                "warnings": [
                    *package("heiiki.pki.authorities").expiring(access.vault, plan.pki),
                    *package("heiiki.pki.server.secret_ids").warnings(access, check=self._check),
                ],
                "servers": self._servers(access.vault),
                # A token that was given to us stays where it is: in the environment.
                "token": "" if access.environment.get("VAULT_TOKEN") else token,
                "problem": "",
            }
        except errors.HeiikiError as error:
            return {**planned, **nothing, "problem": str(error)}

    def _servers(self, vault: "Vault") -> list[Document]:
        """Return what a session with the servers needs, and where what vouches for each is kept."""
        login, trust = package("heiiki.pki.server.login"), self._service.plan.pki
        made = []
        for one, planned in zip(vault.server.every, trust.servers, strict=False):
            given = os.environ.get("VAULT_CACERT") and one.connect is None
            made.append(
                {
                    "device": planned.device,
                    "url": one.url,
                    "host": one.host,
                    "ca_pem": one.ca_pem,
                    "kept": "" if given else login.ca_path(trust, planned.device),
                    "relayed": one.connect is not None,
                }
            )
        return made

    def _vault(self, token: str) -> "Vault":
        connection = package("heiiki.pki.server.connection")
        first, *others = (self._server(one) for one in self._shared["servers"])
        session: Vault = connection.Vault(replace(first, others=tuple(others)), token=token, step=STEP)
        return session

    def _server(self, known: Document) -> Any:
        service, connect = self._service, None
        if known["relayed"]:
            host = next(one for one in service.plan.pki.servers if one.device == known["device"])
            connect = service.management.vault_connector(service.plan, host)
        server = package("heiiki.pki.server.connection").Server
        return server(known["url"], known["host"], known["ca_pem"], connect)
