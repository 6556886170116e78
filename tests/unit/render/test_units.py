"""Units as systemd reads them: the filter first, nothing flushed, and no service that gives up."""

import re
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import build
from heiiki.render import DeviceBuild, compile_plan

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
UNITS = "/etc/systemd/system/"
FORWARDS = ("heiiki-links.service", "frr.service.d/heiiki.conf", "strongswan.service.d/heiiki.conf")
"""What brings up addresses, forwarding, routes and tunnels."""
GUARD = "/bin/sh -c 'nft list chain inet heiiki prerouting >/dev/null'"

Settings = dict[str, list[str]]
"""Values of each setting in the order in which they are given; an empty one takes back those before it."""


@pytest.fixture(scope="module")
def builds() -> tuple[DeviceBuild, ...]:
    return tuple(compile_plan(build(load(EXAMPLE))))


def settings(text: str) -> Settings:
    found: Settings = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def units(builds: tuple[DeviceBuild, ...]) -> dict[str, Settings]:
    """Every unit and drop-in that any device is sent, by its place below systemd's folder."""
    return {
        path.removeprefix(UNITS): settings(text)
        for build in builds
        for path, text in build.contents.items()
        if path.startswith(UNITS)
    }


def test_what_forwards_starts_behind_the_filter_or_not_at_all(builds: tuple[DeviceBuild, ...]) -> None:
    sent = units(builds)
    for name in FORWARDS:
        assert "nftables.service" in " ".join(sent[name]["After"]).split(), name
        assert sent[name]["Wants"] == ["nftables.service"], name
        assert sent[name]["ExecStartPre"][0] == GUARD, name
        assert "nftables.service" not in " ".join(sent[name].get("Before", ())), name


def test_a_stop_of_the_filter_leaves_it_in_the_kernel(builds: tuple[DeviceBuild, ...]) -> None:
    assert units(builds)["nftables.service.d/heiiki.conf"]["ExecStop"] == [""]


def test_no_service_gives_up(builds: tuple[DeviceBuild, ...]) -> None:
    for name, unit in units(builds).items():
        assert unit["StartLimitIntervalSec"] == ["0"], name


def test_a_device_is_filtered_before_it_has_an_address(builds: tuple[DeviceBuild, ...]) -> None:
    for one in builds:
        names = [service.name for service in one.services]
        if "nftables" in names:
            assert names[0] == "nftables", one.device
