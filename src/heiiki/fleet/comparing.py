"""Compares configurations of a device by its platform's own rules."""

from collections.abc import Iterator

from heiiki import platforms
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.model import Comparison


class ByRules:
    """Compares as `heiiki.platforms` does."""

    def __init__(self, platform: str) -> None:
        """Compare configurations of `platform`.

        Raises:
            PlatformError: there is none of this name.
        """
        self._platform = platforms.of(platform)

    def compare(self, running: str, intended: str) -> Comparison:
        """Return what leads from `running` to `intended`.

        Lines that the device takes and never shows go with a change, and are none by themselves.

        Raises:
            PlatformError: one of the two cannot be read.
        """
        found = self._platform.compare(running, intended)
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
        others = (line for own, line in self._lines(intended) if not own)
        kept = (line for own, line in self._lines(running) if own)
        return super().compare(running, "\n".join((*others, *kept, "")))

    def _lines(self, text: str) -> Iterator[tuple[bool, str]]:
        """Yield every line, and whether it is the device's own, as what is indented below such a line is."""
        own = False
        for line in text.splitlines():
            if line[:1] not in {" ", "\t"}:
                own = self._own.match(line) is not None
            yield own, line.rstrip()
