"""What a server said in one comparison: each path is asked for once."""

from collections.abc import Iterable
from typing import Any

from heiiki.pki.server.connection import Vault

Values = dict[str, Any]


class Reading:
    """The answers of a server; what is changed meanwhile is not seen.

    Args:
        vault: a session that may read what is asked for.
    """

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self._values: dict[str, Values | None] = {}
        self._names: dict[str, tuple[str, ...]] = {}

    def read(self, path: str) -> Values | None:
        """Return the data at `path`, or None when there is nothing."""
        return self.each([path])[0]

    def each(self, paths: Iterable[str]) -> list[Values | None]:
        """Return the data at every path, in order, with several calls under way at once."""
        wanted = list(paths)
        new = [path for path in dict.fromkeys(wanted) if path not in self._values]
        if new:
            self._values.update(zip(new, self.vault.each(self.vault.read, new), strict=True))
        return [self._values[path] for path in wanted]

    def names(self, path: str) -> tuple[str, ...]:
        """Return the names below `path`; none when there is nothing."""
        if path not in self._names:
            self._names[path] = self.vault.names(path)
        return self._names[path]
