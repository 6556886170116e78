"""The simulator of network devices in a process of its own, so that its processor time is not the test's."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heiiki.fleet.model import Comparison

USER, PASSWORD, ADMIN = "ops", "log-in of a test", "administrator of a test"

CONFIGS = {
    "cisco_iosxe": """\
hostname {name}
archive
 path flash:archive
 maximum 5
interface GigabitEthernet1
 description {name}# is no prompt
 ip address 192.0.2.1 255.255.255.0
router bgp 65001
 neighbor 192.0.2.2 remote-as 65000
 neighbor 192.0.2.2 fall-over bfd
 address-family ipv4
  neighbor 192.0.2.2 activate
ntp server 198.51.100.1
""",
    "yamaha_rtx": """\
ip lan1 address 192.0.2.1/24
ip route default gateway 192.0.2.254
bgp use on
bgp autonomous-system 65001
tunnel select 1
 ipsec tunnel 101
 ipsec ike version 1 2
 tunnel enable 1
syslog host 198.51.100.2
""",
    "nec_ix": """\
hostname {name}
interface GigaEthernet0.0
  description uplink
  ip address 192.0.2.1/24
  no shutdown
router bgp 65001
  neighbor 192.0.2.2 remote-as 65000
  address-family ipv4 unicast
    network 198.51.100.0/24
""",
    "juniper_junos": """\
set system host-name {name}
set system services netconf ssh
set interfaces ge-0/0/0 unit 0 family inet address 192.0.2.1/24
set protocols bgp group PE type external
set protocols bgp group PE peer-as 65000
set protocols bgp group PE neighbor 192.0.2.2
""",
}
CHANGES = {
    "cisco_iosxe": (
        "interface GigabitEthernet1",
        " description uplink",
        "router bgp 65001",
        " neighbor 192.0.2.3 remote-as 65000",
        " address-family ipv4",
        "  neighbor 192.0.2.3 activate",
        "no ntp server 198.51.100.1",
        "ntp server 198.51.100.9",
    ),
    "yamaha_rtx": (
        "ip lan1 address 192.0.2.7/24",
        "tunnel select 1",
        "ipsec ike keepalive use 1 on rfc4306 10 3",
        "tunnel select none",
        "no syslog host 198.51.100.2",
        "syslog host 198.51.100.3",
    ),
    "nec_ix": (
        "interface GigaEthernet0.0",
        "  description " + 90 * "u",
        "router bgp 65001",
        "  neighbor 192.0.2.3 remote-as 65000",
        "  address-family ipv4 unicast",
        "    no network 198.51.100.0/24",
        "    network 203.0.113.0/24",
    ),
    "juniper_junos": (
        "set interfaces ge-0/0/0 unit 0 description uplink",
        "set protocols bgp group PE neighbor 192.0.2.3",
        "delete protocols bgp group PE neighbor 192.0.2.2",
    ),
}
"""For each platform lines that its simulated device takes, sections and negations among them."""

REPLACED = {
    "cisco_iosxe": (
        (" description {name}# is no prompt", " description uplink"),
        (" neighbor 192.0.2.2 fall-over bfd\n", " neighbor 192.0.2.3 remote-as 65000\n"),
        ("198.51.100.1", "198.51.100.9"),
    ),
    "yamaha_rtx": (("192.0.2.1/24", "192.0.2.7/24"), (" tunnel enable 1", " ip tunnel tcp mss limit auto")),
    "nec_ix": (("description uplink", "description " + 90 * "u"), ("198.51.100.0/24", "203.0.113.0/24")),
    "juniper_junos": (("192.0.2.1/24", "192.0.2.7/24"), ("neighbor 192.0.2.2", "neighbor 192.0.2.3")),
}


def intended(platform: str, name: str) -> str:
    """The configuration of a device with some lines replaced."""
    text = CONFIGS[platform]
    for old, new in REPLACED[platform]:
        assert old in text
        text = text.replace(old, new)
    return text.format(name=name)


class LineComparer:
    """A trivial comparer: lines in their sections, whatever their order; a line that is gone is negated."""

    def __init__(self, platform: str) -> None:
        self._junos = platform == "juniper_junos"
        self._leave = ("tunnel select none",) if platform == "yamaha_rtx" else ()

    def compare(self, running: str, intended: str) -> Comparison:
        old, new = paths(running), paths(intended)
        gone_sections = old.keys() - new.keys()
        gone = [path for path in old if path not in new and path[:-1] not in gone_sections]
        come = [path for path in new if path not in old]
        lines = [line for path in gone for line in self._typed(path, gone=True)]
        lines += [line for path in come for line in self._typed(path, gone=False)]
        diff = "".join(f"-{path[-1]}\n" for path in gone) + "".join(f"+{path[-1]}\n" for path in come)
        return Comparison(tuple(lines), diff)

    def _typed(self, path: tuple[str, ...], *, gone: bool) -> tuple[str, ...]:
        if self._junos:
            return (path[0].replace("set", "delete", 1) if gone else path[0],)
        last = path[-1].removeprefix("no ") if gone and path[-1].startswith("no ") else path[-1]
        return (*path[:-1], f"no {last}" if gone else last, *(self._leave if len(path) > 1 else ()))


def paths(text: str) -> dict[tuple[str, ...], None]:
    """Every line with the sections that it stands in, in order."""
    found: dict[tuple[str, ...], None] = {}
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        if not line.strip() or line.strip() in {"!", "end"}:
            continue
        depth = len(line) - len(line.lstrip())
        while stack and stack[-1][0] >= depth:
            stack.pop()
        stack.append((depth, line.strip()))
        found[tuple(words for _, words in stack)] = None
    return found


@dataclass
class Simulator:
    """The process, and what can be ordered of it."""

    process: "subprocess.Popen[str]"

    def order(self, what: str, device: str = "", **more: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": what, "device": device, **more}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer

    def add(self, name: str, platform: str, **more: Any) -> int:
        spec = {
            "name": name,
            "platform": platform,
            "config": CONFIGS[platform].format(name=name),
            "user": USER,
            "password": PASSWORD,
            "admin_password": ADMIN if platform == "yamaha_rtx" else "",
            **more,
        }
        return int(self.order("add", spec=spec)["port"])

    def state(self, device: str) -> dict[str, Any]:
        return self.order("state", device)

    def fail(self, device: str, **faults: Any) -> None:
        self.order("fail", device, faults=faults)

    def processor_s(self) -> float:
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)
        assert self.process.stdout
        self.process.stdout.close()


def start() -> Simulator:
    argv = [sys.executable, "-m", "heiiki_lab.devices.server"]
    return Simulator(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
