"""Secrets: named by a path in the plan, read only on the way to a device."""

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from heiiki.errors import SecretError

_KEY_BYTES = 16


class SecretSource(Protocol):
    """Where secrets are read from."""

    def read(self, path: str, field: str) -> str:
        """Return `field` of the secret at `path`.

        Raises:
            SecretError: there is no such secret, or it cannot be read.
        """


class FileSecrets:
    """Secrets of the lab: files of mode 0600 in the state folder, outside every checkout (D10)."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "secrets"

    def read(self, path: str, field: str) -> str:
        """Return `field` of the secret at `path`."""
        try:
            value = json.loads(self._file(path).read_text(encoding="utf-8"))[field]
        except (OSError, ValueError, KeyError, TypeError) as error:
            what = f"secret {path}: {field} cannot be read from {self._folder}"
            raise SecretError(f"{what}; `heiiki lab up` makes the lab's keys") from error
        return str(value)

    def fields(self, path: str) -> dict[str, str]:
        """Return every field of the secret at `path`; errors as for `read`."""
        try:
            return dict(json.loads(self._file(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise SecretError(f"secret {path} cannot be read from {self._folder}") from error

    def write(self, path: str, fields: Mapping[str, str]) -> None:
        """Put a secret in the place of whatever stood at `path`: whole or not at all, mode 0600."""
        self._draft(path, fields).replace(self._file(path))

    def has(self, path: str) -> bool:
        """Tell whether there is a secret at `path`."""
        return self._file(path).exists()

    def ensure_sim(self, path: str) -> None:
        """Make the keys K and OPc (TS 35.206) at random where there are none yet."""
        if self.has(path):
            return
        # Whole or not at all, and the first of two that make keys at once wins.
        draft = self._draft(path, {"k": secrets.token_hex(_KEY_BYTES), "opc": secrets.token_hex(_KEY_BYTES)})
        with contextlib.suppress(FileExistsError):
            os.link(draft, self._file(path))
        draft.unlink()

    def _file(self, path: str) -> Path:
        return self._folder / f"{path}.json"

    def _draft(self, path: str, fields: Mapping[str, str]) -> Path:
        draft = self._file(path).with_suffix(f".{os.getpid()}")
        draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(dict(fields), stream)
            stream.flush()
            os.fsync(descriptor)
        return draft
