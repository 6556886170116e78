"""Compares configurations of a device by its platform's own rules."""

from collections.abc import Iterator
from functools import lru_cache

from heiiki import platforms
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.model import Comparison

_NOTHING = Comparison((), "")


class ByRules:
    """Compares as `heiiki.platforms` does."""

    def __init__(self, platform: str) -> None:
        """Compare configurations of `platform`.

        Raises:
            PlatformError: there is none of this name.
        """
        self._platform = platforms.of(platform)
        self._read = lru_cache(maxsize=1)(self._platform.read)  # the same is intended until a device has it

    def compare(self, running: str, intended: str) -> Comparison:
        """Return what leads from `running` to `intended`.

        Lines that the device takes and never shows go with a change, and are none by themselves.

        Raises:
            PlatformError: one of the two cannot be read.
        """
        found = self._platform.compare(running, self._read(intended))
        hidden = found.hidden if found else ()
        return Comparison((*found.remediation, *hidden), found.diff)


class OfService(ByRules):
    """Compares what a service intends, which says nothing of what is the device's own: that stays."""

    def __init__(self, platform: str) -> None:
        """Compare configurations of `platform`, of which there must be a driver.

        Raises:
            PlatformError: there is none of this name.
        """
        super().__init__(platform)
        self._own = DRIVERS[platform].own

    def compare(self, running: str, intended: str) -> Comparison:
        """Return what leads from `running` to `intended` with what `running` has of its own.

        Without its accounts there would be no log-in to the device after the change, not for Heiiki either.

        Raises:
            PlatformError: one of the two cannot be read.
        """
        others, kept = self._parted(running)
        wanted, _ = self._parted(intended)
        if self._platform.source(others) == self._platform.source(wanted):
            return _NOTHING  # what most readings of a push find, in a tenth of the time
        return super().compare(running, f"{wanted}{kept}")

    def _parted(self, text: str) -> tuple[str, str]:
        """Return a configuration without what is the device's own, and that."""
        parts: tuple[list[str], list[str]] = ([], [])
        for own, line in self._lines(text):
            parts[own].append(f"{line}\n")
        return "".join(parts[False]), "".join(parts[True])

    def _lines(self, text: str) -> Iterator[tuple[bool, str]]:
        """Yield every line, and whether it is the device's own, as what is indented below such a line is."""
        own = False
        for line in text.splitlines():
            if line[:1] not in {" ", "\t"}:
                own = self._own.match(line) is not None
            yield own, line.rstrip()
