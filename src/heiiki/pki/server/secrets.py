"""Secrets in the server's KV engine, version 2: read at the last moment, never kept here."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from secrets import token_hex

from heiiki.errors import SecretError, VaultError, VaultFault
from heiiki.pki.server.connection import Vault
from heiiki.plan import keys
from heiiki.plan.model import Plan
from heiiki.state import FileSecrets

_KEY_OCTETS = {keys.NTP: 32}
"""A key of NTP is one of AES-256, whose length is given."""
_LEAST_OCTETS = 20
"""160 bits (RFC 5709 3.3 asks for as many as a digest of its shortest function has), in hexadecimal."""


class VaultSecrets:
    """A `heiiki.state.SecretSource` whose secrets are in the KV engine.

    Args:
        vault: a session of `AppRole.SIM_KEY_READER` to read them, or `AppRole.SECRET_WRITER` to write them.
        mount: path of the engine.
    """

    def __init__(self, vault: Vault, mount: str) -> None:
        self._vault = vault
        self._mount = mount

    def read(self, path: str, field: str) -> str:
        """Return `field` of the secret at `path`.

        Raises:
            SecretError: there is no such secret or field, or the server does not give it; the text never says
                what a secret holds.
        """
        try:
            said = self._vault.read(f"{self._mount}/data/{path}")
        except VaultError as error:
            raise SecretError(f"secret {path}: {error}") from error
        fields = {} if said is None else said["data"] or {}
        if field not in fields:
            lacks = f"has no field {field}" if fields else "does not exist"
            raise SecretError(
                f"secret {path} {lacks} at {self._mount} of {self._vault.server}: write it there "
                f"(`bao kv put -mount={self._mount} {path} {field}=-` reads the value from standard input)"
            )
        return str(fields[field])

    def exists(self, path: str) -> bool:
        """Tell whether there is a secret at `path`, without reading it."""
        return self._newest(path)[1]

    def _newest(self, path: str) -> tuple[int, bool]:
        """Return the number of the newest version, 0 for none, and whether it can be read."""
        said = self._vault.read(f"{self._mount}/metadata/{path}")
        if said is None:
            return 0, False
        number = int(said["current_version"])
        newest = said["versions"].get(str(number), {"destroyed": True})
        return number, not newest["destroyed"] and not newest["deletion_time"]

    def write(self, path: str, fields: Mapping[str, str]) -> None:
        """Write a new version of the secret at `path`."""
        self._vault.write(f"{self._mount}/data/{path}", {"data": dict(fields)})

    def ensure(self, path: str, make: Callable[[], Mapping[str, str]]) -> bool:
        """Write what `make` gives where there is no secret yet; tells whether it did.

        Two that do so at once do no harm: the server takes the first (check-and-set).
        """
        number, there = self._newest(path)
        if there:
            return False
        request = {"data": dict(make()), "options": {"cas": number}}
        try:
            self._vault.write(f"{self._mount}/data/{path}", request)
        except VaultError as error:
            if error.fault is VaultFault.REJECTED and self.exists(path):
                return False
            raise
        return True


def named(plan: Plan) -> tuple[str, ...]:
    """Return the path of every secret that the plan names."""
    return tuple(dict.fromkeys(sim.keys for device in plan.devices for sim in device.subscribers))


def routing_keys(plan: Plan) -> tuple[str, ...]:
    """Return the path of every key of routing, time and optical access, which peers share alone."""
    routers = (path for device in plan.configured() if device.router for path in device.router.keys)
    clocks = (device.clock.key.path for device in plan.configured() if device.clock and device.clock.key)
    sessions = (path for device in plan.configured() for path in device.session_keys)
    return tuple(dict.fromkeys((*routers, *clocks, *sessions)))


def ensure_keys(vault: Vault, plan: Plan, *, check: bool = False) -> Iterator[str]:
    """Make the keys of routing and time that the server lacks, at random; yields their paths.

    Args:
        vault: a session that may write them, such as that of AppRole configurator, which cannot read them.
        plan: the service.
        check: only tell.

    Raises:
        VaultError: the server cannot be reached, or does not allow it.
    """
    source = VaultSecrets(vault, plan.pki.secrets_mount)
    there = {
        f"{folder}/{name}"
        for folder in sorted({path.rpartition("/")[0] for path in routing_keys(plan)})
        for name in vault.names(f"{plan.pki.secrets_mount}/metadata/{folder}")
    }
    for path in routing_keys(plan):
        if path not in there and (check or source.ensure(path, partial(new_key, path))):
            yield path


def new_key(path: str) -> dict[str, str]:
    """Return the fields of a new key for `path`: 160 bits or more, as text that its protocol takes."""
    protocol = path.split("/")[1]
    return {keys.FIELD: token_hex(_KEY_OCTETS.get(protocol, _LEAST_OCTETS))}


def seed(
    secrets: VaultSecrets, paths: Iterable[str], source: FileSecrets, *, check: bool = False
) -> Iterator[str]:
    """Write the secrets that the engine lacks from files of the controller; yields their paths.

    For the lab, which makes its SIM cards itself; a carrier delivers keys, which the secret writer stores.

    Raises:
        SecretError: the controller has none either.
    """
    for path in paths:
        if not secrets.exists(path):
            fields = source.fields(path)
            if not check:
                secrets.write(path, fields)
            yield path
