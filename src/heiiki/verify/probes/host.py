"""Probe: look at what a host has and runs, whether or not anybody planned it.

``settings`` names the interfaces' settings that are looked at (net.ipv4.conf). Where ``scan`` names an
interface, the neighbours on it are asked for by ARP: which hosts answer there.
"""

import json
import re
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

_COMMANDS = {
    "addresses": ("ip", "-j", "-d", "address", "show"),
    "routes": ("ip", "-4", "-j", "route", "show", "table", "all"),
    "rules": ("ip", "-4", "-j", "rule", "show"),
    "tables": ("nft", "-j", "list", "tables"),
    "qdiscs": ("tc", "-j", "qdisc", "show"),
    "policies": ("ip", "xfrm", "policy"),
    # nokeys: without it the keys themselves would be printed, and kept as evidence.
    "states": ("ip", "xfrm", "state", "list", "nokeys"),
    "sockets": ("ss", "-Hlntupw"),
    "packet_sockets": ("ss", "-Hn0p"),
    "units": (
        "systemctl",
        "list-units",
        "--type=service,timer,socket,path",
        "--state=active",
        "--no-legend",
        "--plain",
    ),
}
_COMMANDS_V6 = {
    "routes6": ("ip", "-6", "-j", "route", "show", "table", "all"),
    "rules6": ("ip", "-6", "-j", "rule", "show"),
}
_V6 = "/proc/net/if_inet6"
"""It is there where the kernel has IPv6."""
_JSON = ("addresses", "routes", "rules", "tables", "qdiscs", *_COMMANDS_V6)
_CRONTABS = (
    "/etc/cron.d",
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/var/spool/cron/crontabs",
)
_UNITS = (
    *("/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient"),
    *("/run/systemd/generator.early", "/etc/systemd/system", "/run/systemd/system"),
    *("/run/systemd/generator", "/usr/local/lib/systemd/system", "/run/systemd/generator.late"),
)
"""Where drop-ins of units may be, in systemd's order (systemd.unit(5)); those of packages are in /usr/lib."""
_PROCESS = re.compile(r'\("([^"]+)",pid=(\d+)')
_STATE = re.compile(r"^src (\S+) dst (\S+)\n\s+proto (\S+) spi 0x([0-9a-f]+)", re.MULTILINE)
_VICI = "/run/charon.vici"
_ZEBRA = "/run/frr/zebra.vty"
_CLAIMED = ("bgp", "ospf")
_MAIN = "254"
_Installed = tuple[str, str, str, frozenset[tuple[str, str]]]
_FIELD = re.compile(r"^([A-Za-z-]+): (.*)$", re.MULTILINE)
_ETHERTYPE_ARP, _ARP_REPLY = 0x0806, 2


def main(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what is there; a part that could not be read has its reason under ``errors``."""
    found: dict[str, Any] = {"errors": {}}
    has_v6 = Path(_V6).exists()
    found |= {} if has_v6 else {name: [] for name in _COMMANDS_V6}
    for name, argv in (_COMMANDS | (_COMMANDS_V6 if has_v6 else {})).items():
        text, error = _run(argv)
        if error:
            found["errors"][name] = error
        else:
            found[name] = json.loads(text or "[]") if name in _JSON else text
    for part, look in _REFINED.items():
        if part in found:
            _note(found, part, partial(look, found[part]))
    if "qdiscs" in found:
        _note(found, "filters", partial(_filters, found["qdiscs"]))
    _note(found, "settings", partial(_settings, frozenset(parameters["settings"])))
    found["namespaces"] = _names("/run/netns")
    found["crontabs"] = [f"{folder}/{name}" for folder in _CRONTABS for name in _names(folder)]
    found["drop_ins"] = [str(file) for folder in _UNITS for file in sorted(Path(folder).glob("*.d/*.conf"))]
    found["authorities"] = _names("/etc/swanctl/x509ca")
    found["accounts"] = _accounts()
    _note(found, "packages", partial(_packages, "/var/lib/dpkg/status"))
    if parameters.get("scan"):
        found["neighbours"] = _neighbours(**parameters["scan"])
    return found


def _note(found: dict[str, Any], part: str, look: Callable[[], Any]) -> None:
    """Put down what `look` returns, or why it cannot be known."""
    found.pop(part, None)
    try:
        found[part] = look()
    except (OSError, ValueError) as error:
        found["errors"][part] = f"{part}: {error}"


def _with_origin(routes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The kernel's routes, those that routing daemons claim with whether zebra has installed them so."""
    installed = _installed() if Path(_ZEBRA).exists() else set()
    return [
        {**one, "learned": _key(one) in installed} if one.get("protocol") in _CLAIMED else one
        for one in routes
    ]


def _key(one: dict[str, Any]) -> _Installed:
    table = str(one.get("table", "main"))
    ways = one.get("nexthops", [one])
    prefix = "0.0.0.0/0" if one["dst"] == "default" else str(IPv4Network(one["dst"]))
    found = frozenset((way.get("dev", ""), way.get("gateway", "")) for way in ways)
    return str(one["protocol"]), _MAIN if table == "main" else table, prefix, found


def _installed() -> set[_Installed]:
    """Every route that zebra has put into the kernel: protocol, table, prefix, and (interface, gateway)."""
    text, error = _run(("vtysh", "-c", "show ip route vrf all json"))
    if error:
        raise ValueError(error)
    listed = [one for routes in json.loads(text).values() for entries in routes.values() for one in entries]
    return {
        (
            one["protocol"],
            str(one["table"]),
            one["prefix"],
            frozenset(
                (way.get("interfaceName", ""), way.get("ip", "")) for way in one["nexthops"] if way.get("fib")
            ),
        )
        for one in listed
        if one.get("installed")
    }


def _states(text: str) -> list[dict[str, Any]]:
    """The kernel's IPsec states, and of each whether the IKE daemon knows its SPI."""
    known = _spis() if Path(_VICI).exists() else set()
    return [
        {
            "source": source,
            "destination": destination,
            "protocol": protocol,
            "spi": spi,
            "known": spi in known,
        }
        for source, destination, protocol, digits in _STATE.findall(text)
        for spi in (f"{int(digits, 16):08x}",)
    ]


def _spis() -> set[str]:
    """The SPIs of both directions of every SA that the IKE daemon lists, eight hexadecimal digits."""
    from heiiki_agent.vici import Session  # noqa: PLC0415 - it stands where an IKE daemon runs

    with Session() as session:
        listed = session.streamed("list-sas", "list-sa", {})
    children = [one for said in listed for sa in said.values() for one in sa.get("child-sas", {}).values()]
    return {f"{int(one[way], 16):08x}" for one in children for way in ("spi-in", "spi-out") if way in one}


def _filters(qdiscs: list[dict[str, Any]]) -> list[str]:
    """The filters of every queueing discipline that can have some, one line each."""
    lines = [
        f"filter show dev {one['dev']}" + (f" parent {one['handle']}" if one["handle"] != "0:" else "")
        for one in qdiscs
        if one["kind"] != "noqueue"
    ]
    if not lines:
        return []
    text, error = _run(("tc", "-batch", "-"), "\n".join(lines) + "\n")
    if error:
        raise ValueError(error)
    return [line.strip() for line in text.splitlines() if line.startswith("filter")]


def _run(argv: tuple[str, ...], said: str = "") -> tuple[str, str]:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False, input=said)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"{argv[0]}: {error}"
    if done.returncode:
        return "", f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()[:200]}"
    return done.stdout, ""


def _names(folder: str) -> list[str]:
    path = Path(folder)
    return sorted(one.name for one in path.iterdir() if one.name != ".placeholder") if path.is_dir() else []


def _packages(path: str) -> list[dict[str, Any]]:
    """The installed packages, by what dpkg keeps of them (deb822: a field a line)."""
    found = []
    for paragraph in Path(path).read_text(encoding="utf-8").split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        needs = ",".join(fields.get(key, "") for key in ("Pre-Depends", "Depends", "Recommends"))
        found.append(
            {
                "name": fields["Package"],
                "version": fields["Version"],
                "priority": fields.get("Priority", ""),
                "essential": fields.get("Essential") == "yes",
                "needs": _relations(needs),
                "provides": _relations(fields.get("Provides", "")),
            }
        )
    if not found:
        raise ValueError(f"{path} names no package")
    return found


def _relations(text: str) -> list[str]:
    """The names in a relation such as ``a (>= 1) | b, c:any`` (Debian Policy 7.1)."""
    return sorted(
        {name for one in re.split(r"[,|]", text) if (name := re.split(r"[\s:(\[]", one.strip())[0])}
    )


def _socket(line: str) -> dict[str, Any]:
    """A line of ``ss``: protocol, state, queues, local and remote address, and whose it is."""
    protocol, _, _, _, local, *_ = line.split()
    address, _, port = local.rpartition(":")
    return {
        "protocol": protocol,
        "address": address,
        "port": port,
        **_whose(line),
    }


def _whose(line: str) -> dict[str, str]:
    """The program that has a socket, and the unit of it; empty where it is of no process."""
    process = _PROCESS.search(line)
    return {"program": process[1], "unit": _unit(process[2])} if process else {"program": "", "unit": ""}


def _unit(pid: str) -> str:
    """The systemd unit that a process belongs to, by its control group; empty where it is of none."""
    try:
        group = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").strip().splitlines()[-1]
    except (OSError, IndexError):
        return ""
    name = group.rpartition("/")[2]
    return name.removesuffix(".service") if name.endswith(".service") else ""


def _accounts() -> list[dict[str, Any]]:
    found = []
    for line in Path("/etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, uid, _, _, home, shell = line.split(":")
        found.append({"name": name, "uid": int(uid), "shell": shell, "keys": _keys(home)})
    return found


def _keys(home: str) -> int:
    """How many keys may log in to an account."""
    count = 0
    for name in ("authorized_keys", "authorized_keys2"):
        file = Path(home) / ".ssh" / name
        if file.is_file():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            count += sum(bool(line.strip()) and not line.startswith("#") for line in lines)
    return count


def _neighbours(interface: str, source: str, targets: list[str], seconds: float) -> dict[str, list[str]]:
    """Return the link addresses that answer an ARP request (RFC 826) for each of `targets`, if any."""
    found: dict[str, set[str]] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE_ARP)) as port:
        port.bind((interface, _ETHERTYPE_ARP))
        own = port.getsockname()[4]
        for _ in range(2):
            for target in targets:
                port.send(_request(own, source, target))
            until = time.monotonic() + seconds / 2
            while (left := until - time.monotonic()) > 0:
                port.settimeout(left)
                try:
                    frame = port.recv(128)
                except TimeoutError:
                    break
                if struct.unpack_from("!H", frame, 20)[0] == _ARP_REPLY:
                    found.setdefault(socket.inet_ntoa(frame[28:32]), set()).add(frame[22:28].hex(":"))
    return {address: sorted(found[address]) for address in targets if address in found}


def _request(own: bytes, source: str, target: str) -> bytes:
    head = b"\xff" * 6 + own + struct.pack("!HHHBBH", _ETHERTYPE_ARP, 1, 0x0800, 6, 4, 1)
    return head + own + socket.inet_aton(source) + bytes(6) + socket.inet_aton(target)


def _sockets(text: str) -> list[Any]:
    return [_socket(line) for line in text.splitlines()]


def _packet_sockets(text: str) -> list[dict[str, str]]:
    """Sockets for whole frames: protocol, interface (``*``: every one), and whose each is."""
    found = []
    for line in text.splitlines():
        kind, _, _, local, *_ = line.split()
        protocol, _, interface = local.rpartition(":")
        place = {"protocol": protocol.strip("[]"), "interface": interface}
        found.append({"kind": kind, **place, **_whose(line)})
    return found


def _settings(names: frozenset[str]) -> dict[str, dict[str, str]]:
    """Those of the settings that are not 0, by interface."""
    found: dict[str, dict[str, str]] = {}
    for file in Path("/proc/sys/net/ipv4/conf").glob("*/*"):
        if file.name in names and (value := file.read_text(encoding="utf-8").strip()) != "0":
            found.setdefault(file.parent.name, {})[file.name] = value
    return found


def _units(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.strip()]


_REFINED: dict[str, Callable[[Any], Any]] = {
    "routes": _with_origin,
    "states": _states,
    "sockets": _sockets,
    "packet_sockets": _packet_sockets,
    "units": _units,
}
"""What becomes of a command's answer."""
