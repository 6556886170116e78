"""Every daemon that is killed is back by its unit alone: systemd runs in the lab what real hosts get."""

import json
import re

import pytest
from waiting import awaited

from heiiki.verify.fleet import fleet
from heiiki.verify.routing.health import Health

from .selection import cases
from .service import SITE, Service

DEVICES = ("umeda-ce-a", "sakai-gw-b", "hub-ce-b", "a-pe1", "b-pgw", "dras", "vault")
"""One of each kind of device; together they run every service that the product ships or configures."""


def properties(service: Service, device: str, unit: str) -> dict[str, str]:
    wanted = "MainPID,ActiveState,SubState,NRestarts,Type"
    shown = service.run(device, "systemctl", "show", f"--property={wanted}", unit)
    return dict(line.split("=", 1) for line in shown.splitlines())


def daemons(service: Service, device: str) -> list[str]:
    owned = json.loads(service.run(device, "cat", "/var/lib/heiiki/owned.json"))
    names = [f"{entry['name']}.service" for entry in owned["services"]]
    return [name for name in names if properties(service, device, name)["Type"] != "oneshot"]


@pytest.mark.parametrize("device", cases(DEVICES, ("vault",)))
def test_a_killed_daemon_is_back_by_its_unit(service: Service, device: str) -> None:
    units = daemons(service, device)
    assert units
    for unit in units:
        before = properties(service, device, unit)
        assert (before["ActiveState"], before["SubState"]) == ("active", "running"), unit
        service.run(device, "kill", "-KILL", before["MainPID"])

        def back(unit: str = unit, before: dict[str, str] = before) -> bool:
            now = properties(service, device, unit)
            return now["SubState"] == "running" and now["MainPID"] not in {"0", before["MainPID"]}

        awaited(f"{unit} of {device} runs again", back, 60.0)
        assert int(properties(service, device, unit)["NRestarts"]) > int(before["NRestarts"])
    if device == service.plan.pki.vault:
        service.server_returns()


EXPOSURE = {"frr": 40}
"""The most that `systemd-analyze security` may say of a service, in tenths; FRRouting begins as root."""


@pytest.mark.parametrize("device", DEVICES)
def test_systemd_finds_little_of_a_device_exposed(service: Service, device: str) -> None:
    """Debian's units with our drop-ins too, by the systemd that runs them."""
    units = json.loads(service.run(device, "cat", "/var/lib/heiiki/owned.json"))["services"]
    for name in (unit["name"] for unit in units):
        most = EXPOSURE.get(name, 30)
        command = ("systemd-analyze", "security", "--no-pager", f"--threshold={most}", f"{name}.service")
        done = service.transport.run(device, command)
        assert done.rc == 0, f"{device} {name}: {done.stdout.decode()[-200:]}{done.stderr.decode()}"


def test_a_daemon_has_the_bounds_of_its_unit_in_the_kernel(service: Service) -> None:
    """charon may write its log and its socket, and nothing that is loaded or believed by others."""
    pid = service.run(SITE, "pidof", "charon-systemd").strip()
    status = service.run(SITE, "cat", f"/proc/{pid}/status")
    # CAP_NET_BIND_SERVICE and CAP_NET_ADMIN: bits 10 and 12.
    assert re.search(r"^CapBnd:\t0*1400$", status, re.MULTILINE), status
    assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE), status
    assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE), status
    inside = ("nsenter", "-t", pid, "-m", "touch")
    service.run(SITE, *inside, "/var/log/charon.log")
    for path in ("/etc/swanctl/x509ca/own.pem", "/usr/bin/own", "/run/systemd/system/own.service"):
        done = service.transport.run(SITE, (*inside, path))
        assert b"Read-only file system" in done.stderr, path


def test_a_routing_daemon_is_back_by_its_watchdog(service: Service) -> None:
    before = service.run("umeda-ce-a", "pidof", "bgpd")
    service.run("umeda-ce-a", "kill", "-KILL", *before.split())
    awaited(
        "bgpd runs again",
        lambda: service.transport.run("umeda-ce-a", ("pidof", "bgpd")).stdout.decode() not in {"", before},
        60.0,
    )


@pytest.mark.long
def test_a_new_zebra_finds_no_route_of_the_one_that_died(service: Service) -> None:
    """They lead where the network was: one that counted them would take traffic that it cannot deliver."""
    router, seen = "hub-ce-b", "/run/routes_seen"
    shown = service.run(router, "ip", "-4", "route", "show", "table", "all", "proto", "bgp")
    prefixes = {line.split()[0] for line in shown.splitlines()}
    assert prefixes
    service.transport.spawn(router, ("timeout", "120", "sh", "-c", f"exec ip -4 -o monitor route > {seen}"))
    awaited("changes are listened to", lambda: service.transport.run(router, ("test", "-e", seen)).rc == 0)
    service.run(router, "kill", "-KILL", *service.run(router, "pidof", "zebra").split())

    def removed() -> bool:
        lines = service.run(router, "cat", seen).splitlines()
        return {line.split()[1] for line in lines if line.startswith("Deleted ")} >= prefixes

    awaited("every route of BGP is removed", removed)
    with fleet(service.transport, len(service.plan.devices)) as asked:
        Health(service.plan, asked).wait(90.0)


def test_what_is_enabled_runs_after_a_power_cut(service: Service) -> None:
    units = daemons(service, "sakai-gw-b")
    service.lab("fail", "sakai-gw-b", "--how", "poweroff")
    try:
        running = service.transport.run("sakai-gw-b", ("pidof", "systemd")).rc == 0
    finally:
        service.lab("heal", "sakai-gw-b")
    assert not running
    states = {unit: properties(service, "sakai-gw-b", unit)["SubState"] for unit in units}
    assert states == dict.fromkeys(units, "running")
    filtered = started(service, "sakai-gw-b", "nftables", "ExecMainExitTimestampMonotonic")
    # No program configures an interface before this target.
    assert filtered <= started(service, "sakai-gw-b", "network-pre.target", "ActiveEnterTimestampMonotonic")
    for unit in FORWARDS:
        assert filtered < started(service, "sakai-gw-b", unit, "ExecMainStartTimestampMonotonic"), unit


FORWARDS = ("heiiki-links", "frr", "strongswan")


def started(service: Service, device: str, unit: str, stamp: str) -> int:
    """When a process of a unit started or ended, microseconds since the machine's boot."""
    at = int(service.run(device, "systemctl", "show", "--value", f"--property={stamp}", unit))
    assert at, unit
    return at


def test_a_filter_that_is_stopped_stays_in_the_kernel(service: Service) -> None:
    service.run("dras", "systemctl", "stop", "nftables")
    try:
        assert "policy drop" in service.run("dras", "nft", "list", "chain", "inet", "heiiki", "input")
    finally:
        service.run("dras", "systemctl", "start", "nftables")


@pytest.mark.long
def test_nothing_forwards_without_its_filter_and_all_starts_once_it_is_there(service: Service) -> None:
    """A packet filter that does not load at boot: the device stays closed, and mends itself later."""
    device, conf = "umeda-gw-b", "/etc/nftables.conf"

    def shown(unit: str, key: str) -> str:
        return service.run(device, "systemctl", "show", "--value", f"--property={key}", unit).strip()

    def tried(unit: str) -> bool:
        return int(shown(unit, "NRestarts")) >= 2

    service.run(device, "systemctl", "stop", *FORWARDS, "nftables")
    service.run(device, "nft", "delete", "table", "inet", "heiiki")
    service.run(device, "mv", conf, f"{conf}.kept")
    try:
        service.run(device, "sh", "-c", f"echo 'table inet heiiki {{ broken' > {conf}")
        service.run(device, "systemctl", "start", "--no-block", *FORWARDS)
        for unit in FORWARDS:
            awaited(f"{unit} tries more than once", lambda unit=unit: tried(unit))
            assert shown(unit, "ActiveState") != "active", unit
        # What is loaded instead lets nothing in or through.
        assert service.transport.run(device, ("systemctl", "start", "nftables")).rc != 0
        for chain in ("input", "forward"):
            assert "policy drop" in service.run(device, "nft", "list", "chain", "inet", "heiiki", chain)
    finally:
        service.run(device, "mv", f"{conf}.kept", conf)
    for unit in FORWARDS:
        awaited(f"{unit} runs", lambda unit=unit: shown(unit, "ActiveState") == "active")
    service.run(device, "nft", "list", "chain", "inet", "heiiki", "prerouting")
