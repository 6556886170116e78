"""Units as systemd reads them: the filter first, nothing flushed, no service that gives up or may do all."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import build
from heiiki.render import DeviceBuild, compile_plan
from heiiki_lab.mobile.core import pgw_unit

ANALYZE = shutil.which("systemd-analyze") or ""

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
UNITS = "/etc/systemd/system/"
FORWARDS = ("heiiki-links.service", "frr.service.d/heiiki.conf", "strongswan.service.d/heiiki.conf")
"""What brings up addresses, forwarding, routes and tunnels."""
GUARD = "/bin/sh -c 'nft list chain inet heiiki prerouting >/dev/null'"

BOUNDS = {
    "CapabilityBoundingSet": "",
    "LimitCORE": "0",
    "LockPersonality": "true",
    "MemoryDenyWriteExecute": "true",
    "NoNewPrivileges": "true",
    "PrivateDevices": "true",
    "PrivateTmp": "true",
    "ProtectClock": "true",
    "ProtectControlGroups": "true",
    "ProtectHome": "true",
    "ProtectHostname": "true",
    "ProtectKernelLogs": "true",
    "ProtectKernelModules": "true",
    "ProtectKernelTunables": "true",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RestrictAddressFamilies": "AF_UNIX",
    "RestrictNamespaces": "true",
    "RestrictRealtime": "true",
    "RestrictSUIDSGID": "true",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
}
"""What every unit is held to, unless it is listed below with what it needs."""
_TUNABLES = {"ProtectKernelTunables": "false"}
NEEDED: dict[str, dict[str, str]] = {
    "chrony": {
        "CapabilityBoundingSet": (
            "CAP_SYS_TIME CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_CHOWN CAP_DAC_OVERRIDE"
        ),
        "PrivateDevices": "false",
        "ProtectClock": "false",
        "RestrictAddressFamilies": "AF_UNIX AF_INET",
        "SystemCallFilter": "@clock",
    },
    "heiiki-mms-client": {"RestrictAddressFamilies": "AF_UNIX AF_INET"},
    "heiiki-mms-server": {"RestrictAddressFamilies": "AF_UNIX AF_INET"},
    "heiiki-lan-watch": {
        "CapabilityBoundingSet": "CAP_NET_RAW CAP_NET_ADMIN",
        "RestrictAddressFamilies": "AF_UNIX AF_PACKET AF_NETLINK",
    },
    "heiiki-links": _TUNABLES
    | {"CapabilityBoundingSet": "CAP_NET_ADMIN", "RestrictAddressFamilies": "AF_UNIX AF_NETLINK"},
    "heiiki-pgw": {
        "CapabilityBoundingSet": "CAP_NET_ADMIN",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_NETLINK",
    },
    "heiiki-access-point": {
        "CapabilityBoundingSet": "CAP_NET_ADMIN CAP_NET_RAW",
        "RestrictAddressFamilies": "AF_UNIX AF_NETLINK AF_PACKET AF_INET",
    },
    "heiiki-station": {
        "CapabilityBoundingSet": "CAP_NET_ADMIN CAP_NET_RAW",
        "RestrictAddressFamilies": "AF_UNIX AF_NETLINK AF_PACKET AF_INET",
    },
    "heiiki-crl-mirror": {"RestrictAddressFamilies": "AF_UNIX AF_INET"},
    "heiiki-openadr-ven": {"RestrictAddressFamilies": "AF_UNIX AF_INET"},
    "heiiki-openadr-vtn": {"RestrictAddressFamilies": "AF_UNIX AF_INET"},
    "heiiki-radius": {"RestrictAddressFamilies": "AF_UNIX AF_INET AF_NETLINK"},
    "heiiki-revocation": {"RestrictAddressFamilies": "AF_UNIX AF_INET"},
    "heiiki-vault": {"RestrictAddressFamilies": "AF_UNIX AF_INET AF_NETLINK"},
    "heiiki-vault-logs": {},
    "prosody": {"RestrictAddressFamilies": "AF_UNIX AF_INET"},
    "nftables": {
        "CapabilityBoundingSet": "CAP_NET_ADMIN",
        "RestrictAddressFamilies": "AF_UNIX AF_NETLINK",
    },
    "keepalived": _TUNABLES
    | {
        "CapabilityBoundingSet": "CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_NICE",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_NETLINK AF_PACKET",
    },
    "strongswan": _TUNABLES
    | {
        "CapabilityBoundingSet": "CAP_NET_ADMIN CAP_NET_BIND_SERVICE",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_NETLINK",
    },
    "frr": _TUNABLES
    | {
        "CapabilityBoundingSet": (
            "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID "
            "CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SYS_ADMIN"
        ),
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_NETLINK AF_PACKET",
    },
}
NEEDED |= {
    name: {
        "CapabilityBoundingSet": "CAP_NET_ADMIN CAP_NET_RAW",
        "PrivateDevices": "false",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_NETLINK AF_PACKET AF_PPPOX",
    }
    for name in ("heiiki-pppoe", "heiiki-pppoe-ac0042")
}
_LISTS = ("CapabilityBoundingSet", "RestrictAddressFamilies")
EXPOSURE, OF_PPPOE = 25, 30
"""The most that `systemd-analyze security` may say of a unit of ours, in tenths: 100 is no bounds at all.

PPPoE needs frames, sockets of its own family, and a device of the kernel's.
"""

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
    """Every service and drop-in that any device is sent, by its place below systemd's folder."""
    return {
        path.removeprefix(UNITS): settings(text)
        for build in builds
        for path, text in build.contents.items()
        if path.startswith(UNITS) and path.endswith((".service", ".conf"))
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


def test_a_device_whose_filter_does_not_load_is_closed(builds: tuple[DeviceBuild, ...]) -> None:
    """It has the table, but not the chain for which all that forwards waits."""
    closed = "/bin/sh -c 'nft list table inet heiiki >/dev/null 2>&1 || nft -f /etc/heiiki/closed.nft'"
    assert units(builds)["nftables.service.d/heiiki.conf"]["ExecStartPre"] == [closed]
    for one in builds:
        assert ("/etc/nftables.conf" in one.contents) == ("/etc/heiiki/closed.nft" in one.contents)
        text = one.contents.get("/etc/heiiki/closed.nft", "")
        assert text.count("policy drop;") == 2 * bool(text)
        assert [line.strip() for line in text.splitlines() if "accept" in line] == [
            'iifname "lo" accept'
        ] * bool(text)
        assert "prerouting" not in text


def test_the_filter_comes_before_whatever_configures_an_interface(builds: tuple[DeviceBuild, ...]) -> None:
    """At boot a device is closed before it has a network; what else waits for basic.target may come later."""
    unit = units(builds)["nftables.service.d/heiiki.conf"]
    assert unit["DefaultDependencies"] == ["no"]
    assert "network-pre.target" in unit["Before"][0].split()
    assert unit["Wants"] == ["network-pre.target"]
    assert "After" not in unit


def test_no_service_gives_up(builds: tuple[DeviceBuild, ...]) -> None:
    for name, unit in units(builds).items():
        assert unit["StartLimitIntervalSec"] == ["0"], name


def service_of(path: str) -> str:
    return path.split("/", maxsplit=1)[0].removesuffix(".d").removesuffix(".service")


def in_force(unit: Settings) -> dict[str, str]:
    """What systemd makes of several lines: lists are joined, of the rest the last one counts."""
    joined = {name: " ".join(" ".join(unit[name]).split()) for name in _LISTS if name in unit}
    return {name: values[-1] for name, values in unit.items() if name in BOUNDS} | joined


def bounded(builds: tuple[DeviceBuild, ...]) -> dict[str, Settings]:
    """Every unit and drop-in by its service; the lab itself brings the packet gateway's."""
    sent = {service_of(path): unit for path, unit in units(builds).items()}
    return sent | {"heiiki-pgw": settings(pgw_unit())}


def test_every_service_is_held_to_the_bounds(builds: tuple[DeviceBuild, ...]) -> None:
    services = {service.name for build in builds for service in build.services}
    held = bounded(builds)
    # A timer starts it.
    assert held.keys() == services | {"heiiki-vault-logs"}
    for name, unit in held.items():
        assert in_force(unit) == BOUNDS | NEEDED.get(name, {}), name


def test_nothing_is_let_off_that_is_not_sent(builds: tuple[DeviceBuild, ...]) -> None:
    assert NEEDED.keys() <= bounded(builds).keys()


@pytest.mark.skipif(not ANALYZE, reason="no systemd-analyze here; the tests above and the lab hold it")
def test_systemd_finds_little_exposed(builds: tuple[DeviceBuild, ...], tmp_path: Path) -> None:
    texts = {path: text for one in builds for path, text in one.contents.items() if path.startswith(UNITS)}
    whole = {path.removeprefix(UNITS): text for path, text in texts.items() if path.endswith(".service")}
    whole["heiiki-pgw.service"] = pgw_unit()
    for name, text in whole.items():
        (tmp_path / name).write_text(text)
        most = OF_PPPOE if "pppoe" in name else EXPOSURE
        command = [ANALYZE, "security", "--offline=true", f"--threshold={most}", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_a_device_is_filtered_before_it_has_an_address(builds: tuple[DeviceBuild, ...]) -> None:
    for one in builds:
        names = [service.name for service in one.services]
        if "nftables" in names:
            assert names[0] == "nftables", one.device
