"""What a CE router of a site may run, and where a file may say so."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

from heiiki.errors import Problem
from heiiki.intent.yaml_source import YamlSource

CePlatform = Literal["frr", "cisco_iosxe", "juniper_junos", "yamaha_rtx", "nec_ix"]
"""Linux with FRRouting, or a vendor's system."""

VENDORS = frozenset(get_args(CePlatform)) - {"frr"}
"""Platforms that no role of ours provisions."""

KEY = "platform"
_FIX = (
    "leave it out: only a site's CE router has one, below `a:` in the site's file, with "
    "`redundancy: networks_and_equipment`"
)


def problems(sites: Iterable[tuple[YamlSource, bool, str]]) -> Iterator[Problem]:
    """Yield each platform that no device of its site can have.

    Args:
        sites: file of each site, whether it has a gateway on each network, and the platform that it names.
    """
    for source, doubled, platform in sites:
        if platform in VENDORS and not doubled:
            what = f"`{platform}` is of a CE router, and this site's one gateway is an LTE gateway, on Linux"
            fix = f"write `redundancy: networks_and_equipment`, or leave `{KEY}` out"
            yield source.problem(("a", KEY), what, fix)


def misplaced(loc: tuple[str | int, ...], given: Any) -> tuple[str, str] | None:
    """Return what to say of a platform where none may be chosen; None where it is something else."""
    if loc[-1:] != (KEY,) or loc == ("a", KEY):
        return None
    return f"`{given}`: the platform of this device is not chosen", _FIX
