"""Compares configurations of a device by its platform's own rules."""

from heiiki import platforms
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
