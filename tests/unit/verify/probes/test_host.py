"""The probe's own parsing: IPsec states with what the IKE daemon says of them, and filters of tc."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from heiiki.verify.probes import host
from heiiki_agent import vici

STATES = """\
src 10.96.3.2 dst 10.112.0.17
	proto esp spi 0xc0ffee01 reqid 1 mode transport
	replay-window 32 flag 80
src 10.112.0.17 dst 10.96.3.2
	proto esp spi 0x0badcafe reqid 9 mode transport
"""


class Daemon:
    """Lists one SA with a child."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def streamed(self, *_: object) -> list[dict[str, Any]]:
        child = {"child-sas": {"s0017-1": {"spi-in": "c0ffee01", "spi-out": "c0ffee02"}, "new-2": {}}}
        return [{"s0017": child}, {"line": {}}]


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vici").touch()
    monkeypatch.setattr(host, "_VICI", str(tmp_path / "vici"))
    monkeypatch.setattr(vici, "Session", Daemon)


@pytest.mark.usefixtures("daemon")
def test_a_state_is_known_by_the_spi_that_the_daemon_lists() -> None:
    found = [(one["spi"], one["source"], one["known"]) for one in host._states(STATES)]
    assert found == [("c0ffee01", "10.96.3.2", True), ("0badcafe", "10.112.0.17", False)]


def test_without_a_daemon_no_state_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_VICI", str(tmp_path / "none"))
    assert [one["known"] for one in host._states(STATES)] == [False, False]


def test_a_daemon_that_does_not_answer_leaves_the_part_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ConnectionError("the IKE daemon hung up")

    (tmp_path / "vici").touch()
    monkeypatch.setattr(host, "_VICI", str(tmp_path / "vici"))
    monkeypatch.setattr(vici, "Session", refuse)
    found: dict[str, Any] = {"errors": {}, "states": STATES}
    host._note(found, "states", lambda: host._states(STATES))
    assert found == {"errors": {"states": "states: the IKE daemon hung up"}}


def test_each_discipline_that_can_have_filters_is_asked_in_one_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def run(_argv: tuple[str, ...], said: str = "") -> tuple[str, str]:
        asked.append(said)
        return "filter parent 8001: protocol ip pref 1 matchall\n  action order 1: drop\n", ""

    monkeypatch.setattr(host, "_run", run)
    qdiscs = [
        {"kind": "noqueue", "handle": "0:", "dev": "lo"},
        {"kind": "pfifo_fast", "handle": "0:", "dev": "lan0"},
        {"kind": "fq_codel", "handle": "8001:", "dev": "wan0"},
    ]
    assert host._filters(qdiscs) == ["filter parent 8001: protocol ip pref 1 matchall"]
    assert asked == ["filter show dev lan0\nfilter show dev wan0 parent 8001:\n"]
    assert host._filters(qdiscs[:1]) == []
    assert len(asked) == 1


STATUS = """Package: frr
Status: install ok installed
Priority: optional
Version: 10.3-3
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: libc6 (>= 2.38), iproute2 | iproute, python3:any, lsof
Recommends: frr-pythontools
Provides: routing-daemon (= 1)
Description: suite
 Depends: no field

Package: base-files
Essential: yes
Status: install ok installed
Priority: required
Version: 13.8

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def test_installed_packages_are_told_with_what_they_need(tmp_path: Path) -> None:
    file = tmp_path / "status"
    file.write_text(STATUS)
    frr, base = host._packages(str(file))
    assert frr == {
        "name": "frr",
        "version": "10.3-3",
        "priority": "optional",
        "essential": False,
        "needs": [
            "frr-pythontools",
            "init-system-helpers",
            "iproute",
            "iproute2",
            "libc6",
            "lsof",
            "python3",
        ],
        "provides": ["routing-daemon"],
    }
    assert (base["name"], base["essential"]) == ("base-files", True)


@pytest.mark.parametrize("text", ["", "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n", None])
def test_a_host_that_tells_no_package_is_not_known_to_be_minimal(tmp_path: Path, text: str | None) -> None:
    found: dict[str, Any] = {"errors": {}}
    file = tmp_path / "status"
    if text is not None:
        file.write_text(text)
    host._note(found, "packages", partial(host._packages, str(file)))
    assert "packages" not in found
    assert "packages" in found["errors"]


def test_a_route_is_learned_where_zebra_has_installed_it_by_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = [
        {"ip": "10.16.1.18", "active": True, "recursive": True},
        {"fib": True, "ip": "10.16.1.18", "interfaceName": "lan0"},
    ]
    held = {"protocol": "bgp", "prefix": "10.15.0.0/28", "table": 254, "installed": True, "nexthops": ways}
    (tmp_path / "zebra.vty").touch()
    monkeypatch.setattr(host, "_ZEBRA", str(tmp_path / "zebra.vty"))
    said = json.dumps({"default": {"10.15.0.0/28": [held, held | {"protocol": "kernel"}]}})
    monkeypatch.setattr(host, "_run", lambda argv: (said, "") if argv[0] == "vtysh" else ("", "no"))
    good = {"dst": "10.15.0.0/28", "gateway": "10.16.1.18", "dev": "lan0", "protocol": "bgp"}
    others: list[dict[str, Any]] = [
        {"gateway": "10.16.1.20"},
        {"dev": "tun-b"},
        {"table": "77"},
        {"protocol": "ospf"},
        {"dst": "10.15.0.0"},
    ]
    found = host._with_origin([good, *(good | change for change in others), {"dst": "default"}])
    assert [one.get("learned") for one in found] == [True, False, False, False, False, False, None]


def test_without_zebra_nothing_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_ZEBRA", str(tmp_path / "none"))
    (found,) = host._with_origin([{"dst": "10.15.0.0/28", "dev": "lan0", "protocol": "bgp"}])
    assert found["learned"] is False


def test_sockets_for_whole_frames_are_told_with_protocol_and_interface() -> None:
    said = """\
p_dgr 2880   0       [2054]:lan0   * users:(("python3",pid=999999,fd=6))
p_raw 0      0       [3]:*      *
"""
    assert host._packet_sockets(said) == [
        {"kind": "p_dgr", "protocol": "2054", "interface": "lan0", "program": "python3", "unit": ""},
        {"kind": "p_raw", "protocol": "3", "interface": "*", "program": "", "unit": ""},
    ]
