"""The fleet engine beside netmiko: simulated IOS-XE devices on loopback, in a process of their own.

Configurations of 200 lines, 20 ms before each prompt; a session of its own for each reading. Processor time
is the client's alone, user and system. The engine compares text with text, and then by the platform's rules
as a push of a service does, when it takes the 20 lines away again.
"""

import asyncio
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

import simulated_devices
from simulated_devices import PASSWORD, USER, LineComparer, Simulator

from heiiki.fleet import engine
from heiiki.fleet.cli.drivers import DRIVERS
from heiiki.fleet.cli.session import connect
from heiiki.fleet.comparing import OfService
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.journal import Journal
from heiiki.fleet.model import Comparer, Login, Outcome, Target
from heiiki.fleet.push import Means, Settings

LINES, DELAY_MS, CHANGED = 200, 20.0, 20
POOL = 50
GOALS = {"engine, no change": (150.0, 10.0), "engine, 20 lines": (100.0, None)}
"""Devices a second at the least, and ms of processor a device at the most."""


class Equal:
    """Compares text with text."""

    def __init__(self, name: str) -> None:
        self._lines = LineComparer(name)

    def compare(self, running: str, intended: str) -> Any:
        """Compare whole texts first."""
        mine = [line for line in running.splitlines() if line.strip(" !") and line != "end"]
        if mine == intended.splitlines():
            return _NOTHING
        return self._lines.compare(running, intended)


_NOTHING = LineComparer("cisco_iosxe").compare("", "")


@dataclass(frozen=True)
class Figures:
    """One run."""

    name: str
    devices: int
    seconds: float
    processor_s: float
    wrong: int

    @property
    def rate(self) -> float:
        """Devices a second."""
        return self.devices / self.seconds

    @property
    def processor_ms(self) -> float:
        """Processor a device."""
        return 1000 * self.processor_s / self.devices


def config(name: str) -> str:
    """Return a configuration of 200 lines."""
    head = f"hostname {name}\narchive\n path flash:archive\nlogging buffered 4096\n"
    count = LINES - head.count("\n")
    return head + "".join(
        f"ip route 10.{n // 200}.{n % 200}.0 255.255.255.0 192.0.2.2\n" for n in range(count)
    )


def changed(text: str) -> str:
    """Return it with 20 lines more."""
    return text + "".join(f"ip route 10.9.{n}.0 255.255.255.0 192.0.2.2\n" for n in range(CHANGED))


def targets(simulator: Simulator, count: int) -> list[Target]:
    """Make devices that have what they shall have."""
    login = Login(USER, PASSWORD)
    made = []
    for number in range(count):
        name = f"ce-{number:04}"
        text = config(name)
        port = simulator.add(name, "cisco_iosxe", config=text, prompt_delay_ms=DELAY_MS)
        made.append(Target(name, "cisco_iosxe", "127.0.0.1", login, text, port))
    return made


def measured(name: str, devices: int, work: Callable[[], int]) -> Figures:
    """Measure a run, which returns how many devices went wrong."""
    clock, processor = time.perf_counter(), _processor()
    wrong = work()
    return Figures(name, devices, time.perf_counter() - clock, _processor() - processor, wrong)


def ours(
    given: list[Target],
    folder: Path,
    width: int,
    expected: Outcome,
    comparer: Callable[[str], Comparer] = Equal,
) -> int:
    """Push by the engine."""
    keys = HostKeys(folder / "known_hosts")

    async def opened(target: Target) -> Any:
        return await connect(DRIVERS[target.platform], target, keys, 60.0)

    async def serves(target: Target) -> str:
        del target
        return ""

    means = Means(opened, comparer, serves, Journal(folder / "journal"), Settings())
    results = asyncio.run(engine.push(given, means, width=width))
    for result in results:
        if result.outcome is not expected:
            click.echo(f"{result.device}: {result.outcome} {result.reason}", err=True)
    return sum(result.outcome is not expected for result in results)


def netmikos(given: list[Target], lines: tuple[str, ...] = ()) -> int:
    """Read each device by netmiko, in a pool of threads; send it lines if there are any."""
    from netmiko import ConnectHandler  # noqa: PLC0415 - what is imported is part of what is measured

    def one(target: Target) -> int:
        with ConnectHandler(
            device_type="cisco_xe",
            host=target.host,
            port=target.port,
            username=target.login.user,
            password=target.login.password,
            conn_timeout=60,
        ) as device:
            text = device.send_command("show running-config")
            if lines:
                device.send_config_set(lines)
                device.save_config()
        return int(target.name not in text)

    with ThreadPoolExecutor(POOL) as pool:
        return sum(pool.map(one, given))


def table(figures: list[Figures]) -> str:
    """Return the figures as a table."""
    head = f"{'':28}{'devices':>9}{'s':>8}{'devices/s':>11}{'processor ms':>14}{'wrong':>7}"
    rows = [
        f"{one.name:28}{one.devices:9}{one.seconds:8.2f}{one.rate:11.1f}{one.processor_ms:14.2f}{one.wrong:7}"
        for one in figures
    ]
    return "\n".join([head, *rows])


def verdicts(figures: list[Figures]) -> list[str]:
    """Return goals, met or missed."""
    said = []
    for one in figures:
        if (goal := GOALS.get(one.name)) is None:
            continue
        rate, processor = goal
        met = one.rate >= rate and (processor is None or one.processor_ms <= processor) and not one.wrong
        bound = f" and at most {processor:g} ms" if processor is not None else ""
        said.append(f"goal: {one.name}: {rate:g} devices/s{bound}: {'met' if met else 'missed'}")
    return said


@click.command(help=__doc__)
@click.option("--devices", default=300, show_default=True, help="Simulated devices.")
@click.option("--width", default=150, show_default=True, help="Devices that the engine has at once.")
@click.option("--peer/--no-peer", default=True, help="Measure netmiko too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(devices: int, width: int, peer: bool, as_json: bool) -> None:
    """Measure and print a table."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    simulator = simulated_devices.start()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        given = targets(simulator, devices)
        wanted = [replace(target, intended=changed(target.intended)) for target in given]
        before = simulator.processor_s()
        figures = [
            measured("engine, no change", devices, lambda: ours(given, folder, width, Outcome.UNCHANGED)),
            measured("engine, 20 lines", devices, lambda: ours(wanted, folder, width, Outcome.CHANGED)),
        ]
        figures += [
            measured(
                "by rules, no change",
                devices,
                lambda: ours(wanted, folder, width, Outcome.UNCHANGED, OfService),
            ),
            measured(
                "by rules, 20 lines",
                devices,
                lambda: ours(given, folder, width, Outcome.CHANGED, OfService),
            ),
        ]
        if peer:
            few = given[: min(devices, 100)]
            lines = tuple(changed("").splitlines())
            figures += [
                measured("netmiko, read, 50 threads", len(few), lambda: netmikos(few)),
                measured("netmiko, 20 lines, 50 threads", len(few), lambda: netmikos(few, lines)),
            ]
        load = simulator.processor_s() - before
        simulator.end()
    if as_json:
        click.echo(json.dumps([vars(one) for one in figures]))
        return
    click.echo(
        f"{devices} simulated devices, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, simulator "
        f"{load:.1f} s of processor, Python {platform.python_version()}"
    )
    click.echo(table(figures))
    for line in verdicts(figures):
        click.echo(line)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
