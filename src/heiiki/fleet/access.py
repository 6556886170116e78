"""Where devices are reached and who logs in, where that is not as the service says."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from heiiki.errors import SecretError, StateError
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.model import Login
from heiiki.plan import keys
from heiiki.render.placeholders import ReadSecret
from heiiki.state import FileSecrets

USER, PASSWORD, ADMIN_PASSWORD, KEY_FILE = (
    f"HEIIKI_DEVICE_{name}" for name in ("USER", "PASSWORD", "ADMIN_PASSWORD", "KEY_FILE")
)
"""Variables of the environment for a log-in that all devices have in common."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the SSH server of a device listens."""

    host: str
    port: int = 22


@dataclass(frozen=True, slots=True)
class Access:
    """What counts in the place of what the service says.

    Attributes:
        places: of devices, by name.
        user: who logs in; empty for the service's user.
        secrets: holds log-ins and keys; None for the service's Vault server.
        alone: no other device of the service is there that could be asked for them: they are simulated.
        state: holds host keys, the journal and what was shown; None for the service's own state.
    """

    places: Mapping[str, Place] = field(default_factory=dict)
    user: str = ""
    alone: bool = False
    secrets: FileSecrets | None = None
    state: Path | None = None


def access_file(file: Path) -> Access:
    """Return what a file says, as `heiiki lab devices` writes one.

    Raises:
        StateError: it cannot be read, or is no such file.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        places = {
            name: Place(str(place["host"]), int(place["port"])) for name, place in found["devices"].items()
        }
        state = Path(found["state"])
        alone = bool(found.get("alone"))
        return Access(places, str(found["user"]), alone, FileSecrets(state), state)
    except OSError as error:
        raise StateError(f"{file}: {error.strerror}; `heiiki lab devices` writes such a file") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StateError(
            f"{file}: does not say how devices are reached ({type(error).__name__}: {error}); "
            "`heiiki lab devices` writes such a file"
        ) from error


class Logins(Protocol):
    """Knows who logs in to a device."""

    def login(self, device: str, platform: str) -> Login:
        """Return the log-in of a device.

        Raises:
            SecretError: it cannot be had.
        """


class SecretLogins:
    """A log-in of its own for each device, where the service's other secrets are."""

    def __init__(self, user: str, read_secret: ReadSecret) -> None:
        """Log in as `user`."""
        self._user, self._read = user, read_secret

    def login(self, device: str, platform: str) -> Login:
        """Read the password, and the administrator's where the platform has such a mode."""
        path = f"{keys.LOGINS}/{device}"
        elevates = DRIVERS[platform].elevate is not None
        return Login(
            _named(self._user),
            self._read(path, "password"),
            self._read(path, "admin_password") if elevates else "",
        )


@dataclass(frozen=True, slots=True)
class OneLogin:
    """One log-in for every device."""

    given: Login

    def login(self, device: str, platform: str) -> Login:
        """Return it."""
        del device, platform
        return self.given


def from_environment(user: str, environment: Mapping[str, str] = os.environ) -> OneLogin | None:
    """Return the log-in that the environment names; None where it names none.

    Args:
        user: who logs in, unless the environment names somebody else.
        environment: variables, by name.

    Raises:
        SecretError: nothing says who logs in.
    """
    password, key_file = environment.get(PASSWORD, ""), environment.get(KEY_FILE, "")
    if not password and not key_file:
        return None
    who = _named(environment.get(USER) or user)
    return OneLogin(Login(who, password, environment.get(ADMIN_PASSWORD, ""), key_file))


def _named(user: str) -> str:
    if not user:
        raise SecretError(
            f"nothing says who logs in: name the user in {USER}, or `management:` of the service"
        )
    return user
