"""One platform: its table, and the engine that reads and compares by it."""

from collections.abc import Iterable
from difflib import unified_diff

from heiiki.errors import PlatformError
from heiiki.platforms import changing, paths
from heiiki.platforms.difference import Difference
from heiiki.platforms.reading import Reader
from heiiki.platforms.rules import Table
from heiiki.platforms.secret import masked
from heiiki.platforms.tree import Tree, aligned, normal


class Platform:
    """Reads and compares the configuration text of one platform."""

    __slots__ = ("_reader", "table")

    def __init__(self, table: Table) -> None:
        """Take the platform's table; `heiiki.platforms.of` has every platform already."""
        self.table = table
        self._reader = paths.Reader(table) if table.paths else Reader(table)

    def read(self, text: str) -> Tree:
        """Return the configuration that a text holds.

        Raises:
            PlatformError: the text is malformed; the message says in which line, what is wrong, and what to
                do. It holds no secret.
        """
        return self._reader.read(text)

    def source(self, text: str) -> tuple[str, ...]:
        """Return the lines of a text that count, without reading them: equal ones are equal trees."""
        return self._reader.source(text)

    def masked(self, line: str) -> str:
        """Return a line with a mask in the place of each secret, for a log or a person."""
        return masked(self.table.secrets, line)

    def compare(self, running: str | Tree, intended: str | Tree) -> Difference:
        """Return how two configurations differ, and the lines that lead from one to the other and back.

        Either is text, or what `read` made of it.

        Raises:
            PlatformError: a text is malformed, or was read as one of another platform.
        """
        wanted = self._tree(intended)
        if isinstance(running, str) and self.source(running) == wanted.source:
            return Difference(hidden=wanted.hidden)
        there = self._tree(running)
        remediation = self._change(there, wanted)
        if not remediation:
            return Difference(hidden=wanted.hidden)
        return Difference(self._diff(there, wanted), remediation, self._change(wanted, there), wanted.hidden)

    def _tree(self, configuration: str | Tree) -> Tree:
        if isinstance(configuration, str):
            return self.read(configuration)
        if configuration.platform != self.table.name:
            raise PlatformError(
                f"a configuration of {configuration.platform} has other rules than one of "
                f"{self.table.name}; read it with platforms.of({self.table.name!r})"
            )
        return configuration

    def _change(self, there: Tree, wanted: Tree) -> tuple[str, ...]:
        if there.lines == wanted.lines:
            return ()
        if self.table.paths:
            return paths.change(self.table, there, wanted)
        return changing.written(changing.steps(self.table, there.lines, wanted.lines))

    def _diff(self, there: Tree, wanted: Tree) -> str:
        """Compare what is true, and show it masked: a secret that changes is seen to change."""
        shown = wanted.lines if self.table.paths else aligned(there.lines, wanted.lines)
        old, new = (_single(normal(lines)) for lines in (there.lines, shown))
        lines = unified_diff(old, new, "running", "intended", lineterm="")
        return "".join(f"{line[:1]}{self.masked(line[1:])}\n" for line in lines)


def _single(lines: Iterable[str]) -> list[str]:
    return [single for line in lines for single in line.split("\n")]
