"""Platforms as data: how each one writes its configuration, and what a change of it looks like.

`of` gives a platform by its name. It reads configuration text, and compares two of them: what differs, the
lines that bring a device from one to the other, and those that bring it back. Nothing here speaks to a
device.
"""

from heiiki.errors import PlatformError
from heiiki.platforms import cisco_iosxe, frr, juniper_junos, nec_ix, yamaha_rtx
from heiiki.platforms.difference import Difference
from heiiki.platforms.platform import Platform
from heiiki.platforms.tree import Line, Tree

__all__ = ["Difference", "Line", "Platform", "Tree", "names", "of"]

_PLATFORMS = {
    module.TABLE.name: Platform(module.TABLE)
    for module in (cisco_iosxe, frr, juniper_junos, nec_ix, yamaha_rtx)
}


def names() -> tuple[str, ...]:
    """Return the names of the platforms, sorted."""
    return tuple(sorted(_PLATFORMS))


def of(name: str) -> Platform:
    """Return a platform by its name.

    Raises:
        PlatformError: there is none of this name.

    Example:
        >>> of("frr").compare("hostname a", "hostname b").remediation
        ('hostname b',)
    """
    try:
        return _PLATFORMS[name]
    except KeyError as error:
        known = ", ".join(names())
        raise PlatformError(f"{name!r}: there is no platform of this name; take one of {known}") from error
